//! What a translation must beat: methods that know no anatomy.
//!
//! | baseline | sees | asks |
//! |---|---|---|
//! | [`copy`] | nothing | does the model do anything? |
//! | [`invert`] | nothing | does it do more than a negative? |
//! | [`fit_histogram_match`] | unpaired training images, as a CycleGAN does | does it use more than the grey level? |
//! | [`LookupFit`] | training *pairs*: an oracle | what is the most that a grey level alone can tell? |
//! | [`nearest`] | training *pairs*: an oracle | does it draw this head, or a head it has seen? |
//!
//! Outputs are in the units of the target range and are not rounded.

use crate::metrics::check_image;
use crate::{EvalError, Range};
use ndarray::{Array2, ArrayView2, Zip};

/// Grey levels of a [`ToneCurve`] and of the histograms that it is fitted on.
pub const LEVELS: usize = 256;

/// Fraction of the source range up to which [`invert`] takes a pixel for air: grey level 20 of 255.
pub const AIR_FRACTION: f64 = 0.08;

/// The source itself, carried linearly from its range to that of the target.
pub fn copy(source: ArrayView2<'_, f32>, source_range: Range, target_range: Range) -> Array2<f32> {
    if source_range == target_range {
        return source.to_owned();
    }
    source.mapv(|value| target_range.at(source_range.fraction(value)))
}

/// The negative of the source with air kept black: `min + max - x`, but the minimum where `x` lies in the lowest
/// [`AIR_FRACTION`] of the range.
///
/// Without that exception two thirds of a head slice would turn white, and inverting would be the worst method of all.
pub fn invert(source: ArrayView2<'_, f32>, source_range: Range, target_range: Range) -> Array2<f32> {
    source.mapv(|value| {
        let fraction = source_range.fraction(value);
        target_range.at(if fraction <= AIR_FRACTION { 0.0 } else { 1.0 - fraction })
    })
}

/// A function of the grey level alone: [`LEVELS`] entries over the source range, linear between them.
#[derive(Debug, Clone, PartialEq)]
pub struct ToneCurve {
    range: Range,
    entries: Vec<f64>,
}

impl ToneCurve {
    /// The translation of each source level, from the lowest to the highest, in target units.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// Maps every pixel; values beyond the source range take the end entries.
    pub fn apply(&self, source: ArrayView2<'_, f32>) -> Array2<f32> {
        let last = LEVELS - 1;
        source.mapv(|value| {
            let position = (self.range.fraction(value) * last as f64).clamp(0.0, last as f64);
            let below = (position as usize).min(last - 1);
            let weight = position - below as f64;
            ((1.0 - weight) * self.entries[below] + weight * self.entries[below + 1]) as f32
        })
    }
}

/// Counts of the grey levels of a set of images, each pixel in the nearest of [`LEVELS`] levels over the range.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelCounts {
    range: Range,
    counts: Vec<f64>,
}

impl LevelCounts {
    /// Of no image yet.
    pub fn new(range: Range) -> LevelCounts {
        LevelCounts { range, counts: vec![0.0; LEVELS] }
    }

    /// Counts the pixels of one more image.
    ///
    /// # Errors
    /// No pixels, or a pixel that is not finite.
    pub fn add(&mut self, image: ArrayView2<'_, f32>) -> Result<(), EvalError> {
        check_image("a training image", &image)?;
        image.iter().for_each(|&value| self.counts[level(value, self.range)] += 1.0);
        Ok(())
    }

    /// The counts without those of `part`, which were added before: for leaving a case out without starting again.
    pub fn without(&self, part: &LevelCounts) -> LevelCounts {
        LevelCounts { range: self.range, counts: difference(&self.counts, &part.counts) }
    }

    /// How many pixels were counted, level by level.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// Share of the pixels at or below each level.
    ///
    /// # Errors
    /// [`EvalError::Empty`] when nothing was counted.
    pub(crate) fn cumulative(&self) -> Result<Vec<f64>, EvalError> {
        let total: f64 = self.counts.iter().sum();
        if total <= 0.0 {
            return Err(EvalError::Empty { what: "the training set" });
        }
        Ok(self
            .counts
            .iter()
            .scan(0.0, |below, count| {
                *below += count;
                Some(*below / total)
            })
            .collect())
    }
}

/// Quantile mapping between *unpaired* sets: each source level goes to the target level of the same rank among all
/// training pixels. Equals scikit-image's `match_histograms` of the pooled images.
///
/// # Errors
/// [`EvalError::Empty`] when either set has no pixels.
pub fn fit_histogram_match(source: &LevelCounts, target: &LevelCounts) -> Result<ToneCurve, EvalError> {
    let source_ranks = source.cumulative()?;
    let target_ranks = target.cumulative()?;
    let knots: Vec<(f64, f64)> = target
        .counts
        .iter()
        .zip(target_ranks)
        .enumerate()
        .filter(|(_, (count, _))| **count > 0.0)
        .map(|(level, (_, rank))| (rank, level_value(level, target.range)))
        .collect();
    let entries = source_ranks.into_iter().map(|rank| interpolate(&knots, rank)).collect();
    Ok(ToneCurve { range: source.range, entries })
}

/// The lookup table that an oracle would choose: for each source level the mean of the target over training *pairs*, which
/// minimizes the squared error among all functions of the level. Levels never seen are interpolated linearly.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupFit {
    counts: LevelCounts,
    sums: Vec<f64>,
}

impl LookupFit {
    /// Fitted on no pair yet.
    pub fn new(source_range: Range) -> LookupFit {
        LookupFit { counts: LevelCounts::new(source_range), sums: vec![0.0; LEVELS] }
    }

    /// Adds a training pair of one shape.
    ///
    /// # Errors
    /// Shapes that differ, no pixels, a pixel that is not finite.
    pub fn add(&mut self, source: ArrayView2<'_, f32>, target: ArrayView2<'_, f32>) -> Result<(), EvalError> {
        crate::metrics::check_pair(&target, &source)?;
        self.counts.add(source)?;
        Zip::from(source).and(target).for_each(|&s, &t| {
            self.sums[level(s, self.counts.range)] += f64::from(t);
        });
        Ok(())
    }

    /// The fit without the pairs of `part`, which were added before.
    pub fn without(&self, part: &LookupFit) -> LookupFit {
        LookupFit { counts: self.counts.without(&part.counts), sums: difference(&self.sums, &part.sums) }
    }

    /// The lookup table.
    ///
    /// # Errors
    /// [`EvalError::Empty`] when no pair was added.
    pub fn curve(&self) -> Result<ToneCurve, EvalError> {
        let knots: Vec<(f64, f64)> = self
            .counts
            .counts
            .iter()
            .zip(&self.sums)
            .enumerate()
            .filter(|(_, (count, _))| **count > 0.0)
            .map(|(level, (count, sum))| (level as f64, sum / count))
            .collect();
        if knots.is_empty() {
            return Err(EvalError::Empty { what: "the training set" });
        }
        let entries = (0..LEVELS).map(|level| interpolate(&knots, level as f64)).collect();
        Ok(ToneCurve { range: self.counts.range, entries })
    }
}

/// Index of the candidate that differs least from `image` by mean squared error, the first of equals; candidates of
/// another shape are passed over. Retrieval answers a source with the partner of its nearest training source.
///
/// # Errors
/// [`EvalError::Undefined`] when no candidate has the shape of the image.
pub fn nearest<'a>(
    image: ArrayView2<'_, f32>,
    candidates: impl IntoIterator<Item = ArrayView2<'a, f32>>,
) -> Result<usize, EvalError> {
    let mut best: Option<(usize, f64)> = None;
    for (index, candidate) in candidates.into_iter().enumerate() {
        if candidate.dim() != image.dim() {
            continue;
        }
        let error = Zip::from(image)
            .and(candidate)
            .fold(0.0, |sum, &a, &b| sum + (f64::from(a) - f64::from(b)).powi(2));
        if best.is_none_or(|(_, least)| error < least) {
            best = Some((index, error));
        }
    }
    best.map(|(index, _)| index)
        .ok_or(EvalError::Undefined { metric: "retrieval", reason: "no training image has this shape" })
}

fn level(value: f32, range: Range) -> usize {
    let last = (LEVELS - 1) as f64;
    (range.fraction(value) * last).round().clamp(0.0, last) as usize
}

pub(crate) fn level_value(level: usize, range: Range) -> f64 {
    f64::from(range.min()) + level as f64 / (LEVELS - 1) as f64 * range.width()
}

fn difference(whole: &[f64], part: &[f64]) -> Vec<f64> {
    whole.iter().zip(part).map(|(whole, part)| whole - part).collect()
}

/// Piecewise linear through `knots` (x ascending, at least one), constant beyond them.
fn interpolate(knots: &[(f64, f64)], x: f64) -> f64 {
    let above = knots.partition_point(|&(knot, _)| knot < x);
    match (above.checked_sub(1).and_then(|below| knots.get(below)), knots.get(above)) {
        (Some(&(x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (None, Some(&(_, y))) | (Some(&(_, y)), None) => y,
        (None, None) => f64::NAN,
    }
}
