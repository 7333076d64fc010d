//! Figures of a run folder, fit for a page of many: ids are unique in it.

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};

/// A drawing of a run folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The file's name without its ending.
    pub name: String,
    /// The svg element.
    pub svg: String,
}

/// The SVG files of a folder, by name; none where there is no folder. Their ids are made unique
/// with `label`.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn figures(folder: &Path, label: &str) -> Result<Vec<Figure>> {
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
    let figure = |path: &std::path::PathBuf| {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, e))?;
        let svg = inline(&text, &format!("{label}-{name}-"));
        Ok(Figure { name, svg })
    };
    paths.iter().map(figure).collect()
}

/// The svg element of a file, every id and every reference to one with this prefix.
fn inline(text: &str, prefix: &str) -> String {
    // What stands before the element, an XML declaration and a document type, has no place in HTML.
    let element = text.find("<svg").map_or("", |start| &text[start..]);
    [" id=\"", "url(#", "href=\"#"]
        .into_iter()
        .fold(element.to_owned(), |svg, before| {
            svg.replace(before, &format!("{before}{prefix}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_references_are_renamed_together() {
        let text = "<?xml version=\"1.0\"?>\n<svg id=\"a\"><use xlink:href=\"#b\"/><g id=\"b\" clip-path=\"url(#a)\"/></svg>";
        let svg = inline(text, "p-");
        assert_eq!(
            svg,
            "<svg id=\"p-a\"><use xlink:href=\"#p-b\"/><g id=\"p-b\" clip-path=\"url(#p-a)\"/></svg>"
        );
    }

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
