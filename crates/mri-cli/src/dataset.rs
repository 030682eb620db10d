//! From a configuration to training samples: which files, how split, how normalized.

use crate::config::Config;
use crate::evaluation::TrainingData;
use crate::pairs::read_images;
use crate::translator::DataSettings;
use anyhow::{Context, Result};
use candle_core::Device;
use candle_datasets::Batcher;
use mri_cyclegan::{Batches, EpochBatches};
use mri_data::{
    geometry::Canvas,
    loader::UnpairedLoader,
    manifest::{Domain, Manifest, Slice, discover},
    pairing::{Thumbnail, suspected_pairs},
    phantom::{DatasetOptions, Existing, holds_dataset, write_dataset},
    slices::{Slices, fit_normalizer},
    source::resolve_domains,
    split::split,
    volume::SliceAxis,
};
use std::path::PathBuf;

/// The data of one training.
pub struct Dataset {
    pub loader: UnpairedLoader,
    pub settings: DataSettings,
    pub manifest: Manifest,
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
            eprintln!("making the phantom data set {}", path.display());
            write_dataset(path, &data.phantom, Existing::Refuse).with_context(|| {
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
    /// Finds, checks, splits, normalizes and loads what `config` (see [`with_phantom`]) names.
    pub fn prepare(config: &Config) -> Result<Self> {
        let data = &config.data;
        let (t1, t2) = data.t1.as_ref().zip(data.t2.as_ref()).context("no data are named")?;
        let (images_a, images_b) = resolve_domains(t1, t2)?;
        let [name_a, name_b] = &data.domains;
        let domains = [discover(name_a, &images_a)?, discover(name_b, &images_b)?];
        let manifest = Manifest::new(&domains);
        tracing::info!(slices = manifest.entries.len(), manifest = manifest.hash(), "data found");
        warn(&domains, &manifest);

        let mut parts = split(&domains, &data.split)?.into_iter();
        let mut next = || parts.next().context("a domain is missing after the split");
        let (a, b) = (next()?, next()?);
        let normalizers =
            [fit_normalizer(&data.normalization, &a.train)?, fit_normalizer(&data.normalization, &b.train)?];
        let [height_px, width_px] = data.size.height_width_px();
        let canvas = Canvas { height_px, width_px, fit: data.fit };
        let slices = [
            Slices::load(&a.train, &normalizers[0], &canvas)?,
            Slices::load(&b.train, &normalizers[1], &canvas)?,
        ];
        let [slices_a, slices_b] = slices;
        Ok(Self {
            loader: UnpairedLoader::new(slices_a, slices_b, data.augment.clone(), config.seed),
            settings: DataSettings {
                canvas,
                normalizers,
                manifest_sha256: manifest.hash(),
                slice_axis: SliceAxis::default(),
                neighbours: 0,
            },
            manifest,
            train: [a.train, b.train],
            held_out: [a.held_out, b.held_out],
        })
    }

    /// What the baselines may see: the training images of both domains and, where the configuration names them, the true
    /// pairs of the training part.
    pub fn for_baselines(&self, config: &Config) -> Result<TrainingData> {
        let read = |slices: &[Slice]| {
            slices.iter().map(|slice| Ok(slice.source.read()?)).collect::<Result<Vec<_>>>()
        };
        let [a, b] = &self.train;
        let pairs = match &config.data.train_pairs {
            Some(csv) => read_images(csv, &config.data.domains)?,
            None => Vec::new(),
        };
        Ok(TrainingData { origin: "the training part of the run".into(), t1: read(a)?, t2: read(b)?, pairs })
    }
}

/// Says what a user should know before hours of training.
fn warn(domains: &[Domain; 2], manifest: &Manifest) {
    for domain in domains {
        if !domain.dropped.is_empty() {
            eprintln!("{}: {} near-blank slices left out", domain.name, domain.dropped.len());
        }
    }
    let shared = manifest.shared_files();
    if let Some((a, b)) = shared.first() {
        let (count, a, b) = (shared.len(), &a.path, &b.path);
        eprintln!("warning: {count} images are in both domains, byte for byte (the first: {a} and {b})");
    }
    let thumbnails = |domain: &Domain| -> Vec<Thumbnail> {
        let readable = domain.slices.iter().filter_map(|slice| slice.source.read().ok());
        readable.map(|image| Thumbnail::of(&image.pixels)).collect()
    };
    let pairs = suspected_pairs(&thumbnails(&domains[0]), &thumbnails(&domains[1]));
    if let Some(first) = pairs.first() {
        let name = |domain: usize, index: usize| domains[domain].slices[index].entry.path.as_str();
        eprintln!(
            "warning: {} slices seem to have their partner in the other domain, so the set is not unpaired (the likeliest: {} and {}); training does not use the pairing",
            pairs.len(),
            name(0, first.a),
            name(1, first.b),
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
        Ok(Box::new(batches.map(|batch| {
            let (a, b) = batch?;
            Ok((a.to_device(self.device)?, b.to_device(self.device)?))
        })))
    }

    fn steps_per_epoch(&self) -> usize {
        self.loader.len().div_ceil(self.batch)
    }
}
