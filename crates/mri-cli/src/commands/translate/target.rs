//! Where the output of a study goes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mri_data::nifti::is_nifti_name;
use mri_data::study::{Study, VolumeRef};

use super::{Args, VolumeFormat};

/// What the name of an uncertainty map has after that of its image.
const MAP_SUFFIX: &str = "_uncertainty";

/// What is written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A slice, and the map of its uncertainty where it is asked for.
    Image { image: PathBuf, uncertainty: Option<PathBuf> },
    /// A volume, and the map of its uncertainty.
    Nifti { volume: NiftiPlace, uncertainty: Option<NiftiPlace> },
    /// The folder of a series.
    Dicom(PathBuf),
}

/// A NIfTI volume with the JSON file that says what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NiftiPlace {
    pub image: PathBuf,
    pub sidecar: PathBuf,
}

impl Target {
    /// Every path that appears.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Image { image, uncertainty } => {
                [Some(image), uncertainty.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect()
            }
            Self::Nifti { volume, uncertainty } => [Some(volume), uncertainty.as_ref()]
                .into_iter()
                .flatten()
                .flat_map(|NiftiPlace { image, sidecar }| [image.as_path(), sidecar.as_path()])
                .collect(),
            Self::Dicom(folder) => vec![folder],
        }
    }

    /// The path that is the image.
    pub fn path(&self) -> &Path {
        match self {
            Self::Image { image, .. } => image,
            Self::Nifti { volume, .. } => &volume.image,
            Self::Dicom(folder) => folder,
        }
    }

    /// The path that is the map of the uncertainty.
    pub fn uncertainty(&self) -> Option<&Path> {
        match self {
            Self::Image { uncertainty, .. } => uncertainty.as_deref(),
            Self::Nifti { uncertainty, .. } => uncertainty.as_ref().map(|map| map.image.as_path()),
            Self::Dicom(_) => None,
        }
    }

    /// A slice at `image`; its map is a PNG of 16 bits whatever the format.
    fn image(args: &Args, image: PathBuf) -> Self {
        let name = image.file_stem().unwrap_or_default().to_string_lossy();
        let map = image.with_file_name(format!("{name}{MAP_SUFFIX}.png"));
        Self::Image { image, uncertainty: args.models.uncertainty.then_some(map) }
    }

    fn nifti(args: &Args, image: PathBuf) -> Result<Self> {
        let stem = stem(&image).with_context(|| {
            format!(
                "{}: cannot write a volume with this extension: use .nii, .nii.gz or .hdr",
                image.display()
            )
        })?;
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let extension = name.get(stem.len()..).unwrap_or_default();
        let place = |stem: &str| NiftiPlace {
            image: image.with_file_name(format!("{stem}{extension}")),
            sidecar: image.with_file_name(format!("{stem}.json")),
        };
        let map = args.models.uncertainty.then(|| place(&format!("{stem}{MAP_SUFFIX}")));
        Ok(Self::Nifti { volume: place(&stem), uncertainty: map })
    }
}

/// The name of a NIfTI file without its extension.
fn stem(path: &Path) -> Option<String> {
    if !is_nifti_name(path) {
        return None;
    }
    let name = path.file_name()?.to_string_lossy();
    let without_gz = name.len() - if name.to_ascii_lowercase().ends_with(".gz") { 3 } else { 0 };
    let name = name.get(..without_gz)?;
    Some(name.rsplit_once('.')?.0.to_owned())
}

/// Whether the input is the study itself and no folder or archive that holds it.
pub fn is_named_itself(input: &Path, study: &Study) -> bool {
    match study {
        Study::Volume(volume) => {
            input.is_file() || volume.series().is_some_and(|one| one.relative().as_os_str().is_empty())
        }
        Study::Image(_) => input.is_file(),
    }
}

/// Where one study goes: `one` is the only one, and named by the user.
pub fn target(args: &Args, study: &Study, one: bool) -> Result<Target> {
    let output = &args.output;
    let inside = output.join(study.relative());
    match (study, args.format) {
        (Study::Image(_), _) => {
            let is_file = one && !output.is_dir() && output.extension().is_some();
            Ok(Target::image(args, if is_file { output.clone() } else { inside }))
        }
        (Study::Volume(volume), VolumeFormat::Dicom) => dicom_target(args, volume, inside, one),
        (Study::Volume(volume), VolumeFormat::Same) if volume.series().is_some() => {
            dicom_target(args, volume, inside, one)
        }
        (Study::Volume(volume), _) => {
            if one && !output.is_dir() && output.extension().is_some() {
                return Target::nifti(args, output.clone());
            }
            let name = match volume.series() {
                Some(_) => {
                    let mut name = inside.file_name().unwrap_or_default().to_os_string();
                    name.push(".nii.gz");
                    inside.with_file_name(name)
                }
                // Of a pair, the input may be named by its second half.
                None => volume
                    .paths()
                    .first()
                    .and_then(|path| path.file_name())
                    .map_or(inside.clone(), |name| inside.with_file_name(name)),
            };
            Target::nifti(args, name)
        }
    }
}

fn dicom_target(args: &Args, volume: &VolumeRef, inside: PathBuf, one: bool) -> Result<Target> {
    // The map would have to be an MR image of the patient whose pixels are no intensities, and pass for one in an archive.
    ensure!(
        !args.models.uncertainty,
        "{}: a DICOM series has no place for an uncertainty; --format nifti writes both volume and uncertainty",
        volume.display()
    );
    if one {
        ensure!(
            !is_nifti_name(&args.output),
            "{}: a DICOM series is written as a folder; --format nifti converts it",
            args.output.display()
        );
        return Ok(Target::Dicom(args.output.clone()));
    }
    Ok(Target::Dicom(match (volume.series(), stem(&inside)) {
        (None, Some(stem)) => inside.with_file_name(stem),
        _ => inside,
    }))
}
