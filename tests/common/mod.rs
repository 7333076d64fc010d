//! What the tests share: the engines under test.

#![allow(dead_code)] // each test binary uses its own part

use widefield::engine::cpu::{self, Cpu};
use widefield::engine::{Batch, Engine, reference::Reference};
use widefield::error::Result;

pub mod oracle;

pub type Make = Box<dyn Fn(Batch) -> Result<Box<dyn Engine>>>;

pub fn reference(batch: Batch) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Reference::new(batch)))
}

/// Every engine that this machine can test, by name.
pub fn engines() -> Vec<(&'static str, Make)> {
    vec![
        ("reference", Box::new(reference)),
        (
            "cpu",
            Box::new(|batch| Ok(Box::new(Cpu::new(batch, &cpu::Options::default())?))),
        ),
    ]
}
