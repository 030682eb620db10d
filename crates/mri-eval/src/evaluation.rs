//! The model and the baselines on the same cases.

mod anatomy;
mod cases;
mod fits;
mod judge;
mod training;

use crate::flicker;
use crate::report::{Baselines, CaseReport, DirectionReport, FittedOn};
use crate::scores::{Scores, Summary, summarize};
use crate::{EvalError, Range};
use anatomy::Anatomies;
use fits::{Fits, groups};
use judge::{Judge, JudgedCase};
use rayon::prelude::*;

pub use cases::{Anatomy, Case, Cases, Images, Label};
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
/// Where the cases are slices of volumes, the report has their [`flicker`]; where their [`Anatomy`] is known, what became of
/// [`lesions`](crate::lesions) and [`tissues`](crate::tissues).
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
    let anatomies = Anatomies::new(direction, cases, &groups)?;
    let judge = Judge { direction, cases, groups: &groups, fits: &fits, anatomies: &anatomies };
    let judged = (0..cases.count())
        .into_par_iter()
        .map(|index| judge.case(index).map_err(|error| in_case(cases, index, error)))
        .collect::<Result<Vec<_>, _>>()?;

    let origin = |trained: bool| if trained { training.origin.clone() } else { left_out.clone() };
    let paired = origin(training.lookup.is_some());
    let slices: Vec<_> = (0..cases.count()).filter_map(|index| cases.label(index).slice_of).collect();
    let reports: Vec<CaseReport> = judged.iter().map(|case| case.report(cases.label(case.index))).collect();
    let errors = || judged.iter().map(JudgedCase::mean_errors).collect::<Vec<_>>();
    Ok(DirectionReport {
        direction: direction.clone(),
        model: summarize(&reports.iter().map(|case| &case.model).collect::<Vec<_>>()),
        baselines: summarize_baselines(&reports),
        fitted_on: FittedOn {
            histogram: origin(training.levels.is_some()),
            lut: paired.clone(),
            retrieval: paired,
        },
        flicker: (slices.len() == reports.len()).then(|| flicker::report(&slices, &errors())),
        probes: None,
        uncertainty: None,
        lesions: judge.lesions(&judged),
        tissues: judge::tissues(&judged, &left_out),
        cases: reports,
    })
}

fn in_case(cases: &(impl Cases + ?Sized), index: usize, error: EvalError) -> EvalError {
    EvalError::InCase { name: cases.label(index).name.to_owned(), source: Box::new(error) }
}

fn summarize_baselines(cases: &[CaseReport]) -> Baselines<Option<Scores<Summary>>> {
    let all: Vec<_> = cases.iter().map(|case| &case.baselines).collect();
    Baselines::gather(&all, |of_cases| {
        let scores: Vec<_> =
            of_cases.iter().map(|scores| scores.as_ref().unwrap_or(&Scores::UNDEFINED)).collect();
        of_cases.iter().any(|scores| scores.is_some()).then(|| summarize(&scores))
    })
}
