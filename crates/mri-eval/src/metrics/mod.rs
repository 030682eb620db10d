//! Full-reference metrics: one function each, of `(output, truth)` and, where the formula needs it, the declared
//! [`Range`](crate::Range). Sums are f64.
//!
//! The pointwise ones take arrays of any dimension: for a region, compare the pixels that
//! [`select`](crate::foreground::select) takes out of both images. NaN and infinite pixels are errors, not numbers.

mod ms_ssim;
mod nmi;
mod pointwise;
mod sharpness;
mod ssim;

pub use ms_ssim::{MS_SSIM_MINIMUM_PX, ms_ssim};
pub use nmi::{NMI_BINS, nmi};
pub use pointwise::{mae, nmse, pearson, psnr};
pub use sharpness::sharpness;
pub use ssim::{SSIM_MINIMUM_PX, ssim, ssim_map};

use crate::EvalError;
use ndarray::{ArrayView, Dimension};

/// Same shape, at least one pixel, every value finite: what all metrics ask of their two images.
pub(crate) fn check_pair<D: Dimension>(
    output: &ArrayView<'_, f32, D>,
    truth: &ArrayView<'_, f32, D>,
) -> Result<(), EvalError> {
    if output.shape() != truth.shape() {
        return Err(EvalError::ShapeMismatch {
            expected: truth.shape().to_vec(),
            found: output.shape().to_vec(),
        });
    }
    check_image("the output", output)?;
    check_image("the truth", truth)
}

/// At least one pixel and every value finite.
pub(crate) fn check_image<D: Dimension>(
    what: &'static str,
    image: &ArrayView<'_, f32, D>,
) -> Result<(), EvalError> {
    if image.is_empty() {
        return Err(EvalError::Empty { what });
    }
    match image.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(EvalError::NotFinite { what, value }),
        None => Ok(()),
    }
}
