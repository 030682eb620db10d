//! The model and the baselines on the same cases.

mod cases;
mod fits;
mod training;

use crate::baselines::{ToneCurve, copy, invert};
use crate::flicker::{self, mean_error};
use crate::foreground::foreground;
use crate::report::{Baselines, CaseReport, DirectionReport, FittedOn};
use crate::scores::{Scores, Summary, score, summarize};
use crate::{EvalError, Range};
use fits::{Fits, groups};
use ndarray::{ArrayView2, CowArray, Ix2};
use rayon::prelude::*;

pub use cases::{Case, Cases, Images, Label};
pub use training::{Candidates, MOST_CANDIDATES, Training, TrainingFit};

/// A direction of translation: names of the domains and their declared ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction {
    /// Domain of the sources.
    pub from: String,
    /// Domain of the truths.
    pub to: String,
    /// Range of the source images.
    pub source_range: Range,
    /// Range of truths and outputs.
    pub target_range: Range,
}

/// Scores the model's outputs and all five baselines on the same cases; the same for any number of threads.
///
/// # Errors
/// No cases; in a case, shapes that differ or a pixel that is not finite ([`EvalError::InCase`]); the same in the training
/// images. A baseline that nothing can be fitted for (one case alone, no training images) is no error but absent.
pub fn evaluate(
    direction: &Direction,
    cases: &[Case<'_>],
    training: &Training<'_>,
) -> Result<DirectionReport, EvalError> {
    evaluate_cases(direction, cases, &training.fit(direction)?)
}

/// As [`evaluate`], holding only some of the images at a time: [`MOST_CANDIDATES`] pairs, and a few for each thread.
/// Where the cases are slices of volumes, the report has their [`flicker`].
///
/// # Errors
/// As [`evaluate`], and those of [`Cases::images`].
pub fn evaluate_cases(
    direction: &Direction,
    cases: &(impl Cases + ?Sized),
    training: &TrainingFit,
) -> Result<DirectionReport, EvalError> {
    if cases.count() == 0 {
        return Err(EvalError::Empty { what: "the list of cases" });
    }
    let (groups, left_out) = groups(cases);
    let fits = Fits::new(direction, cases, training, &groups)?;
    let judged = (0..cases.count())
        .into_par_iter()
        .map(|index| {
            judge(direction, cases, &groups, &fits, index).map_err(|error| in_case(cases, index, error))
        })
        .collect::<Result<Vec<_>, _>>()?;

    let origin = |trained: bool| if trained { training.origin.clone() } else { left_out.clone() };
    let paired = origin(training.lookup.is_some());
    let slices: Vec<_> = (0..cases.count()).filter_map(|index| cases.label(index).slice_of).collect();
    let (reports, errors): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
    Ok(DirectionReport {
        direction: direction.clone(),
        model: summarize(&reports.iter().map(|case: &CaseReport| &case.model).collect::<Vec<_>>()),
        baselines: summarize_baselines(&reports),
        fitted_on: FittedOn {
            histogram: origin(training.levels.is_some()),
            lut: paired.clone(),
            retrieval: paired,
        },
        flicker: (slices.len() == reports.len()).then(|| flicker::report(&slices, &errors)),
        probes: None,
        uncertainty: None,
        cases: reports,
    })
}

fn in_case(cases: &(impl Cases + ?Sized), index: usize, error: EvalError) -> EvalError {
    EvalError::InCase { name: cases.label(index).name.to_owned(), source: Box::new(error) }
}

/// The scores of a case, and the mean errors of the model and the baselines over its foreground.
fn judge(
    direction: &Direction,
    cases: &(impl Cases + ?Sized),
    groups: &[usize],
    fits: &Fits<'_>,
    index: usize,
) -> Result<(CaseReport, flicker::MeanErrors), EvalError> {
    let Label { name, subject, .. } = cases.label(index);
    let Images { source, truth, output } = cases.images(index)?;
    let (source, truth) = (source.view(), truth.view());
    let (source_range, target_range) = (direction.source_range, direction.target_range);
    let mask = match foreground(truth) {
        Ok(mask) => Some(mask),
        Err(EvalError::Undefined { .. }) => None,
        Err(error) => return Err(error),
    };
    let mask = mask.as_ref().map(|mask| mask.view());
    let judge = |output: ArrayView2<'_, f32>| -> Result<_, EvalError> {
        let error = mask.map(|mask| mean_error(output, truth, mask)).transpose()?;
        let error = error.map(|error| error / target_range.width());
        Ok((score(output, truth, mask, target_range)?, error))
    };
    let judge_fitted = |output: Option<CowArray<'_, f32, Ix2>>| -> Result<_, EvalError> {
        Ok(output.map(|output| judge(output.view())).transpose()?.unzip())
    };
    let tone = |curve: &Option<ToneCurve>| curve.as_ref().map(|curve| curve.apply(source).into());
    let group = groups[index];
    let (model, model_error) = judge(output.view())?;
    let copied = judge_fitted(Some(copy(source, source_range, target_range).into()))?;
    let inverted = judge_fitted(Some(invert(source, source_range, target_range).into()))?;
    let histogram = judge_fitted(tone(&fits.histogram[group]))?;
    let lut = judge_fitted(tone(&fits.lut[group]))?;
    let retrieval = judge_fitted(fits.retrieve(source, group).map(CowArray::from))?;
    let report = CaseReport {
        name: name.to_owned(),
        subject: subject.map(str::to_owned),
        model,
        baselines: Baselines {
            copy: copied.0,
            invert: inverted.0,
            histogram: histogram.0,
            lut: lut.0,
            retrieval: retrieval.0,
        },
    };
    let errors = flicker::MeanErrors {
        model: model_error,
        baselines: Baselines {
            copy: copied.1.flatten(),
            invert: inverted.1.flatten(),
            histogram: histogram.1.flatten(),
            lut: lut.1.flatten(),
            retrieval: retrieval.1.flatten(),
        },
    };
    Ok((report, errors))
}

fn summarize_baselines(cases: &[CaseReport]) -> Baselines<Option<Scores<Summary>>> {
    let summary = |of: fn(&CaseReport) -> Option<&Scores<Option<f64>>>| {
        let scores: Vec<_> = cases.iter().map(|case| of(case).unwrap_or(&Scores::UNDEFINED)).collect();
        cases.iter().any(|case| of(case).is_some()).then(|| summarize(&scores))
    };
    Baselines {
        copy: summary(|case| case.baselines.copy.as_ref()),
        invert: summary(|case| case.baselines.invert.as_ref()),
        histogram: summary(|case| case.baselines.histogram.as_ref()),
        lut: summary(|case| case.baselines.lut.as_ref()),
        retrieval: summary(|case| case.baselines.retrieval.as_ref()),
    }
}
