use super::check_pair;
use crate::{EvalError, Range};
use ndarray::{Array2, ArrayView2, Zip, s};

/// Smallest side that [`ssim`] accepts: one window of 11 px.
pub const SSIM_MINIMUM_PX: usize = 2 * RADIUS + 1;

pub(super) const RADIUS: usize = 5;
const SIGMA: f64 = 1.5;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// Structural similarity (Wang 2004): the mean of [`ssim_map`] without its border of 5 px.
///
/// Equals scikit-image's `structural_similarity(output, truth, data_range=width, gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False)` on f64 images, and so Wang's Matlab code without its automatic downsampling.
///
/// # Errors
/// A side below [`SSIM_MINIMUM_PX`]; shapes that differ, no pixels, a pixel that is not finite.
pub fn ssim(output: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>, range: Range) -> Result<f64, EvalError> {
    Ok(mean_inside(&ssim_map(output, truth, range)?))
}

/// The SSIM of each pixel's neighbourhood, in -1..1, of the shape of the images.
///
/// Window: Gaussian of 11x11 px with sigma 1.5 px; K1 = 0.01, K2 = 0.03; population covariance. Windows that cross the
/// border see the image mirrored about its edge (`d c b a | a b c d`), as in scikit-image's `full=True`.
///
/// # Errors
/// As [`ssim`].
pub fn ssim_map(
    output: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    range: Range,
) -> Result<Array2<f64>, EvalError> {
    check_pair(&output, &truth)?;
    let (height_px, width_px) = truth.dim();
    if height_px.min(width_px) < SSIM_MINIMUM_PX {
        return Err(EvalError::TooSmall { metric: "SSIM", minimum_px: SSIM_MINIMUM_PX, height_px, width_px });
    }
    let components = compare(&output.mapv(f64::from), &truth.mapv(f64::from), range);
    Ok(components.luminance * components.contrast_structure)
}

/// The two factors of SSIM at each pixel.
pub(super) struct Components {
    pub(super) luminance: Array2<f64>,
    pub(super) contrast_structure: Array2<f64>,
}

/// Compares two images of one shape with sides of at least [`SSIM_MINIMUM_PX`].
pub(super) fn compare(x: &Array2<f64>, y: &Array2<f64>, range: Range) -> Components {
    let (c1, c2) = ((K1 * range.width()).powi(2), (K2 * range.width()).powi(2));
    let (mean_x, mean_y) = (blur(x), blur(y));
    let (xx, yy, xy) = (blur(&(x * x)), blur(&(y * y)), blur(&(x * y)));
    let luminance = Zip::from(&mean_x)
        .and(&mean_y)
        .map_collect(|&mx, &my| (2.0 * mx * my + c1) / (mx * mx + my * my + c1));
    let contrast_structure =
        Zip::from(&mean_x).and(&mean_y).and(&xx).and(&yy).and(&xy).map_collect(|&mx, &my, &xx, &yy, &xy| {
            (2.0 * (xy - mx * my) + c2) / (xx - mx * mx + yy - my * my + c2)
        });
    Components { luminance, contrast_structure }
}

/// Mean over the pixels whose window lies inside the image.
pub(super) fn mean_inside(map: &Array2<f64>) -> f64 {
    let (rows, columns) = map.dim();
    let inside = map.slice(s![RADIUS..rows - RADIUS, RADIUS..columns - RADIUS]);
    inside.sum() / inside.len() as f64
}

/// Separable Gaussian filter, mirrored at the edges.
fn blur(image: &Array2<f64>) -> Array2<f64> {
    let weights = weights();
    let (rows, columns) = image.dim();

    let mut padded = vec![0.0; columns + 2 * RADIUS];
    let mut along_rows = Array2::zeros(image.dim());
    for (source, mut target) in image.rows().into_iter().zip(along_rows.rows_mut()) {
        for (i, value) in padded.iter_mut().enumerate() {
            *value = source[mirror(i, columns)];
        }
        for (value, window) in target.iter_mut().zip(padded.windows(weights.len())) {
            *value = window.iter().zip(&weights).map(|(v, w)| v * w).sum();
        }
    }

    let mut blurred = Array2::zeros(image.dim());
    for (row, mut target) in blurred.rows_mut().into_iter().enumerate() {
        for (tap, &weight) in weights.iter().enumerate() {
            target.scaled_add(weight, &along_rows.row(mirror(row + tap, rows)));
        }
    }
    blurred
}

/// Index into an axis of `length >= RADIUS` for position `padded` of the same axis with [`RADIUS`] mirrored values before it.
fn mirror(padded: usize, length: usize) -> usize {
    if padded < RADIUS {
        RADIUS - 1 - padded
    } else if padded - RADIUS < length {
        padded - RADIUS
    } else {
        2 * length - 1 - (padded - RADIUS)
    }
}

fn weights() -> [f64; SSIM_MINIMUM_PX] {
    let mut weights = std::array::from_fn(|tap| {
        let distance = tap as f64 - RADIUS as f64;
        (-0.5 * (distance / SIGMA).powi(2)).exp()
    });
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    weights
}
