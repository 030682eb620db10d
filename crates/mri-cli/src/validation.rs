//! How good a model is while it trains: against the truth where pairs are given, else by distributions.

use crate::translator::Translator;
use anyhow::Result;
use mri_cyclegan::Validation;
use mri_data::image::Image;
use mri_eval::Range;
use mri_eval::metrics::{psnr, ssim};
use mri_eval::monitoring::{SlicedWasserstein, histogram_distance, sliced_wasserstein};
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeMap;

/// What translators are judged on.
pub enum Cases {
    /// Pairs (A, B) of one slice each: the score is the mean SSIM of both directions.
    Paired(Vec<(Image, Image)>),
    /// Images of A and of B: the score is minus the mean sliced Wasserstein distance, times 100, of both directions.
    Unpaired([Vec<Image>; 2]),
}

/// At most this many unpaired images of each domain are looked at.
pub const MOST_UNPAIRED: usize = 24;

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
        Cases::Unpaired(images) => unpaired(translator, images, &names)?,
    };
    Ok(Validation { score, figures })
}

type Scored = (f64, BTreeMap<String, BTreeMap<String, f64>>);

fn paired(translator: &Translator, pairs: &[(Image, Image)], names: &[String; 2]) -> Result<Scored> {
    let range = unit_range()?;
    let mut figures = BTreeMap::new();
    let mut score = 0.;
    for (to, name) in names.iter().enumerate() {
        let (mut psnr_sum, mut ssim_sum) = (0., 0.);
        for (a, b) in pairs {
            let (source, truth) = if to == 1 { (a, b) } else { (b, a) };
            let output = translator.translate_unit(&translator.to_unit(source, 1 - to)?, to)?;
            let truth = translator.to_unit(truth, to)?;
            psnr_sum += psnr(output.view(), truth.view(), range)?.min(99.);
            ssim_sum += ssim(output.view(), truth.view(), range)?;
        }
        let n = pairs.len() as f64;
        let of_direction = [("psnr_db".into(), psnr_sum / n), ("ssim".into(), ssim_sum / n)];
        figures.insert(name.clone(), of_direction.into());
        score += ssim_sum / n / 2.;
    }
    Ok((score, figures))
}

fn unpaired(translator: &Translator, images: &[Vec<Image>; 2], names: &[String; 2]) -> Result<Scored> {
    let range = unit_range()?;
    let mut figures = BTreeMap::new();
    let mut score = 0.;
    let unit = |domain: usize| -> Result<Vec<Array2<f32>>> {
        images[domain].iter().take(MOST_UNPAIRED).map(|image| translator.to_unit(image, domain)).collect()
    };
    for (to, name) in names.iter().enumerate() {
        let outputs = unit(1 - to)?
            .iter()
            .map(|source| translator.translate_unit(source, to))
            .collect::<Result<Vec<_>>>()?;
        let references = unit(to)?;
        let outputs: Vec<ArrayView2<f32>> = outputs.iter().map(|image| image.view()).collect();
        let references: Vec<ArrayView2<f32>> = references.iter().map(|image| image.view()).collect();
        let histogram = histogram_distance(outputs.iter().copied(), references.iter().copied(), range)?;
        let wasserstein = sliced_wasserstein(&outputs, &references, range, SlicedWasserstein::default())?;
        let of_direction =
            [("histogram_distance".into(), histogram), ("sliced_wasserstein".into(), wasserstein)];
        figures.insert(name.clone(), of_direction.into());
        score -= 50. * wasserstein;
    }
    Ok((score, figures))
}
