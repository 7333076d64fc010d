//! What the folder proves and claims: certificate.json and the verdicts on an experiment's claims.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::certify::standing::Standing;
use crate::certify::words::percent;
use crate::error::{Error, Result};
use crate::expect::Verdict;
use crate::store::RunFolder;

/// Whether the runs are optimal, as far as is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Optimality {
    /// In a sentence; none where nothing was certified.
    pub headline: Option<String>,
    /// The certificates were made before the last training.
    pub stale: bool,
    pub bounds: Vec<Bound>,
}

/// One certificate, as a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    pub run: usize,
    pub optimum: &'static str,
    pub lower: String,
    pub upper: String,
    pub gap: String,
    pub certified: bool,
    pub proof: String,
    /// What the run misses, if anything.
    pub sentence: Option<String>,
}

/// What certificate.json says.
///
/// # Errors
/// A damaged file.
pub fn optimality(folder: &RunFolder) -> Result<Optimality> {
    let path = folder.certificate();
    let Some(standings) = read::<Vec<Standing>>(&path)? else {
        return Ok(Optimality::default());
    };
    let written = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    Ok(Optimality {
        headline: headline(&standings),
        stale: written(&path) < written(&folder.summary()),
        bounds: standings.iter().map(bound).collect(),
    })
}

fn headline(standings: &[Standing]) -> Option<String> {
    let gaps = || standings.iter().map(|s| s.relative_gap);
    let (low, high) = gaps().fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), g| {
        (l.min(g), h.max(g))
    });
    let certified = standings.iter().filter(|s| s.certified).count();
    let proof = match (certified, standings.len()) {
        (0, _) => "the bound was searched for, not certified (d > 3)".to_owned(),
        (c, all) if c == all => "certified".into(),
        (c, all) => format!("{c} of {all} certified"),
    };
    match standings {
        [] => None,
        [_] => Some(format!("Within {} of the optimum; {proof}.", percent(high))),
        _ => Some(format!(
            "Within {} (the best run) to {} (the worst) of the optimum; {proof}.",
            percent(low),
            percent(high)
        )),
    }
}

fn bound(s: &Standing) -> Bound {
    Bound {
        run: s.run,
        optimum: s.kind.words(),
        lower: format!("{:.6e}", s.lower),
        upper: format!("{:.6e}", s.upper),
        gap: percent(s.relative_gap),
        certified: s.certified,
        proof: s.proof(),
        sentence: s.missing.as_ref().map(|_| s.sentence()),
    }
}

/// The verdicts on the experiment's claims, none where it claims nothing.
///
/// # Errors
/// A damaged file.
pub fn claims(folder: &RunFolder) -> Result<Vec<Verdict>> {
    Ok(read(&folder.verdicts())?.unwrap_or_default())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
    serde_json::from_slice(&text).map(Some).map_err(|e| {
        Error::input(
            path.display().to_string(),
            format!("is damaged: {e}"),
            "remove it, and make it again",
        )
    })
}
