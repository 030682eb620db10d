//! One study after the other, or several at once: read, translate, write.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use mri_data::atomic_file::{Existing, create_file};
use mri_data::dicom::{Derivation, write_series};
use mri_data::image::{BitDepth, Image, write_image, write_new_image};
use mri_data::nifti::{DataType, NiftiHeader, write_nifti};
use mri_data::source::ImageRef;
use mri_data::study::{Header, Study, VolumeRef};
use mri_data::volume::Volume;
use ndarray::Array2;

use super::plan::Task;
use super::sidecar::{self, Statistic};
use super::target::{NiftiPlace, Target};
use super::together::Together;
use crate::ensemble::Estimate;
use crate::out_of_memory;
use crate::translator::{ModelFile, Translated, Translator, VolumePass};

type Made = Translated<Header>;

/// What all studies of a run share.
pub struct Worker<'a> {
    pub translator: &'a Translator,
    /// Index of the domain to translate to.
    pub to: usize,
    /// Of the model files; empty where there are only images, which have no place for them.
    pub models_sha256: &'a [String],
    pub pass: VolumePass,
    pub datatype: DataType,
    pub existing: Existing,
}

impl Worker<'_> {
    /// Makes one output. `done` is told the slices that are.
    pub fn make(&self, task: &Task, done: impl FnMut(usize)) -> Result<()> {
        let target = &task.target;
        if let Some(folder) = target.path().parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        match &task.study {
            Study::Image(image) => self.make_image(image, target, done),
            Study::Volume(volume) => {
                let made = self.translated(volume, done)?;
                match target {
                    Target::Nifti { volume: place, .. } => self.write_nifti(task, volume, place, made),
                    Target::Image { image: folder, .. } | Target::Dicom(folder) => {
                        let derivation = self.derivation(&made);
                        let series = made.volume.into_dicom(&volume.sha256()?);
                        write_series(folder, &series, &derivation, self.existing)?;
                        Ok(())
                    }
                }
            }
        }
    }

    fn make_image(&self, image: &ImageRef, target: &Target, mut done: impl FnMut(usize)) -> Result<()> {
        let to = self.translator.domains()[self.to];
        let source = image.read()?;
        let Estimate { mean, sd } =
            self.translator.translate(&source, to).with_context(|| image.display())?;
        let synthetic = Image { pixels: mean, depth: source.depth };
        done(1);
        let (place, map) = (target.path(), target.uncertainty().zip(sd));
        let Some((map_place, sd)) = map else {
            let write = match self.existing {
                Existing::Replace => write_image,
                Existing::Refuse => write_new_image,
            };
            return Ok(write(place, &synthetic)?);
        };
        let mut together = Together::beside(place, self.existing)?;
        together.add(map_place, |file| write_new_image(file, &map_image(&sd, source.depth)))?;
        together.add(place, |file| write_new_image(file, &synthetic))?;
        together.appear()
    }

    fn translated(&self, volume: &VolumeRef, done: impl FnMut(usize)) -> Result<Made> {
        let read = volume.read()?;
        self.translator
            .translate_volume(read, self.to, self.pass, done)
            .map_err(|error| out_of_memory::of_translation(error, self.pass.batch))
            .with_context(|| volume.display())
    }

    /// The volume and its sidecar, after the map of its uncertainty and that one's: no image stands without the words that
    /// it is synthetic.
    fn write_nifti(&self, task: &Task, source: &VolumeRef, place: &NiftiPlace, made: Made) -> Result<()> {
        let describe = |statistic| sidecar::text(self, source, task.bids.as_ref(), &made, statistic);
        let map_place = match &task.target {
            Target::Nifti { uncertainty, .. } => uncertainty.as_ref(),
            _ => None,
        };
        let of_map = map_place.map(|_| describe(Statistic::StandardDeviation)).transpose()?;
        let of_mean = describe(Statistic::Mean)?;
        let Translated { volume, sd, .. } = made;
        let volume = volume.into_nifti();
        let mut together = Together::beside(&place.image, self.existing)?;
        let mut add = |place: &NiftiPlace, volume: &Volume<NiftiHeader>, datatype, text: &str| {
            together.add(&place.sidecar, |file| create_file(file, text.as_bytes()))?;
            together.add(&place.image, |file| write_nifti(file, volume, datatype, Existing::Refuse))
        };
        if let (Some(place), Some(voxels), Some(text)) = (map_place, sd, of_map) {
            let map = Volume { voxels, affine: volume.affine, header: volume.header.clone() };
            add(place, &map, DataType::F32, &text)?;
        }
        add(place, &volume, self.datatype, &of_mean)?;
        together.appear()
    }

    fn derivation<H>(&self, made: &Translated<H>) -> Derivation {
        let domains = self.translator.domains();
        let (from, to) = (domains[1 - self.to], domains[self.to]);
        let software = concat!("mri-cyclegan ", env!("CARGO_PKG_VERSION"));
        let units = sidecar::units(&self.translator.settings().normalizers[self.to]);
        let (by, models) = match self.models_sha256 {
            [one] => ("a CycleGAN".into(), format!("model {one}")),
            // The element holds 1024 characters.
            several => {
                let short: Vec<&str> = several.iter().filter_map(|hash| hash.get(..12)).collect();
                (format!("the mean of {} CycleGANs", several.len()), format!("models {}", short.join(", ")))
            }
        };
        let not_finite = match made.not_finite {
            0 => String::new(),
            count => format!(" {count} voxels of the source were not finite and stood for air."),
        };
        Derivation {
            description: format!(
                "{from} to {to} by {by}, {software}, {models}. Values are {units}.{not_finite}"
            ),
            series_description: format!("{to} from {from}"),
            comments: format!("{to} from {from}."),
            software: software.into(),
        }
    }
}

/// The map of an image of `depth` as 16 bits: the whole scale stands for the whole scale of the image.
fn map_image(sd: &Array2<f32>, depth: BitDepth) -> Image {
    let scale = BitDepth::Sixteen.max_value() / depth.max_value();
    Image { pixels: sd * scale, depth: BitDepth::Sixteen }
}

/// Does `work` for all `tasks`, `jobs` at a time, and returns what went wrong, in their order.
pub fn for_all<T: Sync>(
    tasks: &[T],
    jobs: usize,
    work: impl Fn(&T) -> Result<()> + Sync,
) -> Vec<anyhow::Error> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let until_none_is_left = || {
        while let Some((index, task)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(index).map(|task| (index, task))
        } {
            if let Err(error) = work(task) {
                failures.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, error));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.min(tasks.len()) {
            scope.spawn(until_none_is_left);
        }
        until_none_is_left();
    });
    let mut failures = failures.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    failures.sort_by_key(|(index, _)| *index);
    failures.into_iter().map(|(_, error)| error).collect()
}

/// The SHA-256 of model files, in hexadecimal.
pub fn hashes_of(models: &[ModelFile]) -> Result<Vec<String>> {
    use sha2::{Digest, Sha256};
    let hash = |ModelFile { path, .. }: &ModelFile| {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    };
    models.iter().map(hash).collect()
}
