//! Which engine runs here.

use serde::{Deserialize, Serialize};

use super::gram::Gram;
use super::{Batch, Ceilings, Engine, cpu, gpu, reference};
use crate::error::{Error, Result};

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// A discrete GPU, then an integrated one, then the cpu engine.
    Auto,
    Gpu,
    Cpu,
    Reference,
}

/// An engine that was chosen, and why.
#[derive(Debug, Clone)]
pub struct Selection {
    choice: Choice,
    adapter: Option<String>,
    /// Whether the user named the engine, so that it must not be replaced by another.
    named: bool,
    /// One line for the user.
    pub reason: String,
}

/// Chooses an engine. Software adapters are used only when named.
pub fn select(choice: Choice, adapter: Option<&str>) -> Result<Selection> {
    let selection = |choice, named, reason: String| Selection {
        choice,
        adapter: adapter.map(str::to_owned),
        named,
        reason,
    };
    Ok(match (choice, adapter) {
        (Choice::Cpu | Choice::Reference, Some(name)) => {
            return Err(Error::input(
                "--adapter",
                format!("`{name}` is for the gpu engine, and another engine was named"),
                "leave out --adapter, or use --engine gpu",
            ));
        }
        (Choice::Auto, None) => match gpu::default_adapter() {
            Some(found) => selection(Choice::Gpu, false, describe(&found, "")),
            None => selection(
                Choice::Cpu,
                false,
                "cpu engine: no GPU found; software adapters are used only when named".into(),
            ),
        },
        (Choice::Gpu | Choice::Auto, _) => {
            let found = gpu::select(adapter)?;
            selection(Choice::Gpu, true, describe(&found, ", as named"))
        }
        (Choice::Cpu, None) => selection(Choice::Cpu, true, "cpu engine, as named".into()),
        (Choice::Reference, None) => {
            selection(Choice::Reference, true, "reference engine, as named".into())
        }
    })
}

impl Selection {
    /// Builds the engine for a batch, with the exact short cuts that make its runs faster. Where `auto` chose a GPU whose kernels do not reach the
    /// batch's d, the cpu engine takes over.
    pub fn build(&self, batch: Batch) -> Result<Box<dyn Engine>> {
        self.build_with(batch, cpu::ShortCuts::Auto)
    }

    /// [`Selection::build`], with a word on the exact short cuts.
    pub fn build_with(&self, batch: Batch, short_cuts: cpu::ShortCuts) -> Result<Box<dyn Engine>> {
        let engine: Box<dyn Engine> = match self.choice {
            Choice::Gpu if self.named || batch.d <= gpu::D_MOST => {
                let options = gpu::Options {
                    adapter: self.adapter.clone(),
                    ..gpu::Options::default()
                };
                Box::new(gpu::Gpu::new(batch, &options)?)
            }
            // The arbiter takes no short cut.
            Choice::Reference => return Ok(Box::new(reference::Reference::new(batch))),
            _ => {
                let options = cpu::Options {
                    short_cuts,
                    ..cpu::Options::default()
                };
                Box::new(cpu::Cpu::new(batch, &options)?)
            }
        };
        Ok(Gram::around(engine, short_cuts))
    }

    /// Measures the ceilings of what an engine built here computes on; `None` for the reference,
    /// which is not made to be fast.
    pub fn ceilings(&self, engine: &dyn Engine) -> Result<Option<Ceilings>> {
        match engine.name() {
            "gpu" => gpu::ceilings(self.adapter.as_deref()).map(Some),
            "cpu" => cpu::ceilings(&cpu::Options::default()).map(Some),
            _ => Ok(None),
        }
    }
}

fn describe(found: &gpu::AdapterFacts, why: &str) -> String {
    format!("gpu engine: {} ({}){why}", found.name, found.kind)
}
