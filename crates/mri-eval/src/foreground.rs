//! Which pixels belong to the head.
//!
//! Two thirds of a head slice can be air, where every method is right: whole-frame scores flatter. The mask is taken from
//! the *truth* of a case alone, so every method is judged on the same pixels and none can choose them.

use crate::EvalError;
use crate::metrics::check_image;
use ndarray::{Array1, Array2, ArrayView2, Zip};
use std::collections::VecDeque;

/// The part of the longer side of an image that [`shrunk`] takes off the outline of the head for [`Regions::inside`]: 24 px
/// of a slice of 217 px. Skin, fat and skull are as thick at the back of the head.
pub const SCALP_FRACTION: f64 = 1.0 / 9.0;

/// Bins of the histogram behind [`otsu_threshold`].
const BINS: usize = 256;

/// The head in an image: pixels above half of [`otsu_threshold`], with holes filled.
///
/// Otsu's threshold itself separates bright tissue from dark tissue in some T2 slices; half of it lies between air and
/// the darkest soft tissue. A hole is a region of unselected pixels that is not connected (4-neighbours) to the border of
/// the frame: bone, ventricles and sinuses are thus inside.
///
/// # Errors
/// [`EvalError::Undefined`] for a constant image; no pixels, a pixel that is not finite.
pub fn foreground(truth: ArrayView2<'_, f32>) -> Result<Array2<bool>, EvalError> {
    let threshold = otsu_threshold(truth)?;
    let darkest = truth.iter().copied().fold(f32::INFINITY, f32::min);
    let air = darkest + (threshold - darkest) / 2.0;
    Ok(fill_holes(truth.mapv(|value| value > air)))
}

/// The regions of a case that scores are given for beside the whole frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Regions {
    /// The head: [`foreground`].
    pub foreground: Array2<bool>,
    /// The head without scalp and skull: the foreground [`shrunk`] by [`SCALP_FRACTION`] of the longer side.
    pub inside: Array2<bool>,
}

impl Regions {
    /// Those of a true image.
    ///
    /// # Errors
    /// As [`foreground`].
    pub fn of(truth: ArrayView2<'_, f32>) -> Result<Regions, EvalError> {
        let foreground = foreground(truth)?;
        let (rows, columns) = truth.dim();
        let inside = shrunk(foreground.view(), SCALP_FRACTION * rows.max(columns) as f64);
        Ok(Regions { foreground, inside })
    }
}

/// The pixels of `mask` that are more than `by_px` away from every pixel outside of it, in a straight line from centre to
/// centre; beyond the frame all is outside. Equals SciPy's `binary_erosion` with a disc.
pub fn shrunk(mask: ArrayView2<'_, bool>, by_px: f64) -> Array2<bool> {
    let (rows, columns) = mask.dim();
    // Rows to the nearest pixel outside in the same column, in both directions.
    let mut vertical = Array2::from_elem(mask.dim(), 0_usize);
    for column in 0..columns {
        let mut distance = 0;
        for row in 0..rows {
            distance = if mask[[row, column]] { distance + 1 } else { 0 };
            vertical[[row, column]] = distance;
        }
        distance = 0;
        for row in (0..rows).rev() {
            distance = if mask[[row, column]] { distance + 1 } else { 0 };
            vertical[[row, column]] = vertical[[row, column]].min(distance);
        }
    }
    let reach = by_px.max(0.0) as usize;
    let is_far = |across: usize, down: usize| (across * across + down * down) as f64 > by_px * by_px;
    Array2::from_shape_fn(mask.dim(), |(row, column)| {
        let (left, right) = (column + 1, columns - column);
        vertical[[row, column]] > 0
            && (is_far(left.min(right), 0))
            && (column.saturating_sub(reach)..(column + reach + 1).min(columns))
                .all(|other| is_far(other.abs_diff(column), vertical[[row, other]]))
    })
}

/// The threshold that best splits the intensities in two classes by their variance (Otsu 1979), from 256 bins between the
/// minimum and the maximum of the image; equals scikit-image's `threshold_otsu` on a float image.
///
/// # Errors
/// As [`foreground`].
pub fn otsu_threshold(image: ArrayView2<'_, f32>) -> Result<f32, EvalError> {
    check_image("the image", &image)?;
    let (min, max) = image
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &value| (min.min(value), max.max(value)));
    let (min, width) = (f64::from(min), f64::from(max) - f64::from(min));
    if width == 0.0 {
        return Err(EvalError::Undefined { metric: "foreground", reason: "the image is constant" });
    }
    let mut counts = [0.0_f64; BINS];
    for &value in image {
        let bin = ((f64::from(value) - min) / width * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1.0;
    }
    let centre = |bin: usize| min + (bin as f64 + 0.5) / BINS as f64 * width;
    let total: f64 = counts.iter().sum();
    let total_moment: f64 = counts.iter().enumerate().map(|(bin, count)| count * centre(bin)).sum();

    let (mut below, mut moment_below) = (0.0, 0.0);
    let (mut best, mut threshold) = (f64::NEG_INFINITY, min);
    for (bin, count) in counts.iter().enumerate().take(BINS - 1) {
        below += count;
        moment_below += count * centre(bin);
        let above = total - below;
        let gap = moment_below / below - (total_moment - moment_below) / above;
        let between = below * above * gap * gap;
        if between > best {
            (best, threshold) = (between, centre(bin));
        }
    }
    Ok(threshold as f32)
}

/// The values of `image` where `mask` is true, in row order.
///
/// # Errors
/// Shapes that differ; a mask that selects nothing.
pub fn select(image: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Array1<f32>, EvalError> {
    if image.dim() != mask.dim() {
        return Err(EvalError::ShapeMismatch {
            expected: mask.shape().to_vec(),
            found: image.shape().to_vec(),
        });
    }
    let selected: Array1<f32> =
        image.iter().zip(mask.iter()).filter(|(_, selected)| **selected).map(|(value, _)| *value).collect();
    if selected.is_empty() { Err(EvalError::Empty { what: "the mask" }) } else { Ok(selected) }
}

/// Mean of a map (such as [`ssim_map`](crate::metrics::ssim_map)) over the pixels where `mask` is true.
///
/// # Errors
/// Shapes that differ; a mask that selects nothing.
pub fn mean_within(map: ArrayView2<'_, f64>, mask: ArrayView2<'_, bool>) -> Result<f64, EvalError> {
    if map.dim() != mask.dim() {
        return Err(EvalError::ShapeMismatch {
            expected: mask.shape().to_vec(),
            found: map.shape().to_vec(),
        });
    }
    let (sum, pixels) = Zip::from(map).and(mask).fold((0.0, 0_usize), |(sum, pixels), &value, &selected| {
        if selected { (sum + value, pixels + 1) } else { (sum, pixels) }
    });
    if pixels == 0 { Err(EvalError::Empty { what: "the mask" }) } else { Ok(sum / pixels as f64) }
}

/// Selects every pixel from which no path of unselected 4-neighbours leads out of the frame.
fn fill_holes(mask: Array2<bool>) -> Array2<bool> {
    let (rows, columns) = mask.dim();
    let mut filled = Array2::from_elem(mask.dim(), true);
    let mut queue: VecDeque<(usize, usize)> = mask
        .indexed_iter()
        .filter(|((row, column), selected)| {
            let on_border = *row == 0 || *column == 0 || row + 1 == rows || column + 1 == columns;
            on_border && !**selected
        })
        .map(|(position, _)| position)
        .collect();
    queue.iter().for_each(|&position| filled[position] = false);
    while let Some((row, column)) = queue.pop_front() {
        let neighbours = [
            (row.wrapping_sub(1), column),
            (row + 1, column),
            (row, column.wrapping_sub(1)),
            (row, column + 1),
        ];
        for position in neighbours {
            if mask.get(position) == Some(&false) && filled[position] {
                filled[position] = false;
                queue.push_back(position);
            }
        }
    }
    filled
}
