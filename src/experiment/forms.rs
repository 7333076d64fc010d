//! Fields that take several forms of values: a string, a table of one key, or a string or boolean.

use toml::{Table, Value};

use super::schedule::Schedule;
use super::training::{NormScaled, Stop};
use super::value::{Field, ValueError, among, number};
use crate::model::{Loss, Scaling};

impl Field for Scaling {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        *self = match among(value, &["mean-field", "ntk"], &["alpha"])? {
            (_, Some(alpha)) => Scaling::Alpha(alpha),
            ("ntk", None) => Scaling::Ntk,
            _ => Scaling::MeanField,
        };
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(match *self {
            Scaling::MeanField => "mean-field".into(),
            Scaling::Ntk => "ntk".into(),
            Scaling::Alpha(alpha) => one_key("alpha", alpha),
        })
    }
}

/// A string, or `{ name = value }` for a loss with a parameter.
impl Field for Loss {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let named = |with: bool| {
            let losses = Loss::ALL.iter();
            let losses = losses.filter(move |loss| loss.parameter().is_some() == with);
            losses.map(|loss| loss.name()).collect::<Vec<_>>()
        };
        let (name, parameter) = among(value, &named(false), &named(true))?;
        if let Some(loss) = Loss::named(name) {
            *self = parameter.map_or(loss, |parameter| loss.with(parameter));
        }
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(match self.parameter() {
            Some((_, parameter)) => one_key(self.name(), parameter),
            None => self.name().into(),
        })
    }
}

impl Field for Schedule {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let names = ["constant", "inverse-sqrt", "cosine"];
        *self = match among(value, &names, &["power"])? {
            (_, Some(power)) => Schedule::Power(power),
            ("inverse-sqrt", None) => Schedule::InverseSqrt,
            ("cosine", None) => Schedule::Cosine,
            _ => Schedule::Constant,
        };
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(match *self {
            Schedule::Constant => "constant".into(),
            Schedule::InverseSqrt => "inverse-sqrt".into(),
            Schedule::Power(power) => one_key("power", power),
            Schedule::Cosine => "cosine".into(),
        })
    }
}

impl Field for NormScaled {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        *self = match (value.as_bool(), value.as_str()) {
            (Some(false), _) => NormScaled::Never,
            (Some(true), _) => NormScaled::Always,
            (_, Some("output")) => NormScaled::Output,
            _ => return Err(ValueError::found(value, "true, false, \"output\"")),
        };
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(match self {
            NormScaled::Never => false.into(),
            NormScaled::Always => true.into(),
            NormScaled::Output => "output".into(),
        })
    }
}

impl Field for Option<Stop> {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        *self = match among(value, &[], &["gap", "risk", "seconds"])? {
            ("gap", Some(gap)) => Some(Stop::Gap(gap)),
            ("risk", Some(risk)) => Some(Stop::Risk(risk)),
            (_, seconds) => seconds.map(Stop::Seconds),
        };
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        let stop = (*self)?;
        let (Stop::Gap(value) | Stop::Risk(value) | Stop::Seconds(value)) = stop;
        Some(one_key(stop.name(), value))
    }
}

/// A key that takes one value only in this version. It sets no field.
pub(super) struct Reserved {
    pub neutral: Value,
    /// Whether a later version will accept this value.
    pub later: fn(&Value) -> bool,
}

impl Field for Reserved {
    fn read(&mut self, value: &Value) -> Result<(), ValueError> {
        let same = match (number(value), number(&self.neutral)) {
            (Some(found), Some(neutral)) => found == neutral,
            _ => *value == self.neutral,
        };
        if same {
            Ok(())
        } else if (self.later)(value) {
            Err(ValueError::later(
                value,
                &format!("use {}, or leave the key out", self.neutral),
            ))
        } else {
            Err(ValueError::found(value, &self.neutral.to_string()))
        }
    }

    fn write(&self) -> Option<Value> {
        Some(self.neutral.clone())
    }
}

fn one_key(key: &str, number: f64) -> Value {
    Value::Table(Table::from_iter([(key.to_owned(), number.into())]))
}
