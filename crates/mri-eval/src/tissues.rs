//! Do the tissues lie where they belong? Each pixel of the brain is classified by its grey value in the output, and the
//! classes are compared with true labels.
//!
//! Classes are Gaussians of grey values in *true* images of the target contrast ([`GreyValues`]), so an output whose grey
//! matter is as dark as white matter scores low, however sharp it is. The same classifier on the true image is the ceiling:
//! grey values alone do not tell tissues apart perfectly, least of all where a pixel is of two.

use crate::report::Baselines;
use crate::scores::Summary;
use crate::{EvalError, Range};
use ndarray::{ArrayView2, Zip};
use serde::Serialize;

/// Label of cerebrospinal fluid, as in BrainWeb's discrete phantom.
pub const CSF_LABEL: u8 = 1;

/// Label of grey matter.
pub const GREY_MATTER_LABEL: u8 = 2;

/// Label of white matter.
pub const WHITE_MATTER_LABEL: u8 = 3;

/// Standard deviations of a class are at least this part of the range.
pub const MIN_SD_FRACTION: f64 = 1e-3;

/// One value per tissue. Pixels of other labels are not looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tissues<T> {
    /// [`CSF_LABEL`].
    pub csf: T,
    /// [`GREY_MATTER_LABEL`].
    pub grey_matter: T,
    /// [`WHITE_MATTER_LABEL`].
    pub white_matter: T,
}

impl<T> Tissues<T> {
    fn in_order(&self) -> [&T; 3] {
        [&self.csf, &self.grey_matter, &self.white_matter]
    }
}

/// Its place in the order of [`Tissues`].
fn tissue(label: u8) -> Option<usize> {
    [CSF_LABEL, GREY_MATTER_LABEL, WHITE_MATTER_LABEL].iter().position(|tissue| *tissue == label)
}

/// Grey values of each tissue in true images: what a [`Classifier`] is made from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GreyValues {
    sums: [Moments; 3],
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl GreyValues {
    /// Adds a true image with its labels.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn add(&mut self, truth: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>) -> Result<(), EvalError> {
        same_shape(truth, labels)?;
        Zip::from(truth).and(labels).for_each(|&value, &label| {
            if let Some(tissue) = tissue(label) {
                let (moments, value) = (&mut self.sums[tissue], f64::from(value));
                moments.count += 1.0;
                moments.sum += value;
                moments.squares += value * value;
            }
        });
        Ok(())
    }

    /// Adds all that another has seen.
    pub fn join(&mut self, other: &GreyValues) {
        for (own, other) in self.sums.iter_mut().zip(&other.sums) {
            own.count += other.count;
            own.sum += other.sum;
            own.squares += other.squares;
        }
    }

    /// Gaussian classes with the frequencies of the tissues as priors; `None` where nothing was added.
    pub fn classifier(&self, range: Range) -> Option<Classifier> {
        let total: f64 = self.sums.iter().map(|moments| moments.count).sum();
        let class = |moments: &Moments| {
            (moments.count > 0.0).then(|| {
                let mean = moments.sum / moments.count;
                let variance = (moments.squares / moments.count - mean * mean).max(0.0);
                let sd = variance.sqrt().max(MIN_SD_FRACTION * range.width());
                Class { mean, sd, log_prior: (moments.count / total).ln() }
            })
        };
        (total > 0.0).then(|| Classifier { classes: self.sums.each_ref().map(class) })
    }
}

/// Tells tissues by their grey value: the class of the highest posterior probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// `None` for a tissue that was never seen, which is then never told.
    classes: [Option<Class>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Class {
    mean: f64,
    sd: f64,
    log_prior: f64,
}

impl Classifier {
    /// Dice's overlap `2 |A and B| / (|A| + |B|)` of each tissue in `image` with `labels`, over the pixels that bear the
    /// label of one of the three; `None` for a tissue that is in neither.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn dice(
        &self,
        image: ArrayView2<'_, f32>,
        labels: ArrayView2<'_, u8>,
    ) -> Result<Tissues<Option<f64>>, EvalError> {
        same_shape(image, labels)?;
        let (mut both, mut either) = ([0_usize; 3], [0_usize; 3]);
        Zip::from(image).and(labels).for_each(|&value, &label| {
            let Some(truth) = tissue(label) else { return };
            let told = self.tissue_of(f64::from(value));
            either[truth] += 1;
            either[told] += 1;
            if told == truth {
                both[truth] += 1;
            }
        });
        let dice =
            |tissue: usize| (either[tissue] > 0).then(|| 2.0 * both[tissue] as f64 / either[tissue] as f64);
        Ok(Tissues { csf: dice(0), grey_matter: dice(1), white_matter: dice(2) })
    }

    /// Of equals the first.
    fn tissue_of(&self, value: f64) -> usize {
        let score =
            |class: &Class| class.log_prior - class.sd.ln() - 0.5 * ((value - class.mean) / class.sd).powi(2);
        let scores =
            self.classes.iter().enumerate().filter_map(|(at, class)| Some((at, score(class.as_ref()?))));
        scores.fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best }).0
    }
}

/// The overlap of the tissues over all cases with labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TissueReport {
    /// Cases with labels.
    pub cases: usize,
    /// What the classes were taken from, in words.
    pub fitted_on: String,
    /// The true images classified in the same way: what a perfect output would score.
    pub ceiling: Tissues<Summary>,
    /// The model's outputs.
    pub model: Tissues<Summary>,
    /// The baselines' outputs.
    pub baselines: Baselines<Option<Tissues<Summary>>>,
}

impl Tissues<Summary> {
    /// Over cases, passing over those without a value; `None` where none has.
    pub(crate) fn of(cases: &[Option<Tissues<Option<f64>>>]) -> Option<Self> {
        let known: Vec<_> = cases.iter().flatten().collect();
        let summary =
            |of: fn(&Tissues<Option<f64>>) -> Option<f64>| Summary::of(known.iter().map(|dice| of(dice)));
        (!known.is_empty()).then(|| Tissues {
            csf: summary(|dice| dice.csf),
            grey_matter: summary(|dice| dice.grey_matter),
            white_matter: summary(|dice| dice.white_matter),
        })
    }

    /// The mean of the tissues that have a value.
    pub fn mean(&self) -> Option<f64> {
        Summary::of(self.in_order().map(|summary| summary.mean)).mean
    }
}

fn same_shape(image: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>) -> Result<(), EvalError> {
    if image.dim() == labels.dim() {
        return Ok(());
    }
    Err(EvalError::ShapeMismatch { expected: image.shape().to_vec(), found: labels.shape().to_vec() })
}
