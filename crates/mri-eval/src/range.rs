use crate::EvalError;
use serde::{Serialize, Serializer};

/// The intensities that an image may take, declared by its format or its protocol, never measured on the image itself:
/// a range taken from one image would make every metric depend on that image's brightest pixel.
///
/// ```
/// use mri_eval::Range;
/// assert_eq!(Range::EIGHT_BIT.width(), 255.0);
/// assert!(Range::new(1.0, 1.0).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    min: f32,
    max: f32,
}

impl Range {
    /// 0..255, an 8-bit image in file units.
    pub const EIGHT_BIT: Range = Range { min: 0.0, max: 255.0 };
    /// 0..65535, a 16-bit image in file units.
    pub const SIXTEEN_BIT: Range = Range { min: 0.0, max: 65535.0 };
    /// 0..1.
    pub const UNIT: Range = Range { min: 0.0, max: 1.0 };

    /// A range from `min` to `max`.
    ///
    /// # Errors
    /// [`EvalError::BadRange`] unless both are finite and `min < max`.
    pub fn new(min: f32, max: f32) -> Result<Range, EvalError> {
        if min.is_finite() && max.is_finite() && min < max {
            Ok(Range { min, max })
        } else {
            Err(EvalError::BadRange { min, max })
        }
    }

    /// Smallest value.
    pub fn min(&self) -> f32 {
        self.min
    }

    /// Largest value.
    pub fn max(&self) -> f32 {
        self.max
    }

    /// `max - min`: the "data range" of PSNR and SSIM.
    pub fn width(&self) -> f64 {
        f64::from(self.max) - f64::from(self.min)
    }

    /// Position in the range: 0 at `min`, 1 at `max`, not clipped.
    pub fn fraction(&self, value: f32) -> f64 {
        (f64::from(value) - f64::from(self.min)) / self.width()
    }

    /// The value at a position in the range, the inverse of [`Range::fraction`].
    pub fn at(&self, fraction: f64) -> f32 {
        (f64::from(self.min) + fraction * self.width()) as f32
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.min, self.max].serialize(serializer)
    }
}
