//! Everything that is wrong in an experiment, to be told at once and in the order of its lines.

use std::collections::BTreeSet;

use super::fields::NAMES;
use super::unknown::is_within;
use super::value::Wrong;
use crate::error::{Error, Result};

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// As messages name it.
    pub text: String,
    /// Places of a file by their lines, then the arguments of the command line.
    pub order: usize,
}

/// What was found so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Mistakes {
    found: Vec<(Place, Wrong)>,
    /// Place and fault of each, since the runs of a grid share most of theirs.
    known: BTreeSet<(String, String)>,
    /// Keys with a mistake already: rules about them say nothing more.
    spoilt: BTreeSet<&'static str>,
}

impl Mistakes {
    pub fn add(&mut self, place: &Place, wrong: Wrong) {
        if self.known.insert((place.text.clone(), wrong.what.clone())) {
            self.found.push((place.clone(), wrong));
        }
    }

    /// Takes in what was found aside, in keys that are not those of the run.
    pub fn absorb(&mut self, aside: Mistakes) {
        for (place, wrong) in aside.found {
            self.add(&place, wrong);
        }
    }

    /// Whatever the value of this key, or of the keys in this section, should have been, it is not
    /// known.
    pub fn spoil(&mut self, name: &str) {
        let meant = NAMES.iter().filter(|key| is_within(key, name));
        self.spoilt.extend(meant);
    }

    pub fn is_spoilt(&self, key: &str) -> bool {
        self.spoilt.contains(key)
    }

    /// All of them as one error; none is none.
    pub fn told(mut self) -> Result<()> {
        self.found.sort_by_key(|(place, _)| place.order);
        let all = self.found.into_iter();
        Error::all(all.map(|(place, wrong)| wrong.at(&place.text)).collect())
    }
}
