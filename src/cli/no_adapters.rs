//! `widefield adapters` in a build without the feature `gpu`.

use crate::engine::select::{Choice, select};
use crate::error::Result;

pub fn adapters() -> Result<()> {
    select(Choice::Gpu, None).map(drop)
}
