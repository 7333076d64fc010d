//! `widefield list`

use super::table::TextTable;
use crate::error::Result;
use crate::experiment::{load, presets};

pub fn list() -> Result<()> {
    let mut table = TextTable::new(&["name", "runs", "title"]);
    for preset in presets() {
        let grid = load(preset.name, &[])?;
        table.row([
            preset.name.to_owned(),
            grid.runs.len().to_string(),
            preset.title().to_owned(),
        ]);
    }
    table.print()
}
