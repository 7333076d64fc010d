//! .csv files: a header, and one row of numbers per sample.

use std::path::Path;

use super::Table;
use crate::error::{Error, Result};

/// Inputs and the targets of one column.
pub fn samples(path: &Path, target: &str) -> Result<(Table, Vec<f64>)> {
    let (header, rows) = read(path)?;
    let Some(at) = header.iter().position(|name| name == target) else {
        let nearest = header
            .iter()
            .min_by_key(|name| strsim::damerau_levenshtein(name, target));
        let hint = nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        return Err(Error::input(
            path.display().to_string(),
            format!("has no column `{target}`{hint}"),
            format!("its columns are: {}", header.join(", ")),
        ));
    };
    let y = rows.iter().map(|row| row[at]).collect();
    Ok((without(&header, &rows, Some(at)), y))
}

/// Inputs alone; the column of targets is left out if it is there.
pub fn inputs(path: &Path, target: Option<&str>) -> Result<Table> {
    let (header, rows) = read(path)?;
    let at = header.iter().position(|name| Some(name.as_str()) == target);
    Ok(without(&header, &rows, at))
}

fn without(header: &[String], rows: &[Vec<f64>], at: Option<usize>) -> Table {
    let kept = |row: &Vec<f64>| -> Vec<f64> {
        let columns = row.iter().enumerate();
        let columns = columns.filter(|(k, _)| Some(*k) != at);
        columns.map(|(_, v)| *v).collect()
    };
    Table {
        columns: (header.len() - usize::from(at.is_some())).max(1),
        values: rows.iter().flat_map(kept).collect(),
    }
}

fn read(path: &Path) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
    let at = |line: u64| format!("{}:{line}", path.display());
    let bad = |e: csv::Error| match e.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => Error::input(
            at(pos.as_ref().map_or(0, csv::Position::line)),
            format!("has {len} values, the lines before {expected_len}"),
            "give every line the same number of values",
        ),
        _ => Error::reading(path, std::io::Error::other(e.to_string())),
    };
    let file = std::fs::File::open(path).map_err(|e| Error::reading(path, e))?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file);
    let header: Vec<String> = reader
        .headers()
        .map_err(bad)?
        .iter()
        .map(str::to_owned)
        .collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |(k, cell): (usize, &str)| {
            cell.parse::<f64>().map_err(|_| {
                let name = header.get(k).map_or("", String::as_str);
                Error::input(
                    at(line),
                    format!("`{cell}` in column `{name}` is not a number"),
                    "every column must be numeric: remove the column, or encode it",
                )
            })
        };
        rows.push(record.iter().enumerate().map(cell).collect::<Result<_>>()?);
    }
    Ok((header, rows))
}
