//! Proofs of dual bounds beyond d = 3, where the maximum over the sphere was only searched.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::branch_and_bound::{ProofLimits, prove_maximum};
use super::input_matrix::InputMatrix;
use super::{Bounds, Certificate, PartialProof, Proof};
use crate::error::Result;

/// Memory for the cones of a proof, in bytes.
const MEMORY: usize = 1 << 29;

/// A proof to be attempted where the maximum over the sphere is not exact.
#[derive(Debug, Clone, Copy)]
pub struct ProofOptions {
    /// Gap between the proved and the largest known |V| of the dual point, as a share of the former.
    pub gap: f64,
    /// Time for each optimum.
    pub time: Duration,
    /// Set from outside to end proofs early.
    pub stop: &'static AtomicBool,
}

impl PartialEq for ProofOptions {
    fn eq(&self, other: &Self) -> bool {
        (self.gap, self.time) == (other.gap, other.time)
    }
}

/// Proves the dual bound of a certificate, by weights q (n) of its dual point. `set` puts the bound that a maximum
/// of |V| gives in its place. If the gap is reached, the certificate's bounds become the proved ones; if not, they
/// stay those of the search, made wider where the proof came upon a larger |V|.
///
/// # Errors
/// Those of [`prove_maximum`].
pub fn prove(
    inputs: &InputMatrix,
    q: &[f64],
    mut found: Certificate,
    options: &ProofOptions,
    set: impl Fn(&mut Bounds, f64),
) -> Result<Certificate> {
    if found.proof.is_certified() {
        return Ok(found);
    }
    let begin = Instant::now();
    let limits = ProofLimits {
        gap: options.gap,
        deadline: begin + options.time,
        memory: MEMORY,
        stop: options.stop,
    };
    tracing::info!(
        "proving the bound to a gap of {:e}, for up to {:.0} s",
        options.gap,
        options.time.as_secs_f64()
    );
    let proved = prove_maximum(inputs, q, &found.worst_direction, &limits)?;
    let bounds_for = |maximum| {
        let mut bounds = found.bounds;
        set(&mut bounds, maximum);
        bounds
    };
    let (outer, inner) = (bounds_for(proved.upper), bounds_for(proved.lower));
    if proved.is_reached {
        found.bounds = outer;
        found.proof = Proof::Certified;
    } else {
        found.bounds.lower = found.bounds.lower.min(inner.lower);
        found.bounds.upper = found.bounds.upper.max(inner.upper);
        found.proof = Proof::PartlyProved {
            probes: found.proof.probes(),
            proved: PartialProof {
                lower: outer.lower,
                upper: outer.upper,
                gap: 1.0 - proved.lower / proved.upper,
                seconds: begin.elapsed().as_secs_f64(),
                cones: proved.cones,
            },
        };
    }
    if let Some(theta) = proved.theta {
        found.worst_direction = theta;
    }
    Ok(found)
}
