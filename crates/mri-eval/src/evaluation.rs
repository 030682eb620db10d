//! The model and the baselines on the same cases.

use crate::baselines::{LevelCounts, LookupFit, ToneCurve, copy, fit_histogram_match, invert, nearest};
use crate::flicker::{self, mean_error};
use crate::foreground::foreground;
use crate::metrics::check_pair;
use crate::report::{Baselines, CaseReport, DirectionReport, FittedOn};
use crate::scores::{Scores, Summary, score, summarize};
use crate::{EvalError, Range};
use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// The retrieval looks among so many pairs at most, evenly chosen from all.
pub const MOST_CANDIDATES: usize = 256;

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

/// Cases that are looked at one at a time, so that not all need be in memory.
pub trait Cases: Sync {
    /// How many.
    fn count(&self) -> usize;

    /// Names case `index`, from 0.
    fn label(&self, index: usize) -> Label<'_>;

    /// The images of case `index`.
    ///
    /// # Errors
    /// [`EvalError::Unreadable`].
    fn images(&self, index: usize) -> Result<Images<'_>, EvalError>;
}

/// What is known of a case without its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// Names the case in the report.
    pub name: &'a str,
    /// Whose head it is; cases of one subject are left out together.
    pub subject: Option<&'a str>,
    /// The volume that the case is a slice of, and its place there. Cases of one volume follow each other.
    pub slice_of: Option<(&'a str, usize)>,
}

/// The images of a case, as in [`Case`].
#[derive(Debug, Clone)]
pub struct Images<'a> {
    /// In units of the source range.
    pub source: CowArray<'a, f32, Ix2>,
    /// In units of the target range.
    pub truth: CowArray<'a, f32, Ix2>,
    /// In units of the target range.
    pub output: CowArray<'a, f32, Ix2>,
}

impl Cases for [Case<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn label(&self, index: usize) -> Label<'_> {
        let case = &self[index];
        Label { name: &case.name, subject: case.subject.as_deref(), slice_of: None }
    }

    fn images(&self, index: usize) -> Result<Images<'_>, EvalError> {
        let case = &self[index];
        Ok(Images { source: case.source.into(), truth: case.truth.into(), output: case.output.into() })
    }
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

/// What [`Training`] comes to for one direction: it can also be built up image by image.
#[derive(Debug, Clone, Default)]
pub struct TrainingFit {
    /// Where it comes from, in words for the report.
    pub origin: String,
    /// The grey levels of unpaired sources and targets.
    pub levels: Option<(LevelCounts, LevelCounts)>,
    /// The lookup table of true pairs.
    pub lookup: Option<LookupFit>,
    /// Source and target of true pairs to retrieve from.
    pub candidates: Candidates<(Array2<f32>, Array2<f32>)>,
}

impl Training<'_> {
    /// Counts and sums for `direction`.
    ///
    /// # Errors
    /// Shapes of a pair that differ, no pixels, a pixel that is not finite.
    pub fn fit(&self, direction: &Direction) -> Result<TrainingFit, EvalError> {
        let levels = |images: &[ArrayView2<'_, f32>], range| {
            let mut counts = LevelCounts::new(range);
            images.iter().try_for_each(|image| counts.add(*image)).map(|()| counts)
        };
        let has_unpaired = !self.sources.is_empty() && !self.targets.is_empty();
        let mut lookup = LookupFit::new(direction.source_range);
        let mut candidates = Candidates::default();
        for (source, target) in &self.pairs {
            lookup.add(*source, *target)?;
            candidates.offer(|| (source.to_owned(), target.to_owned()));
        }
        Ok(TrainingFit {
            origin: self.origin.clone(),
            levels: has_unpaired
                .then(|| -> Result<_, EvalError> {
                    let sources = levels(&self.sources, direction.source_range)?;
                    Ok((sources, levels(&self.targets, direction.target_range)?))
                })
                .transpose()?,
            lookup: (!self.pairs.is_empty()).then_some(lookup),
            candidates,
        })
    }
}

/// Pairs to retrieve from: all that are offered, or of more than [`MOST_CANDIDATES`] one at regular steps.
#[derive(Debug, Clone)]
pub struct Candidates<T> {
    kept: Vec<T>,
    step: usize,
    offered: usize,
}

impl<T> Default for Candidates<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), step: 1, offered: 0 }
    }
}

impl<T> Candidates<T> {
    /// Offers one more; it is made only if it is kept.
    pub fn offer(&mut self, candidate: impl FnOnce() -> T) {
        if self.offered.is_multiple_of(self.step) {
            if self.kept.len() == MOST_CANDIDATES {
                let mut is_even = false;
                self.kept.retain(|_| {
                    is_even = !is_even;
                    is_even
                });
                self.step *= 2;
            }
            if self.offered.is_multiple_of(self.step) {
                self.kept.push(candidate());
            }
        }
        self.offered += 1;
    }

    /// The same in another form.
    pub fn map<U>(&self, of: impl FnMut(&T) -> U) -> Candidates<U> {
        Candidates { kept: self.kept.iter().map(of).collect(), step: self.step, offered: self.offered }
    }

    /// Those that were kept, in the order in which they were offered.
    pub fn kept(&self) -> &[T] {
        &self.kept
    }
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
        cases: reports,
    })
}

fn in_case(cases: &(impl Cases + ?Sized), index: usize, error: EvalError) -> EvalError {
    EvalError::InCase { name: cases.label(index).name.to_owned(), source: Box::new(error) }
}

/// The cases that are left out together, a number per case, and that rule in words.
fn groups(cases: &(impl Cases + ?Sized)) -> (Vec<usize>, String) {
    let of = |index| cases.label(index).subject;
    let subjects: BTreeSet<&str> = (0..cases.count()).filter_map(of).collect();
    let names: Option<Vec<&str>> = (0..cases.count()).map(of).collect();
    match names {
        Some(names) if subjects.len() > 1 => {
            let ordered: Vec<&str> = subjects.into_iter().collect();
            let groups = names.iter().map(|name| ordered.partition_point(|subject| subject < name)).collect();
            (groups, "the cases of the other subjects".to_owned())
        }
        _ => ((0..cases.count()).collect(), "the other cases".to_owned()),
    }
}

/// One curve per group of cases, `None` where nothing was left to fit it on; and what the retrieval looks among, each with
/// its group where it is a case.
struct Fits<'a> {
    histogram: Vec<Option<ToneCurve>>,
    lut: Vec<Option<ToneCurve>>,
    of_training: &'a [(Array2<f32>, Array2<f32>)],
    of_cases: Candidates<(usize, Array2<f32>, Array2<f32>)>,
}

impl<'a> Fits<'a> {
    /// Looks at every case once, in order, and checks it.
    fn new(
        direction: &Direction,
        cases: &(impl Cases + ?Sized),
        training: &'a TrainingFit,
        groups: &[usize],
    ) -> Result<Self, EvalError> {
        let count = groups.iter().max().map_or(0, |last| last + 1);
        let mut levels = LeftOut::new(
            (LevelCounts::new(direction.source_range), LevelCounts::new(direction.target_range)),
            count,
        );
        let mut lookup = LeftOut::new(LookupFit::new(direction.source_range), count);
        let mut of_cases = Candidates::default();
        for (index, &group) in groups.iter().enumerate() {
            let failed = |error| in_case(cases, index, error);
            let Images { source, truth, output } = cases.images(index).map_err(failed)?;
            check_pair(&source.view(), &truth.view())
                .and_then(|()| check_pair(&output.view(), &truth.view()))
                .map_err(failed)?;
            if training.levels.is_none() {
                levels.add(group, |counts| {
                    counts.0.add(source.view()).and_then(|()| counts.1.add(truth.view()))
                })?;
            }
            if training.lookup.is_none() {
                lookup.add(group, |fit| fit.add(source.view(), truth.view()))?;
                of_cases.offer(|| (group, source.into_owned(), truth.into_owned()));
            }
        }
        Ok(Self {
            histogram: match &training.levels {
                Some((sources, targets)) => vec![Some(fit_histogram_match(sources, targets)?); count],
                None => levels.fitted(|all, own| {
                    fit_histogram_match(&all.0.without(&own.0), &all.1.without(&own.1)).ok()
                }),
            },
            lut: match &training.lookup {
                Some(lookup) => vec![Some(lookup.curve()?); count],
                None => lookup.fitted(|all, own| all.without(own).curve().ok()),
            },
            of_training: training.candidates.kept(),
            of_cases,
        })
    }

    /// The partner of the nearest source, those of the case's own group left out.
    fn retrieve(&self, source: ArrayView2<'_, f32>, group: usize) -> Option<ArrayView2<'_, f32>> {
        let of_others = self.of_cases.kept().iter().filter(|(of, ..)| *of != group);
        let others: Vec<(&Array2<f32>, &Array2<f32>)> = self
            .of_training
            .iter()
            .map(|(source, target)| (source, target))
            .chain(of_others.map(|(_, source, target)| (source, target)))
            .collect();
        let nearest = nearest(source, others.iter().map(|(source, _)| source.view())).ok()?;
        others.get(nearest).map(|(_, target)| target.view())
    }
}

/// A fit on all cases, and one on those of each group, to be taken off again.
struct LeftOut<F> {
    all: F,
    own: Vec<F>,
}

impl<F: Clone> LeftOut<F> {
    fn new(empty: F, groups: usize) -> Self {
        Self { own: vec![empty.clone(); groups], all: empty }
    }

    fn add(&mut self, group: usize, add: impl Fn(&mut F) -> Result<(), EvalError>) -> Result<(), EvalError> {
        add(&mut self.all)?;
        add(&mut self.own[group])
    }

    fn fitted(&self, curve: impl Fn(&F, &F) -> Option<ToneCurve>) -> Vec<Option<ToneCurve>> {
        self.own.iter().map(|own| curve(&self.all, own)).collect()
    }
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
