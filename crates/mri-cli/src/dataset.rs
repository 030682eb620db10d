//! From a configuration to training samples: which files, how split, how normalized.

use crate::config::Config;
use crate::pairs::Pairs;
use crate::training_data::{TrainingData, Unpaired};
use crate::translator::DataSettings;
use anyhow::{Context, Result, bail};
use candle_core::Device;
use candle_datasets::Batcher;
use mri_cyclegan::{Batches, EpochBatches, upload_ahead};
use mri_data::{
    geometry::Canvas,
    loader::UnpairedLoader,
    manifest::{Domain, Manifest, Slice, discover_studies},
    normalize::Normalization,
    pairing::{Thumbnail, suspected_pairs},
    phantom::{DatasetOptions, Existing, holds_dataset, holds_older_dataset, write_dataset},
    slices::{Preparation, Slices, fit_normalizer},
    split::split,
    study::{Place, list_domains},
};
use std::num::NonZero;
use std::path::PathBuf;

/// The data of one training.
pub struct Dataset {
    pub manifest: Manifest,
    /// As the configuration names it, or the default for what the files are.
    pub normalization: Normalization,
    /// Of the domains A and B, what is trained on.
    pub train: [Vec<Slice>; 2],
    /// Of the domains A and B, what the split keeps from training.
    pub held_out: [Vec<Slice>; 2],
}

/// Fills in the phantom's paths where the configuration names no data, and makes the phantom where it is missing.
pub fn with_phantom(mut config: Config) -> Result<Config> {
    let data = &mut config.data;
    if data.t1.is_none() && data.t2.is_none() {
        let path = &data.phantom_path;
        if !holds_dataset(path, &data.phantom) {
            let (making, existing) = match holds_older_dataset(path, &data.phantom) {
                true => ("making anew, as an older version made it,", Existing::Replace),
                false => ("making", Existing::Refuse),
            };
            eprintln!("{making} the phantom data set {}", path.display());
            write_dataset(path, &data.phantom, existing).with_context(|| {
                format!(
                    "{} does not hold the phantom of this configuration: remove it, or set data.phantom_path",
                    path.display()
                )
            })?;
        }
        let part = |name: &str| Some(path.join(name));
        let or_pairs_of = |given: &Option<PathBuf>, name: &str, subjects: usize| {
            given.clone().or_else(|| part(name).filter(|_| subjects > 0))
        };
        let DatasetOptions { train_subjects, validation_subjects, test_subjects, .. } = data.phantom;
        data.validation_pairs =
            or_pairs_of(&data.validation_pairs, "validation/pairs.csv", validation_subjects);
        data.test_pairs = or_pairs_of(&data.test_pairs, "test/pairs.csv", test_subjects);
        data.train_pairs = or_pairs_of(&data.train_pairs, "train/pairs.csv", train_subjects);
        (data.t1, data.t2) = (part("train/t1"), part("train/t2"));
    }
    Ok(config)
}

impl Dataset {
    /// Finds, checks and splits what `config` (see [`with_phantom`]) names.
    pub fn find(config: &Config) -> Result<Self> {
        let data = &config.data;
        let (t1, t2) = data.t1.as_ref().zip(data.t2.as_ref()).context("no data are named")?;
        let names = data.domains.each_ref().map(String::as_str);
        let place = |domain, path| Place { domain, path, series: data.series_of(domain) };
        let [studies_a, studies_b] = list_domains([place(names[0], t1), place(names[1], t2)])?;
        let domains = [
            discover_studies(names[0], &studies_a, data.slice_axis)?,
            discover_studies(names[1], &studies_b, data.slice_axis)?,
        ];
        let of_volumes = domains.each_ref().map(is_of_volumes);
        if of_volumes[0] != of_volumes[1] {
            let [a, b] = of_volumes.map(|volumes| if volumes { "volumes" } else { "images" });
            bail!("{} is made of {a} and {} of {b}: give both as one kind", names[0], names[1]);
        }
        let manifest = Manifest::new(&domains);
        tracing::info!(files = manifest.entries.len(), manifest = manifest.hash(), "data found");
        warn(&domains, &manifest);
        let by_kind = if of_volumes[0] { Normalization::percentile() } else { Normalization::default() };
        let normalization = data.normalization.clone().unwrap_or(by_kind);
        if let (true, Normalization::Range { min: Some(min), max: Some(max) }) =
            (of_volumes[0], &normalization)
        {
            eprintln!(
                "warning: data.normalization takes {min} to {max} in every volume; where scanners differ, leave it out for percentiles"
            );
        }
        let mut parts = split(&domains, &data.split)?.into_iter();
        let mut next = || parts.next().context("a domain is missing after the split");
        let (a, b) = (next()?, next()?);
        Ok(Self { manifest, normalization, train: [a.train, b.train], held_out: [a.held_out, b.held_out] })
    }

    /// What a model file says of these data; fits the normalization.
    pub fn settings(&self, config: &Config) -> Result<DataSettings> {
        let [a, b] = &self.train;
        let [height_px, width_px] = config.data.size.height_width_px();
        Ok(DataSettings {
            canvas: Canvas { height_px, width_px, fit: config.data.fit },
            normalizers: [fit_normalizer(&self.normalization, a)?, fit_normalizer(&self.normalization, b)?],
            manifest_sha256: self.manifest.hash(),
            slice_axis: config.data.slice_axis,
            neighbours: config.data.neighbours,
        })
    }

    /// Prepares the training slices, on the disk, and draws from them for a network on `device`.
    pub fn loader(
        &self,
        config: &Config,
        settings: &DataSettings,
        device: &Device,
    ) -> Result<UnpairedLoader> {
        let load = |domain: usize| {
            let preparation = Preparation {
                normalizer: &settings.normalizers[domain],
                canvas: &settings.canvas,
                neighbours: settings.neighbours,
                scratch: config.data.scratch(),
            };
            Slices::load(&self.train[domain], preparation)
        };
        let loader = UnpairedLoader::new(load(0)?, load(1)?, config.data.augment.clone(), config.seed);
        Ok(loader.threads(loader_threads(device)))
    }

    /// What the baselines may see: the training slices of both domains and, where the configuration names them, the true
    /// pairs of the training part.
    pub fn for_baselines(&self, config: &Config) -> Result<TrainingData> {
        let pairs = match &config.data.train_pairs {
            Some(csv) => Some(Pairs::list(csv, config.data.domains.each_ref().map(String::as_str))?),
            None => None,
        };
        let unpaired = Unpaired::Slices(self.train.clone());
        Ok(TrainingData { origin: "the training part of the run".into(), unpaired, pairs })
    }
}

/// The most threads that prepare samples.
const MOST_LOADER_THREADS: usize = 8;

/// Beside a GPU the cores have nothing else to do; on the CPU they are the network's.
fn loader_threads(device: &Device) -> usize {
    if device.is_cpu() {
        return 1;
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores - 1).clamp(1, MOST_LOADER_THREADS)
}

fn is_of_volumes(domain: &Domain) -> bool {
    domain.entries().any(|entry| entry.volume.is_some())
}

/// Says what a user should know before hours of training.
fn warn(domains: &[Domain; 2], manifest: &Manifest) {
    for domain in domains {
        let (near_blank, not_finite) = (domain.near_blank(), domain.not_finite());
        if near_blank > 0 {
            eprintln!("{}: {near_blank} near-blank slices left out", domain.name);
        }
        if not_finite > 0 {
            eprintln!("{}: {not_finite} voxels are not finite numbers and taken for air", domain.name);
        }
    }
    let shared = manifest.shared_files();
    if let Some((a, b)) = shared.first() {
        let (count, a, b) = (shared.len(), &a.path, &b.path);
        eprintln!("warning: {count} files are in both domains, byte for byte (the first: {a} and {b})");
    }
    let [a, b] = domains.each_ref().map(|domain| &domain.thumbnails);
    let thumbnails =
        |of: &[(String, Thumbnail)]| of.iter().map(|(_, thumbnail)| thumbnail.clone()).collect::<Vec<_>>();
    let pairs = suspected_pairs(&thumbnails(a), &thumbnails(b));
    if let Some(first) = pairs.first() {
        eprintln!(
            "warning: {} slices seem to have their partner in the other domain, so the set is not unpaired (the likeliest: {} and {}); training does not use the pairing",
            pairs.len(),
            a[first.a].0,
            b[first.b].0,
        );
    }
}

/// The loader's samples, batched and on the device.
pub struct LoaderBatches<'a> {
    pub loader: &'a UnpairedLoader,
    pub batch: usize,
    pub device: &'a Device,
}

impl Batches for LoaderBatches<'_> {
    fn epoch(&self, epoch: usize, skip: usize) -> mri_cyclegan::Result<EpochBatches<'_>> {
        let batches = Batcher::new_r2(self.loader.epoch(epoch))
            .batch_size(self.batch)
            .return_last_incomplete_batch(true)
            .skip(skip);
        Ok(Box::new(upload_ahead(batches, self.device)))
    }

    fn steps_per_epoch(&self) -> usize {
        self.loader.len().div_ceil(self.batch)
    }
}
