//! Selection of the engine.

use serde::{Deserialize, Serialize};

use super::driver::Driver;
use super::methods::gram::Gram;
use super::{Batch, Ceilings, Engine, ShortCuts, cpu, fits_memory, gpu, reference};
use crate::error::{Error, Result};
use crate::model::StateFormat;

/// The engine that the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// A discrete GPU, then an integrated one, then the cpu engine.
    Auto,
    Gpu,
    Cpu,
    Reference,
}

/// The request that selects the same engine again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub engine: Choice,
    pub adapter: Option<String>,
    pub kernels: Option<String>,
}

impl Request {
    /// # Errors
    /// Those of [`select`] and [`Selection::with_kernels`].
    pub fn select(&self) -> Result<Selection> {
        select(self.engine, self.adapter.as_deref())?.with_kernels(self.kernels.as_deref())
    }
}

/// An engine that was chosen, and why.
#[derive(Debug, Clone)]
pub struct Selection {
    choice: Choice,
    adapter: Option<String>,
    /// Whether the user named the engine, so that it must not be replaced by another.
    named: bool,
    /// Sizes of the gpu engine's kernels, if the user named them.
    kernels: Option<String>,
    /// The reason of the choice, as one line for the user.
    pub reason: String,
}

/// Chooses an engine. Software adapters are used only when named.
pub fn select(choice: Choice, adapter: Option<&str>) -> Result<Selection> {
    let selection = |choice, named, reason: String| Selection {
        choice,
        adapter: adapter.map(str::to_owned),
        named,
        kernels: None,
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
            Some(found) => selection(Choice::Gpu, false, format!("gpu engine: {}", found.brief())),
            None => selection(
                Choice::Cpu,
                false,
                format!("cpu engine: {}", gpu::NO_DEFAULT),
            ),
        },
        (Choice::Gpu | Choice::Auto, _) => {
            let found = gpu::select(adapter)?;
            selection(
                Choice::Gpu,
                true,
                format!("gpu engine: {}, as named", found.brief()),
            )
        }
        (Choice::Cpu, None) => selection(Choice::Cpu, true, "cpu engine, as named".into()),
        (Choice::Reference, None) => {
            selection(Choice::Reference, true, "reference engine, as named".into())
        }
    })
}

/// Options for building an engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    pub short_cuts: ShortCuts,
    /// Sizes of the gpu engine's kernels from a checkpoint; those named by the user take precedence.
    pub kernels: Option<&'a str>,
}

impl Selection {
    /// What was asked for.
    pub fn request(&self) -> Request {
        Request {
            engine: if self.named {
                self.choice
            } else {
                Choice::Auto
            },
            adapter: self.adapter.clone(),
            kernels: self.kernels.clone(),
        }
    }

    /// Names the gpu engine's kernels: "default", "naive", or their sizes as a summary records them.
    ///
    /// # Errors
    /// When another engine was chosen.
    pub fn with_kernels(mut self, kernels: Option<&str>) -> Result<Selection> {
        if let (Some(kernels), true) = (kernels, self.choice != Choice::Gpu) {
            return Err(Error::input(
                "--kernels",
                format!("`{kernels}` is for the gpu engine, and another engine computes here"),
                "leave out --kernels, or use --engine gpu",
            ));
        }
        self.kernels = kernels.map(str::to_owned);
        Ok(self)
    }

    /// Builds the engine for a batch, with the exact short cuts that make its runs faster. Where
    /// `auto` chose a GPU whose kernels do not reach the batch's d, the cpu engine takes over.
    pub fn build(&self, batch: Batch) -> Result<Box<dyn Engine>> {
        self.build_with(batch, How::default())
    }

    /// As [`Selection::build`], with options.
    ///
    /// # Errors
    /// Errors of the engine, and f16 for an engine that cannot store it.
    pub fn build_with(&self, batch: Batch, how: How) -> Result<Box<dyn Engine>> {
        let kernels = self.kernels.as_deref().or(how.kernels);
        let short_cuts = match kernels {
            Some(gpu::NAIVE) => ShortCuts::Never,
            _ => how.short_cuts,
        };
        if batch.state == StateFormat::F16 && self.choice != Choice::Gpu {
            return Err(Error::input(
                "f16",
                "is stored by the gpu engine alone, and another engine computes here",
                "use --engine gpu, with --adapter for a software adapter, or store f32: precision.state in an experiment, \
                 `--state` of bench",
            ));
        }
        let engine: Box<dyn Engine> = match self.choice {
            Choice::Gpu
                if self.named || gpu::reaches(batch.d) || batch.state == StateFormat::F16 =>
            {
                gpu::build(batch, self.adapter.as_deref(), kernels, short_cuts)?
            }
            // The reference engine takes no exact short cut.
            Choice::Reference => {
                fits_memory(&batch, reference::bytes(&batch))?;
                return Ok(Box::new(reference::Reference::new(batch)));
            }
            _ => {
                let options = cpu::Options {
                    short_cuts,
                    ..cpu::Options::default()
                };
                Box::new(cpu::Cpu::new(batch, &options)?)
            }
        };
        Driver::new(vec![Gram::around(engine, short_cuts)]).map(|driver| Box::new(driver) as _)
    }

    /// Whether the kernels asked for allow exact short cuts: the naive ones do not.
    pub fn takes_short_cuts(&self) -> bool {
        self.kernels.as_deref() != Some(gpu::NAIVE)
    }

    /// Whether engines built here can store their state in f16.
    pub fn stores_f16(&self) -> Result<bool> {
        Ok(match (self.choice, self.named) {
            _ if self.kernels.as_deref() == Some(gpu::NAIVE) => false,
            (Choice::Gpu, true) => gpu::select(self.adapter.as_deref())?.has_f16(),
            (Choice::Gpu, false) => gpu::default_adapter().is_some_and(|found| found.has_f16()),
            _ => false,
        })
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
