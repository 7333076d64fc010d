//! `widefield adapters`

use super::table::{TextTable, print};
use crate::engine::gpu;
use crate::engine::select::{Choice, select};
use crate::error::Result;
use crate::memory::units;

pub fn adapters() -> Result<()> {
    let found = gpu::adapters();
    if found.is_empty() {
        print(&format!(
            "wgpu sees no adapter: no GPU driver, and no software one such as llvmpipe; {}\n",
            gpu::DRIVERS
        ))?;
    } else {
        let mut table = TextTable::new(&[
            "name",
            "type",
            "backend",
            "driver",
            "memory",
            "binding limit",
            "features",
        ]);
        for a in &found {
            table.row([
                a.name.clone(),
                a.kind.to_string(),
                a.backend.clone(),
                a.driver.clone(),
                a.memory.map_or(String::new(), |bytes| units(bytes.into())),
                format!("{} MiB", a.max_binding >> 20),
                a.features.join(", "),
            ]);
        }
        table.print()?;
    }
    print(&format!(
        "auto takes the {}\n",
        select(Choice::Auto, None)?.reason
    ))
}
