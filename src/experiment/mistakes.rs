//! All mistakes of an experiment, reported together and in the order of its lines.

use std::collections::BTreeSet;

use super::fields::NAMES;
use super::unknown::is_within;
use super::value::ValueError;
use crate::error::{Error, Result};

/// A location in the file or on the command line.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// As messages name it.
    pub text: String,
    /// Places of a file by their lines, then the arguments of the command line.
    pub order: usize,
}

/// What was found so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Mistakes {
    found: Vec<(Location, ValueError)>,
    /// Place and fault of each, since the runs of a grid share most of theirs.
    known: BTreeSet<(String, String)>,
    /// Keys with a mistake already: rules about them say nothing more.
    invalid: BTreeSet<&'static str>,
}

impl Mistakes {
    pub fn add(&mut self, location: &Location, value_error: ValueError) {
        if self
            .known
            .insert((location.text.clone(), value_error.what.clone()))
        {
            self.found.push((location.clone(), value_error));
        }
    }

    /// Takes in what was found aside, in keys that are not those of the run.
    pub fn absorb(&mut self, aside: Mistakes) {
        for (location, value_error) in aside.found {
            self.add(&location, value_error);
        }
    }

    /// Whatever the value of this key, or of the keys in this section, should have been, it is not
    /// known.
    pub fn mark_invalid(&mut self, name: &str) {
        let meant = NAMES.iter().filter(|key| is_within(key, name));
        self.invalid.extend(meant);
    }

    pub fn is_invalid(&self, key: &str) -> bool {
        self.invalid.contains(key)
    }

    /// All of them as one error; none is none.
    pub fn into_error(mut self) -> Result<()> {
        self.found.sort_by_key(|(location, _)| location.order);
        let all = self.found.into_iter();
        Error::all(
            all.map(|(location, value_error)| value_error.at(&location.text))
                .collect(),
        )
    }
}
