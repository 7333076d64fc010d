//! The network f(x) = (α/m) Σ_j a_j σ(w_j·x): which layers are trained, and the output scale α.

/// Which layers are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Train {
    Both,
    /// a only.
    Output,
    /// w only.
    Input,
}

impl Train {
    pub const ALL: [Train; 3] = [Train::Both, Train::Output, Train::Input];

    /// The name in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Train::Both => "both",
            Train::Output => "output",
            Train::Input => "input",
        }
    }
}

/// The output scale α.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// `"mean-field"`: α = 1.
    MeanField,
    /// `"ntk"`: α = √m, the gradient flow of R for f = (1/√m) Σ a σ.
    Ntk,
    /// `{ alpha = α }`, α > 0.
    Alpha(f64),
}

impl Scaling {
    /// α at width m.
    pub fn alpha(self, width: usize) -> f64 {
        match self {
            Scaling::MeanField => 1.0,
            Scaling::Ntk => (width as f64).sqrt(),
            Scaling::Alpha(alpha) => alpha,
        }
    }
}
