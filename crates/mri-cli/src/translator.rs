//! A trained model, applied to images.

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use mri_cyclegan::{CycleGan, Translators, load_translators};
use mri_data::{
    geometry::Canvas,
    image::{BitDepth, Image},
    normalize::Normalizer,
    volume::{SliceAxis, Volume},
};
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, concatenate, stack};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub use crate::slice_passes::AIR;
use crate::slice_passes::Passes;
use crate::volume_passes::{Maps, replace_voxels};

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
            canvas: Canvas { height_px: 32, width_px: 32, fit: mri_data::geometry::Fit::Contain },
            normalizers: [normalizer.clone(), normalizer],
            manifest_sha256: String::new(),
            slice_axis: SliceAxis::default(),
            neighbours: 0,
        }
    }
}

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
        let settings: DataSettings = serde_json::from_value(metadata.data)
            .with_context(|| format!("{}: no image settings of this program", file.display()))?;
        let (channels, neighbours) = (metadata.generator.in_channels, settings.neighbours);
        ensure!(
            channels == 2 * neighbours + 1,
            "{}: networks of {channels} channels do not fit slices with {neighbours} neighbours on each side",
            file.display()
        );
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
        let (_, height, width) = unit.dim();
        let placement = self.passes(1).place((height, width));
        let placed: Vec<_> =
            unit.outer_iter().map(|channel| placement.forward(&channel.to_owned(), AIR)).collect();
        let views: Vec<_> = placed.iter().map(|channel| channel.view()).collect();
        let output = self.run_network(stack(Axis(0), &views)?.insert_axis(Axis(0)), to)?;
        let output = output.index_axis_move(Axis(0), 0);
        let mut translated = Array3::from_elem(unit.dim(), AIR);
        for (mut channel, on_canvas) in translated.outer_iter_mut().zip(output.outer_iter()) {
            channel.assign(&placement.inverse(&on_canvas.to_owned(), AIR));
        }
        Ok(translated)
    }

    /// The synthetic volume of domain `to` on the grid of `volume`, which is of the other domain. Its voxels are replaced
    /// in place: the memory of one volume and of a batch of slices. `done` is told the slices that are.
    pub fn translate_volume<H>(
        &self,
        mut volume: Volume<H>,
        to: usize,
        settings: VolumePass,
        done: impl FnMut(usize),
    ) -> Result<Translated<H>> {
        let [source, target] = [1 - to, to].map(|domain| &self.settings.normalizers[domain]);
        let maps =
            Maps { source: source.map_for_volume(volume.voxels.view())?, target: target.typical().clone() };
        let middle = |output: Array4<f32>| output.index_axis_move(Axis(1), self.settings.neighbours);
        let network = |input| Ok(middle(self.run_network(input, to)?));
        let VolumePass { axis, batch } = settings;
        let not_finite = replace_voxels(&mut volume, axis, &maps, &self.passes(batch), network, done)?;
        Ok(Translated { volume, maps, not_finite })
    }

    fn passes(&self, batch: usize) -> Passes {
        Passes { canvas: self.settings.canvas, neighbours: self.settings.neighbours, batch }
    }

    /// Slices through the network, as it sees them. On the CPU they pass one at a time: several at once are not faster
    /// there, and the sums of a convolution depend in their last bits on how many images it is given.
    ///
    /// # Shapes
    /// (N, C, H, W) to the same.
    fn run_network(&self, input: Array4<f32>, to: usize) -> Result<Array4<f32>> {
        if !self.device.is_cpu() || input.len_of(Axis(0)) == 1 {
            return self.run_batch(input, to);
        }
        let alone = |slice: ArrayView3<'_, f32>| self.run_batch(slice.to_owned().insert_axis(Axis(0)), to);
        let outputs = input.outer_iter().map(alone).collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
        Ok(concatenate(Axis(0), &views)?)
    }

    fn run_batch(&self, input: Array4<f32>, to: usize) -> Result<Array4<f32>> {
        let dims = input.dim();
        let (values, _) = input.into_raw_vec_and_offset();
        let x = Tensor::from_vec(values, dims, &self.device)?;
        let y = if to == 1 { self.translators.a_to_b(&x)? } else { self.translators.b_to_a(&x)? };
        Ok(Array4::from_shape_vec(dims, y.flatten_all()?.to_vec1()?)?)
    }
}

/// How a volume is cut and passed through the network.
#[derive(Debug, Clone, Copy)]
pub struct VolumePass {
    pub axis: SliceAxis,
    /// Slices in one pass, at least 1.
    pub batch: usize,
}

/// A synthetic volume, and how it was made.
#[derive(Debug)]
pub struct Translated<H> {
    pub volume: Volume<H>,
    pub maps: Maps,
    /// Voxels of the source that were NaN or infinite, and stood for air.
    pub not_finite: usize,
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
