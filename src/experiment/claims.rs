//! The claims of `[expect]` as the document gives them, each with the keys of its check.

use serde::Deserialize;
use toml::de::{DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::mistakes::{Location, Mistakes};
use super::origin::Origin;
use super::value::ValueError;

/// A claim and its keys, before their values are read.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub claim: String,
    pub entries: Vec<ClaimEntry>,
    pub location: Location,
}

#[derive(Debug, Clone)]
pub(super) struct ClaimEntry {
    pub key: String,
    pub value: Value,
    pub location: Location,
}

/// Adds a table of claims; the keys of a claim that exists already are overridden.
pub(super) fn take(
    claims: &mut Vec<Claim>,
    origin: &Origin,
    section: Spanned<DeValue>,
    location: &Location,
    mistakes: &mut Mistakes,
) {
    const FORM: &str = "write [expect.\"a claim in words\"] and below it value = …, at_least = …";
    let DeValue::Table(section) = section.into_inner() else {
        let what = "is a section, but a single value was found";
        return mistakes.add(location, ValueError::new(what, FORM));
    };
    for (claim, keys) in section {
        let start = claim.span().start;
        let claim = claim.into_inner().into_owned();
        let name = format!("expect.\"{claim}\"");
        let location = origin.location(start, &name, false);
        let DeValue::Table(keys) = keys.into_inner() else {
            mistakes.add(&location, ValueError::new("is no check", FORM));
            continue;
        };
        if claim.contains(char::is_control) {
            let what = "is more than a line of text";
            mistakes.add(&location, ValueError::new(what, "shorten the claim"));
            continue;
        }
        let position = claims.iter().position(|known| known.claim == claim);
        let mut known = match position {
            Some(position) => claims.remove(position),
            None => Claim {
                claim,
                entries: Vec::new(),
                location,
            },
        };
        for (key, value) in keys {
            let start = key.span().start;
            let key = key.into_inner().into_owned();
            let location = origin.location(start, &format!("{name}.{key}"), false);
            let value = match Value::deserialize(ValueDeserializer::from(value)) {
                Ok(value) => value,
                Err(error) => {
                    mistakes.add(
                        &location,
                        ValueError::new(error.message(), "check the number"),
                    );
                    continue;
                }
            };
            known.entries.retain(|entry| entry.key != key);
            known.entries.push(ClaimEntry {
                key,
                value,
                location,
            });
        }
        claims.insert(position.unwrap_or(claims.len()), known);
    }
}
