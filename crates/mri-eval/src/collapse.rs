//! Collapse of a generator, seen without any truth: from what it makes of a set of inputs beside real images of the target
//! domain.
//!
//! Each figure of [`OutputStatistics`] is relative to the real images or to the inputs, so that a threshold means the same
//! for every data set; each threshold lies far from what a translation that works shows, for a false alarm ends a good
//! training as failed. What passes is not thereby good: a generator that gives its input another tone passes.

use crate::baselines::{LEVELS, LevelCounts};
use crate::{EvalError, Range};
use ndarray::{ArrayView2, Axis, Zip};
use std::fmt;

/// Outputs with less than this share of the contrast of real images are flat.
pub const FLAT_BELOW: f64 = 0.1;
/// Outputs with less than this share of the grey pixels of real images are black and white.
pub const SATURATED_BELOW: f64 = 0.25;
/// Outputs whose neighbouring pixels differ by more than this many times what those of real images do are patterns.
pub const PATTERN_ABOVE: f64 = 4.0;
/// Outputs that differ among each other by less than this share of what the inputs do are one image.
pub const SAME_BELOW: f64 = 0.1;
/// Outputs whose histogram is further from that of real images than this many times the best flat grey are another domain's.
pub const FAR_ABOVE: f64 = 1.5;
/// Outputs that differ from their inputs by less than this share of the distance of the domains are copies.
pub const COPIED_BELOW: f64 = 0.5;
/// Domains whose histograms are nearer than this share of what a flat grey has are alike: a copy is then no fault.
pub const DOMAINS_DIFFER_ABOVE: f64 = 0.05;
/// A pixel within this share of the range from its ends is black or white.
pub const END_FRACTION: f64 = 0.02;
/// Inputs that differ among each other by less than this share of their contrast say nothing of outputs that do not differ.
const INPUTS_VARY_ABOVE: f64 = 0.05;

/// What a generator makes, relative to real images and to its inputs. `None` where there is nothing to compare with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputStatistics {
    /// Root mean variance of the pixels of an output over that of a real image.
    pub contrast: Option<f64>,
    /// Share of pixels that are neither black nor white, over that in real images.
    pub greys: Option<f64>,
    /// Mean absolute difference of neighbouring pixels, over that in real images.
    pub texture: Option<f64>,
    /// Root mean square difference of two outputs over their contrast, as a share of the same of their inputs.
    pub variety: Option<f64>,
    /// [`histogram_distance`](crate::monitoring::histogram_distance) from the real images over that of the best flat grey:
    /// 0 for the same grey levels, 1 for an image of the median grey.
    pub distance: Option<f64>,
    /// Mean absolute difference of output and input over the histogram distance of inputs and real images. No output that
    /// reaches the histogram of the target is below 1.
    pub change: Option<f64>,
}

/// Why a generator counts as collapsed, with the figure that says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sign {
    /// [`OutputStatistics::contrast`] is below [`FLAT_BELOW`].
    Flat(f64),
    /// [`OutputStatistics::greys`] are below [`SATURATED_BELOW`].
    Saturated(f64),
    /// [`OutputStatistics::texture`] is above [`PATTERN_ABOVE`].
    Pattern(f64),
    /// [`OutputStatistics::variety`] is below [`SAME_BELOW`].
    Same(f64),
    /// [`OutputStatistics::distance`] is above [`FAR_ABOVE`].
    Far(f64),
    /// [`OutputStatistics::change`] is below [`COPIED_BELOW`].
    Copied(f64),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Flat(share) => write!(f, "nearly flat: {} of the contrast of real images", percent(*share)),
            Sign::Saturated(share) => {
                write!(f, "nearly black and white: {} of the grey pixels of real images", percent(*share))
            }
            Sign::Pattern(times) => write!(
                f,
                "noise or a pattern: neighbouring pixels differ {times:.1} times as much as in real images"
            ),
            Sign::Same(share) => write!(
                f,
                "nearly the same whatever the input: they differ {} as much as the inputs do",
                percent(*share)
            ),
            Sign::Far(times) => write!(
                f,
                "of other grey levels than real images: {times:.1} times as far from them as a flat grey"
            ),
            Sign::Copied(share) => {
                write!(
                    f,
                    "copies of the input: changed by {} of the distance of the domains",
                    percent(*share)
                )
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

impl OutputStatistics {
    /// Compares `outputs` with their `inputs`, image by image of one shape, and with real images of the target domain. The
    /// images of a set may differ in shape.
    ///
    /// # Errors
    /// An empty set, inputs and outputs that differ in number or shape, a pixel that is not finite.
    pub fn of(
        inputs: &[ArrayView2<'_, f32>],
        outputs: &[ArrayView2<'_, f32>],
        references: &[ArrayView2<'_, f32>],
        range: Range,
    ) -> Result<OutputStatistics, EvalError> {
        if inputs.len() != outputs.len() {
            let (expected, found) = (vec![inputs.len()], vec![outputs.len()]);
            return Err(EvalError::ShapeMismatch { expected, found });
        }
        for (input, output) in inputs.iter().zip(outputs) {
            crate::metrics::check_pair(output, input)?;
        }
        let [of_inputs, of_outputs, of_references] =
            [cumulative(inputs, range)?, cumulative(outputs, range)?, cumulative(references, range)?];
        let flat_grey: f64 = of_references.iter().map(|below| below.min(1.0 - below)).sum();
        let domains_apart = apart(&of_inputs, &of_references);
        let distance = (flat_grey > 0.0).then(|| apart(&of_outputs, &of_references) / flat_grey);
        let do_domains_differ = domains_apart > DOMAINS_DIFFER_ABOVE * flat_grey;
        let step = range.width() / (LEVELS - 1) as f64;
        let input_variety = variety(inputs).filter(|variety| *variety > INPUTS_VARY_ABOVE);
        Ok(OutputStatistics {
            contrast: ratio(contrast(outputs), contrast(references)),
            greys: ratio(greys(outputs, range), greys(references, range)),
            texture: ratio(texture(outputs), texture(references)),
            variety: variety(outputs)
                .zip(input_variety)
                .map(|(of_outputs, of_inputs)| of_outputs / of_inputs),
            distance,
            change: do_domains_differ.then(|| change(inputs, outputs) / (domains_apart * step)),
        })
    }

    /// The signs of a collapse; none where the generator works as far as this can tell.
    pub fn signs(&self) -> Vec<Sign> {
        let below = |figure: Option<f64>, threshold: f64| figure.filter(|figure| *figure < threshold);
        let above = |figure: Option<f64>, threshold: f64| figure.filter(|figure| *figure > threshold);
        [
            below(self.contrast, FLAT_BELOW).map(Sign::Flat),
            below(self.greys, SATURATED_BELOW).map(Sign::Saturated),
            above(self.texture, PATTERN_ABOVE).map(Sign::Pattern),
            below(self.variety, SAME_BELOW).map(Sign::Same),
            above(self.distance, FAR_ABOVE).map(Sign::Far),
            below(self.change, COPIED_BELOW).map(Sign::Copied),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn ratio(of: f64, to: f64) -> Option<f64> {
    (to > 0.0).then(|| of / to)
}

fn cumulative(images: &[ArrayView2<'_, f32>], range: Range) -> Result<Vec<f64>, EvalError> {
    let mut counts = LevelCounts::new(range);
    images.iter().try_for_each(|image| counts.add(image.view()))?;
    counts.cumulative()
}

/// Between two cumulative histograms, in levels.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

/// Root of the mean over images of the variance of their pixels.
fn contrast(images: &[ArrayView2<'_, f32>]) -> f64 {
    let variance = |image: &ArrayView2<'_, f32>| {
        let n = image.len() as f64;
        let mean = image.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
        image.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n
    };
    (images.iter().map(variance).sum::<f64>() / images.len() as f64).sqrt()
}

/// Share of pixels that are neither black nor white.
fn greys(images: &[ArrayView2<'_, f32>], range: Range) -> f64 {
    let is_grey = |value: &&f32| {
        let fraction = range.fraction(**value);
        fraction > END_FRACTION && fraction < 1.0 - END_FRACTION
    };
    let grey: usize = images.iter().map(|image| image.iter().filter(is_grey).count()).sum();
    grey as f64 / images.iter().map(ArrayView2::len).sum::<usize>() as f64
}

/// Mean absolute difference of pixels that are neighbours in a row or a column.
fn texture(images: &[ArrayView2<'_, f32>]) -> f64 {
    let (mut sum, mut neighbours) = (0.0, 0);
    for image in images {
        for axis in [Axis(0), Axis(1)] {
            for lane in image.lanes(axis) {
                let differences = lane.iter().zip(lane.iter().skip(1)).map(|(a, b)| f64::from((a - b).abs()));
                sum += differences.sum::<f64>();
                neighbours += lane.len() - 1;
            }
        }
    }
    sum / neighbours.max(1) as f64
}

/// Root mean square difference of images that are half the set apart, which neighbours are not, over their contrast. `None`
/// where there are no two of one shape, or no contrast.
fn variety(images: &[ArrayView2<'_, f32>]) -> Option<f64> {
    let (mut sum, mut pixels) = (0.0, 0);
    for (a, b) in images.iter().zip(images.iter().skip(images.len() / 2)) {
        if a.dim() == b.dim() && images.len() > 1 {
            sum += squared_difference(a, b);
            pixels += a.len();
        }
    }
    let contrast = contrast(images);
    (pixels > 0 && contrast > 0.0).then(|| (sum / pixels as f64).sqrt() / contrast)
}

fn squared_difference(a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>) -> f64 {
    Zip::from(a).and(b).fold(0.0, |sum, &a, &b| sum + (f64::from(a) - f64::from(b)).powi(2))
}

/// Mean absolute difference over all pixels of all images.
fn change(inputs: &[ArrayView2<'_, f32>], outputs: &[ArrayView2<'_, f32>]) -> f64 {
    let sum: f64 = inputs
        .iter()
        .zip(outputs)
        .map(|(a, b)| Zip::from(a).and(b).fold(0.0, |sum, &a, &b| sum + f64::from((a - b).abs())))
        .sum();
    sum / inputs.iter().map(ArrayView2::len).sum::<usize>() as f64
}
