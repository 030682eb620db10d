//! Checkpoints and model files: safetensors with one metadata key (docs/checkpoint-format.md).
//!
//! A file appears whole or not at all: it is written beside its place, synced, renamed, and its folder synced.

use crate::{Architecture, CycleGan, Error, Progress, Result, Translators};
use candle_core::{Device, Tensor};
use mri_unet::{GeneratorConfig, Parameters, PatchGanConfig};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::{Path, PathBuf},
};

/// Version of the file format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;
/// The one metadata key; its value is [`Metadata`] as JSON.
pub const METADATA_KEY: &str = "mri-cyclegan";

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Names of the domains A and B.
    pub domains: [String; 2],
    /// Both generators.
    pub generator: GeneratorConfig,
    /// Seed of the training.
    pub seed: u64,
    /// Steps done.
    pub step: u64,
    /// Present in a checkpoint, absent in a model file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingState>,
    /// The application's own: normalization, geometry, data manifest hash.
    pub data: serde_json::Value,
}

/// What a checkpoint says beyond a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    /// Both discriminators.
    pub discriminator: PatchGanConfig,
    /// Where the run stands.
    pub progress: Progress,
    /// Updates of the generators' and of the discriminators' Adam.
    pub adam_steps: [u64; 2],
    /// The generators have a moving average.
    pub average: bool,
    /// Images in the pools of A and B.
    pub pool_images: [usize; 2],
}

/// A run's `checkpoints` folder: `last.safetensors` and `best.safetensors`.
#[derive(Debug, Clone)]
pub struct CheckpointFolder {
    /// The folder; must exist.
    pub path: PathBuf,
    /// Names of the domains A and B.
    pub domains: [String; 2],
    /// [`Metadata::data`] of all files.
    pub data: serde_json::Value,
}

impl CheckpointFolder {
    /// The newest state.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// The state with the highest validation score.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// Writes all that is needed to go on, as the newest state.
    pub fn save_last(&self, model: &CycleGan, progress: &Progress) -> Result<()> {
        self.save(&self.last(), model, progress)
    }

    /// The same as the best state.
    pub fn save_best(&self, model: &CycleGan, progress: &Progress) -> Result<()> {
        self.save(&self.best(), model, progress)
    }

    fn save(&self, path: &Path, model: &CycleGan, progress: &Progress) -> Result<()> {
        let mut tensors = model.generators.to_tensors()?;
        tensors.extend(model.discriminators.to_tensors()?);
        if let Some(average) = &model.average {
            tensors.extend(prefixed(AVERAGE, average.to_tensors()?));
        }
        tensors.extend(prefixed(GENERATOR_ADAM, model.generator_adam.state()));
        tensors.extend(prefixed(DISCRIMINATOR_ADAM, model.discriminator_adam.state()));
        for (prefix, pool) in [(POOL_A, &model.pool_a), (POOL_B, &model.pool_b)] {
            tensors.extend(pool.images().iter().enumerate().map(|(i, t)| (pool_name(prefix, i), t.clone())));
        }
        let training = TrainingState {
            discriminator: model.architecture.discriminator.clone(),
            progress: progress.clone(),
            adam_steps: [model.generator_adam.steps(), model.discriminator_adam.steps()],
            average: model.average.is_some(),
            pool_images: [model.pool_a.images().len(), model.pool_b.images().len()],
        };
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            domains: self.domains.clone(),
            generator: model.architecture.generator.clone(),
            seed: model.seed,
            step: model.steps,
            training: Some(training),
            data: self.data.clone(),
        };
        write(path, &metadata, &tensors)
    }
}

const AVERAGE: &str = "average";
const GENERATOR_ADAM: &str = "adam.generators";
const DISCRIMINATOR_ADAM: &str = "adam.discriminators";
const POOL_A: &str = "pool_a";
const POOL_B: &str = "pool_b";

fn prefixed(
    prefix: &str,
    tensors: BTreeMap<String, Tensor>,
) -> impl Iterator<Item = (String, Tensor)> + use<'_> {
    tensors.into_iter().map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor))
}

fn pool_name(prefix: &str, index: usize) -> String {
    format!("{prefix}.{index:03}")
}

/// Puts the state in the checkpoint at `path` into `model`, built with the same settings.
///
/// # Errors
/// A file that is cut short, of another architecture, a newer format, a model file, or without a tensor that the
/// model has. On error the model is to be thrown away.
pub fn resume(model: &mut CycleGan, path: &Path) -> Result<Progress> {
    let file = TensorFile::read(path)?;
    let metadata = file.metadata()?;
    let problem = |what: String| Error::checkpoint(path, what);
    let Some(training) = metadata.training else {
        return Err(problem("a model file: it translates, but training cannot resume from it".into()));
    };
    let found = Architecture { generator: metadata.generator, discriminator: training.discriminator };
    if found != model.architecture {
        let expected = &model.architecture;
        return Err(problem(format!("another architecture: expected {expected:?}, found {found:?}")));
    }
    if metadata.seed != model.seed {
        return Err(problem(format!("trained with seed {}, not {}", metadata.seed, model.seed)));
    }
    let mut tensors = file.tensors(model.device())?;
    let mut take = |prefix: &str, parameters: &Parameters| -> Result<()> {
        let dotted = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        let state: BTreeMap<_, _> = parameters
            .iter()
            .filter_map(|(name, _)| tensors.remove(&format!("{dotted}{name}")).map(|tensor| (name, tensor)))
            .collect();
        parameters.load(&state).map_err(|e| Error::checkpoint(path, e.to_string()))
    };
    take("", &model.generators)?;
    take("", &model.discriminators)?;
    match (&model.average, training.average) {
        (Some(average), true) => take(AVERAGE, average)?,
        (None, false) => {}
        _ => return Err(problem("made with another setting of train.ema".into())),
    }
    let mut need = |name: String| {
        tensors.remove(&name).ok_or_else(|| Error::checkpoint(path, format!("tensor `{name}` is missing")))
    };
    let [generator_steps, discriminator_steps] = training.adam_steps;
    model.generator_adam.restore(generator_steps, |name| need(format!("{GENERATOR_ADAM}.{name}")))?;
    model
        .discriminator_adam
        .restore(discriminator_steps, |name| need(format!("{DISCRIMINATOR_ADAM}.{name}")))?;
    let [images_a, images_b] = training.pool_images;
    model.pool_a.restore((0..images_a).map(|i| need(pool_name(POOL_A, i))).collect::<Result<_>>()?);
    model.pool_b.restore((0..images_b).map(|i| need(pool_name(POOL_B, i))).collect::<Result<_>>()?);
    model.steps = metadata.step;
    Ok(training.progress)
}

/// Reads the translating generators and what the file says of itself, from a model file or a checkpoint.
pub fn load_translators(path: &Path, device: &Device) -> Result<(Translators, Metadata)> {
    let (tensors, metadata) = translating_tensors(path, device)?;
    let parameters = Parameters::from_tensors(tensors, device)?;
    let translators = Translators::from_parameters(&metadata.generator, &parameters)
        .map_err(|e| Error::checkpoint(path, format!("does not hold the networks that it names: {e}")))?;
    Ok((translators, metadata))
}

/// Writes the translating generators of `checkpoint` alone as the file `model`.
pub fn export_model(checkpoint: &Path, model: &Path) -> Result<()> {
    let (tensors, metadata) = translating_tensors(checkpoint, &Device::Cpu)?;
    write(model, &Metadata { training: None, ..metadata }, &tensors)
}

/// The generators' moving average, or where there is none the generators.
fn translating_tensors(path: &Path, device: &Device) -> Result<(BTreeMap<String, Tensor>, Metadata)> {
    let file = TensorFile::read(path)?;
    let metadata = file.metadata()?;
    let prefix = match &metadata.training {
        Some(training) if training.average => format!("{AVERAGE}."),
        _ => String::new(),
    };
    let is_generator = |name: &str| {
        [crate::cyclegan::GENERATOR_AB, crate::cyclegan::GENERATOR_BA]
            .iter()
            .any(|generator| name.strip_prefix(generator).is_some_and(|rest| rest.starts_with('.')))
    };
    let tensors = file
        .tensors(device)?
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_string(), tensor)))
        .filter(|(name, _)| is_generator(name))
        .collect();
    Ok((tensors, metadata))
}

/// What the file at `path` says of itself.
pub fn read_metadata(path: &Path) -> Result<Metadata> {
    TensorFile::read(path)?.metadata()
}

/// A safetensors file in memory.
struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        Ok(Self { path: path.to_path_buf(), bytes })
    }

    fn metadata(&self) -> Result<Metadata> {
        let broken = |source| Error::Safetensors { path: self.path.clone(), source };
        let (_, header) = SafeTensors::read_metadata(&self.bytes).map_err(broken)?;
        let problem = |what: String| Error::checkpoint(&self.path, what);
        let text =
            header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY)).ok_or_else(|| {
                problem(format!("no `{METADATA_KEY}` metadata: not a file of this program"))
            })?;
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|e| problem(format!("metadata is not JSON: {e}")))?;
        match json.get("format_version").and_then(|v| v.as_u64()) {
            Some(version) if version > FORMAT_VERSION.into() => Err(problem(format!(
                "format version {version} is newer than {FORMAT_VERSION}, the newest that this program reads"
            ))),
            Some(_) => serde_json::from_value(json).map_err(|e| problem(format!("metadata: {e}"))),
            None => Err(problem("metadata without a format version".into())),
        }
    }

    fn tensors(&self, device: &Device) -> Result<HashMap<String, Tensor>> {
        // Whole file, offsets and lengths are checked here: a file cut short fails by name.
        SafeTensors::deserialize(&self.bytes)
            .map_err(|source| Error::Safetensors { path: self.path.clone(), source })?;
        Ok(candle_core::safetensors::load_buffer(&self.bytes, device)?)
    }
}

fn write(path: &Path, metadata: &Metadata, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let text = serde_json::to_string(metadata).map_err(|e| Error::checkpoint(path, e.to_string()))?;
    let header = Some(HashMap::from([(METADATA_KEY.to_string(), text)]));
    let bytes = safetensors::serialize(tensors, header)
        .map_err(|source| Error::Safetensors { path: path.to_path_buf(), source })?;
    atomically(path, &bytes)
}

fn atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let run = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(".writing-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        #[cfg(unix)]
        std::fs::File::open(folder)?.sync_all()?;
        Ok(())
    };
    run().map_err(Error::io(path))
}
