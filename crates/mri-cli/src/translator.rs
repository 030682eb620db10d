//! A trained model, applied to images.

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use mri_cyclegan::{CycleGan, Translators, load_translators};
use mri_data::{
    geometry::{Canvas, Fit},
    image::{BitDepth, Image},
    normalize::Normalizer,
    volume::SliceAxis,
};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a model file says of the images that it was trained on: [`mri_cyclegan::Metadata::data`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSettings {
    pub canvas: Canvas,
    /// Of the domains A and B, fitted on the training images.
    pub normalizers: [Normalizer; 2],
    /// Hash of the manifest of the training images.
    pub manifest_sha256: String,
    /// The direction that volumes were cut along.
    #[serde(default)]
    pub slice_axis: SliceAxis,
    /// Slices on each side of the translated one that the network sees as further channels.
    #[serde(default)]
    pub neighbours: usize,
}

/// Air, in network units.
pub const AIR: f32 = -1.;

/// Two generators with everything needed to go from file values to file values.
pub struct Translator {
    translators: Translators,
    domains: [String; 2],
    settings: DataSettings,
    device: Device,
}

impl Translator {
    /// Loads a run folder's model, or a model or checkpoint file.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let file = model_file(path)?;
        let (translators, metadata) = load_translators(&file, device)?;
        let settings = serde_json::from_value(metadata.data)
            .with_context(|| format!("{}: no image settings of this program", file.display()))?;
        Ok(Self { translators, domains: metadata.domains, settings, device: device.clone() })
    }

    /// The generators of a model in training; what the training changes shows at once.
    pub fn of_training(model: &CycleGan, domains: &[String; 2], settings: &DataSettings) -> Result<Self> {
        Ok(Self {
            translators: model.translators()?,
            domains: domains.clone(),
            settings: settings.clone(),
            device: model.device().clone(),
        })
    }

    /// Names of the two domains.
    pub fn domains(&self) -> [&str; 2] {
        self.domains.each_ref().map(String::as_str)
    }

    /// Hash of the manifest of the training images.
    pub fn manifest_sha256(&self) -> &str {
        &self.settings.manifest_sha256
    }

    /// Index of the domain called `name`.
    pub fn domain(&self, name: &str) -> Result<usize> {
        let domains = self.domains();
        domains.iter().position(|d| *d == name).with_context(|| {
            format!(
                "the model knows no domain `{name}`; it translates between `{}` and `{}`",
                domains[0], domains[1]
            )
        })
    }

    /// The synthetic image of domain `to`: as large and as deep as `image`, which is of the other domain.
    pub fn translate(&self, image: &Image, to: &str) -> Result<Image> {
        let to = self.domain(to)?;
        let unit = self.to_unit(image, 1 - to)?;
        let output = self.translate_unit(&unit, to)?;
        Ok(Image { pixels: self.to_file_values(&output, to, image.depth), depth: image.depth })
    }

    /// File values to network units, by the normalization of the image's `domain`.
    pub fn to_unit(&self, image: &Image, domain: usize) -> Result<Array2<f32>> {
        Ok(self.settings.normalizers[domain].map_for(image)?.unit_image(&image.pixels))
    }

    /// Network units to file values, by the training set's own map of `domain`, never by the image's range.
    pub fn to_file_values(&self, unit: &Array2<f32>, domain: usize, depth: BitDepth) -> Array2<f32> {
        let map = self.settings.normalizers[domain].output_map(depth);
        unit.mapv(|v| map.from_unit(v).clamp(0., depth.max_value()))
    }

    /// Translates network units to domain `to`, at the size of the input.
    pub fn translate_unit(&self, unit: &Array2<f32>, to: usize) -> Result<Array2<f32>> {
        let (height, width) = unit.dim();
        let mut canvas = self.settings.canvas;
        if canvas.fit == Fit::Pad {
            canvas.height_px = canvas.height_px.max(height);
            canvas.width_px = canvas.width_px.max(width);
        }
        let placement = canvas.place((height, width));
        let input = placement.forward(unit, AIR);
        let output = self.run_network(&input, to)?;
        Ok(placement.inverse(&output, AIR))
    }

    /// One pass of the network, on an image as it sees them.
    fn run_network(&self, input: &Array2<f32>, to: usize) -> Result<Array2<f32>> {
        let (height, width) = input.dim();
        let values: Vec<f32> = input.iter().copied().collect();
        let x = Tensor::from_vec(values, (1, 1, height, width), &self.device)?;
        let y = if to == 1 { self.translators.a_to_b(&x)? } else { self.translators.b_to_a(&x)? };
        Ok(Array2::from_shape_vec((height, width), y.flatten_all()?.to_vec1()?)?)
    }
}

/// The model file of a run folder, or the file itself.
pub fn model_file(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let file = path.join("model.safetensors");
    if !file.is_file() {
        let last = path.join("checkpoints/last.safetensors");
        if last.is_file() {
            bail!("{}: its training has not ended; the model so far is {}", path.display(), last.display());
        }
        bail!("{}: not the run folder of a training: no model.safetensors in it", path.display());
    }
    Ok(file)
}
