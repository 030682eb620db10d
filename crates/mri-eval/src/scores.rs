//! All metrics of one output, and their mean and standard deviation over cases.

use crate::foreground::{Regions, mean_within, select};
use crate::metrics::{mae, ms_ssim, nmi, nmse, pearson, psnr, sharpness, ssim, ssim_map};
use crate::{EvalError, Range};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

/// One value per metric: [`Option<f64>`] for a case, [`Summary`] over cases.
///
/// For a case, `None` (JSON null) is a metric that is undefined there, such as MS-SSIM of a small image. Identical images
/// have a PSNR of infinity, which JSON cannot hold either: null beside `"mae": 0.0`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics<T> {
    /// Peak signal-to-noise ratio in dB.
    pub psnr_db: T,
    /// Structural similarity.
    pub ssim: T,
    /// Multi-scale structural similarity; absent for a region, where it is not defined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms_ssim: Option<T>,
    /// Mean absolute error, in the units of the images (grey levels of the file).
    pub mae: T,
    /// Normalized mean squared error.
    pub nmse: T,
    /// Normalized mutual information, 1..2.
    pub nmi: T,
    /// Pearson's correlation.
    pub pearson: T,
    /// Root mean square gradient over that of the truth; absent for the frame, most of which is air.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<T>,
}

impl Metrics<Option<f64>> {
    const UNDEFINED: Self = Metrics {
        psnr_db: None,
        ssim: None,
        ms_ssim: None,
        mae: None,
        nmse: None,
        nmi: None,
        pearson: None,
        sharpness: None,
    };
}

/// The metrics over the whole frame and over two regions of the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores<T> {
    /// Over every pixel.
    #[serde(flatten)]
    pub frame: Metrics<T>,
    /// Over the [`foreground`](crate::foreground::foreground) of the truth.
    pub foreground: Metrics<T>,
    /// Within the head, scalp and skull left out: [`Regions::inside`](crate::foreground::Regions::inside).
    pub inside: Metrics<T>,
}

impl Scores<Option<f64>> {
    /// Of a case for which there is no output: no metric has a value.
    pub const UNDEFINED: Self =
        Scores { frame: Metrics::UNDEFINED, foreground: Metrics::UNDEFINED, inside: Metrics::UNDEFINED };
}

/// Mean and standard deviation over cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Mean of the finite values; `None` when there is none.
    pub mean: Option<f64>,
    /// Sample standard deviation (n - 1) of the finite values; `None` below two of them.
    pub sd: Option<f64>,
    /// Cases left out because the value is infinite: the PSNR of an exact output.
    #[serde(skip_serializing_if = "is_zero")]
    pub infinite: usize,
    /// Cases left out because the metric is undefined there.
    #[serde(skip_serializing_if = "is_zero")]
    pub undefined: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Summary {
    /// Summarizes one value per case.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Summary {
        let (mut finite, mut infinite, mut undefined) = (Vec::new(), 0, 0);
        for value in values {
            match value {
                Some(value) if value.is_finite() => finite.push(value),
                Some(value) if value.is_infinite() => infinite += 1,
                _ => undefined += 1,
            }
        }
        let n = finite.len() as f64;
        let mean = (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / n);
        let sd = mean
            .filter(|_| finite.len() > 1)
            .map(|mean| (finite.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt());
        Summary { mean, sd, infinite, undefined }
    }
}

/// Scores one output against its truth, both of shape (rows, columns), over the frame and within `regions`.
///
/// `regions` is `None` where no foreground exists (a constant truth): the metrics of the regions are then undefined, as are
/// those of a region without pixels.
///
/// # Errors
/// Shapes that differ, no pixels, a pixel that is not finite. A metric that is undefined for this case is no error but `None`.
pub fn score(
    output: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    regions: Option<&Regions>,
    range: Range,
) -> Result<Scores<Option<f64>>, EvalError> {
    let frame = Metrics {
        psnr_db: defined(psnr(output, truth, range))?,
        ssim: defined(ssim(output, truth, range))?,
        ms_ssim: Some(defined(ms_ssim(output, truth, range))?),
        mae: defined(mae(output, truth))?,
        nmse: defined(nmse(output, truth))?,
        nmi: defined(nmi(output, truth, range, range))?,
        pearson: defined(pearson(output, truth))?,
        sharpness: None,
    };
    let Some(regions) = regions else { return Ok(Scores { frame, ..Scores::UNDEFINED }) };
    let similarity = defined(ssim_map(output, truth, range))?;
    let within = |mask: &Array2<bool>| score_within(output, truth, similarity.as_ref(), mask.view(), range);
    Ok(Scores { frame, foreground: within(&regions.foreground)?, inside: within(&regions.inside)? })
}

fn score_within(
    output: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    similarity: Option<&Array2<f64>>,
    mask: ArrayView2<'_, bool>,
    range: Range,
) -> Result<Metrics<Option<f64>>, EvalError> {
    if !mask.iter().any(|selected| *selected) {
        return Ok(Metrics::UNDEFINED);
    }
    let (selected_output, selected_truth) = (select(output, mask)?, select(truth, mask)?);
    let (o, t) = (selected_output.view(), selected_truth.view());
    Ok(Metrics {
        psnr_db: defined(psnr(o, t, range))?,
        ssim: similarity.map(|map| mean_within(map.view(), mask)).transpose()?,
        ms_ssim: None,
        mae: defined(mae(o, t))?,
        nmse: defined(nmse(o, t))?,
        nmi: defined(nmi(o, t, range, range))?,
        pearson: defined(pearson(o, t))?,
        sharpness: Some(defined(sharpness(output, truth, mask))?),
    })
}

/// Turns "no value for this input" into `None`; other errors stay.
fn defined<T>(value: Result<T, EvalError>) -> Result<Option<T>, EvalError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(EvalError::Undefined { .. } | EvalError::TooSmall { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Summarizes every metric over cases.
pub fn summarize(cases: &[&Scores<Option<f64>>]) -> Scores<Summary> {
    let region = |of: fn(&Scores<Option<f64>>) -> &Metrics<Option<f64>>| {
        let metric = |value: fn(&Metrics<Option<f64>>) -> Option<f64>| {
            Summary::of(cases.iter().map(|case| value(of(case))))
        };
        Metrics {
            psnr_db: metric(|m| m.psnr_db),
            ssim: metric(|m| m.ssim),
            ms_ssim: cases
                .iter()
                .any(|case| of(case).ms_ssim.is_some())
                .then(|| metric(|m| m.ms_ssim.flatten())),
            mae: metric(|m| m.mae),
            nmse: metric(|m| m.nmse),
            nmi: metric(|m| m.nmi),
            pearson: metric(|m| m.pearson),
            sharpness: cases
                .iter()
                .any(|case| of(case).sharpness.is_some())
                .then(|| metric(|m| m.sharpness.flatten())),
        }
    };
    Scores {
        frame: region(|scores| &scores.frame),
        foreground: region(|scores| &scores.foreground),
        inside: region(|scores| &scores.inside),
    }
}
