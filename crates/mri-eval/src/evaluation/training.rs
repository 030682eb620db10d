//! What the baselines are fitted on.

use super::Direction;
use crate::EvalError;
use crate::baselines::{LevelCounts, LookupFit};
use ndarray::{Array2, ArrayView2};

/// The retrieval looks among so many pairs at most, evenly chosen from all.
pub const MOST_CANDIDATES: usize = 256;

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
