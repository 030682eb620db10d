//! Lets tone curves start where the training images say.

use crate::config::Config;
use anyhow::Result;
use candle_core::{Device, Tensor};
use mri_cyclegan::{CycleGan, ToneStart, ToneStatistics, estimate_tone};
use mri_data::slices::Slices;
use mri_unet::Skip;

/// So many images of each domain, evenly spread, are looked at.
const MOST_IMAGES: usize = 64;

/// Estimates both curves where the configuration asks for it; `domains` are the training images.
pub fn start_tones(model: &mut CycleGan, config: &Config, domains: [&Slices; 2]) -> Result<()> {
    if config.model.skip != Skip::Tone || config.train.tone_start != ToneStart::Estimated {
        return Ok(());
    }
    let [a, b] = domains;
    let (a, b) = (statistics(a)?, statistics(b)?);
    Ok(model.start_tones(&estimate_tone(&a, &b)?, &estimate_tone(&b, &a)?)?)
}

fn statistics(slices: &Slices) -> Result<ToneStatistics> {
    let mut statistics = ToneStatistics::default();
    let count = slices.len().min(MOST_IMAGES);
    for i in 0..count {
        let image = slices.image(i * slices.len() / count)?;
        let size = image.dim();
        let pixels: Vec<f32> = image.into_iter().collect();
        statistics.add(&Tensor::from_vec(pixels, size, &Device::Cpu)?)?;
    }
    Ok(statistics)
}
