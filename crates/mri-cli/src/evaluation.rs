//! The model and the baselines on true pairs: what `evaluate` and the end of `train` report.

use std::path::Path;

use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use mri_data::image::{BitDepth, Image};
use mri_eval::evaluation::{Case, Direction, Training, evaluate};
use mri_eval::report::{Failed, Report};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, ArrayView2};

use crate::pairs::{BadPair, Pair, read_pairs};
use crate::translator::Translator;

/// What the baselines are fitted on; see [`Training`] for what happens where a list is empty.
#[derive(Debug, Default)]
pub struct TrainingData {
    /// Where it comes from, in words for the report.
    pub origin: String,
    /// Images of the first domain that the histogram match may see.
    pub t1: Vec<Image>,
    /// The same of the second.
    pub t2: Vec<Image>,
    /// One slice in both domains each, for the oracles.
    pub pairs: Vec<(Image, Image)>,
}

/// A report with the pictures that it is about.
pub struct Evaluation {
    pub report: Report,
    pub translated: Vec<Translated>,
}

/// A pair with what the model made of each of its images.
pub struct Translated {
    pub pair: Pair,
    /// `outputs[d]` is the synthetic image of domain `d`, in units of the true one.
    pub outputs: [Array2<f32>; 2],
}

/// Evaluates `translator` on the pairs that `csv` names. A pair that cannot be used is listed in the report.
pub fn evaluate_pairs(
    translator: &Translator,
    csv: &Path,
    training: Option<&TrainingData>,
) -> Result<Report> {
    let domains = translator.domains();
    let translate = |image: &Image, to: &str| translator.translate(image, to);
    Ok(evaluate_cases(domains, translate, read_pairs(csv, domains)?, training)?.report)
}

/// Evaluates `translate(image, domain to translate to)` and the baselines, both ways.
///
/// The model is judged on what `translate` writes: values rounded and clipped to the depth of the file.
pub fn evaluate_cases(
    domains: [&str; 2],
    translate: impl Fn(&Image, &str) -> Result<Image>,
    pairs: Vec<std::result::Result<Pair, BadPair>>,
    training: Option<&TrainingData>,
) -> Result<Evaluation> {
    let mut failed = Vec::new();
    let mut translated = Vec::new();
    let bar = ProgressBar::new(pairs.len() as u64);
    for pair in pairs {
        match pair {
            Ok(pair) => match translate_both(domains, &translate, &pair) {
                Ok(outputs) => translated.push(Translated { pair, outputs }),
                Err(error) => failed.push(Failed { name: pair.name, reason: format!("{error:#}") }),
            },
            Err(BadPair { line, error }) => {
                failed.push(Failed { name: format!("line {line}"), reason: format!("{error:#}") });
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let (true, Some(Failed { name, reason })) = (translated.is_empty(), failed.first()) {
        anyhow::bail!("none of {} pairs could be evaluated; the first: {name}: {reason}", failed.len());
    }
    let directions = [[0, 1], [1, 0]]
        .map(|[from, to]| evaluate_direction(domains, from, to, &translated, training))
        .into_iter()
        .collect::<Result<Vec<_>, EvalError>>()?;
    Ok(Evaluation { report: Report { directions, failed }, translated })
}

/// The synthetic images of both domains, as their files would hold them, in units of the true ones.
fn translate_both(
    domains: [&str; 2],
    translate: &impl Fn(&Image, &str) -> Result<Image>,
    pair: &Pair,
) -> Result<[Array2<f32>; 2]> {
    let one = |to: usize| -> Result<Array2<f32>> {
        let output = translate(&pair.images[1 - to], domains[to])?;
        let truth = &pair.images[to];
        let (found, expected) = (output.pixels.dim(), truth.pixels.dim());
        ensure!(found == expected, "the synthetic {} is {found:?} px, not {expected:?}", domains[to]);
        ensure!(
            output.pixels.iter().all(|value| value.is_finite()),
            "the synthetic {} holds values that are not finite",
            domains[to]
        );
        let max = output.depth.max_value();
        let scale = truth.depth.max_value() / max;
        Ok(output.pixels.mapv(|value| value.round().clamp(0.0, max) * scale))
    };
    Ok([one(0)?, one(1)?])
}

fn evaluate_direction(
    domains: [&str; 2],
    from: usize,
    to: usize,
    translated: &[Translated],
    training: Option<&TrainingData>,
) -> Result<mri_eval::report::DirectionReport, EvalError> {
    let depth = |domain: usize| translated.first().map_or(BitDepth::Eight, |t| t.pair.images[domain].depth);
    let direction = Direction {
        from: domains[from].to_owned(),
        to: domains[to].to_owned(),
        source_range: range_of(depth(from)),
        target_range: range_of(depth(to)),
    };
    let cases: Vec<Case<'_>> = translated
        .iter()
        .map(|Translated { pair, outputs }| Case {
            name: pair.name.clone(),
            subject: pair.subject.clone(),
            source: pair.images[from].pixels.view(),
            truth: pair.images[to].pixels.view(),
            output: outputs[to].view(),
        })
        .collect();
    let scaled = training.map(|data| {
        data.at_depths(if to == 1 { [depth(from), depth(to)] } else { [depth(to), depth(from)] })
    });
    evaluate(&direction, &cases, &scaled.as_ref().map_or_else(Training::default, |data| data.towards(to)))
}

impl TrainingData {
    /// The same in units of files of these depths, by domain.
    fn at_depths(&self, depths: [BitDepth; 2]) -> TrainingData {
        let scaled = |image: &Image, depth: BitDepth| Image {
            pixels: &image.pixels * (depth.max_value() / image.depth.max_value()),
            depth,
        };
        let [a, b] = depths;
        TrainingData {
            origin: self.origin.clone(),
            t1: self.t1.iter().map(|image| scaled(image, a)).collect(),
            t2: self.t2.iter().map(|image| scaled(image, b)).collect(),
            pairs: self.pairs.iter().map(|(of_a, of_b)| (scaled(of_a, a), scaled(of_b, b))).collect(),
        }
    }

    fn towards(&self, to: usize) -> Training<'_> {
        fn views(images: &[Image]) -> Vec<ArrayView2<'_, f32>> {
            images.iter().map(|image| image.pixels.view()).collect()
        }
        let (a, b) = (views(&self.t1), views(&self.t2));
        let pairs = self.pairs.iter().map(|(a, b)| (a.pixels.view(), b.pixels.view()));
        let (sources, targets) = if to == 1 { (a, b) } else { (b, a) };
        let pairs = if to == 1 { pairs.collect() } else { pairs.map(|(a, b)| (b, a)).collect() };
        Training { origin: self.origin.clone(), sources, targets, pairs }
    }
}

pub fn range_of(depth: BitDepth) -> Range {
    match depth {
        BitDepth::Eight => Range::EIGHT_BIT,
        BitDepth::Sixteen => Range::SIXTEEN_BIT,
        BitDepth::Float => Range::UNIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(values: impl Fn(usize, usize) -> f32, depth: BitDepth) -> Image {
        Image { pixels: Array2::from_shape_fn((24, 24), |(row, column)| values(row, column)), depth }
    }

    fn pair(name: &str, depth: BitDepth) -> Pair {
        let scale = depth.max_value() / 255.0;
        let t1 = image(|row, column| (row * 7 + column * 3) as f32, BitDepth::Eight);
        let t2 = image(|row, column| (255.0 - (row * 7 + column * 3) as f32) * scale, depth);
        Pair { name: name.into(), subject: None, images: [t1, t2] }
    }

    /// The negative, a little off: 0.4 grey levels are lost when the file is written.
    fn negative(image: &Image, _: &str) -> Result<Image> {
        let max = image.depth.max_value();
        Ok(Image { pixels: image.pixels.mapv(|value| max - value + 0.4), depth: image.depth })
    }

    #[test]
    fn the_model_is_judged_on_what_the_file_would_hold() {
        let pairs = vec![Ok(pair("a", BitDepth::Eight)), Ok(pair("b", BitDepth::Eight))];
        let evaluation = evaluate_cases(["t1", "t2"], negative, pairs, None).unwrap();
        for report in &evaluation.report.directions {
            assert_eq!(report.model.frame.mae.mean, Some(0.0));
        }
    }

    #[test]
    fn domains_may_differ_in_depth() {
        let evaluation =
            evaluate_cases(["t1", "t2"], negative, vec![Ok(pair("a", BitDepth::Sixteen))], None).unwrap();
        let [there, back] = evaluation.report.directions.try_into().unwrap();
        assert_eq!(there.model.frame.mae.mean, Some(0.0));
        assert_eq!(back.model.frame.mae.mean, Some(0.0));
        assert_eq!((there.direction.target_range.max(), back.direction.target_range.max()), (65535.0, 255.0));
    }

    #[test]
    fn a_bad_pair_costs_itself_alone() {
        let bad = || BadPair { line: 3, error: anyhow::anyhow!("b.png: truncated") };
        let fails_on_b = |image: &Image, to: &str| {
            anyhow::ensure!(image.pixels[[0, 0]] != 9.0, "a constant image");
            negative(image, to)
        };
        let mut constant = pair("c", BitDepth::Eight);
        constant.images[0].pixels.fill(9.0);
        let pairs = vec![Ok(pair("a", BitDepth::Eight)), Err(bad()), Ok(constant)];
        let evaluation = evaluate_cases(["t1", "t2"], fails_on_b, pairs, None).unwrap();
        let failed = evaluation.report.failed.iter().map(|f| format!("{}: {}", f.name, f.reason));
        assert_eq!(failed.collect::<Vec<_>>(), ["line 3: b.png: truncated", "c: a constant image"]);
        assert_eq!(evaluation.report.directions[0].cases.len(), 1);

        let error = evaluate_cases(["t1", "t2"], negative, vec![Err(bad())], None).err().unwrap();
        assert!(error.to_string().starts_with("none of 1 pairs could be evaluated"), "{error}");
    }

    #[test]
    fn the_oracles_see_the_training_pairs_in_the_right_direction() {
        let Pair { images: [t1, t2], .. } = pair("a", BitDepth::Eight);
        let training =
            TrainingData { origin: "elsewhere".into(), pairs: vec![(t1, t2)], ..Default::default() };
        let copy = |image: &Image, _: &str| Ok(image.clone());
        let pairs = vec![Ok(pair("a", BitDepth::Eight))];
        let evaluation = evaluate_cases(["t1", "t2"], copy, pairs, Some(&training)).unwrap();
        for report in &evaluation.report.directions {
            assert_eq!(report.baselines.lut.as_ref().unwrap().frame.mae.mean, Some(0.0));
            assert_eq!(report.baselines.retrieval.as_ref().unwrap().frame.mae.mean, Some(0.0));
            assert_eq!(report.fitted_on.lut, "elsewhere");
            assert!(report.baselines.histogram.is_none(), "one case and no unpaired images");
        }
    }

    #[test]
    fn training_images_are_brought_to_the_depth_of_the_cases() {
        let eight = image(|row, _| row as f32, BitDepth::Eight);
        let data =
            TrainingData { t1: vec![eight.clone()], t2: vec![eight.clone()], ..TrainingData::default() };
        let scaled = data.at_depths([BitDepth::Sixteen, BitDepth::Eight]);
        assert_eq!(scaled.t1[0].pixels[[23, 0]], 23. * 257.);
        assert_eq!(scaled.t2[0], eight);
    }
}
