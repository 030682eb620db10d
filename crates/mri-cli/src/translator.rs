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
use ndarray::{Array2, Array3, ArrayView3, Axis};
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

#[cfg(test)]
impl DataSettings {
    /// 8-bit images of any size, as they are.
    pub fn for_tests() -> Self {
        let range = mri_data::normalize::Normalization::Range { min: Some(0.), max: Some(255.) };
        let image = Image { pixels: ndarray::array![[0., 255.]], depth: BitDepth::Eight };
        #[allow(clippy::unwrap_used)]
        let normalizer = range.fit([image]).unwrap();
        Self {
            canvas: Canvas { height_px: 32, width_px: 32, fit: Fit::Contain },
            normalizers: [normalizer.clone(), normalizer],
            manifest_sha256: String::new(),
            slice_axis: SliceAxis::default(),
            neighbours: 0,
        }
    }
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

    /// What is known of the data that it was trained on.
    pub fn settings(&self) -> &DataSettings {
        &self.settings
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

    /// Translates network units to domain `to`, at the size of the input. Where the networks see neighbours, the image
    /// stands for its own.
    pub fn translate_unit(&self, unit: &Array2<f32>, to: usize) -> Result<Array2<f32>> {
        let middle = self.settings.neighbours;
        let (height, width) = unit.dim();
        let repeated = unit.broadcast((2 * middle + 1, height, width)).context("an image of no size")?;
        Ok(self.translate_channels(repeated, to)?.index_axis_move(Axis(0), middle))
    }

    /// Translates a slice with its neighbours, network units, to domain `to`, at the size of the input. The middle channel
    /// is the translation of the slice.
    ///
    /// # Shapes
    /// (2 * neighbours + 1, rows, columns), both.
    pub fn translate_channels(&self, unit: ArrayView3<'_, f32>, to: usize) -> Result<Array3<f32>> {
        let (channels, height, width) = unit.dim();
        let mut canvas = self.settings.canvas;
        if canvas.fit == Fit::Pad {
            canvas.height_px = canvas.height_px.max(height);
            canvas.width_px = canvas.width_px.max(width);
        }
        let placement = canvas.place((height, width));
        let mut input = Array3::from_elem((channels, canvas.height_px, canvas.width_px), AIR);
        for (mut on_canvas, channel) in input.outer_iter_mut().zip(unit.outer_iter()) {
            on_canvas.assign(&placement.forward(&channel.to_owned(), AIR));
        }
        let output = self.run_network(input, to)?;
        let mut translated = Array3::from_elem(unit.dim(), AIR);
        for (mut channel, on_canvas) in translated.outer_iter_mut().zip(output.outer_iter()) {
            channel.assign(&placement.inverse(&on_canvas.to_owned(), AIR));
        }
        Ok(translated)
    }

    /// One pass of the network, on channels as it sees them.
    fn run_network(&self, input: Array3<f32>, to: usize) -> Result<Array3<f32>> {
        let size = input.dim();
        let (channels, height, width) = size;
        let x =
            Tensor::from_vec(input.into_raw_vec_and_offset().0, (1, channels, height, width), &self.device)?;
        let y = if to == 1 { self.translators.a_to_b(&x)? } else { self.translators.b_to_a(&x)? };
        Ok(Array3::from_shape_vec(size, y.flatten_all()?.to_vec1()?)?)
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
