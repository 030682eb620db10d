//! Trained models, applied to images.

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use mri_cyclegan::{CycleGan, load_translators};
use mri_data::image::{BitDepth, Image};
use mri_data::volume::{SliceAxis, Volume};
use ndarray::{Array2, Array3, ArrayView3, Axis, Ix2};
use serde::Serialize;
use std::path::{Path, PathBuf};

pub use crate::data_settings::DataSettings;
use crate::ensemble::{Estimate, Spread};
use crate::member::Member;
pub use crate::slice_passes::AIR;
use crate::volume_passes::Maps;

/// Samples of Monte-Carlo dropout that stand for an uncertainty.
pub const DROPOUT_SAMPLES: usize = 8;

/// The generators of one model or of several, with everything needed to go from file values to file values.
pub struct Translator {
    first: Member,
    /// An output is the mean of all.
    others: Vec<Member>,
    sampling: Sampling,
    domains: [String; 2],
    settings: DataSettings,
    /// Empty while the model is in training.
    files: Vec<ModelFile>,
}

/// Where networks were loaded from, and what the file says of their training.
pub struct ModelFile {
    pub path: PathBuf,
    /// Hash of the manifest of the training images.
    pub manifest_sha256: String,
    /// The probability of dropout.
    dropout: f64,
}

/// What the members of a translator are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Models, mostly one.
    Models,
    /// Samples of one model by Monte-Carlo dropout.
    Dropout,
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
        Ok(Self {
            first: Member::new(translators, settings.canvas, neighbours, device),
            others: Vec::new(),
            sampling: Sampling::Models,
            domains: metadata.domains,
            files: vec![ModelFile {
                path: file,
                manifest_sha256: settings.manifest_sha256.clone(),
                dropout: metadata.generator.dropout,
            }],
            settings,
        })
    }

    /// The models of all `paths`, which translate by the mean of their outputs.
    pub fn ensemble(paths: &[PathBuf], device: &Device) -> Result<Self> {
        let mut models = paths.iter().map(|path| Self::load(path, device));
        let mut ensemble = models.next().context("no model")??;
        for model in models {
            let model = model?;
            let [first, other] = [&ensemble, &model].map(|model| model.files[0].path.clone());
            let apart = || format!("{} and {} do not make an ensemble", first.display(), other.display());
            if model.domains != ensemble.domains {
                let [ours, theirs] = [&ensemble, &model].map(|model| model.domains.join("` and `"));
                let reason = format!("they translate between `{ours}` and between `{theirs}`");
                return Err(anyhow::anyhow!(reason).context(apart()));
            }
            ensemble.settings.ensure_alike(&model.settings).with_context(apart)?;
            let is_other = |file: &ModelFile| file.path.canonicalize().ok() == other.canonicalize().ok();
            ensure!(
                !ensemble.files.iter().any(is_other),
                "{} is given twice: an ensemble needs different models",
                other.display()
            );
            ensemble.others.push(model.first);
            ensemble.files.extend(model.files);
        }
        Ok(ensemble)
    }

    /// [`DROPOUT_SAMPLES`] samples of this one model by Monte-Carlo dropout (Gal and Ghahramani 2016). The same samples are
    /// taken of every slice, so that an output depends on nothing but its input.
    pub fn by_dropout(self) -> Result<Self> {
        let file = self.files.first().context("a model in training has no uncertainty")?;
        ensure!(
            file.dropout > 0.,
            "{}: trained without dropout, so that one model alone has no uncertainty: give several with --model, trained with \
             different seeds, or train one with --set model.dropout=0.3",
            file.path.display()
        );
        let sample = |index| self.first.dropout_sample(index);
        let others = (1..DROPOUT_SAMPLES as u64).map(sample).collect();
        Ok(Self { first: sample(0), others, sampling: Sampling::Dropout, ..self })
    }

    /// The generators of a model in training; what the training changes shows at once.
    pub fn of_training(model: &CycleGan, domains: &[String; 2], settings: &DataSettings) -> Result<Self> {
        let (translators, device) = (model.translators()?, model.device());
        Ok(Self {
            first: Member::new(translators, settings.canvas, settings.neighbours, device),
            others: Vec::new(),
            sampling: Sampling::Models,
            domains: domains.clone(),
            settings: settings.clone(),
            files: Vec::new(),
        })
    }

    /// How many outputs are averaged, and what they come from.
    pub fn members(&self) -> (usize, Sampling) {
        (1 + self.others.len(), self.sampling)
    }

    /// Names of the two domains.
    pub fn domains(&self) -> [&str; 2] {
        self.domains.each_ref().map(String::as_str)
    }

    /// What is known of the data that it was trained on; of several models what they have in common, and the canvas of the
    /// first.
    pub fn settings(&self) -> &DataSettings {
        &self.settings
    }

    /// The files that it was loaded from.
    pub fn files(&self) -> &[ModelFile] {
        &self.files
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

    /// The synthetic image of domain `to`, in the file values of `image`, which is of the other domain: as large and as
    /// deep. Where the networks see neighbours, the image stands for its own.
    pub fn translate(&self, image: &Image, to: &str) -> Result<Estimate<Ix2>> {
        let to = self.domain(to)?;
        let unit = self.to_unit(image, 1 - to)?;
        let (height, width) = unit.dim();
        let channels = 2 * self.settings.neighbours + 1;
        let repeated = unit.broadcast((channels, height, width)).context("an image of no size")?;
        self.estimate(repeated, to, |unit| self.to_file_values(unit, to, image.depth))
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

    /// What the members make of a slice with its neighbours, at the size of the input, in the units that `to_values` brings
    /// each of their outputs to.
    ///
    /// # Shapes
    /// (2 * neighbours + 1, rows, columns) in network units -> (rows, columns).
    pub fn estimate(
        &self,
        unit: ArrayView3<'_, f32>,
        to: usize,
        to_values: impl Fn(&Array2<f32>) -> Array2<f32>,
    ) -> Result<Estimate<Ix2>> {
        let middle = self.settings.neighbours;
        let output = |member: &Member| -> Result<Array2<f32>> {
            Ok(to_values(&member.translate_channels(unit, to)?.index_axis_move(Axis(0), middle)))
        };
        let mut spread = Spread::of(output(&self.first)?);
        for member in &self.others {
            spread.add(&output(member)?);
        }
        Ok(spread.estimate())
    }

    /// Translates a slice with its neighbours, network units, to domain `to`, at the size of the input: the mean of the
    /// members. The middle channel is the translation of the slice.
    ///
    /// # Shapes
    /// (2 * neighbours + 1, rows, columns), both.
    pub fn translate_channels(&self, unit: ArrayView3<'_, f32>, to: usize) -> Result<Array3<f32>> {
        let mut spread = Spread::of(self.first.translate_channels(unit, to)?);
        for member in &self.others {
            spread.add(&member.translate_channels(unit, to)?);
        }
        Ok(spread.estimate().mean)
    }

    /// The synthetic volume of domain `to` on the grid of `volume`, which is of the other domain. Its voxels are replaced
    /// in place: the memory of one volume and of a batch of slices; of four volumes where there are several members. `done`
    /// is told the slices that are, for each member.
    pub fn translate_volume<H>(
        &self,
        mut volume: Volume<H>,
        to: usize,
        settings: VolumePass,
        mut done: impl FnMut(usize),
    ) -> Result<Translated<H>> {
        let [source, target] = [1 - to, to].map(|domain| &self.settings.normalizers[domain]);
        let maps =
            Maps { source: source.map_for_volume(volume.voxels.view())?, target: target.typical().clone() };
        let source = (!self.others.is_empty()).then(|| volume.voxels.clone());
        let not_finite = self.first.replace_voxels(&mut volume, to, settings, &maps, &mut done)?;
        let mut sd = None;
        if let Some(source) = source {
            let mut spread = Spread::of(volume.voxels.clone());
            for member in &self.others {
                volume.voxels.assign(&source);
                member.replace_voxels(&mut volume, to, settings, &maps, &mut done)?;
                spread.add(&volume.voxels);
            }
            let estimate = spread.estimate();
            (volume.voxels, sd) = (estimate.mean, estimate.sd);
        }
        Ok(Translated { volume, sd, maps, not_finite })
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
    /// Standard deviation of the members on the same grid, in the units of the voxels; none of one member alone.
    pub sd: Option<Array3<f32>>,
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
