use super::check_pair;
use crate::EvalError;
use crate::foreground::mean_within;
use ndarray::{Array2, ArrayView2, Axis, Zip};

/// Pixels on each side that the filter sees: four standard deviations.
const RADIUS: usize = 4;
const TAPS: usize = 2 * RADIUS + 1;
/// Standard deviation of the filter, px.
const SIGMA_PX: f64 = 1.0;

/// Root mean square gradient of the output over that of the truth, over the pixels where `mask` is true: 1 is as sharp as
/// the truth, below is blurred or pale, above is noisy, textured or too contrasty.
///
/// The square is what sees blur (Tenengrad, Krotkov 1987): the sum of the gradients along a line across an edge is the height
/// of the edge, however wide it is, but the sum of their squares falls with the width. The gradient is that of the image
/// under a Gaussian of SD 1 px (Canny 1986), for differences of neighbouring pixels would measure the noise of the truth more
/// than its edges: SciPy's `gaussian_gradient_magnitude(image, 1, mode="nearest")`.
///
/// # Errors
/// [`EvalError::Undefined`] where the truth has no edge; shapes that differ, a mask that selects nothing, no pixels, a pixel
/// that is not finite.
pub fn sharpness(
    output: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    mask: ArrayView2<'_, bool>,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let [of_output, of_truth] =
        [output, truth].map(|image| mean_within(squared_gradient(image).view(), mask));
    let of_truth = of_truth?;
    if of_truth == 0.0 {
        return Err(EvalError::Undefined { metric: "sharpness", reason: "the truth has no edge" });
    }
    Ok((of_output? / of_truth).sqrt())
}

fn squared_gradient(image: ArrayView2<'_, f32>) -> Array2<f64> {
    let image = image.mapv(f64::from);
    let (smooth, slope) = kernels();
    let down = filtered(&filtered(&image, &slope, Axis(0)), &smooth, Axis(1));
    let across = filtered(&filtered(&image, &smooth, Axis(0)), &slope, Axis(1));
    Zip::from(&down).and(&across).map_collect(|down, across| down * down + across * across)
}

/// A Gaussian of sum 1 and its derivative.
fn kernels() -> ([f64; TAPS], [f64; TAPS]) {
    let offset_px = |tap: usize| tap as f64 - RADIUS as f64;
    let bell = |tap| (-0.5 * (offset_px(tap) / SIGMA_PX).powi(2)).exp();
    let total: f64 = (0..TAPS).map(bell).sum();
    let smooth: [f64; TAPS] = std::array::from_fn(|tap| bell(tap) / total);
    let slope = std::array::from_fn(|tap| offset_px(tap) / SIGMA_PX.powi(2) * smooth[tap]);
    (smooth, slope)
}

/// Correlation with `kernel` along `axis`, the values at the edges repeated beyond them.
fn filtered(image: &Array2<f64>, kernel: &[f64; TAPS], axis: Axis) -> Array2<f64> {
    let last = image.len_of(axis).saturating_sub(1);
    let mut filtered = Array2::zeros(image.dim());
    for (place, mut target) in filtered.axis_iter_mut(axis).enumerate() {
        for (tap, &weight) in kernel.iter().enumerate() {
            let source = (place + tap).saturating_sub(RADIUS).min(last);
            target.scaled_add(weight, &image.index_axis(axis, source));
        }
    }
    filtered
}
