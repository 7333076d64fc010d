//! Certificates of the trained networks in a run folder.

use std::path::Path;

use super::TrainedRun;
use crate::certify::kernel::WeightLaw;
use crate::certify::run_certificate::{CertifiedRun, RunCertificate, TrainedNetwork};
use crate::certify::{ProofOptions, SolverCache, SolverOptions};
use crate::engine::{Engine, Precision};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, InitKind};
use crate::model::Train;
use crate::model::ldexp;
use crate::particles::Particles;
use crate::store::{Summary, write_atomically};
use crate::verify::tolerance::{factor, unit};

/// Default relative gap of a solve: for d ≤ 3, where the maximum over the sphere is exact, and for d > 3.
const TOLERANCES: [f64; 2] = [1e-6, 1e-4];

impl TrainedRun {
    /// Every certificate that applies to this run, number `index`, which was trained on the cache's data.
    ///
    /// `tolerance` is the relative gap at which a solve stops, 1e-6 for d up to 3 and 1e-4 beyond
    /// by default; `probes` the directions searched where d > 3, and `proof` the proof to be attempted there.
    ///
    /// # Errors
    /// No certificate applies to the run, or a solve fails.
    pub fn certify(
        &self,
        index: usize,
        cache: &mut SolverCache,
        tolerance: Option<f64>,
        probes: Option<usize>,
        proof: Option<ProofOptions>,
    ) -> Result<Vec<CertifiedRun>> {
        let mut engine = self.engine(cache.data().clone())?;
        let run = engine.batch().runs[0].clone();
        let particles = true_particles(&mut *engine)?;
        self.check_finite(&particles)?;
        let checkpoint = &self.checkpoint;
        let accumulated = checkpoint.accumulated()?;
        let network = TrainedNetwork {
            index,
            step: checkpoint.clock.step,
            run: &run,
            particles: &particles,
            best_margin_f1: checkpoint.label.best.best_margin_f1,
            best_margin_f2: checkpoint.label.best.best_margin_f2,
            rounding: factor(run.m) * unit(Precision::F32),
            accumulated: accumulated.as_deref(),
        };
        let usual = TOLERANCES[usize::from(cache.data().d > 3)];
        let options = SolverOptions {
            tolerance: tolerance.unwrap_or(usual),
            probes: probes.unwrap_or(SolverOptions::default().probes),
            proof,
            ..SolverOptions::default()
        };
        network.certify(cache, law(&self.experiment), &options)
    }
}

impl TrainedRun {
    /// Refuses weights that are not finite: nothing computed from them is meaningful.
    ///
    /// # Errors
    /// A weight is not finite; the message names the checkpoint.
    pub fn check_finite(&self, particles: &Particles) -> Result<()> {
        let mut weights = particles.w.iter().chain(&particles.a);
        if weights.all(|w| w.is_finite()) {
            return Ok(());
        }
        Err(Error::input(
            self.checkpoint.path().display().to_string(),
            "holds weights that are not finite: the run diverged",
            "run it again with a smaller flow.step, or less decay or scale",
        ))
    }
}

/// Writes certificate.json; entries of other runs are kept.
///
/// # Errors
/// A file that cannot be written.
pub fn write_certificates(path: &Path, certificates: &[RunCertificate]) -> Result<()> {
    // A damaged file is replaced.
    let mut all = read_certificates(path).unwrap_or_default();
    all.retain(|old| certificates.iter().all(|new| new.run != old.run));
    all.extend_from_slice(certificates);
    all.sort_by_key(|certificate| certificate.run);
    write_atomically(path, |out| {
        serde_json::to_writer_pretty(&mut *out, &all).map_err(|e| Error::writing(path, e.into()))
    })
}

/// The certificates of a folder; empty if nothing was certified.
///
/// # Errors
/// A damaged file.
pub fn read_certificates(path: &Path) -> Result<Vec<RunCertificate>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
    serde_json::from_slice(&text).map_err(|e| {
        Error::input(
            path.display().to_string(),
            format!("is damaged: {e}"),
            "remove it, or let `widefield certify` make it again",
        )
    })
}

/// Whether a certificate is of the present state of its run. A diverged run stays at its last finite
/// checkpoint, so its certificate stays current.
pub fn is_current(certificate: &RunCertificate, summary: &Summary) -> bool {
    let mut runs = summary.runs.iter();
    runs.find(|run| run.run == certificate.run)
        .is_some_and(|run| run.steps == certificate.step || run.diverged_at.is_some())
}

/// The law of the features of an output-only run, if its kernel has a closed form.
fn law(experiment: &Experiment) -> Option<WeightLaw> {
    let scale = experiment.init.scale_w;
    match experiment.init.kind {
        InitKind::Gaussian => Some(WeightLaw::Gaussian { scale }),
        InitKind::Sphere => Some(WeightLaw::Sphere { scale }),
        _ => None,
    }
}

/// The particles in true units, or in stored units where the squares of the true weights are beyond f64.
fn true_particles(engine: &mut dyn Engine) -> Result<Particles> {
    let run = &engine.batch().runs[0];
    let (m, train) = (run.m, run.train);
    let exponent = engine.clock(0).exponent;
    let exponent = if exponent.abs() < 400 { exponent } else { 0 };
    let mut particles = engine.read(0, 0..m)?;
    let scale = |v: &mut f64| *v = ldexp(*v, exponent);
    if train != Train::Input {
        particles.a.iter_mut().for_each(scale);
    }
    if train != Train::Output {
        particles.w.iter_mut().for_each(scale);
    }
    Ok(particles)
}
