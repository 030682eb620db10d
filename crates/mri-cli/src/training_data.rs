//! What the baselines of an evaluation are fitted on: read slice by slice, never held as a whole.

use std::sync::Mutex;

use anyhow::Result;
use mri_data::DataError;
use mri_data::image::{BitDepth, Image};
use mri_data::manifest::Slice;
use mri_data::slices::visit;
use mri_eval::baselines::{LevelCounts, LookupFit};
use mri_eval::evaluation::{Candidates, TrainingFit};
use ndarray::{Array2, ArrayView2};

use crate::evaluation::range_of;
use crate::pairs::Pairs;
use crate::translator::DataSettings;

/// Training data; see [`mri_eval::evaluation::Training`] for what happens where some are missing.
pub struct TrainingData {
    /// Where they come from, in words for the report.
    pub origin: String,
    /// What the histogram match sees.
    pub unpaired: Unpaired,
    /// What the oracles see.
    pub pairs: Option<Pairs>,
}

/// Images of both domains that have nothing to do with each other.
pub enum Unpaired {
    /// Of the domains A and B.
    Slices([Vec<Slice>; 2]),
    /// Those of the pairs.
    OfPairs,
}

impl TrainingData {
    /// Fits for the directions to A and to B, in units of cases of these depths.
    pub fn fit(&self, settings: &DataSettings, depths: [BitDepth; 2]) -> Result<[TrainingFit; 2]> {
        let ranges = depths.map(range_of);
        let mut levels = ranges.map(LevelCounts::new);
        if let Unpaired::Slices(slices) = &self.unpaired {
            for (domain, slices) in slices.iter().enumerate() {
                let counts = Mutex::new(&mut levels[domain]);
                let count = |pixels: ArrayView2<'_, f32>| {
                    counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(pixels)
                };
                visit(slices, &settings.normalizers[domain], |seen| {
                    let pixels = at_depth(seen.into_image(), depths[domain]);
                    count(pixels.view()).map_err(|error| DataError::Setting {
                        setting: "training slices",
                        reason: error.to_string(),
                    })
                })?;
            }
        }
        let mut lookups = ranges.map(LookupFit::new);
        let mut candidates = Candidates::default();
        if let Some(pairs) = &self.pairs {
            pairs.read_all(settings, |_, slices| {
                for index in 0..slices.len() {
                    let [a, b] = slices.slice(index)?.images;
                    let (a, b) = (at_depth(a, depths[0]), at_depth(b, depths[1]));
                    if let Unpaired::OfPairs = self.unpaired {
                        levels[0].add(a.view())?;
                        levels[1].add(b.view())?;
                    }
                    lookups[0].add(a.view(), b.view())?;
                    lookups[1].add(b.view(), a.view())?;
                    candidates.offer(|| (a, b));
                }
                Ok(())
            })?;
        }
        let has_pairs = self.pairs.is_some();
        let has_levels = match &self.unpaired {
            Unpaired::Slices(slices) => slices.iter().all(|of| !of.is_empty()),
            Unpaired::OfPairs => has_pairs,
        };
        let [from_a, from_b] = lookups.map(|lookup| has_pairs.then_some(lookup));
        let [a, b] = levels;
        let reversed = candidates.map(|(a, b): &(Array2<f32>, Array2<f32>)| (b.clone(), a.clone()));
        let fit = |levels: [LevelCounts; 2], lookup, candidates| {
            let [sources, targets] = levels;
            let levels = has_levels.then_some((sources, targets));
            TrainingFit { origin: self.origin.clone(), levels, lookup, candidates }
        };
        Ok([fit([b.clone(), a.clone()], from_b, reversed), fit([a, b], from_a, candidates)])
    }
}

/// The pixels in units of a file of `depth`.
fn at_depth(image: Image, depth: BitDepth) -> Array2<f32> {
    if image.depth == depth {
        return image.pixels;
    }
    image.pixels * (depth.max_value() / image.depth.max_value())
}
