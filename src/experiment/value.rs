//! Values of a file, each read into one field and written back.

use std::path::PathBuf;

use toml::Value;

use crate::digits::whole_number;
use crate::error::Error;
use crate::memory::units;
use crate::model::{StateFormat, Train};

/// A value that a key cannot take: what is wrong and what to do. The caller adds the location.
#[derive(Debug, Clone)]
pub(super) struct ValueError {
    pub what: String,
    pub remedy: String,
}

impl ValueError {
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        ValueError {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// A value that is not among the allowed ones.
    pub fn found(value: &Value, allowed: &str) -> Self {
        ValueError {
            what: format!("found {}", describe(value)),
            remedy: format!("allowed: {allowed}"),
        }
    }

    /// A value that is reserved for a later version.
    pub fn later(value: &Value, remedy: &str) -> Self {
        ValueError {
            what: format!(
                "found {}, which is not available in this version",
                describe(value)
            ),
            remedy: remedy.into(),
        }
    }

    /// The error at this location.
    pub fn at(self, location: &str) -> Error {
        Error::input(location, self.what, self.remedy)
    }
}

/// The type and the value, as written in a file. Long lists are cut.
pub(super) fn describe(value: &Value) -> String {
    let text = value.to_string();
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let article = match value {
        Value::Integer(_) | Value::Array(_) => "an",
        _ => "a",
    };
    format!("{article} {}, {shown}", value.type_str())
}

/// The candidate most similar to `word`, if it is similar enough to be meant.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(word, candidate);
    let near = candidates.iter().min_by_key(distance)?;
    // Up to a third of the letters may be wrong in a typing error.
    (distance(&near) <= near.len().max(6) / 3).then_some(*near)
}

/// A field that a key of a file sets.
pub(super) trait Field {
    fn read(&mut self, value: &Value) -> Result<(), ValueError>;
    /// `None` if a file has no entry for the value.
    fn write(&self) -> Option<Value>;
}

/// An enumeration whose variants have names in experiment files.
pub trait NamedVariant: Copy + 'static {
    /// Every variant.
    const ALL: &'static [Self];
    /// The name in experiment files.
    fn name(self) -> &'static str;
}

impl NamedVariant for Train {
    const ALL: &'static [Self] = &Train::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

impl NamedVariant for StateFormat {
    const ALL: &'static [Self] = &StateFormat::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

impl<T: NamedVariant> Field for T {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let names: Vec<_> = T::ALL.iter().map(|choice| choice.name()).collect();
        let (name, _) = among(value, &names, &[])?;
        if let Some(choice) = T::ALL.iter().find(|choice| choice.name() == name) {
            *self = *choice;
        }
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(self.name().into())
    }
}

impl<T: Field + Default> Field for Option<T> {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let mut inner = T::default();
        inner.read(value)?;
        *self = Some(inner);
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        self.as_ref()?.write()
    }
}

impl Field for String {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let text = value.as_str().ok_or(ValueError::found(value, "a string"))?;
        *self = text.to_owned();
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}

impl Field for PathBuf {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let text = value.as_str().ok_or(ValueError::found(value, "a path"))?;
        *self = text.into();
        Ok(())
    }

    /// Lossless, since the path was read from a string.
    fn write(&self) -> Option<Value> {
        Some(self.to_string_lossy().as_ref().into())
    }
}

impl Field for bool {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        *self = value
            .as_bool()
            .ok_or(ValueError::found(value, "true, false"))?;
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl Field for f64 {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        *self = number(value).ok_or(ValueError::found(value, "a number"))?;
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl Field for u64 {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        *self = whole(value, i64::MAX)?;
        Ok(())
    }

    /// Lossless, since the number was read from an i64.
    fn write(&self) -> Option<Value> {
        Some((*self as i64).into())
    }
}

impl Field for usize {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        // Engines index samples and particles by 32 bits.
        let read = whole(value, u32::MAX.into());
        *self = read.map_err(|mut value_error| {
            let beyond = value.as_integer().filter(|v| *v > u32::MAX.into());
            if let Some(bytes) = beyond.map(|v| 4 * v as u128) {
                let needed = format!(
                    "; so many numbers need {bytes} bytes at least ({})",
                    units(bytes)
                );
                value_error.what.push_str(&needed);
            }
            value_error
        })? as usize;
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some((*self as i64).into())
    }
}

impl Field for [u8; 2] {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let class = |value: &Value| u8::try_from(whole(value, 255).ok()?).ok();
        *self =
            pair(value, class).ok_or(ValueError::found(value, "[a, b] with a, b in 0 to 255"))?;
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(self.map(i64::from).to_vec().into())
    }
}

impl Field for Vec<[f64; 2]> {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let point = |value| pair(value, number);
        let points = value
            .as_array()
            .and_then(|all| all.iter().map(point).collect());
        *self = points.ok_or(ValueError::found(value, "points [[x, y], …] of numbers"))?;
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(
            self.iter()
                .map(|point| Value::from(point.to_vec()))
                .collect::<Vec<_>>()
                .into(),
        )
    }
}

/// Reads one of `names`, or a table of one of `keys` with a number.
pub(super) fn among(
    value: &Value,
    names: &[&'static str],
    keys: &[&'static str],
) -> Result<(&'static str, Option<f64>), ValueError> {
    let quoted = names.iter().map(|name| format!("\"{name}\""));
    let tables = keys.iter().map(|key| format!("{{ {key} = a number }}"));
    let allowed: Vec<_> = quoted.chain(tables).collect();
    let mut value_error = ValueError::found(value, &allowed.join(", "));
    let word = match value {
        Value::String(word) => {
            if let Some(name) = names.iter().find(|name| *name == word) {
                return Ok((name, None));
            }
            word.as_str()
        }
        Value::Table(table) if table.len() == 1 => {
            let (word, content) = table
                .iter()
                .next()
                .map_or(("", value), |(k, v)| (k.as_str(), v));
            let key = keys.iter().find(|key| **key == word);
            if let (Some(key), Some(number)) = (key, number(content)) {
                return Ok((key, Some(number)));
            }
            word
        }
        _ => return Err(value_error),
    };
    let candidates = if value.is_str() { names } else { keys };
    if let Some(near) = nearest(word, candidates).filter(|near| *near != word) {
        value_error
            .remedy
            .push_str(&format!("; did you mean {near}?"));
    }
    Err(value_error)
}

pub(super) fn positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

pub(super) fn non_negative(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}

/// A number, whole or not: `scale_w = 50` equals `50.0`.
pub(super) fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or(value.as_integer().map(|integer| integer as f64))
}

/// A whole number; 1e5, which TOML reads as a float, is one too.
fn whole(value: &Value, most: i64) -> Result<u64, ValueError> {
    let integer = match value.as_integer() {
        Some(integer) => u64::try_from(integer).ok(),
        None => value.as_float().and_then(whole_number),
    };
    let fits = integer.filter(|integer| *integer <= most as u64);
    fits.ok_or_else(|| ValueError::found(value, &format!("a whole number from 0 to {most}")))
}

fn pair<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<[T; 2]> {
    match value.as_array()?.as_slice() {
        [first, second] => Some([read(first)?, read(second)?]),
        _ => None,
    }
}
