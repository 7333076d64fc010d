//! .csv files: a header, and one row of numbers per sample.

use std::path::Path;

use super::Table;
use crate::error::{Error, Result};
use crate::experiment::nearest;

/// Inputs and the targets of one column.
pub fn samples(path: &Path, target: &str) -> Result<(Table, Vec<f64>)> {
    let (header, rows) = read(path)?;
    let Some(at) = header.iter().position(|name| name == target) else {
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        let hint = nearest(target, &names)
            .map_or(String::new(), |name| format!("; did you mean `{name}`?"));
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

/// A header that would make an input of what is none.
fn check_header(path: &Path, header: &[String]) -> Result<()> {
    let wrong = |what: String, remedy: &str| Error::input(path.display().to_string(), what, remedy);
    match header {
        [] => Err(wrong(
            "is empty".into(),
            "give a line of names, and a line of numbers for each sample",
        )),
        [name] if name.contains([';', '\t']) => Err(wrong(
            format!("has one column, `{name}`"),
            "separate values by commas",
        )),
        _ => match header.iter().position(String::is_empty) {
            // pandas writes its index so, and row numbers are no input.
            Some(k) => Err(wrong(
                format!("column {k} (counted from 0) has no name"),
                "name it, or remove it: pandas leaves its index out with to_csv(…, index=False)",
            )),
            None => Ok(()),
        },
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
    check_header(path, &header)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |(k, cell): (usize, &str)| {
            cell.parse::<f64>().map_err(|_| {
                let name = header.get(k).map_or("", String::as_str);
                match cell {
                    "" => Error::input(
                        at(line),
                        format!("column `{name}` is empty here"),
                        "give a number, or leave out rows in which one is missing",
                    ),
                    _ => Error::input(
                        at(line),
                        format!("`{cell}` in column `{name}` is not a number"),
                        "every column must be numeric: remove the column, or encode it",
                    ),
                }
            })
        };
        rows.push(record.iter().enumerate().map(cell).collect::<Result<_>>()?);
    }
    Ok((header, rows))
}
