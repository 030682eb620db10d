use super::check_pair;
use crate::{EvalError, Range};
use ndarray::{ArrayView, Dimension, Zip};

/// Sum over pixels of `term(output, truth)` in f64.
fn sum<D: Dimension>(
    output: ArrayView<'_, f32, D>,
    truth: ArrayView<'_, f32, D>,
    term: impl Fn(f64, f64) -> f64,
) -> f64 {
    Zip::from(output).and(truth).fold(0.0, |sum, &o, &t| sum + term(f64::from(o), f64::from(t)))
}

/// Peak signal-to-noise ratio in dB: `10 log10(width² / mean squared error)`, `width` that of the declared range.
///
/// Identical images give [`f64::INFINITY`]. Equals scikit-image's `peak_signal_noise_ratio(truth, output, data_range=width)`.
///
/// # Errors
/// Shapes that differ, no pixels, a pixel that is not finite.
pub fn psnr<D: Dimension>(
    output: ArrayView<'_, f32, D>,
    truth: ArrayView<'_, f32, D>,
    range: Range,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let pixels = truth.len() as f64;
    let mean_squared_error = sum(output, truth, |o, t| (o - t).powi(2)) / pixels;
    Ok(10.0 * (range.width().powi(2) / mean_squared_error).log10())
}

/// Mean absolute error, in the units of the images.
///
/// # Errors
/// Shapes that differ, no pixels, a pixel that is not finite.
pub fn mae<D: Dimension>(
    output: ArrayView<'_, f32, D>,
    truth: ArrayView<'_, f32, D>,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let pixels = truth.len() as f64;
    Ok(sum(output, truth, |o, t| (o - t).abs()) / pixels)
}

/// Normalized mean squared error `‖output - truth‖² / ‖truth‖²`, as in the fastMRI challenge (Zbontar 2018).
///
/// Not symmetric: 0 is exact, 1 is what an image of zeros scores.
///
/// # Errors
/// [`EvalError::Undefined`] when the truth is zero everywhere; shapes that differ, no pixels, a pixel that is not finite.
pub fn nmse<D: Dimension>(
    output: ArrayView<'_, f32, D>,
    truth: ArrayView<'_, f32, D>,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let energy = sum(truth.view(), truth.view(), |t, _| t * t);
    if energy == 0.0 {
        return Err(EvalError::Undefined { metric: "NMSE", reason: "the truth is zero everywhere" });
    }
    Ok(sum(output, truth, |o, t| (o - t).powi(2)) / energy)
}

/// Pearson's correlation of the pixel values, in -1..1.
///
/// # Errors
/// [`EvalError::Undefined`] when either image is constant; shapes that differ, no pixels, a pixel that is not finite.
pub fn pearson<D: Dimension>(
    output: ArrayView<'_, f32, D>,
    truth: ArrayView<'_, f32, D>,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let pixels = truth.len() as f64;
    let mean_output = sum(output.view(), truth.view(), |o, _| o) / pixels;
    let mean_truth = sum(output.view(), truth.view(), |_, t| t) / pixels;
    let variance_output = sum(output.view(), truth.view(), |o, _| (o - mean_output).powi(2));
    let variance_truth = sum(output.view(), truth.view(), |_, t| (t - mean_truth).powi(2));
    let covariance = sum(output.view(), truth.view(), |o, t| (o - mean_output) * (t - mean_truth));
    let is_constant = |image: ArrayView<'_, f32, D>| {
        let mut values = image.iter();
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    if is_constant(output.view()) || is_constant(truth.view()) {
        return Err(EvalError::Undefined { metric: "Pearson correlation", reason: "an image is constant" });
    }
    Ok((covariance / (variance_output.sqrt() * variance_truth.sqrt())).clamp(-1.0, 1.0))
}
