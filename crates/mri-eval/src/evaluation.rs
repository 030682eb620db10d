//! The model and the baselines on the same cases.

use crate::baselines::{LevelCounts, LookupFit, ToneCurve, copy, fit_histogram_match, invert, nearest};
use crate::foreground::foreground;
use crate::metrics::check_pair;
use crate::report::{Baselines, CaseReport, DirectionReport, FittedOn};
use crate::scores::{Scores, Summary, score, summarize};
use crate::{EvalError, Range};
use ndarray::{ArrayView2, CowArray, Ix2};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// A source, its truth and what the model made of it: three images of one shape (rows, columns).
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Names the case in the report.
    pub name: String,
    /// Whose head it is; cases of one subject are left out together.
    pub subject: Option<String>,
    /// In units of the source range.
    pub source: ArrayView2<'a, f32>,
    /// In units of the target range.
    pub truth: ArrayView2<'a, f32>,
    /// In units of the target range.
    pub output: ArrayView2<'a, f32>,
}

/// What the baselines are fitted on. Where a field is empty, the baseline is fitted on the cases themselves, leaving out
/// in turn those of the subject at hand (or, where fewer than two subjects are named, the case at hand).
#[derive(Debug, Clone, Default)]
pub struct Training<'a> {
    /// Where it comes from, in words for the report.
    pub origin: String,
    /// Source images for the histogram match, with no partner in `targets`.
    pub sources: Vec<ArrayView2<'a, f32>>,
    /// Target images for the histogram match.
    pub targets: Vec<ArrayView2<'a, f32>>,
    /// Source and target of one slice, for the lookup table and the retrieval.
    pub pairs: Vec<(ArrayView2<'a, f32>, ArrayView2<'a, f32>)>,
}

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
    if cases.is_empty() {
        return Err(EvalError::Empty { what: "the list of cases" });
    }
    for case in cases {
        check_pair(&case.source, &case.truth)
            .and_then(|()| check_pair(&case.output, &case.truth))
            .map_err(|error| in_case(case, error))?;
    }
    let (groups, left_out) = groups(cases);
    let fits = Fits {
        histogram: fit_histogram(direction, cases, training, &groups)?,
        lut: fit_lookup(direction, cases, training, &groups)?,
    };
    let reports = cases
        .par_iter()
        .enumerate()
        .map(|(index, case)| {
            report_case(direction, cases, training, &groups, &fits, index)
                .map_err(|error| in_case(case, error))
        })
        .collect::<Result<Vec<_>, _>>()?;

    let origin = |trained: bool| if trained { training.origin.clone() } else { left_out.clone() };
    let paired = origin(!training.pairs.is_empty());
    Ok(DirectionReport {
        direction: direction.clone(),
        model: summarize(&reports.iter().map(|case| &case.model).collect::<Vec<_>>()),
        baselines: summarize_baselines(&reports),
        fitted_on: FittedOn {
            histogram: origin(has_unpaired(training)),
            lut: paired.clone(),
            retrieval: paired,
        },
        cases: reports,
    })
}

fn in_case(case: &Case<'_>, error: EvalError) -> EvalError {
    EvalError::InCase { name: case.name.clone(), source: Box::new(error) }
}

fn has_unpaired(training: &Training<'_>) -> bool {
    !training.sources.is_empty() && !training.targets.is_empty()
}

/// The cases that are left out together, a number per case, and that rule in words.
fn groups(cases: &[Case<'_>]) -> (Vec<usize>, String) {
    let subjects: BTreeSet<&str> = cases.iter().filter_map(|case| case.subject.as_deref()).collect();
    let names: Option<Vec<&str>> = cases.iter().map(|case| case.subject.as_deref()).collect();
    match names {
        Some(names) if subjects.len() > 1 => {
            let ordered: Vec<&str> = subjects.into_iter().collect();
            let groups = names.iter().map(|name| ordered.partition_point(|subject| subject < name)).collect();
            (groups, "the cases of the other subjects".to_owned())
        }
        _ => ((0..cases.len()).collect(), "the other cases".to_owned()),
    }
}

/// One curve per group of cases; `None` where nothing was left to fit it on.
struct Fits {
    histogram: Vec<Option<ToneCurve>>,
    lut: Vec<Option<ToneCurve>>,
}

fn group_count(groups: &[usize]) -> usize {
    groups.iter().max().map_or(0, |last| last + 1)
}

fn fit_histogram(
    direction: &Direction,
    cases: &[Case<'_>],
    training: &Training<'_>,
    groups: &[usize],
) -> Result<Vec<Option<ToneCurve>>, EvalError> {
    let empty = (LevelCounts::new(direction.source_range), LevelCounts::new(direction.target_range));
    let mut all = empty.clone();
    if has_unpaired(training) {
        training.sources.iter().try_for_each(|image| all.0.add(*image))?;
        training.targets.iter().try_for_each(|image| all.1.add(*image))?;
        let curve = fit_histogram_match(&all.0, &all.1)?;
        return Ok(vec![Some(curve); group_count(groups)]);
    }
    let mut own = vec![empty; group_count(groups)];
    for (case, &group) in cases.iter().zip(groups) {
        for counts in [&mut all, &mut own[group]] {
            counts.0.add(case.source)?;
            counts.1.add(case.truth)?;
        }
    }
    Ok(own
        .iter()
        .map(|own| fit_histogram_match(&all.0.without(&own.0), &all.1.without(&own.1)).ok())
        .collect())
}

fn fit_lookup(
    direction: &Direction,
    cases: &[Case<'_>],
    training: &Training<'_>,
    groups: &[usize],
) -> Result<Vec<Option<ToneCurve>>, EvalError> {
    let mut all = LookupFit::new(direction.source_range);
    if !training.pairs.is_empty() {
        training.pairs.iter().try_for_each(|(source, target)| all.add(*source, *target))?;
        return Ok(vec![Some(all.curve()?); group_count(groups)]);
    }
    let mut own = vec![all.clone(); group_count(groups)];
    for (case, &group) in cases.iter().zip(groups) {
        all.add(case.source, case.truth)?;
        own[group].add(case.source, case.truth)?;
    }
    Ok(own.iter().map(|own| all.without(own).curve().ok()).collect())
}

/// The partner of the nearest training source, or of the nearest source among the cases of other groups.
fn retrieve<'a>(
    cases: &'a [Case<'_>],
    training: &'a Training<'_>,
    groups: &[usize],
    index: usize,
) -> Option<ArrayView2<'a, f32>> {
    let others: Vec<(ArrayView2<'a, f32>, ArrayView2<'a, f32>)> = if training.pairs.is_empty() {
        let other = |(_, group): &(&Case<'_>, &usize)| **group != groups[index];
        cases.iter().zip(groups).filter(other).map(|(case, _)| (case.source, case.truth)).collect()
    } else {
        training.pairs.clone()
    };
    let nearest = nearest(cases[index].source, others.iter().map(|(source, _)| *source)).ok()?;
    Some(others[nearest].1)
}

fn report_case(
    direction: &Direction,
    cases: &[Case<'_>],
    training: &Training<'_>,
    groups: &[usize],
    fits: &Fits,
    index: usize,
) -> Result<CaseReport, EvalError> {
    let case = &cases[index];
    let (source_range, target_range) = (direction.source_range, direction.target_range);
    let mask = match foreground(case.truth) {
        Ok(mask) => Some(mask),
        Err(EvalError::Undefined { .. }) => None,
        Err(error) => return Err(error),
    };
    let judge = |output: ArrayView2<'_, f32>| {
        score(output, case.truth, mask.as_ref().map(|mask| mask.view()), target_range)
    };
    let judge_fitted =
        |output: Option<CowArray<'_, f32, Ix2>>| output.map(|output| judge(output.view())).transpose();
    let tone = |curve: &Option<ToneCurve>| curve.as_ref().map(|curve| curve.apply(case.source).into());
    let group = groups[index];
    Ok(CaseReport {
        name: case.name.clone(),
        subject: case.subject.clone(),
        model: judge(case.output)?,
        baselines: Baselines {
            copy: Some(judge(copy(case.source, source_range, target_range).view())?),
            invert: Some(judge(invert(case.source, source_range, target_range).view())?),
            histogram: judge_fitted(tone(&fits.histogram[group]))?,
            lut: judge_fitted(tone(&fits.lut[group]))?,
            retrieval: judge_fitted(retrieve(cases, training, groups, index).map(CowArray::from))?,
        },
    })
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
