//! Does a stated uncertainty tell where an output is wrong, and by how much?
//!
//! An uncertainty is a standard deviation for every pixel: how far the members of an ensemble lie apart (Lakshminarayanan,
//! Pritzel and Blundell, NeurIPS 2017) or the samples of Monte-Carlo dropout (Gal and Ghahramani, ICML 2016). It is
//! calibrated where the errors are as large as it says. [`Pixels`] collects errors beside standard deviations, and
//! [`Pixels::calibration`] compares them.
//!
//! A small standard deviation is no proof of being right: what all members learned wrongly, they say with one voice.

use crate::EvalError;
use crate::metrics::check_pair;
use ndarray::{ArrayView2, Zip};
use serde::Serialize;
use std::fmt;

mod agreement;
use agreement::{share_within, spearman};

/// At most this many pixels are kept, 8 bytes each; of more, every second, fourth, ... one.
pub const MOST_PIXELS: usize = 1 << 20;
/// Bins of equal numbers of pixels in [`Calibration::reliability`].
pub const BINS: usize = 10;

/// Errors of single pixels with the standard deviations that were stated for them.
///
/// All pixels are kept up to [`MOST_PIXELS`]; then every second one is dropped, and so on. Which are kept follows from the
/// order in which they come alone.
#[derive(Debug, Clone)]
pub struct Pixels {
    most: usize,
    every: usize,
    seen: usize,
    kept: Vec<Pixel>,
}

#[derive(Debug, Clone, Copy)]
struct Pixel {
    sd: f32,
    /// Of the output, absolute.
    error: f32,
}

impl Default for Pixels {
    fn default() -> Self {
        Self::at_most(MOST_PIXELS)
    }
}

impl Pixels {
    /// Keeps at most `most` pixels, at least 2.
    pub fn at_most(most: usize) -> Self {
        Self { most: most.max(2), every: 1, seen: 0, kept: Vec::new() }
    }

    /// Adds the pixels of an output where `mask` is true. `sd` is in the units of the images, 0 or more.
    ///
    /// # Shapes
    /// All (rows, columns).
    ///
    /// # Errors
    /// Shapes that differ, a pixel that is not finite, a negative standard deviation; then nothing is added.
    pub fn add(
        &mut self,
        output: ArrayView2<'_, f32>,
        truth: ArrayView2<'_, f32>,
        sd: ArrayView2<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<(), EvalError> {
        check_pair(&output, &truth)?;
        check_pair(&sd, &truth)?;
        if mask.dim() != truth.dim() {
            return Err(EvalError::ShapeMismatch {
                expected: truth.shape().to_vec(),
                found: mask.shape().to_vec(),
            });
        }
        if sd.iter().any(|sd| *sd < 0.0) {
            return Err(undefined("a standard deviation is negative"));
        }
        Zip::from(output).and(truth).and(sd).and(mask).for_each(|&output, &truth, &sd, &selected| {
            if selected {
                self.keep(Pixel { sd, error: (output - truth).abs() });
            }
        });
        Ok(())
    }

    fn keep(&mut self, pixel: Pixel) {
        if self.seen.is_multiple_of(self.every) {
            if self.kept.len() == self.most {
                self.kept = self.kept.iter().copied().step_by(2).collect();
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.kept.push(pixel);
            }
        }
        self.seen += 1;
    }

    /// Compares the errors with the standard deviations, which were taken over `members` outputs whose mean was the output.
    ///
    /// # Errors
    /// [`EvalError::Undefined`] for fewer than [`BINS`] pixels or fewer than two members.
    pub fn calibration(&self, members: usize) -> Result<Calibration, EvalError> {
        let count = self.kept.len();
        if count < BINS {
            return Err(undefined("there are fewer pixels than bins"));
        }
        if members < 2 {
            return Err(undefined("one output alone has no standard deviation"));
        }
        let mut pixels = self.kept.clone();
        pixels.sort_by(|a, b| a.sd.total_cmp(&b.sd));
        let bins = equal_bins(&pixels);
        let reliability: Vec<Bin> = bins.iter().map(|bin| Bin::of(bin)).collect();
        let ratio = |bin: &Bin| (bin.sd > 0.0).then(|| (bin.sd - bin.rmse).abs() / bin.sd);
        let ratios: Option<Vec<f64>> = reliability.iter().map(ratio).collect();
        let all = Bin::of(&pixels);

        let most_uncertain = bins.last().map_or(0, |bin| bin.len());
        let error_of_last = |pixels: &[Pixel]| sum(pixels[count - most_uncertain..].iter().map(|p| p.error));
        let (total, found) = (sum(pixels.iter().map(|pixel| pixel.error)), error_of_last(&pixels));
        let (sds, errors): (Vec<f32>, Vec<f32>) = pixels.iter().map(|p| (p.sd, p.error)).unzip();
        pixels.sort_by(|a, b| a.error.total_cmp(&b.error));
        let at_best = error_of_last(&pixels);
        let coverage = |factor: f64| {
            let inside = pixels.iter().filter(|p| f64::from(p.error) <= factor * f64::from(p.sd)).count();
            Coverage { share: inside as f64 / count as f64, expected: share_within(factor, members) }
        };
        Ok(Calibration {
            members,
            pixels: count,
            reliability,
            ence: ratios.map(|ratios| ratios.iter().sum::<f64>() / BINS as f64),
            spearman: spearman(&sds, &errors),
            most_uncertain_tenth: (total > 0.0)
                .then(|| ErrorShare { share: found / total, at_best: at_best / total }),
            within_1_sd: coverage(1.0),
            within_2_sd: coverage(2.0),
            scale: (all.sd > 0.0).then(|| all.rmse / all.sd),
            expected_scale: (1.0 + 1.0 / members as f64).sqrt(),
        })
    }
}

/// How errors compare with the standard deviations that were stated for them, over single pixels. `None` (JSON null) is what
/// has no value: a ratio to a standard deviation of 0, the rank correlation with a constant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Outputs that the standard deviations are over.
    pub members: usize,
    /// Pixels that were looked at.
    pub pixels: usize,
    /// [`BINS`] bins of equally many pixels, by rising standard deviation.
    pub reliability: Vec<Bin>,
    /// Expected normalized calibration error (Levi et al., Sensors 22(15), 2022): the mean over the bins of
    /// `|sd - rmse| / sd`. 0 is perfect.
    pub ence: Option<f64>,
    /// Spearman's rank correlation of standard deviation and absolute error, -1 to 1: 1 where they order the pixels alike,
    /// 0 where one says nothing of the other.
    pub spearman: Option<f64>,
    /// How much of all absolute error lies in the bin of the largest standard deviations.
    pub most_uncertain_tenth: Option<ErrorShare>,
    /// Errors of at most one standard deviation.
    pub within_1_sd: Coverage,
    /// Errors of at most two.
    pub within_2_sd: Coverage,
    /// Root of the mean squared error over the mean variance: what the standard deviations would have to be multiplied by to
    /// be right on the whole. Above 1 they are overconfident.
    pub scale: Option<f64>,
    /// The scale that Gaussian members have which are right: `sqrt(1 + 1 / members)`, for the truth differs from their mean
    /// by its own spread and by that of the mean.
    pub expected_scale: f64,
}

/// Pixels of about the same standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Root of the mean of the stated variances, in the units of the images.
    pub sd: f64,
    /// Root of the mean squared error there, in the same units.
    pub rmse: f64,
}

impl Bin {
    fn of(pixels: &[Pixel]) -> Self {
        let root_mean_square = |value: fn(&Pixel) -> f32| {
            let squares = pixels.iter().map(|pixel| f64::from(value(pixel)).powi(2));
            (squares.sum::<f64>() / pixels.len() as f64).sqrt()
        };
        Self { sd: root_mean_square(|pixel| pixel.sd), rmse: root_mean_square(|pixel| pixel.error) }
    }
}

/// A share of all absolute error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ErrorShare {
    /// In the most uncertain pixels: as large as theirs of all pixels where the uncertainty says nothing.
    pub share: f64,
    /// In as many pixels of the largest errors.
    pub at_best: f64,
}

/// A share of all pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Coverage {
    /// Whose error is so small.
    pub share: f64,
    /// Of Gaussian members that are right, among whom the truth would be one more: Student's t. Near 0.68 and 0.95 where
    /// they are many, less where they are few.
    pub expected: f64,
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, scale, expected_scale, spearman, .. } = self;
        let number = |value: &Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
        let (scale, correlation) = (number(scale), number(spearman));
        write!(f, "uncertainty ({members} members): RMSE / SD {scale} ({expected_scale:.2} expected), ")?;
        write!(f, "rank correlation of SD and error {correlation}")
    }
}

/// [`BINS`] bins whose sizes differ by at most one, the larger ones first.
fn equal_bins(mut pixels: &[Pixel]) -> Vec<&[Pixel]> {
    let (size, larger) = (pixels.len() / BINS, pixels.len() % BINS);
    let mut next = |bin: usize| {
        let (first, rest) = pixels.split_at(size + usize::from(bin < larger));
        pixels = rest;
        first
    };
    (0..BINS).map(&mut next).collect()
}

fn sum(values: impl Iterator<Item = f32>) -> f64 {
    values.map(f64::from).sum()
}

fn undefined(reason: &'static str) -> EvalError {
    EvalError::Undefined { metric: "calibration", reason }
}
