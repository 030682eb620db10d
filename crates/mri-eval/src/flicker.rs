//! Flicker: do neighbouring slices of a synthetic volume differ in brightness where those of the true one do not?
//!
//! A network that sees one slice at a time can err a little brighter here and a little darker there. In a plane across the
//! slices that shows as stripes, and no slice-wise metric tells it from any other error. [`flicker`] is the standard
//! deviation of that jitter: of the mean error of a slice over the head, as far as it does not run smoothly through the
//! volume.

use ndarray::{ArrayView2, ArrayView3};
use serde::Serialize;

use crate::foreground::{foreground, mean_within};
use crate::metrics::check_pair;
use crate::report::Baselines;
use crate::scores::Summary;
use crate::{EvalError, Range};

/// The flicker of one volume, as a fraction of the range: 0 for an output that equals the truth, or that is off by the
/// same brightness, or by one that changes evenly, in all slices.
///
/// It is the root of the mean of `(e[i-1] - 2 e[i] + e[i+1])^2 / 6` over the slices, `e` being the mean error within the
/// [`foreground`]: an estimate of the standard deviation of independent errors of the slices which a smooth trend does not
/// enter (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73(3), 1986). Slices without a foreground, and their neighbours,
/// are passed over.
///
/// # Shapes
/// Both (slices, rows, columns).
///
/// # Errors
/// Shapes that differ, a pixel that is not finite, and [`EvalError::Undefined`] where no three slices with a foreground
/// follow each other.
pub fn flicker(
    output: ArrayView3<'_, f32>,
    truth: ArrayView3<'_, f32>,
    range: Range,
) -> Result<f64, EvalError> {
    if output.dim() != truth.dim() {
        return Err(EvalError::ShapeMismatch {
            expected: truth.shape().to_vec(),
            found: output.shape().to_vec(),
        });
    }
    let mut errors = Vec::new();
    for (position, (output, truth)) in output.outer_iter().zip(truth.outer_iter()).enumerate() {
        check_pair(&output, &truth)?;
        match foreground(truth) {
            Ok(mask) => {
                errors.push((position, Some(mean_error(output, truth, mask.view())? / range.width())))
            }
            Err(EvalError::Undefined { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let reason = "no three neighbouring slices have a foreground";
    jitter(&errors).ok_or(EvalError::Undefined { metric: "flicker", reason })
}

/// Mean of output minus truth within the mask.
pub(crate) fn mean_error(
    output: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    mask: ArrayView2<'_, bool>,
) -> Result<f64, EvalError> {
    let error = ndarray::Zip::from(output).and(truth).map_collect(|&o, &t| f64::from(o) - f64::from(t));
    mean_within(error.view(), mask)
}

/// From errors of slices, by their places.
fn jitter(errors: &[(usize, Option<f64>)]) -> Option<f64> {
    let second_difference = |three: &[(usize, Option<f64>)]| match *three {
        [(i, Some(before)), (j, Some(here)), (k, Some(after))] if j == i + 1 && k == j + 1 => {
            Some(before - 2.0 * here + after)
        }
        _ => None,
    };
    let differences: Vec<f64> = errors.windows(3).filter_map(second_difference).collect();
    let sum: f64 = differences.iter().map(|difference| difference * difference).sum();
    (!differences.is_empty()).then(|| (sum / 6.0 / differences.len() as f64).sqrt())
}

/// Mean errors of one slice over its foreground, as fractions of the range.
#[derive(Debug, Clone)]
pub(crate) struct MeanErrors {
    pub(crate) model: Option<f64>,
    pub(crate) baselines: Baselines<Option<f64>>,
}

/// The [`flicker`] of all volumes of an evaluation, as fractions of the target range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlickerReport {
    /// Of the model's volumes.
    pub model: Summary,
    /// Of the baselines'.
    pub baselines: Baselines<Summary>,
    /// Each volume.
    pub volumes: Vec<VolumeFlicker>,
}

/// The [`flicker`] of one volume; `None` where it is undefined.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VolumeFlicker {
    /// Names the volume.
    pub name: String,
    /// Slices that were looked at.
    pub slices: usize,
    /// Of the model's volume.
    pub model: Option<f64>,
    /// Of the baselines'.
    pub baselines: Baselines<Option<f64>>,
}

/// From the volume and place of every slice, those of a volume following each other.
pub(crate) fn report(slices: &[(&str, usize)], errors: &[MeanErrors]) -> FlickerReport {
    let all: Vec<_> = slices.iter().zip(errors).collect();
    let volumes: Vec<VolumeFlicker> = all
        .chunk_by(|(a, _), (b, _)| a.0 == b.0 && a.1 < b.1)
        .map(|volume| {
            let of = |error: fn(&MeanErrors) -> Option<f64>| {
                jitter(&volume.iter().map(|((_, place), errors)| (*place, error(errors))).collect::<Vec<_>>())
            };
            VolumeFlicker {
                name: volume.first().map(|((name, _), _)| (*name).to_owned()).unwrap_or_default(),
                slices: volume.len(),
                model: of(|errors| errors.model),
                baselines: Baselines {
                    copy: of(|errors| errors.baselines.copy),
                    invert: of(|errors| errors.baselines.invert),
                    histogram: of(|errors| errors.baselines.histogram),
                    lut: of(|errors| errors.baselines.lut),
                    retrieval: of(|errors| errors.baselines.retrieval),
                },
            }
        })
        .collect();
    let summary = |of: fn(&VolumeFlicker) -> Option<f64>| Summary::of(volumes.iter().map(of));
    FlickerReport {
        model: summary(|volume| volume.model),
        baselines: Baselines {
            copy: summary(|volume| volume.baselines.copy),
            invert: summary(|volume| volume.baselines.invert),
            histogram: summary(|volume| volume.baselines.histogram),
            lut: summary(|volume| volume.baselines.lut),
            retrieval: summary(|volume| volume.baselines.retrieval),
        },
        volumes,
    }
}
