//! How good a model is while it trains: against the truth where pairs are given, else by distributions.

use crate::pairs::Pairs;
use crate::translator::{DataSettings, Translator};
use anyhow::{Context, Result};
use mri_cyclegan::Validation;
use mri_data::manifest::Slice;
use mri_data::slices::{visit, with_neighbours};
use mri_eval::Range;
use mri_eval::collapse::{OutputStatistics, Sign};
use mri_eval::metrics::{psnr, ssim};
use mri_eval::monitoring::{SlicedWasserstein, histogram_distance, sliced_wasserstein};
use ndarray::{Array2, Array3, ArrayView2, Axis};
use std::collections::{BTreeMap, BTreeSet};

/// What translators are judged on: slices as networks see them, (channels, rows, columns), of which the middle channel
/// counts.
pub enum Cases {
    /// Pairs (A, B) of one slice each: the score is the mean SSIM of both directions.
    Paired(Vec<[Array3<f32>; 2]>),
    /// Slices of A and of B: the score is minus the mean sliced Wasserstein distance, times 100, of both directions.
    Unpaired([Vec<Array3<f32>>; 2]),
}

/// At most this many unpaired slices of each domain are looked at.
const MOST_UNPAIRED: usize = 24;
/// At most this many slices of all paired volumes.
const MOST_OF_VOLUMES: usize = 64;

impl Cases {
    /// All slices of a domain; of pairs in the order of the other domain's.
    fn of_domain(&self, domain: usize) -> Vec<&Array3<f32>> {
        match self {
            Self::Paired(pairs) => pairs.iter().map(|pair| &pair[domain]).collect(),
            Self::Unpaired(slices) => slices[domain].iter().collect(),
        }
    }

    /// Every pair of images that `pairs` names; of volumes some slices, evenly.
    pub fn paired(pairs: &Pairs, settings: &DataSettings) -> Result<Self> {
        let volumes = pairs.good().filter(|line| line.is_of_volumes()).count();
        let every = volumes.div_ceil(MOST_OF_VOLUMES).max(1);
        let mut volumes_seen: usize = 0;
        let mut cases = Vec::new();
        pairs.read_all(settings, |line, slices| {
            let count = slices.len();
            let mut most = count;
            if line.is_of_volumes() {
                let is_chosen = volumes_seen.is_multiple_of(every);
                most = if is_chosen { (MOST_OF_VOLUMES / volumes).max(1).min(count) } else { 0 };
                volumes_seen += 1;
            }
            for index in (0..most).map(|i| (2 * i + 1) * count / (2 * most)) {
                cases.push(slices.slice(index)?.units);
            }
            Ok(())
        })?;
        Ok(Self::Paired(cases))
    }

    /// Some of the slices of both domains, evenly, with their neighbours among the others.
    pub fn unpaired(slices: &[Vec<Slice>; 2], settings: &DataSettings) -> Result<Self> {
        let read = |domain: usize| -> Result<Vec<Array3<f32>>> {
            let slices = &slices[domain];
            let step = slices.len().div_ceil(MOST_UNPAIRED).max(1);
            let chosen: Vec<Vec<usize>> = (0..slices.len())
                .step_by(step)
                .map(|at| channels_of(slices, at, settings.neighbours))
                .collect();
            let needed: BTreeSet<usize> = chosen.iter().flatten().copied().collect();
            let wanted: Vec<Slice> = needed.iter().map(|&at| slices[at].clone()).collect();
            let units = visit(&wanted, &settings.normalizers[domain], |seen| Ok(seen.unit()))?;
            let units: BTreeMap<usize, Array2<f32>> = needed.into_iter().zip(units).collect();
            let stacked = |channels: &Vec<usize>| {
                let views: Vec<ArrayView2<'_, f32>> = channels.iter().map(|at| units[at].view()).collect();
                ndarray::stack(Axis(0), &views).context("slices of one subject differ in size")
            };
            chosen.iter().map(stacked).collect()
        };
        Ok(Self::Unpaired([read(0)?, read(1)?]))
    }
}

/// The indices of a slice and its neighbours in its stack.
fn channels_of(slices: &[Slice], at: usize, neighbours: usize) -> Vec<usize> {
    let is_beside = |other: &&Slice| other.is_of_stack_of(&slices[at]);
    let before = slices[..at].iter().rev().take(neighbours).take_while(is_beside).count();
    let after = slices[at + 1..].iter().take(neighbours).take_while(is_beside).count();
    let first = at - before;
    with_neighbours(before, before + 1 + after, neighbours).map(|index| first + index).collect()
}

/// The slice itself.
pub fn middle(channels: &Array3<f32>) -> ArrayView2<'_, f32> {
    channels.index_axis(Axis(0), channels.dim().0 / 2)
}

/// Network units.
pub fn unit_range() -> Result<Range> {
    Ok(Range::new(-1., 1.)?)
}

/// Judges `translator` in network units; `is_collapse` says of which signs of a collapse to speak.
pub fn validate(
    translator: &Translator,
    cases: &Cases,
    is_collapse: impl Fn(&Sign) -> bool,
) -> Result<Validation> {
    let domains = translator.domains();
    let range = unit_range()?;
    let mut validation = Validation { score: 0., figures: BTreeMap::new(), collapse: Vec::new() };
    for to in 0..2 {
        let (sources, references) = (cases.of_domain(1 - to), cases.of_domain(to));
        let outputs = sources
            .iter()
            .map(|source| translator.translate_channels(source.view(), to))
            .collect::<Result<Vec<_>>>()?;
        let outputs: Vec<ArrayView2<'_, f32>> = outputs.iter().map(middle).collect();
        let [sources, references] = [sources, references].map(middles);
        let (score, figures) = match cases {
            Cases::Paired(_) => against_truth(&outputs, &references, range)?,
            Cases::Unpaired(_) => against_set(&outputs, &references, range)?,
        };
        validation.score += score / 2.;
        let [from, into] = [domains[1 - to], domains[to]];
        validation.figures.insert(format!("{from}_to_{into}"), figures);
        let statistics = OutputStatistics::of(&sources, &outputs, &references, range)?;
        tracing::debug!(to = into, ?statistics, "validated");
        let signs = statistics.signs().into_iter().filter(&is_collapse);
        validation.collapse.extend(signs.map(|sign| format!("the synthetic {into} images are {sign}")));
    }
    Ok(validation)
}

fn middles(slices: Vec<&Array3<f32>>) -> Vec<ArrayView2<'_, f32>> {
    slices.into_iter().map(middle).collect()
}

/// The score of a direction, higher is better, and its figures.
type Scored = (f64, BTreeMap<String, f64>);

fn against_truth(
    outputs: &[ArrayView2<'_, f32>],
    truths: &[ArrayView2<'_, f32>],
    range: Range,
) -> Result<Scored> {
    let (mut psnr_sum, mut ssim_sum) = (0., 0.);
    for (output, truth) in outputs.iter().zip(truths) {
        psnr_sum += psnr(output.view(), truth.view(), range)?.min(99.);
        ssim_sum += ssim(output.view(), truth.view(), range)?;
    }
    let n = outputs.len() as f64;
    Ok((ssim_sum / n, [("psnr_db".into(), psnr_sum / n), ("ssim".into(), ssim_sum / n)].into()))
}

fn against_set(
    outputs: &[ArrayView2<'_, f32>],
    references: &[ArrayView2<'_, f32>],
    range: Range,
) -> Result<Scored> {
    let histogram = histogram_distance(outputs.iter().copied(), references.iter().copied(), range)?;
    let wasserstein = sliced_wasserstein(outputs, references, range, SlicedWasserstein::default())?;
    let figures = [("histogram_distance".into(), histogram), ("sliced_wasserstein".into(), wasserstein)];
    Ok((-100. * wasserstein, figures.into()))
}
