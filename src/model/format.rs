//! Number formats of particles and inputs.

use half::f16;

/// Number format of particles and inputs. Sums are f32 or better in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum StateFormat {
    #[default]
    F32,
    /// Half the memory: 11 bits of mantissa, 6e-8 to 65504. Each step rounds up or down at random, without
    /// bias, as most steps are smaller than the spacing of f16 numbers.
    F16,
}

impl StateFormat {
    pub const ALL: [StateFormat; 2] = [StateFormat::F32, StateFormat::F16];

    /// The name in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            StateFormat::F32 => "f32",
            StateFormat::F16 => "f16",
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            StateFormat::F32 => 4,
            StateFormat::F16 => 2,
        }
    }

    /// The smallest positive number with the full precision of the format.
    pub fn least_normal(self) -> f64 {
        match self {
            StateFormat::F32 => f32::MIN_POSITIVE.into(),
            StateFormat::F16 => f16::MIN_POSITIVE.to_f64(),
        }
    }

    /// The nearest number of this format; infinity if beyond the largest one.
    pub fn nearest(self, v: f64) -> f64 {
        match self {
            StateFormat::F32 => f64::from(v as f32),
            StateFormat::F16 => f16::from_f64(v).to_f64(),
        }
    }
}
