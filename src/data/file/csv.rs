//! .csv files: a header, and one row of numbers per sample.

use std::io::Read;
use std::path::Path;

use super::npy::{WHOLE, WHOLE_REMEDY};
use super::{Matrix, listed};
use crate::arrays;
use crate::error::{Error, Result};
use crate::experiment::nearest;
use crate::memory;

/// Inputs, and the targets of one column.
pub fn samples(path: &Path, target: &str) -> Result<(Matrix, Vec<f64>)> {
    let all = read(path)?;
    let Some(at) = all.names.iter().position(|name| name == target) else {
        let names: Vec<&str> = all.names.iter().map(String::as_str).collect();
        if is_headerless(&all.names) {
            return Err(no_header(path, &all.names));
        }
        let hint = nearest(target, &names)
            .map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        return Err(Error::input(
            path.display().to_string(),
            format!("has no column `{target}`{hint}"),
            format!("its columns are: {}", listed(&all.names)),
        ));
    };
    let y = all.values.iter().skip(at).step_by(all.columns);
    let y = y.copied().collect();
    Ok((without(all, Some(at)), y))
}

/// Inputs alone, without the column of targets if the file has it.
pub fn inputs(path: &Path, target: Option<&str>) -> Result<Matrix> {
    let all = read(path)?;
    let at = all
        .names
        .iter()
        .position(|name| Some(name.as_str()) == target);
    Ok(without(all, at))
}

fn without(mut all: Matrix, at: Option<usize>) -> Matrix {
    let Some(at) = at else { return all };
    let mut k = 0;
    all.values.retain(|_| {
        let column = k % all.columns;
        k += 1;
        column != at
    });
    all.names.remove(at);
    all.columns = all.names.len().max(1);
    all
}

/// Whether the first line consists of numbers, and so is probably a sample and not column names.
fn is_headerless(header: &[String]) -> bool {
    header.iter().all(|name| name.parse::<f64>().is_ok())
}

fn no_header(path: &Path, header: &[String]) -> Error {
    Error::input(
        format!("{}:1", path.display()),
        format!(
            "its first line holds numbers where the names of the columns belong; as names they are: {}",
            listed(header)
        ),
        "put a line of names before it, such as x1,x2,y, and name the column of targets with target",
    )
}

/// Refuses a header that is empty, has the wrong separator, or has unnamed or repeated columns.
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
        _ => {
            // pandas writes its row index like this, and row numbers are not inputs.
            if let Some(k) = header.iter().position(String::is_empty) {
                return Err(wrong(
                    format!("column {k} (counted from 0) has no name"),
                    "name it, or remove it: pandas leaves its index out with to_csv(…, index=False)",
                ));
            }
            let mut seen = std::collections::HashMap::new();
            let twice = header.iter().enumerate().find_map(|(k, name)| {
                let first = seen.insert(name, k)?;
                Some((name, first, k))
            });
            match twice {
                Some(_) if is_headerless(header) => Err(no_header(path, header)),
                Some((name, first, second)) => Err(wrong(
                    format!(
                        "columns {first} and {second} (counted from 0) are both named `{name}`"
                    ),
                    "rename one or remove it: targets that are inputs too give the answer away",
                )),
                None => Ok(()),
            }
        }
    }
}

/// The number, counted from 1, of the line of the record at this byte. The csv reader may give the
/// position of the line ending before the record.
fn line_at(path: &Path, byte: u64) -> std::io::Result<u64> {
    let mut line = 1;
    let mut after_return = false;
    let file = std::fs::File::open(path)?;
    for (at, next) in std::io::BufReader::new(file).bytes().enumerate() {
        let next = next?;
        if at as u64 >= byte && !matches!(next, b'\r' | b'\n') {
            break;
        }
        // Lines end with "\r\n", "\n" or "\r".
        if next == b'\r' || (next == b'\n' && !after_return) {
            line += 1;
        }
        after_return = next == b'\r';
    }
    Ok(line)
}

fn read(path: &Path) -> Result<Matrix> {
    let at = |position: Option<&csv::Position>| {
        let line = position.and_then(|position| line_at(path, position.byte()).ok());
        match line {
            Some(line) => format!("{}:{line}", path.display()),
            None => path.display().to_string(),
        }
    };
    let bad = |e: csv::Error| match e.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => Error::input(
            at(pos.as_ref()),
            format!("has {len} values, the lines before {expected_len}"),
            "give every line the same number of values",
        ),
        csv::ErrorKind::Utf8 { pos, .. } => Error::input(
            at(pos.as_ref()),
            "is not UTF-8 text",
            "save the file as CSV in UTF-8",
        ),
        _ => Error::reading(path, std::io::Error::other(e.to_string())),
    };
    let file = arrays::open(path)?;
    let length = file.metadata().map_err(|e| Error::reading(path, e))?.len();
    // A value takes at least two bytes of text, and two copies of the values may exist at a time.
    memory::require(
        &path.display().to_string(),
        "its text may hold values for which it",
        8 * u128::from(length),
        "give fewer rows, or save them as .npz",
    )?;
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
    let mut values = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(bad)? {
        for (cell, name) in record.iter().zip(&header) {
            let value = number(cell, name);
            let wrong = |(what, remedy)| Error::input(at(record.position()), what, remedy);
            values.push(value.map_err(wrong)?);
        }
    }
    Ok(Matrix {
        columns: header.len(),
        values,
        names: header,
    })
}

/// The number in a cell of a column, or the mistake and its remedy.
fn number(cell: &str, column: &str) -> std::result::Result<f64, (String, &'static str)> {
    let value = cell.parse::<f64>().map_err(|_| match cell {
        "" => (
            format!("column `{column}` is empty here"),
            "give a number, or leave out rows in which one is missing",
        ),
        _ => (
            format!("`{cell}` in column `{column}` is not a number"),
            "every column must be numeric: remove the column, or encode it",
        ),
    })?;
    // The same rule as for integer arrays in .npy files.
    let whole = || cell.parse::<i128>();
    if value.abs() >= WHOLE as f64 && whole().is_ok_and(|whole| value as i128 != whole) {
        return Err((
            format!(
                "column `{column}` holds {cell}, and whole numbers beyond 2^53 would be rounded"
            ),
            WHOLE_REMEDY,
        ));
    }
    Ok(value)
}
