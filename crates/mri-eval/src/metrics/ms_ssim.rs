use super::check_pair;
use super::ssim::{RADIUS, compare, mean_inside};
use crate::{EvalError, Range};
use ndarray::{Array2, ArrayView2};

/// Smallest side that [`ms_ssim`] accepts: after four halvings one window of 11 px must remain.
pub const MS_SSIM_MINIMUM_PX: usize = ((2 * RADIUS) << (WEIGHTS.len() - 1)) + 1;

/// Weights of the scales, finest first (Wang 2003, section 3.2).
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Multi-scale structural similarity (Wang 2003) over five scales, windows and constants as in [`ssim`](super::ssim).
///
/// Each scale is the one before averaged over 2x2 px (an odd last row or column is repeated). The result is the
/// weighted product of the mean contrast-structure terms of the four finer scales and the mean SSIM of the coarsest;
/// a negative mean, which has no real power, counts as 0.
///
/// # Errors
/// [`EvalError::TooSmall`] for a side below [`MS_SSIM_MINIMUM_PX`] = 161: with fewer scales the number would not be
/// comparable with any other MS-SSIM. Shapes that differ, no pixels, a pixel that is not finite.
pub fn ms_ssim(
    output: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    range: Range,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let (height_px, width_px) = truth.dim();
    if height_px.min(width_px) < MS_SSIM_MINIMUM_PX {
        return Err(EvalError::TooSmall {
            metric: "MS-SSIM",
            minimum_px: MS_SSIM_MINIMUM_PX,
            height_px,
            width_px,
        });
    }
    let (mut x, mut y) = (output.mapv(f64::from), truth.mapv(f64::from));
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        let components = compare(&x, &y, range);
        let is_coarsest = scale + 1 == WEIGHTS.len();
        let term = if is_coarsest {
            mean_inside(&(components.luminance * components.contrast_structure))
        } else {
            mean_inside(&components.contrast_structure)
        };
        product *= term.max(0.0).powf(weight);
        if !is_coarsest {
            (x, y) = (halve(&x), halve(&y));
        }
    }
    Ok(product)
}

/// Averages blocks of 2x2 px; sides are rounded up.
fn halve(image: &Array2<f64>) -> Array2<f64> {
    let (rows, columns) = image.dim();
    Array2::from_shape_fn((rows.div_ceil(2), columns.div_ceil(2)), |(row, column)| {
        let (top, left) = (2 * row, 2 * column);
        let (bottom, right) = ((top + 1).min(rows - 1), (left + 1).min(columns - 1));
        (image[[top, left]] + image[[top, right]] + image[[bottom, left]] + image[[bottom, right]]) / 4.0
    })
}
