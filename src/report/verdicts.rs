//! What is proved of the runs and claimed of the experiment: certificate.json and the verdicts on claims.

use serde::Serialize;

use crate::certify::description::{INSEPARABLE, percent};
use crate::certify::run_certificate::RunCertificate;
use crate::error::{Error, Result};
use crate::expect::Verdict;
use crate::flow::{is_current, read_certificates};
use crate::store::{RunFolder, Summary};

/// Whether the runs are optimal, as far as is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Optimality {
    /// A summary sentence; none if no run has a certificate of its present state.
    pub headline: Option<String>,
    /// A sentence on certificates that were made before their runs went on.
    pub outdated: Option<String>,
    pub bounds: Vec<CertificateRow>,
}

/// One certificate, as a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CertificateRow {
    pub run: usize,
    pub step: u64,
    /// Whether the run is still at the step of the certificate.
    pub current: bool,
    pub optimum: &'static str,
    pub lower: String,
    pub upper: String,
    pub gap: String,
    pub certified: bool,
    pub proof: String,
    /// A sentence on what the run lacks to be optimal, if anything.
    pub sentence: Option<String>,
}

/// Reads certificate.json for the page.
///
/// # Errors
/// A damaged file.
pub fn optimality(folder: &RunFolder, summary: &Summary) -> Result<Optimality> {
    let certificates = read_certificates(&folder.certificate())?;
    let current = |certificate: &&RunCertificate| is_current(certificate, summary);
    let (now, earlier): (Vec<_>, Vec<_>) = certificates.iter().partition(current);
    let bound = |certificate| bound(certificate, current(&certificate));
    Ok(Optimality {
        headline: headline(&now),
        outdated: outdated(&earlier),
        bounds: certificates.iter().map(bound).collect(),
    })
}

/// `step 5` or `steps 5 to 9`; `None` for no steps.
pub fn span(steps: &[u64]) -> Option<String> {
    let (first, last) = (steps.iter().min()?, steps.iter().max()?);
    Some(match first == last {
        true => format!("step {first}"),
        false => format!("steps {first} to {last}"),
    })
}

/// A sentence on which parts of certificates of an earlier step still hold.
fn outdated(certificates: &[&RunCertificate]) -> Option<String> {
    let steps: Vec<u64> = certificates.iter().map(|s| s.step).collect();
    let steps = span(&steps)?;
    let count = match certificates.len() {
        1 => "1 certificate is".to_owned(),
        all => format!("{all} certificates are"),
    };
    Some(format!(
        "{count} of {steps}, and the training went on: bounds of the optimum still hold, gaps to it do not"
    ))
}

fn headline(certificates: &[&RunCertificate]) -> Option<String> {
    let gaps = || certificates.iter().map(|s| s.relative_gap);
    let (low, high) = gaps().fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), g| {
        (l.min(g), h.max(g))
    });
    let certified = certificates.iter().filter(|s| s.certified).count();
    let proof = match (certified, certificates.len()) {
        (0, _) => "the bound was searched for, not certified (d > 3)".to_owned(),
        (c, all) if c == all => "certified".into(),
        (c, all) => format!("{c} of {all} certified"),
    };
    match certificates {
        [] => None,
        all if all.iter().all(|s| !s.is_separable()) => {
            let conflict = all.iter().find_map(|s| s.conflict);
            let why = conflict.map_or(INSEPARABLE.into(), |conflict| conflict.description());
            Some(format!("No margin is above 0 ({proof}): {why}."))
        }
        [one] if high > 0.5 => Some(format!(
            "Optimality: {}; {proof}.",
            one.distance("the optimum")
        )),
        [_] => Some(format!("Within {} of the optimum; {proof}.", percent(high))),
        _ => Some(format!(
            "Within {} (the best run) to {} (the worst) of the optimum; {proof}.",
            percent(low),
            percent(high)
        )),
    }
}

fn bound(s: &RunCertificate, current: bool) -> CertificateRow {
    CertificateRow {
        run: s.run,
        step: s.step,
        current,
        optimum: s.kind.description(),
        // Adding 0 turns −0 into 0.
        lower: format!("{:.6e}", s.lower + 0.0),
        upper: format!("{:.6e}", s.upper + 0.0),
        gap: percent(s.relative_gap),
        certified: s.certified,
        proof: s.proof(),
        sentence: (current && is_telling(s)).then(|| s.sentence()),
    }
}

/// Whether a certificate holds more than the two bounds.
fn is_telling(s: &RunCertificate) -> bool {
    s.missing.is_some() || !s.is_separable() || s.only.is_some() || s.diverged_at.is_some()
}

/// The verdicts on the experiment's claims; empty if it has none.
///
/// # Errors
/// A damaged file.
pub fn claims(folder: &RunFolder) -> Result<Vec<Verdict>> {
    let path = folder.verdicts();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read(&path).map_err(|e| Error::reading(&path, e))?;
    serde_json::from_slice(&text).map_err(|e| {
        Error::input(
            path.display().to_string(),
            format!("is damaged: {e}"),
            "remove it, and make it again",
        )
    })
}
