//! `[expect]`: the claims of a paper, as checks of the trained runs.

use toml::{Table, Value};

use super::claims::Claim;
use super::fields::{self, NAMES};
use super::mistakes::Mistakes;
use super::value::{Field, NamedVariant, ValueError, nearest};
use super::{Experiment, GridRun};

/// The quantities that a check can use: the columns of summary.json, those of a certificate (the
/// runs are then certified) and those of a comparison between seeds and widths (the runs are then
/// compared).
pub const QUANTITIES: &[&str] = &[
    "risk",
    "objective",
    "risk_test",
    "error_train",
    "error_test",
    "tv_norm",
    "param_norm",
    "margin_f1",
    "margin_param",
    "margin_f2",
    "dead",
    "largest_weight",
    "balance_drift",
    "informative",
    "kernel_drift",
    "direction_cosine",
    "atoms",
    "best_margin_f1",
    "best_margin_param",
    "best_margin_f2",
    "certificate.lower",
    "certificate.upper",
    "certificate.relative_gap",
    "certificate.optimum_lower",
    "certificate.optimum_upper",
    "certificate.missing",
    "compare.variance",
    "compare.gap",
    "compare.floor",
];

/// `[expect."CLAIM"]`: bounds on a quantity of the trained runs, which hold if the claim does.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimCheck {
    /// The text of the claim.
    pub claim: String,
    /// `value`: one of [`QUANTITIES`]. Required.
    pub quantity: String,
    /// The runs that are used. Default: all.
    pub of: Filter,
    /// How the values of several runs become one. Default: mean.
    pub over: Over,
    /// If given, bounds are multiples of the quantity of these other runs. Default: bounds are
    /// values.
    pub than: Option<Other>,
    /// If given, bounds apply to the exponent s in value ~ keyˢ, fitted over the values of this
    /// key.
    pub slope: Option<&'static str>,
    /// One of the two bounds, or both.
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

/// Keys of an experiment, each with the values that a run may have to match.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter(Vec<(&'static str, Vec<Value>)>);

/// The quantity and the runs that a check compares with.
#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    /// Default: the quantity of the check.
    pub quantity: String,
    /// The filter of the check's `of`, with these keys replaced.
    pub of: Filter,
}

/// How the values of several runs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Mean,
    Max,
    Min,
}

impl NamedVariant for Over {
    const ALL: &'static [Self] = &[Over::Mean, Over::Max, Over::Min];

    fn name(self) -> &'static str {
        match self {
            Over::Mean => "mean",
            Over::Max => "max",
            Over::Min => "min",
        }
    }
}

impl Filter {
    pub fn matches(&self, run: &GridRun) -> bool {
        let holds = |(key, values): &(&str, Vec<Value>)| {
            let has = value_of(&run.experiment, key);
            has.is_some_and(|has| values.contains(&has))
        };
        self.0.iter().all(holds)
    }

    /// This filter, with the keys of `by` replacing its own.
    fn replaced(&self, by: &Filter) -> Filter {
        let mine = self.0.iter();
        let kept = mine.filter(|(key, _)| by.0.iter().all(|(other, _)| other != key));
        Filter(kept.chain(&by.0).cloned().collect())
    }

    fn read(table: &Table) -> std::result::Result<Self, ValueError> {
        let mut keys = Vec::new();
        for (name, value) in table {
            let key = NAMES.iter().find(|key| *key == name).ok_or_else(|| {
                let hint = nearest(name, &NAMES).map(|near| format!("did you mean {near}? "));
                ValueError {
                    what: format!("{name} is not a key of an experiment"),
                    remedy: format!(
                        "{}name keys with their section, as in {{ \"network.width\" = 64 }}",
                        hint.unwrap_or_default()
                    ),
                }
            })?;
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            let values = values.iter().map(|value| canonical(key, value));
            keys.push((*key, values.collect::<std::result::Result<_, _>>()?));
        }
        Ok(Filter(keys))
    }

    fn write(&self) -> Table {
        let entry = |(key, values): &(&'static str, Vec<Value>)| {
            let value = match values.as_slice() {
                [one] => one.clone(),
                all => all.to_vec().into(),
            };
            ((*key).to_owned(), value)
        };
        self.0.iter().map(entry).collect()
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let each = self.write();
        let each = each.iter().map(|(key, value)| format!("{key} = {value}"));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}

/// A value as resolved files write it: 5 and 5.0 become the same.
fn canonical(key: &str, value: &Value) -> std::result::Result<Value, ValueError> {
    let mut e = fields::template();
    fields::read(&mut e, key, value)?;
    Ok(value_of(&e, key).unwrap_or_else(|| value.clone()))
}

/// The value of a key, even if the key does not apply to the experiment.
fn value_of(e: &Experiment, key: &str) -> Option<Value> {
    let mut found = None;
    fields::visit(&mut e.clone(), &mut |name, field| {
        if name == key {
            found = field.write();
        }
    });
    found
}

/// The value of a key in one run as a number, for the fit of a slope.
pub fn number_of(run: &GridRun, key: &str) -> Option<f64> {
    value_of(&run.experiment, key)
        .as_ref()
        .and_then(super::value::number)
}

impl ClaimCheck {
    /// The runs that the check compares with.
    pub fn others(&self, other: &Other) -> Filter {
        self.of.replaced(&other.of)
    }

    /// The keys of a check, in the order of a resolved file.
    pub(super) const KEYS: [&'static str; 7] = [
        "value", "of", "over", "than", "slope", "at_least", "at_most",
    ];

    /// Reads one claim of a document; `None` if it has a mistake, which is added to `mistakes`.
    pub(super) fn read(claim: &Claim, mistakes: &mut Mistakes) -> Option<Self> {
        let mut check = ClaimCheck {
            claim: claim.claim.clone(),
            quantity: String::new(),
            of: Filter::default(),
            over: Over::Mean,
            than: None,
            slope: None,
            at_least: None,
            at_most: None,
        };
        // `than` is read last, since its default quantity is that of the check.
        let (than, rest): (Vec<_>, Vec<_>) =
            claim.entries.iter().partition(|entry| entry.key == "than");
        let mut sound = true;
        for entry in rest.into_iter().chain(than) {
            if let Err(value_error) = check.take(&entry.key, &entry.value) {
                mistakes.add(&entry.location, value_error);
                sound = false;
            }
        }
        if !sound {
            // A key that seems missing may be one that could not be read.
            return None;
        }
        match check.complete() {
            Ok(()) => Some(check),
            Err(value_error) => {
                mistakes.add(&claim.location, value_error);
                None
            }
        }
    }

    fn take(&mut self, key: &str, value: &Value) -> std::result::Result<(), ValueError> {
        match key {
            "value" => self.quantity = quantity(value)?,
            "of" => self.of = Filter::read(table(value)?)?,
            "over" => self.over.read(value)?,
            "than" => self.than = Some(self.other(value)?),
            "slope" => {
                let word = value.as_str();
                let key = NAMES.iter().find(|key| Some(**key) == word);
                let allowed = "a key of the grid that holds numbers, such as \"network.width\"";
                self.slope = Some(key.ok_or_else(|| ValueError::found(value, allowed))?);
            }
            "at_least" => self.at_least.read(value)?,
            "at_most" => self.at_most.read(value)?,
            _ => {
                let hint = nearest(key, &Self::KEYS).map(|near| format!("did you mean {near}? "));
                let allowed = format!("allowed in a check: {}", Self::KEYS.join(", "));
                return Err(ValueError {
                    what: "is not a key of a check".into(),
                    remedy: hint.unwrap_or_default() + &allowed,
                });
            }
        }
        Ok(())
    }

    fn other(&self, value: &Value) -> std::result::Result<Other, ValueError> {
        let mut keys = table(value)?.clone();
        let quantity = match keys.remove("value") {
            Some(named) => quantity(&named)?,
            None => self.quantity.clone(),
        };
        let of = Filter::read(&keys)?;
        Ok(Other { quantity, of })
    }

    fn complete(&self) -> std::result::Result<(), ValueError> {
        let value_error = |what: &str, remedy: &str| {
            Err(ValueError {
                what: what.into(),
                remedy: remedy.into(),
            })
        };
        if self.quantity.is_empty() {
            return value_error(
                "has no value",
                "say what is measured: value = \"error_test\"",
            );
        }
        let bounds = [self.at_least, self.at_most];
        let given: Vec<f64> = bounds.into_iter().flatten().collect();
        if given.is_empty() || given.iter().any(|bound| !bound.is_finite()) {
            return value_error("has no bound", "give a finite at_least, at_most, or both");
        }
        if given.len() == 2 && given.is_sorted_by(|least, most| least > most) {
            return value_error("can never hold", "at_least may not be above at_most");
        }
        if self.slope.is_some() && self.than.is_some() {
            return value_error("has both slope and than", "keep one of them");
        }
        Ok(())
    }

    /// The check as a table of an experiment file.
    pub(super) fn write(&self) -> Table {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            table.extend(value.map(|value| (key.to_owned(), value)));
        };
        let filled = |filter: &Filter| Some(filter.write()).filter(|keys| !keys.is_empty());
        put("value", Some(self.quantity.as_str().into()));
        put("of", filled(&self.of).map(Value::Table));
        put("over", self.over.write());
        put("than", self.than.as_ref().map(Other::write));
        put("slope", self.slope.map(Value::from));
        put("at_least", self.at_least.map(Value::from));
        put("at_most", self.at_most.map(Value::from));
        table
    }
}

impl Other {
    fn write(&self) -> Value {
        let mut table = Table::from_iter([("value".to_owned(), self.quantity.as_str().into())]);
        table.extend(self.of.write());
        table.into()
    }
}

fn table(value: &Value) -> std::result::Result<&Table, ValueError> {
    let allowed = "keys of the grid with their values, as in { \"network.width\" = 64 }";
    value
        .as_table()
        .ok_or_else(|| ValueError::found(value, allowed))
}

fn quantity(value: &Value) -> std::result::Result<String, ValueError> {
    let word = value.as_str().unwrap_or_default();
    if QUANTITIES.contains(&word) {
        return Ok(word.to_owned());
    }
    let mut value_error = ValueError::found(value, &QUANTITIES.join(", "));
    if let Some(near) = nearest(word, QUANTITIES) {
        value_error
            .remedy
            .push_str(&format!("; did you mean {near}?"));
    }
    Err(value_error)
}
