//! `--unset KEY`: removes keys, sections and claims from an experiment, as if the file did not give
//! them.

use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::fields::NAMES;
use super::origin::grid_name;
use super::unknown::{is_within, keys_below, unknown};
use super::value::ValueError;

const FORM: &str = "write a key, a section or a claim: --unset flow.stop, --unset grid, --unset 'expect.\"a claim\"'";

impl Document {
    /// Applies one `--unset KEY`.
    pub fn unset(&mut self, key: &str) {
        let location = self.argument(format!("--unset {key}"));
        let taken = parts(key).and_then(|parts| {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            self.take_out(&parts)
        });
        if let Err(value_error) = taken {
            self.mistakes.add(&location, value_error);
        }
    }

    fn take_out(&mut self, parts: &[&str]) -> Result<(), ValueError> {
        let before = self.size();
        match parts {
            ["grid"] => self.grid_keys.clear(),
            ["grid", key @ ..] => {
                let key = known(&key.join("."))?;
                self.grid_keys
                    .retain(|grid_key| !is_within(grid_key.key, &key));
            }
            ["expect"] => self.claims.clear(),
            ["expect", claim] => self.claims.retain(|known| known.claim != *claim),
            ["expect", claim, key @ ..] => {
                let key = key.join(".");
                for known in self.claims.iter_mut().filter(|known| known.claim == *claim) {
                    known.entries.retain(|entry| entry.key != key);
                }
            }
            key => {
                let key = known(&key.join("."))?;
                self.entries.retain(|known, _| !is_within(known, &key));
                if self.size() == before
                    && let Some(grid_key) = self
                        .grid_keys
                        .iter()
                        .find(|grid_key| is_within(grid_key.key, &key))
                {
                    let remedy =
                        format!("the grid gives it: --unset '{}'", grid_name(grid_key.key));
                    return Err(ValueError::new(NOT_THERE, remedy));
                }
            }
        }
        match self.size() < before {
            true => Ok(()),
            false => Err(ValueError::new(
                NOT_THERE,
                "leave this --unset out; `widefield show` prints what is given, defaults included",
            )),
        }
    }

    /// The number of keys, grid keys and claims given.
    fn size(&self) -> usize {
        let claims = self.claims.iter().map(|claim| 1 + claim.entries.len());
        self.entries.len() + self.grid_keys.len() + claims.sum::<usize>()
    }
}

const NOT_THERE: &str = "is not given, so it cannot be taken out";

/// The name, if it is that of a key or a section.
fn known(name: &str) -> Result<String, ValueError> {
    match NAMES.contains(&name) || !keys_below(name).is_empty() {
        true => Ok(name.to_owned()),
        false => Err(unknown(name).0),
    }
}

/// The parts of a dotted and possibly quoted key, split by the TOML parser.
fn parts(key: &str) -> Result<Vec<String>, ValueError> {
    let text = format!("{key} = 0");
    let table = DeTable::parse(&text).map_err(|error| {
        let what = format!("the key cannot be read: {}", error.message());
        ValueError::new(what, FORM)
    })?;
    let mut parts = Vec::new();
    let mut table = table.into_inner();
    loop {
        let mut entries = std::mem::take(&mut table).into_iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            return Err(ValueError::new("is not one key", FORM));
        };
        parts.push(name.into_inner().into_owned());
        match value.into_inner() {
            DeValue::Table(below) => table = below,
            DeValue::Integer(_) => return Ok(parts),
            _ => return Err(ValueError::new("is not one key", FORM)),
        }
    }
}
