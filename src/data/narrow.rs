//! Conversion from f64 to the single or half precision of the engines. Values that rounding would
//! change too much are refused or reported, since training would then use different data.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::Path;

use half::f16;

use super::Dataset;
use crate::error::{Error, Result};
use crate::model::StateFormat;

/// Values rounded to the nearest f32.
///
/// # Errors
/// Values beyond f32, and values so small that they would become 0 or lose digits, as GPU engines
/// may flush denormal f32 to 0. `what` names the values in messages, `place` their location.
pub fn to_f32(
    place: &str,
    what: &str,
    values: &[f64],
    columns: usize,
    remedy: &str,
) -> Result<Vec<f32>> {
    if let Some(at) = values.iter().position(|&v| !survives(v)) {
        let value = values[at];
        let column = match columns {
            1 => String::new(),
            _ => format!(", column {}", at % columns),
        };
        let lost = match value as f32 {
            0.0 => "below single precision, which would make it 0",
            near if near.is_finite() => {
                "below the normal numbers of single precision, which would take digits from it or make it 0"
            }
            _ => "beyond single precision",
        };
        return Err(Error::input(
            place,
            format!(
                "the {what} {value:e} in row {}{column} (counted from 0) is {lost}",
                at / columns
            ),
            remedy,
        ));
    }
    Ok(values.iter().map(|&v| v as f32).collect())
}

/// Whether a value is 0, or a normal number after rounding to f32.
pub fn survives(v: f64) -> bool {
    v == 0.0 || (v as f32).is_normal()
}

/// Weights of a file as f32: 2^exponent times the stored values. Denormal weights that f32 holds
/// exactly are accepted if the layer has a normal one too: weight decay produces them.
///
/// # Errors
/// Weights beyond f32, or so small that they would become 0 or lose digits; a layer whose weights
/// are all denormal.
pub fn weights(
    path: &Path,
    what: &str,
    stored: &[f64],
    columns: usize,
    exponent: i64,
) -> Result<Vec<f64>> {
    let place = path.display().to_string();
    // Exponents beyond ±2000 give the same result: every weight but 0 is out of range. Two factors
    // are needed, as 2^2000 is beyond f64.
    let power = exponent.clamp(-2000, 2000) as i32;
    let (half, rest) = (2.0_f64.powi(power / 2), 2.0_f64.powi(power - power / 2));
    let weights: Vec<f64> = stored.iter().map(|v| v * half * rest).collect();
    let largest = weights.iter().fold(0.0_f64, |l, v| l.max(v.abs()));
    let has_normal = largest >= f64::from(f32::MIN_POSITIVE);
    let exact = |v: f64| v.is_finite() && f64::from(v as f32) == v && has_normal;
    let vanished = |at: usize| weights[at] == 0.0 && stored[at] != 0.0;
    let lost = (0..weights.len())
        .find(|&at| vanished(at) || (!survives(weights[at]) && !exact(weights[at])));
    if let Some(at) = lost {
        let scaled = match exponent {
            0 => String::new(),
            _ => format!(" · 2^{exponent}, its exponent,"),
        };
        let side = if weights[at].abs() > 1.0 {
            "beyond"
        } else {
            "below the normal numbers of"
        };
        return Err(Error::input(
            place,
            format!(
                "the {what} {:e}{scaled} in row {} (counted from 0) is {side} single precision",
                stored[at],
                at / columns
            ),
            "rescale the weights (a network whose w are divided by what its a are multiplied by is the same), or write 0 for them",
        ));
    }
    Ok(weights.iter().map(|&v| f64::from(v as f32)).collect())
}

/// Inputs rounded to the nearest f16.
///
/// # Errors
/// An input beyond the largest f16; a column whose values are all below the normal range of f16, or
/// a row that would become 0. A single denormal entry is accepted: its rounding error is below that
/// of the largest entry of its column.
pub fn to_f16(data: &Dataset) -> Result<Vec<f32>> {
    let wrong = |what: String| {
        Error::input(
            "precision.state",
            format!("\"f16\" cannot hold {what}"),
            "rescale the inputs (data.standardize = true does), or use \"f32\"",
        )
    };
    let x: Vec<f32> = data.x.iter().map(|&x| f16::from_f32(x).to_f32()).collect();
    if let Some(at) = x.iter().position(|x| !x.is_finite()) {
        return Err(wrong(format!(
            "the input {:e} of row {}: it ends at {}",
            data.x[at],
            at / data.d,
            f16::MAX
        )));
    }
    let least = f16::MIN_POSITIVE.to_f32();
    let largest =
        |values: &mut dyn Iterator<Item = &f32>| values.fold(0.0_f32, |l, v| l.max(v.abs()));
    let lost = |size: f32| size > 0.0 && size < least;
    for column in 0..data.d {
        let size = largest(&mut data.x.iter().skip(column).step_by(data.d));
        if lost(size) {
            return Err(wrong(format!(
                "column {column} (counted from 0) of the inputs, where no size is above {size:e}: it begins at {least:e}"
            )));
        }
    }
    let vanishes = |&i: &usize| {
        let zero = |row: &[f32]| row.iter().all(|v| *v == 0.0);
        zero(&x[i * data.d..(i + 1) * data.d]) && !zero(data.row(i))
    };
    if let Some(row) = (0..data.n()).find(vanishes) {
        return Err(wrong(format!(
            "the input of row {row} (counted from 0), which would become 0: it begins at {least:e}"
        )));
    }
    Ok(x)
}

/// Two rows that differ and have different targets, but became equal by rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merged {
    pub rows: [usize; 2],
    /// The number of further rows that became equal to one with another target.
    pub more: usize,
}

/// Looks for rows with different targets that differ in `exact` and are equal in `rounded`.
pub fn merged<T: PartialEq>(exact: &[T], rounded: &[f32], d: usize, y: &[f32]) -> Option<Merged> {
    // Of all rows that are equal after rounding, three are enough to find a pair: the first, the
    // first with another target, and the first that differed from it before rounding.
    let mut seen: HashMap<InputRow, [Option<usize>; 3]> = HashMap::new();
    let mut found: Option<Merged> = None;
    let (exact, rounded) = (exact.chunks_exact(d), rounded.chunks_exact(d));
    let before: Vec<&[T]> = exact.collect();
    for (i, row) in rounded.enumerate() {
        let of = seen.entry(InputRow(row)).or_default();
        let differs = |j: &usize| y[*j] != y[i] && before[*j] != before[i];
        if let Some(j) = of.iter().flatten().copied().find(|j| differs(j)) {
            match &mut found {
                Some(merged) => merged.more += 1,
                None => {
                    found = Some(Merged {
                        rows: [j, i],
                        more: 0,
                    })
                }
            }
        }
        match of[0] {
            None => of[0] = Some(i),
            Some(first) => {
                if y[first] != y[i] {
                    of[1].get_or_insert(i);
                }
                if before[first] != before[i] {
                    of[2].get_or_insert(i);
                }
            }
        }
    }
    found
}

/// Warns that rows became equal in this precision.
pub fn warn_of(merged: Merged, place: &str, y: &[f32], state: StateFormat, remedy: &str) {
    let Merged { rows: [i, j], more } = merged;
    let precision = match state {
        StateFormat::F32 => "single",
        StateFormat::F16 => "half",
    };
    let more = match more {
        0 => String::new(),
        _ => format!(", and so do {more} more"),
    };
    tracing::warn!(
        "{place}: rows {i} and {j} (counted from 0) have the targets {} and {} and become equal in {precision} precision{more}\n  {remedy}",
        y[i],
        y[j]
    );
}

/// A row, compared by value: 0 and −0 are the same input.
#[derive(PartialEq)]
struct InputRow<'a>(&'a [f32]);

/// Inputs are never NaN, so equality is reflexive.
impl Eq for InputRow<'_> {}

impl Hash for InputRow<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|v| (v + 0.0).to_bits().hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_single_precision_would_change_is_refused() {
        let refuses = |value: f64, texts: &[&str]| {
            let error = to_f32("d.csv", "value", &[1.0, value], 2, "rescale").unwrap_err();
            for text in texts.iter().chain(&["row 0, column 1", "rescale"]) {
                assert!(error.to_string().contains(text), "no {text} in {error}");
            }
        };
        refuses(1e-46, &["1e-46", "make it 0"]);
        refuses(-5e-43, &["-5e-43", "take digits"]);
        // Exact in f32, but a GPU may flush it to 0.
        refuses(f64::from(f32::MIN_POSITIVE) / 2.0, &["take digits"]);
        refuses(1e39, &["1e39", "beyond single precision"]);
        let kept = [0.0, -0.0, f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX)];
        assert_eq!(to_f32("", "", &kept, 1, "").unwrap().len(), 4);
    }

    #[test]
    fn half_precision_keeps_small_entries_of_larger_columns_only() {
        let round = |d, x: &[f32]| {
            let y = vec![1.0; x.len() / d];
            to_f16(&Dataset {
                d,
                x: x.to_vec(),
                y,
            })
            .map_err(|e| e.to_string())
        };
        assert_eq!(round(1, &[1.0, 1e-6]).unwrap()[0], 1.0);
        let error = round(2, &[1.0, 1e-6, 1.0, 2e-6]).unwrap_err();
        assert!(
            error.contains("column 1") && error.contains("2e-6"),
            "{error}"
        );
        let error = round(1, &[1.0, 1e-9]).unwrap_err();
        assert!(error.contains("row 1"), "{error}");
        let error = round(1, &[1.0, 7e4]).unwrap_err();
        assert!(
            error.contains("7e4 of row 1") && error.contains("65504"),
            "{error}"
        );
    }

    #[test]
    fn rows_that_become_equal_are_found_in_any_order() {
        let find = |rows: &[(f64, f32)]| {
            let exact: Vec<f64> = rows.iter().map(|row| row.0).collect();
            let rounded: Vec<f32> = exact.iter().map(|&v| v as f32).collect();
            let y: Vec<f32> = rows.iter().map(|row| row.1).collect();
            merged(&exact, &rounded, 1, &y)
        };
        let (a, b) = (1000.0, 1000.00001);
        let rows = |i, j, more| Some(Merged { rows: [i, j], more });
        assert_eq!(find(&[(a, 1.0), (b, -1.0)]), rows(0, 1, 0));
        assert_eq!(find(&[(a, 1.0), (b, 1.0), (a, -1.0)]), rows(1, 2, 0));
        assert_eq!(find(&[(a, 1.0), (a, -1.0), (b, 1.0)]), rows(1, 2, 0));
        assert_eq!(find(&[(a, 1.0), (b, -1.0), (b, -1.0)]), rows(0, 1, 1));
        assert_eq!(find(&[(0.0, 1.0), (1e-50, -1.0)]), rows(0, 1, 0));
        // Rows that were equal before, or that have the same target, are not reported.
        assert_eq!(find(&[(a, 1.0), (a, -1.0), (0.0, 1.0), (-0.0, -1.0)]), None);
        assert_eq!(find(&[(a, 1.0), (b, 1.0), (7.0, -1.0)]), None);
    }
}
