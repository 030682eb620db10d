//! Baselines fitted on training data, or on the cases with those of the subject at hand left out.

use super::{Candidates, Cases, Direction, Images, TrainingFit, in_case};
use crate::EvalError;
use crate::baselines::{LevelCounts, LookupFit, ToneCurve, fit_histogram_match, nearest};
use crate::metrics::check_pair;
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeSet;

/// The cases that are left out together, a number per case, and that rule in words.
pub(super) fn groups(cases: &(impl Cases + ?Sized)) -> (Vec<usize>, String) {
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
pub(super) struct Fits<'a> {
    pub(super) histogram: Vec<Option<ToneCurve>>,
    pub(super) lut: Vec<Option<ToneCurve>>,
    of_training: &'a [(Array2<f32>, Array2<f32>)],
    of_cases: Candidates<(usize, Array2<f32>, Array2<f32>)>,
}

impl<'a> Fits<'a> {
    /// Looks at every case once, in order, and checks it.
    pub(super) fn new(
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
    pub(super) fn retrieve(&self, source: ArrayView2<'_, f32>, group: usize) -> Option<ArrayView2<'_, f32>> {
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
