//! The model and the baselines on true pairs: what `evaluate` and the end of `train` report.
//!
//! Images wait on the disk, so that memory does not grow with the number of volumes.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use mri_data::image::BitDepth;
use mri_data::scratch::{Kept, Scratch};
use mri_eval::evaluation::{Anatomy, Cases, Direction, Images, Label, TrainingFit, evaluate_cases};
use mri_eval::report::{Failed, Report};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, Ix2};

use crate::anatomy_maps::AnatomyMaps;
use crate::ensemble::Estimate;
use crate::paired_slices::{PairedSlice, PairedSlices};
use crate::pairs::{BadPair, Line, Pairs};
use crate::probes;
use crate::training_data::TrainingData;
use crate::translator::{DataSettings, Translator};

/// A report with the pictures that it is about.
pub struct Evaluation {
    pub report: Report,
    pub cases: Vec<Translated>,
    pub scratch: Scratch,
}

/// A slice with what the model made of it in each domain, in units of the true images.
pub struct Translated {
    pub name: String,
    pub depths: [BitDepth; 2],
    /// True images of both domains.
    pub images: [Kept; 2],
    /// `outputs[d]` is the synthetic image of domain `d`.
    pub outputs: [Kept; 2],
    /// Their standard deviations over the members of an ensemble.
    pub sds: [Option<Kept>; 2],
    subject: Option<String>,
    labels: Option<Kept>,
    lesions: Option<Kept>,
    /// Name and place of the slice, where it is a volume's.
    slice_of: Option<(String, usize)>,
}

/// Evaluates `translator` and the baselines on `pairs`, both ways. A line that cannot be used is listed in the report.
///
/// The model is judged on what `translate` writes: of images values rounded and clipped to the depth of the file. Slices of
/// volumes are judged in the units of the normalization, 0 to 1.
pub fn evaluate(
    translator: &Translator,
    pairs: &Pairs,
    training: Option<&TrainingData>,
    scratch: &Path,
) -> Result<Evaluation> {
    let translate = |slice: &PairedSlice, to: usize| translate_slice(translator, slice, to);
    let mut evaluation =
        evaluate_with(translator.domains(), translator.settings(), translate, pairs, training, scratch)?;
    uncertainty::calibrate(&mut evaluation, translator.members().0)?;
    let [to_a, to_b] = probes::probe(translator, pairs);
    for (direction, found) in evaluation.report.directions.iter_mut().zip([to_b, to_a]) {
        direction.probes = found;
    }
    Ok(evaluation)
}

/// The synthetic image of domain `to`, in the values of a file of its source's depth.
fn translate_slice(translator: &Translator, slice: &PairedSlice, to: usize) -> Result<Estimate<Ix2>> {
    let depth = slice.images[1 - to].depth;
    translator.estimate(slice.units[1 - to].view(), to, |unit| match depth {
        BitDepth::Float => unit.mapv(|value| 0.5 * (value + 1.)),
        _ => translator.to_file_values(unit, to, depth),
    })
}

fn evaluate_with(
    domains: [&str; 2],
    settings: &DataSettings,
    translate: impl Fn(&PairedSlice, usize) -> Result<Estimate<Ix2>>,
    pairs: &Pairs,
    training: Option<&TrainingData>,
    scratch: &Path,
) -> Result<Evaluation> {
    let scratch = Scratch::in_folder(scratch)?;
    let mut failed = Vec::new();
    let mut cases: Vec<Translated> = Vec::new();
    let bar = ProgressBar::new(pairs.len() as u64);
    for read in pairs.read_each(settings) {
        let translated = match &read {
            Ok((line, slices)) => translate_line(domains, &translate, line, slices, &scratch)
                .map_err(|error| Failed { name: line.name.clone(), reason: format!("{error:#}") }),
            Err(BadPair { line, error }) => {
                Err(Failed { name: format!("line {line}"), reason: format!("{error:#}") })
            }
        };
        match translated {
            Ok(of_line) => cases.extend(of_line),
            Err(of_line) => failed.push(of_line),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let Some(first) = cases.first() else {
        let (name, reason) = failed.first().map_or(("", ""), |failed| (&failed.name, &failed.reason));
        anyhow::bail!("none of {} pairs could be evaluated; the first: {name}: {reason}", failed.len());
    };
    let ranges = first.depths.map(range_of);
    let fits = match training {
        Some(training) => training.fit(settings, first.depths)?,
        None => Default::default(),
    };
    let [to_a, to_b] = fits;
    let evaluate_towards = |to: usize, fit: &TrainingFit| {
        let from = 1 - to;
        let direction = Direction {
            from: domains[from].to_owned(),
            to: domains[to].to_owned(),
            source_range: ranges[from],
            target_range: ranges[to],
        };
        evaluate_cases(&direction, &Towards { to, cases: &cases, scratch: &scratch }, fit)
    };
    let directions = vec![evaluate_towards(1, &to_b)?, evaluate_towards(0, &to_a)?];
    Ok(Evaluation { report: Report { directions, failed }, cases, scratch })
}

/// All slices of a line, or nothing where one fails.
fn translate_line(
    domains: [&str; 2],
    translate: &impl Fn(&PairedSlice, usize) -> Result<Estimate<Ix2>>,
    line: &Line,
    slices: &PairedSlices,
    scratch: &Scratch,
) -> Result<Vec<Translated>> {
    let one = |index: usize| -> Result<Translated> {
        let slice = slices.slice(index)?;
        let named = || slice.position.map_or_else(String::new, |position| format!("slice {position}"));
        let output = |to: usize| -> Result<(Kept, Option<Kept>)> {
            let output = output_of(domains, translate, &slice, to);
            let Estimate { mean, sd } =
                if slice.position.is_some() { output.with_context(named) } else { output }?;
            Ok((scratch.keep(mean.view())?, sd.map(|sd| scratch.keep(sd.view())).transpose()?))
        };
        let [to_a, to_b] = [output(0)?, output(1)?];
        let [a, b] = &slice.images;
        let AnatomyMaps { labels, lesions } = line.anatomy.read(a.pixels.dim())?;
        let keep = |map: Option<Array2<f32>>| map.map(|map| scratch.keep(map.view())).transpose();
        let name = match slice.position {
            Some(position) => format!("{} slice {position}", line.name),
            None => line.name.clone(),
        };
        Ok(Translated {
            name,
            depths: [a.depth, b.depth],
            outputs: [to_a.0, to_b.0],
            sds: [to_a.1, to_b.1],
            images: [scratch.keep(a.pixels.view())?, scratch.keep(b.pixels.view())?],
            subject: line.subject.clone().or_else(|| slice.position.map(|_| line.name.clone())),
            labels: keep(labels)?,
            lesions: keep(lesions)?,
            slice_of: slice.position.map(|position| (line.name.clone(), position)),
        })
    };
    (0..slices.len()).map(one).collect()
}

/// The synthetic image of domain `to` as its file would hold it, in units of the true one.
fn output_of(
    domains: [&str; 2],
    translate: &impl Fn(&PairedSlice, usize) -> Result<Estimate<Ix2>>,
    slice: &PairedSlice,
    to: usize,
) -> Result<Estimate<Ix2>> {
    let Estimate { mean: output, sd } = translate(slice, to)?;
    let (depth, truth) = (slice.images[1 - to].depth, &slice.images[to]);
    let (found, expected) = (output.dim(), truth.pixels.dim());
    ensure!(found == expected, "the synthetic {} is {found:?} px, not {expected:?}", domains[to]);
    ensure!(
        output.iter().all(|value| value.is_finite()),
        "the synthetic {} holds values that are not finite",
        domains[to]
    );
    let max = depth.max_value();
    let scale = truth.depth.max_value() / max;
    let mean = match depth {
        BitDepth::Float => output.mapv(|value| value.clamp(0.0, max) * scale),
        _ => output.mapv(|value| value.round().clamp(0.0, max) * scale),
    };
    Ok(Estimate { mean, sd: sd.map(|sd| sd * scale) })
}

/// The cases of one direction.
struct Towards<'a> {
    to: usize,
    cases: &'a [Translated],
    scratch: &'a Scratch,
}

impl Cases for Towards<'_> {
    fn count(&self) -> usize {
        self.cases.len()
    }

    fn label(&self, index: usize) -> Label<'_> {
        let case = &self.cases[index];
        Label {
            name: &case.name,
            subject: case.subject.as_deref(),
            slice_of: case.slice_of.as_ref().map(|(volume, position)| (volume.as_str(), *position)),
        }
    }

    fn images(&self, index: usize) -> std::result::Result<Images<'_>, EvalError> {
        let case = &self.cases[index];
        Ok(Images {
            source: self.read(case.images[1 - self.to])?.into(),
            truth: self.read(case.images[self.to])?.into(),
            output: self.read(case.outputs[self.to])?.into(),
        })
    }

    fn anatomy(&self, index: usize) -> std::result::Result<Anatomy<'_>, EvalError> {
        let case = &self.cases[index];
        let read = |kept: Option<Kept>| kept.map(|kept| self.read(kept)).transpose();
        Ok(Anatomy {
            labels: read(case.labels)?.map(|labels| labels.mapv(|label| label as u8).into()),
            lesions: read(case.lesions)?.map(|lesions| lesions.mapv(|value| value > 0.0).into()),
        })
    }
}

impl Towards<'_> {
    fn read(&self, kept: Kept) -> std::result::Result<Array2<f32>, EvalError> {
        self.scratch.read(kept).map_err(|error| EvalError::Unreadable { reason: error.to_string() })
    }
}

pub fn range_of(depth: BitDepth) -> Range {
    match depth {
        BitDepth::Eight => Range::EIGHT_BIT,
        BitDepth::Sixteen => Range::SIXTEEN_BIT,
        BitDepth::Float => Range::UNIT,
    }
}

mod uncertainty;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod anatomy_tests;
