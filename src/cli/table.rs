//! Plain tables on standard output.

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::terminal::{in_line, is_on_stdout, printable};
use crate::digits::digits;
use crate::error::{Error, Result};

/// Rows of text under a header, columns padded to their widest entry.
pub struct TextTable {
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub fn new(header: &[&str]) -> Self {
        TextTable {
            rows: vec![header.iter().map(|h| in_line(h).into_owned()).collect()],
        }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = cells.into_iter().map(|cell| in_line(&cell).into_owned());
        self.rows.push(shown.collect());
    }

    pub fn print(&self) -> Result<()> {
        print(&self.render())
    }

    fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(c));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Writes results to standard output: unchanged to a file or pipe, with control characters escaped to a
/// terminal. A closed reader (`| head`, a closed terminal) is no error.
pub fn print(text: &str) -> Result<()> {
    let person = is_on_stdout();
    let text = match person {
        true => printable(text),
        false => text.into(),
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if !person && e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::writing(Path::new("standard output"), e))
        }
        _ => Ok(()),
    }
}

/// A value with four significant digits, or `-` where it is not defined.
pub fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = TextTable::new(&["a", "bcd"]);
        table.row(["xyz".to_owned(), "α".to_owned()]);
        assert_eq!(table.render(), "a    bcd\nxyz  α\n");
    }

    #[test]
    fn a_cell_stays_in_its_place() {
        let mut table = TextTable::new(&["a\nb", "c"]);
        table.row(["\x1b[31m".to_owned(), "x\ty".to_owned()]);
        assert_eq!(table.render(), "a\\nb        c\n\\u{1b}[31m  x\\ty\n");
    }

    #[test]
    fn what_is_not_defined_is_a_dash() {
        assert_eq!(number(Some(0.12479)), "0.1248");
        assert_eq!(number(None), "-");
    }
}
