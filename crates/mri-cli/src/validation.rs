//! How good a model is while it trains: against the truth where pairs are given, else by distributions.

use crate::pairs::Pairs;
use crate::translator::{DataSettings, Translator};
use anyhow::{Context, Result};
use mri_cyclegan::Validation;
use mri_data::manifest::Slice;
use mri_data::slices::{visit, with_neighbours};
use mri_eval::Range;
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
fn unit_range() -> Result<Range> {
    Ok(Range::new(-1., 1.)?)
}

/// Judges `translator` in network units.
pub fn validate(translator: &Translator, cases: &Cases) -> Result<Validation> {
    let [a, b] = translator.domains();
    let names = [format!("{b}_to_{a}"), format!("{a}_to_{b}")];
    let (score, figures) = match cases {
        Cases::Paired(pairs) => paired(translator, pairs, &names)?,
        Cases::Unpaired(slices) => unpaired(translator, slices, &names)?,
    };
    Ok(Validation { score, figures })
}

type Scored = (f64, BTreeMap<String, BTreeMap<String, f64>>);

fn paired(translator: &Translator, pairs: &[[Array3<f32>; 2]], names: &[String; 2]) -> Result<Scored> {
    let range = unit_range()?;
    let mut figures = BTreeMap::new();
    let mut score = 0.;
    for (to, name) in names.iter().enumerate() {
        let (mut psnr_sum, mut ssim_sum) = (0., 0.);
        for pair in pairs {
            let output = translator.translate_channels(pair[1 - to].view(), to)?;
            let (output, truth) = (middle(&output), middle(&pair[to]));
            psnr_sum += psnr(output, truth, range)?.min(99.);
            ssim_sum += ssim(output, truth, range)?;
        }
        let n = pairs.len() as f64;
        let of_direction = [("psnr_db".into(), psnr_sum / n), ("ssim".into(), ssim_sum / n)];
        figures.insert(name.clone(), of_direction.into());
        score += ssim_sum / n / 2.;
    }
    Ok((score, figures))
}

fn unpaired(translator: &Translator, slices: &[Vec<Array3<f32>>; 2], names: &[String; 2]) -> Result<Scored> {
    let range = unit_range()?;
    let mut figures = BTreeMap::new();
    let mut score = 0.;
    for (to, name) in names.iter().enumerate() {
        let outputs = slices[1 - to]
            .iter()
            .map(|source| translator.translate_channels(source.view(), to))
            .collect::<Result<Vec<_>>>()?;
        let outputs: Vec<ArrayView2<'_, f32>> = outputs.iter().map(middle).collect();
        let references: Vec<ArrayView2<'_, f32>> = slices[to].iter().map(middle).collect();
        let histogram = histogram_distance(outputs.iter().copied(), references.iter().copied(), range)?;
        let wasserstein = sliced_wasserstein(&outputs, &references, range, SlicedWasserstein::default())?;
        let of_direction =
            [("histogram_distance".into(), histogram), ("sliced_wasserstein".into(), wasserstein)];
        figures.insert(name.clone(), of_direction.into());
        score -= 50. * wasserstein;
    }
    Ok((score, figures))
}
