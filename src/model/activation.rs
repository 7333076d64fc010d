//! The activation σ of a neuron and its properties.

/// An activation σ with σ'(0) = 0 where it has a kink.
///
/// Used by the reference engine and the spot check for σ and σ'; by [`super::Run`] for the degree, from
/// which the exponents of predictions follow; by the engines for [`Activation::is_on_off`] before they take
/// the exact short cuts of d = 2 to 4. Kernels, certificates and closed-form kernels are written for max(z,
/// 0): another activation must be refused there, or implemented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(z, 0)
    Relu,
}

impl Activation {
    /// σ(z)
    pub fn value(self, z: f64) -> f64 {
        match self {
            Activation::Relu => z.max(0.0),
        }
    }

    /// σ'(z)
    pub fn derivative(self, z: f64) -> f64 {
        match self {
            Activation::Relu => f64::from(u8::from(z > 0.0)),
        }
    }

    /// k with σ(s z) = s^k σ(z) for every s > 0.
    pub fn degree(self) -> i32 {
        match self {
            Activation::Relu => 1,
        }
    }

    /// Whether σ(z) = σ'(z) z with σ' 0 or 1: then G_j = Σ_i g_i σ'(w_j·x_i) x_i gives the velocity of both
    /// layers, −w·G and −a G.
    pub fn is_on_off(self) -> bool {
        match self {
            Activation::Relu => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_holds() {
        let sigma = Activation::Relu;
        for z in [-2.5, -1e-300, 0.0, 1e-300, 0.75, 3.0] {
            for s in [0.125, 1.0, 8.0_f64] {
                assert_eq!(sigma.value(s * z), s.powi(sigma.degree()) * sigma.value(z));
            }
            assert!(sigma.is_on_off());
            assert!([0.0, 1.0].contains(&sigma.derivative(z)));
            assert_eq!(sigma.value(z), sigma.derivative(z) * z);
        }
        assert_eq!(sigma.derivative(0.0), 0.0);
    }
}
