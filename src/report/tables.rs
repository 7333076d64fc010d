//! The tables of a report, thinned to a readable size.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::digits::digits;
use crate::error::{Error, Result};

/// Largest number of rows of a table.
const ROWS: usize = 400;
/// Keys of summary.json that stand before the measured ones.
const FIRST: [&str; 2] = ["run", "steps"];

/// A table's cells as text, and a note on what is left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ReportTable {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// What was left out, if anything.
    pub note: Option<String>,
}

/// A row per run of summary.json, with columns in the order of metrics.csv; keys without a value in any run
/// are left out.
pub fn summary(runs: &[Value], metrics: &[String]) -> ReportTable {
    let defined = |key: &str| {
        runs.iter()
            .any(|run| run.get(key).is_some_and(|v| !v.is_null()))
    };
    let of_first = |run: Option<&Value>, key: Option<&str>| -> Vec<String> {
        let object = match key {
            Some(key) => run.and_then(|run| run.get(key)),
            None => run,
        };
        let object = object.and_then(Value::as_object);
        object.map_or(Vec::new(), |object| object.keys().cloned().collect())
    };
    let parameters = of_first(runs.first(), Some("parameters"));
    let mut keys: Vec<String> = FIRST.map(str::to_owned).to_vec();
    let measured = metrics.iter().filter(|key| !FIRST.contains(&key.as_str()));
    keys.extend(measured.filter(|key| defined(key)).cloned());
    for key in of_first(runs.first(), None) {
        if !keys.contains(&key) && key != "parameters" && defined(&key) {
            keys.push(key);
        }
    }
    let row = |run: &Value| {
        let parameters = parameters.iter().map(|key| run.pointer(&pointer(key)));
        let values = keys.iter().map(|key| run.get(key.as_str()));
        let mut cells: Vec<String> = values.map(cell).collect();
        cells.splice(1..1, parameters.map(cell));
        cells
    };
    let kept = spread(runs.len(), ROWS);
    let rows = kept.iter().filter_map(|&k| runs.get(k)).map(row).collect();
    keys.splice(1..1, parameters.iter().cloned());
    ReportTable {
        header: keys,
        rows,
        note: left_out(kept.len(), runs.len(), "runs", "summary.json"),
    }
}

/// JSON pointer of a parameter.
fn pointer(key: &str) -> String {
    format!("/parameters/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".into(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_f64() => {
            number.as_f64().map_or("–".into(), digits)
        }
        Some(value) => value.to_string(),
    }
}

/// Rows of metrics.csv, evenly thinned for each run, its first and last row included. The file is read
/// twice, so that it is never held in memory.
///
/// # Errors
/// A file that cannot be read.
pub fn metrics(path: &Path) -> Result<ReportTable> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    rows(path, |row| {
        let run = row.get(0).unwrap_or_default();
        match counts.last_mut() {
            Some((last, count)) if last == run => *count += 1,
            _ => counts.push((run.to_owned(), 1)),
        }
    })?;
    let runs = spread(counts.len(), ROWS / 2);
    let room = ROWS / runs.len().max(1);
    let chosen = runs.iter().filter_map(|&k| counts.get(k));
    let chosen: HashMap<&str, Vec<usize>> = chosen
        .map(|(run, count)| (run.as_str(), spread(*count, room)))
        .collect();
    let mut table = ReportTable::default();
    let (mut now, mut index) = (String::new(), 0);
    let header = rows(path, |row| {
        let run = row.get(0).unwrap_or_default();
        index = if run == now { index + 1 } else { 0 };
        run.clone_into(&mut now);
        if chosen
            .get(run)
            .is_some_and(|kept| kept.binary_search(&index).is_ok())
        {
            table.rows.push(row.iter().map(written).collect());
        }
    })?;
    table.header = header;
    let all = counts.iter().map(|(_, count)| count).sum();
    table.note = left_out(table.rows.len(), all, "rows", "metrics.csv");
    Ok(table)
}

/// Calls `each` with every row; returns the header.
fn rows(path: &Path, mut each: impl FnMut(&csv::StringRecord)) -> Result<Vec<String>> {
    let bad = |e: csv::Error| {
        Error::input(
            path.display().to_string(),
            format!("is damaged: {e}"),
            "run `widefield resume` on the folder to write it again",
        )
    };
    let mut reader = csv::Reader::from_path(path).map_err(bad)?;
    let header = reader.headers().map_err(bad)?.iter().map(str::to_owned);
    let header = header.collect();
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(bad)? {
        each(&row);
    }
    Ok(header)
}

/// A number of a csv file, formatted for the table.
fn written(text: &str) -> String {
    match text.parse::<f64>() {
        _ if text.is_empty() => "–".into(),
        Ok(value) if text.contains(['.', 'e']) => digits(value),
        _ => text.to_owned(),
    }
}

/// At most `room` of `count` indices, evenly spaced, first and last included.
fn spread(count: usize, room: usize) -> Vec<usize> {
    if count <= room {
        return (0..count).collect();
    }
    let last = room.max(2) - 1;
    (0..=last).map(|k| k * (count - 1) / last).collect()
}

fn left_out(shown: usize, all: usize, what: &str, file: &str) -> Option<String> {
    (shown < all).then(|| format!("{shown} of {all} {what}, evenly picked; {file} has them all."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_has_a_column_for_what_is_defined() {
        let runs = [
            json!({"run": 0, "steps": 5, "parameters": {"risk.loss": "square"}, "risk": 0.12345,
                "error_test": null, "best_step": 4}),
            json!({"run": 1, "steps": 5, "parameters": {"risk.loss": "hinge"}, "risk": null}),
        ];
        let table = summary(
            &runs,
            &["run", "step", "risk", "error_test"].map(String::from),
        );
        assert_eq!(
            table.header,
            ["run", "risk.loss", "steps", "risk", "best_step"]
        );
        assert_eq!(table.rows[0], ["0", "square", "5", "0.1235", "4"]);
        assert_eq!(table.rows[1], ["1", "hinge", "5", "–", "–"]);
        assert_eq!(table.note, None);
    }

    #[test]
    fn many_rows_are_thinned_and_the_table_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.csv");
        let mut text = String::from("run,step,risk\n");
        for run in 0..3 {
            (0..5000).for_each(|step| text += &format!("{run},{step},0.5\n"));
        }
        std::fs::write(&path, text).unwrap();
        let table = metrics(&path).unwrap();
        assert!(
            table.rows.len() <= ROWS && table.rows.len() > 300,
            "{}",
            table.rows.len()
        );
        let ends = [&table.rows[0], table.rows.last().unwrap()];
        assert_eq!(ends, [&["0", "0", "0.5000"], &["2", "4999", "0.5000"]]);
        assert!(
            table
                .note
                .unwrap()
                .ends_with("of 15000 rows, evenly picked; metrics.csv has them all.")
        );
    }

    #[test]
    fn more_runs_than_room_are_thinned() {
        assert_eq!(spread(5, 10), [0, 1, 2, 3, 4]);
        assert_eq!(spread(100, 3), [0, 49, 99]);
        assert_eq!(spread(0, 3), [0; 0]);
        let runs: Vec<Value> = (0..1000).map(|k| json!({"run": k, "steps": 1})).collect();
        assert_eq!(summary(&runs, &[]).rows.len(), ROWS);
    }
}
