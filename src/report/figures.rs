//! Figures of a run folder for inclusion in a page: their ids are unique on the page.

use std::io::Read;
use std::path::Path;

use serde::Serialize;

use super::svg::inline;
use crate::arrays;
use crate::error::{Error, Result};

/// A drawing of a run folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InlineFigure {
    /// The file's name without its ending.
    pub name: String,
    /// The svg element.
    pub svg: String,
}

/// The SVG files of a folder, by name; empty if there is no folder. Only elements that draw are kept, and
/// ids are made unique with `label`; a file that is no SVG is left out with a warning.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn figures(folder: &Path, label: &str) -> Result<Vec<InlineFigure>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let reading = |e| Error::reading(folder, e);
    let entries = std::fs::read_dir(folder).map_err(reading)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(reading)?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "svg"));
    paths.sort();
    let mut figures = Vec::new();
    for path in &paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut text = String::new();
        let mut file = arrays::open(path)?;
        let read = file.read_to_string(&mut text);
        read.map_err(|e| Error::reading(path, e))?;
        match inline(&text, &format!("{label}-{name}-")) {
            Ok(svg) => figures.push(InlineFigure {
                name: name.into_owned(),
                svg,
            }),
            Err(what) => tracing::warn!(
                "{}: is left out of the page, because {what}; widefield plot draws it again",
                path.display()
            ),
        }
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_drawings_in_order() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(figures(&dir.path().join("none"), "x").unwrap(), []);
        for name in ["b.svg", "a.svg", "a.png"] {
            std::fs::write(dir.path().join(name), "<svg id=\"i\"/>").unwrap();
        }
        let found = figures(dir.path(), "x").unwrap();
        let names: Vec<&str> = found.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(found[1].svg, "<svg id=\"x-b-i\"/>");
    }
}
