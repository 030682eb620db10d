//! The line from stored to real values.

use ndarray::ArrayView3;

use super::DataType;

/// From here on f32 has whole numbers only.
const ALL_WHOLE: f32 = 8_388_608.0;

/// `real = slope * stored + inter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// Finite and not 0.
    pub slope: f64,
    /// Finite.
    pub inter: f64,
}

impl Scaling {
    /// Stored values are the real ones.
    pub const IDENTITY: Self = Self { slope: 1.0, inter: 0.0 };

    pub(super) fn real(&self, stored: f64) -> f32 {
        (self.slope * stored + self.inter) as f32
    }

    /// The line that stores these voxels as this type without clipping any.
    ///
    /// Floating point, and whole numbers within the range of the type, are stored as they are. Otherwise the range of the
    /// type is used up, but a signed type keeps zero at zero where zero is among the values. Both numbers can be held by
    /// the f32 fields of version 1.
    pub(super) fn to_store(voxels: ArrayView3<'_, f32>, datatype: DataType) -> Self {
        let Some((lowest, highest)) = datatype.range() else { return Self::IDENTITY };
        let (mut least, mut most, mut whole) = (f32::INFINITY, f32::NEG_INFINITY, true);
        voxels.for_each(|&value| {
            if value.is_finite() {
                least = least.min(value);
                most = most.max(value);
                whole &= value.abs() >= ALL_WHOLE || value == (value as i32) as f32;
            }
        });
        let (least, most) = (f64::from(least), f64::from(most));
        if least > most || (whole && least >= lowest && most <= highest) {
            return Self::IDENTITY;
        }
        let inter = if lowest == 0.0 {
            least
        } else if least <= 0.0 && most >= 0.0 {
            0.0
        } else {
            let slope = (most - least) / (highest - lowest);
            f64::from((least - lowest * slope) as f32)
        };
        // The least slope, of those that f32 has, at which both ends fit.
        let above = (most - inter) / highest;
        let below = if lowest < 0.0 { (least - inter) / lowest } else { 0.0 };
        let slope = above.max(below);
        let mut rounded = (slope as f32).max(f32::MIN_POSITIVE);
        if f64::from(rounded) < slope {
            rounded = rounded.next_up();
        }
        Self { slope: f64::from(rounded), inter }
    }

    /// What is to be stored for a real value, to be cut to an integer. NaN becomes zero.
    pub(super) fn stored(&self, real: f32) -> f64 {
        let real = if real.is_nan() { 0.0 } else { f64::from(real) };
        let exact = (real - self.inter) / self.slope;
        // Cutting off rounds to nearest after this, and takes no call as `round` does.
        exact + 0.5_f64.copysign(exact)
    }
}
