//! One study after the other, or several at once: read, translate, write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use mri_data::DataError;
use mri_data::atomic_file::{Existing, write_file};
use mri_data::dicom::{Derivation, write_series};
use mri_data::image::{write_image, write_new_image};
use mri_data::nifti::{DataType, NiftiHeader, files_of, write_nifti};
use mri_data::source::ImageRef;
use mri_data::study::{Header, Study, VolumeRef};
use mri_data::volume::Volume;

use super::plan::{Target, Task};
use super::sidecar;
use crate::translator::{Translated, Translator, VolumePass};

/// What all studies of a run share.
pub struct Worker<'a> {
    pub translator: &'a Translator,
    /// Index of the domain to translate to.
    pub to: usize,
    /// Of the model file; empty where there are only images, which have no place for it.
    pub model_sha256: &'a str,
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
            Study::Image(image) => self.make_image(image, target.path(), done),
            Study::Volume(volume) => {
                let made = self.translated(volume, done)?;
                match target {
                    Target::Nifti { image, sidecar } => {
                        let text = sidecar::text(self, volume, task.bids.as_ref(), &made)?;
                        self.write_nifti(image, made.volume.into_nifti(), sidecar, &text)
                    }
                    Target::Image(folder) | Target::Dicom(folder) => {
                        let derivation = self.derivation(&made);
                        let series = made.volume.into_dicom(&volume.sha256()?);
                        write_series(folder, &series, &derivation, self.existing)?;
                        Ok(())
                    }
                }
            }
        }
    }

    fn make_image(&self, image: &ImageRef, output: &Path, mut done: impl FnMut(usize)) -> Result<()> {
        let to = self.translator.domains()[self.to];
        let translated = self.translator.translate(&image.read()?, to).with_context(|| image.display())?;
        done(1);
        let write = match self.existing {
            Existing::Replace => write_image,
            Existing::Refuse => write_new_image,
        };
        Ok(write(output, &translated)?)
    }

    fn translated(&self, volume: &VolumeRef, done: impl FnMut(usize)) -> Result<Translated<Header>> {
        let read = volume.read()?;
        self.translator.translate_volume(read, self.to, self.pass, done).with_context(|| volume.display())
    }

    /// Volume and sidecar. The volume is written whole out of sight, then the sidecar, then the volume takes its place: it
    /// never stands without the words that it is synthetic.
    fn write_nifti(
        &self,
        image: &Path,
        volume: Volume<NiftiHeader>,
        sidecar: &Path,
        text: &str,
    ) -> Result<()> {
        let folder = image.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = || format!("{}: cannot write", image.display());
        let beside =
            tempfile::Builder::new().prefix(".").suffix(".part").tempdir_in(folder).with_context(failed)?;
        let hidden = beside.path().join(image.file_name().unwrap_or_default());
        write_nifti(&hidden, &volume, self.datatype, Existing::Refuse)
            .map_err(|error| under_its_name(error, image))?;
        drop(volume);
        let moved = files_of(&hidden);
        let place = |file: &Path| image.with_file_name(file.file_name().unwrap_or_default());
        for taken in moved.iter().map(|file| place(file)).filter(|place| place.symlink_metadata().is_ok()) {
            ensure!(self.existing == Existing::Replace, "{}: exists already", taken.display());
        }
        write_file(sidecar, text.as_bytes(), self.existing)?;
        // The header of a pair comes last, so that it never stands without its voxels.
        for file in moved.iter().rev() {
            fs::rename(file, place(file)).with_context(failed)?;
        }
        Ok(())
    }

    fn derivation<H>(&self, made: &Translated<H>) -> Derivation {
        let domains = self.translator.domains();
        let (from, to) = (domains[1 - self.to], domains[self.to]);
        let software = concat!("mri-cyclegan ", env!("CARGO_PKG_VERSION"));
        let units = sidecar::units(&self.translator.settings().normalizers[self.to]);
        let not_finite = match made.not_finite {
            0 => String::new(),
            count => format!(" {count} voxels of the source were not finite and stood for air."),
        };
        Derivation {
            description: format!(
                "{from} to {to} by a CycleGAN, {software}, model {}. Values are {units}.{not_finite}",
                self.model_sha256
            ),
            series_description: format!("{to} from {from}"),
            comments: format!("{to} from {from}."),
            software: software.into(),
        }
    }
}

/// What went wrong at a hidden place, told of the place that the file was for.
fn under_its_name(error: DataError, path: &Path) -> DataError {
    match error {
        DataError::Io { action, reason, .. } => DataError::Io { path: path.to_owned(), action, reason },
        other => other,
    }
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

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256_of(path: &PathBuf) -> Result<String> {
    use sha2::{Digest, Sha256};
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
