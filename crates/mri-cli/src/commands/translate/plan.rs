//! What is to be made of what, and where: decided from names and headers, before any work.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use mri_data::bids::{self, BidsImage, BidsName};
use mri_data::dicom::SeriesRef;
use mri_data::study::{Study, VolumeRef, list_chosen_studies};
use mri_data::volume::{Orientation, SliceAxis};

use super::target::{NiftiPlace, Target, is_named_itself, target};
use super::{Args, VolumeFormat};
use crate::translator::Translator;

/// All that is to be done.
pub struct Plan {
    /// In the order of the studies; an error stands for a study that cannot be used.
    pub items: Vec<Result<Task>>,
    /// The derivative that the outputs make up, where the input is a BIDS data set.
    pub derivative: Option<Derivative>,
}

/// One output to be made.
pub struct Task {
    pub study: Study,
    pub target: Target,
    /// What the sidecar in a derivative says of the source.
    pub bids: Option<BidsSource>,
}

/// An image of a BIDS data set.
pub struct BidsSource {
    pub uri: String,
    pub skull_stripped: Option<bool>,
}

/// A BIDS derivative.
pub struct Derivative {
    pub root: PathBuf,
    pub source: PathBuf,
}

impl Plan {
    /// What `args` ask for.
    pub fn make(args: &Args, translator: &Translator) -> Result<Self> {
        if args.input.is_dir() && bids::is_dataset(&args.input)? {
            return of_bids(args, translator);
        }
        let mut found = list_chosen_studies(&args.input, &args.series)?;
        let output = args.output.canonicalize().ok().filter(|output| output.is_dir() && args.input.is_dir());
        if let (Some(output), Ok(input)) = (output, args.input.canonicalize())
            && output != input
        {
            // Outputs of an earlier run, in a folder inside the input.
            let is_output = |study: &Study| input.join(study.relative()).starts_with(&output);
            found.retain(|study| !study.as_ref().is_ok_and(is_output));
        }
        ensure_options_apply(args, &found)?;
        let one = match found.as_slice() {
            [Ok(study)] => is_named_itself(&args.input, study),
            _ => false,
        };
        let tasks = found.into_iter().map(|study| {
            let study = study?;
            let target = target(args, &study, one)?;
            Ok(Task { study, target, bids: None })
        });
        Ok(Self { items: refusing_collisions(tasks.collect()), derivative: None })
    }
}

impl Task {
    /// Slices to pass through the network, as far as headers tell.
    pub fn slices(&self, axis: SliceAxis) -> Result<u64> {
        Ok(match &self.study {
            Study::Image(_) => 1,
            Study::Volume(volume) => {
                let (affine, shape) = grid(volume)?;
                let along = Orientation::of(&affine, axis).storage_axes()[0];
                shape.get(along).copied().unwrap_or_default() as u64
            }
        })
    }

    /// The source's grid in words.
    pub fn remark(&self) -> Result<String> {
        Ok(match &self.study {
            Study::Image(_) => "image".into(),
            Study::Volume(volume) => {
                let (affine, [i, j, k]) = grid(volume)?;
                let [x, y, z] = affine.voxel_mm();
                format!("{i} x {j} x {k} voxels of {x:.3} x {y:.3} x {z:.3} mm")
            }
        })
    }
}

/// Affine and shape, without the voxels. An error where they could not be read.
fn grid(volume: &VolumeRef) -> Result<(mri_data::volume::Affine, [usize; 3])> {
    if let Some(series) = volume.series() {
        return grid_of_series(series);
    }
    let header = volume.nifti_header()?.context("no header")?;
    header.check_readable().with_context(|| volume.display())?;
    Ok((*header.affine(), header.shape()))
}

fn grid_of_series(series: &SeriesRef) -> Result<(mri_data::volume::Affine, [usize; 3])> {
    if let Some(fault) = series.fault() {
        bail!("{}: {fault}", series.display());
    }
    let [rows, columns] = series.size_px();
    let affine = series.affine().with_context(|| series.display())?;
    Ok((affine, [columns, rows, series.slices().unwrap_or_default()]))
}

/// A study whose output would be that of an earlier one becomes an error.
fn refusing_collisions(items: Vec<Result<Task>>) -> Vec<Result<Task>> {
    let mut taken: HashMap<PathBuf, String> = HashMap::new();
    let checked = |item: Result<Task>| {
        let task = item?;
        let name = task.study.display();
        for path in task.target.paths() {
            if let Some(other) = taken.get(path) {
                return Err(anyhow!("{name}: its output {} would be that of {other} too", path.display()));
            }
        }
        taken.extend(task.target.paths().into_iter().map(|path| (path.to_owned(), name.clone())));
        Ok(task)
    };
    items.into_iter().map(checked).collect()
}

/// Options for volumes where there is none, or for files of another kind, are a mistake.
fn ensure_options_apply(args: &Args, found: &[Result<Study, mri_data::DataError>]) -> Result<()> {
    let images_alone = found.iter().all(|study| matches!(study, Ok(Study::Image(_))));
    let asked = [
        ("--format", args.format != VolumeFormat::Same),
        ("--dtype", args.dtype.is_some()),
        ("--axis", args.axis.is_some()),
        ("--series", !args.series.is_empty()),
    ];
    match asked.iter().find(|(_, given)| *given) {
        Some((option, _)) if images_alone => {
            bail!("{}: {option} is for volumes, and there is none", args.input.display())
        }
        _ => Ok(()),
    }
}

/// The images of the source contrast, under the names of a derivative.
fn of_bids(args: &Args, translator: &Translator) -> Result<Plan> {
    ensure!(
        args.format != VolumeFormat::Dicom && args.series.is_empty(),
        "{}: a BIDS data set, which holds NIfTI files: --format dicom and --series do not apply",
        args.input.display()
    );
    let to = translator.domain(&args.to)?;
    let suffix = |domain: usize| {
        let name = translator.domains()[domain];
        bids::suffix_of_domain(name).with_context(|| {
            format!("the domain `{name}` has no suffix in BIDS; its names are t1, t2, pd, flair and t2star")
        })
    };
    let (source_suffix, target_suffix) = (suffix(1 - to)?, suffix(to)?);
    let tasks = bids::list_anatomical(&args.input, source_suffix)?.into_iter().map(|image| {
        let uri = image.uri();
        let BidsImage { volume, name, skull_stripped } = image;
        let name = name.synthetic(target_suffix);
        let folder = args.output.join(volume.relative().parent().unwrap_or(Path::new("")));
        let place = |name: &BidsName| NiftiPlace {
            image: folder.join(name.to_string()),
            sidecar: folder.join(name.sidecar()),
        };
        let target = Target::Nifti {
            volume: place(&name),
            uncertainty: args.models.uncertainty.then(|| place(&name.uncertainty())),
        };
        Ok(Task { study: Study::Volume(volume), target, bids: Some(BidsSource { uri, skull_stripped }) })
    });
    let derivative = Derivative { root: args.output.clone(), source: args.input.clone() };
    Ok(Plan { items: refusing_collisions(tasks.collect()), derivative: Some(derivative) })
}
