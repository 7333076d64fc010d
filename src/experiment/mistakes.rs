//! All mistakes of an experiment, reported together and in the order of its lines.

use std::collections::BTreeSet;

use super::fields::NAMES;
use super::unknown::is_within;
use super::value::ValueError;
use crate::error::{Error, Result};

/// A location in the file or on the command line.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// The location as messages print it.
    pub text: String,
    /// Sort key: lines of the file come first, then the command-line arguments.
    pub order: usize,
}

/// The mistakes found so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Mistakes {
    found: Vec<(Location, ValueError)>,
    /// Location and text of each mistake, as the runs of a grid repeat most of them.
    known: BTreeSet<(String, String)>,
    /// Keys that have a mistake; rules about them report nothing more.
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

    /// Adds the mistakes of a section that is checked but not used; no key of the run becomes
    /// invalid.
    pub fn absorb(&mut self, aside: Mistakes) {
        for (location, value_error) in aside.found {
            self.add(&location, value_error);
        }
    }

    /// Marks this key, or all keys of this section, as having an unknown value.
    pub fn mark_invalid(&mut self, name: &str) {
        let meant = NAMES.iter().filter(|key| is_within(key, name));
        self.invalid.extend(meant);
    }

    pub fn is_invalid(&self, key: &str) -> bool {
        self.invalid.contains(key)
    }

    /// All mistakes as one error, sorted by location; `Ok` if there are none.
    pub fn into_error(mut self) -> Result<()> {
        self.found.sort_by_key(|(location, _)| location.order);
        let all = self.found.into_iter();
        Error::all(
            all.map(|(location, value_error)| value_error.at(&location.text))
                .collect(),
        )
    }
}
