//! What became of lesions, which PSNR does not tell: a white-matter lesion is a handful of pixels of tens of thousands.
//!
//! Truth is a mask of the lesions and the true image. A lesion's *contrast* is its mean grey value less that of the tissue
//! around it ([`find_lesions`]); what an output keeps of it is the ratio of its contrast there to that in the truth. 1 is
//! right, 0 is a lesion that cannot be seen, a negative ratio a dark lesion that should be bright. The other way round,
//! [`SearchArea::spots`] finds what an output shows where the truth has nothing.

mod invented;
mod report;

pub use invented::{
    EVEN_BELOW, LESION_MARGIN_PX, MIN_CORE_SHARE, MIN_RADIUS_PX, MIN_RING_SHARE, RIM_FRACTION, SPOT_EDGE,
    SearchArea, Spot,
};
pub(crate) use report::{JudgedCase, LesionFindings, report};
pub use report::{LesionOutcome, LesionReport, LesionScores, Share, SpotOutcome, Thresholds};

use crate::components::{centre, components, disc, stepped};
use crate::{EvalError, Range};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;
use std::collections::BTreeMap;

/// Pieces of the mask with fewer pixels are not judged.
pub const MIN_LESION_PX: usize = 4;

/// The surroundings of a lesion lie further from it than this, which leaves out pixels that are partly lesion.
pub const RING_FROM_PX: f64 = 1.5;

/// The surroundings of a lesion reach so far.
pub const RING_TO_PX: f64 = 4.0;

/// A lesion is judged only if its surroundings have as many pixels.
pub const MIN_RING_PX: usize = 8;

/// A lesion is judged only if its true contrast is at least so many standard errors (that of the difference of two means,
/// from the standard deviation of its surroundings): else its sign is chance.
pub const CLEAR_STANDARD_ERRORS: f64 = 3.0;

/// A lesion is judged only if its true contrast is at least this part of the range.
pub const CLEAR_FRACTION: f64 = 0.01;

/// A lesion counts as erased if less than this part of its contrast is left, whatever its sign.
pub const ERASED_BELOW: f64 = 0.25;

/// A spot counts as invented if it deviates by this part of the median contrast of the true lesions.
pub const INVENTED_ABOVE: f64 = 0.5;

/// A lesion of one case in one contrast.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesion {
    /// Its middle: row and column.
    pub centre: (usize, usize),
    /// Contrast in the true image, in its units.
    pub contrast: f64,
    /// Whether that contrast is large enough to judge by.
    pub is_clear: bool,
    pixels: Vec<(usize, usize)>,
    ring: Vec<(usize, usize)>,
}

impl Lesion {
    /// How many pixels it has.
    pub fn area_px(&self) -> usize {
        self.pixels.len()
    }

    /// Mean of the lesion less mean of its surroundings in an image of the shape of the truth.
    pub fn contrast_in(&self, image: ArrayView2<'_, f32>) -> f64 {
        mean_and_sd(image, &self.pixels).0 - mean_and_sd(image, &self.ring).0
    }
}

/// The lesions of `mask`: its 8-connected pieces of at least [`MIN_LESION_PX`].
///
/// The surroundings of one are the pixels at [`RING_FROM_PX`] to [`RING_TO_PX`] from it that are no lesion nor beside one;
/// with `labels`, only those of the label that most of them have, so that a lesion beside a ventricle is compared with the
/// tissue that it lies in.
///
/// # Errors
/// Shapes that differ.
pub fn find_lesions(
    truth: ArrayView2<'_, f32>,
    mask: ArrayView2<'_, bool>,
    labels: Option<ArrayView2<'_, u8>>,
    range: Range,
) -> Result<Vec<Lesion>, EvalError> {
    same_shape(truth, mask.shape())?;
    labels.map_or(Ok(()), |labels| same_shape(truth, labels.shape()))?;
    let beside = grown(mask, RING_FROM_PX);
    let pieces = components(mask).into_iter().filter(|piece| piece.len() >= MIN_LESION_PX);
    Ok(pieces
        .map(|pixels| {
            let mut own = Array2::from_elem(mask.dim(), false);
            pixels.iter().for_each(|&at| own[at] = true);
            let around = grown(own.view(), RING_TO_PX);
            let around = around.indexed_iter().filter(|(at, near)| **near && !beside[*at]);
            let mut ring: Vec<_> = around.map(|(at, _)| at).collect();
            if let Some(labels) = labels {
                let tissue = most_frequent(ring.iter().map(|&at| labels[at]));
                ring.retain(|&at| Some(labels[at]) == tissue);
            }
            let ((inner, _), (outer, sd)) = (mean_and_sd(truth, &pixels), mean_and_sd(truth, &ring));
            let contrast = inner - outer;
            let error = sd * (1.0 / pixels.len() as f64 + 1.0 / ring.len() as f64).sqrt();
            let is_clear = ring.len() >= MIN_RING_PX
                && contrast.abs() >= CLEAR_STANDARD_ERRORS * error
                && contrast.abs() >= CLEAR_FRACTION * range.width();
            Lesion { centre: centre(&pixels), contrast, is_clear, pixels, ring }
        })
        .collect())
}

/// What the clear lesions of a set are like in one contrast: the measure for what may be called a lesion there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TypicalLesion {
    /// Median of the contrasts without their signs, in units of the images.
    pub contrast: f64,
    /// Radius of a disc of the median area.
    pub radius_px: f64,
}

impl TypicalLesion {
    /// Of the lesions that are clear; `None` where there is none.
    pub fn of<'a>(lesions: impl IntoIterator<Item = &'a Lesion>) -> Option<Self> {
        let clear: Vec<_> = lesions.into_iter().filter(|lesion| lesion.is_clear).collect();
        let contrast = median(clear.iter().map(|lesion| lesion.contrast.abs()))?;
        let area = median(clear.iter().map(|lesion| lesion.area_px() as f64))?;
        Some(Self { contrast, radius_px: (area / std::f64::consts::PI).sqrt() })
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(upper), 0) => Some((sorted[middle - 1] + upper) / 2.0),
        (middle, _) => middle.copied(),
    }
}

/// The pixels at most `by_px` away from one of the mask.
fn grown(mask: ArrayView2<'_, bool>, by_px: f64) -> Array2<bool> {
    let steps = disc(by_px);
    let mut grown = Array2::from_elem(mask.dim(), false);
    for (at, _) in mask.indexed_iter().filter(|(_, selected)| **selected) {
        for &step in &steps {
            if let Some(near) = grown.get_mut(stepped(at, step)) {
                *near = true;
            }
        }
    }
    grown
}

/// Of equals the smallest.
fn most_frequent(labels: impl Iterator<Item = u8>) -> Option<u8> {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    labels.for_each(|label| *counts.entry(label).or_default() += 1);
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(label, _)| label)
}

/// NaN for no pixel at all.
fn mean_and_sd(image: ArrayView2<'_, f32>, pixels: &[(usize, usize)]) -> (f64, f64) {
    let n = pixels.len() as f64;
    let mean = pixels.iter().map(|&at| f64::from(image[at])).sum::<f64>() / n;
    let variance = pixels.iter().map(|&at| (f64::from(image[at]) - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn same_shape(truth: ArrayView2<'_, f32>, found: &[usize]) -> Result<(), EvalError> {
    if truth.shape() == found {
        return Ok(());
    }
    Err(EvalError::ShapeMismatch { expected: truth.shape().to_vec(), found: found.to_vec() })
}
