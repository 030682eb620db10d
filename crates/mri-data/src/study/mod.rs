//! What there is to translate or to learn from at a place: single images, NIfTI volumes, DICOM series.
//!
//! Listing reads names, and of DICOM files the headers; nothing else is decoded. Hidden files are passed over, links are
//! followed, and the order is that of [`natural_order`].

mod choice;
mod convert;
mod description;
mod domains;
mod volume_ref;

use std::path::Path;

use crate::image::has_image_extension;
use crate::nifti::is_nifti_name;
use crate::source::{ImageRef, files_in, list_images, natural_order};
use crate::{DataError, dicom};

pub use crate::dicom::Contrast;
pub use description::{Intensity, VolumeDescription};
pub use domains::{Place, list_domains};
pub use volume_ref::{Header, VolumeRef};

/// One thing to translate or to learn from.
#[derive(Debug, Clone)]
pub enum Study {
    /// A slice in a file of its own: PNG, JPEG or TIFF.
    Image(ImageRef),
    /// A volume: a NIfTI file or pair of files, or a DICOM series.
    Volume(VolumeRef),
}

impl Study {
    /// The image, where it is one.
    pub fn image(&self) -> Option<&ImageRef> {
        match self {
            Self::Image(image) => Some(image),
            Self::Volume(_) => None,
        }
    }

    /// The volume, where it is one.
    pub fn volume(&self) -> Option<&VolumeRef> {
        match self {
            Self::Image(_) => None,
            Self::Volume(volume) => Some(volume),
        }
    }

    /// The path inside the place that was listed: relative, without `..`. Of a DICOM series it is its folder, and where
    /// a folder has several series a number in it.
    pub fn relative(&self) -> &Path {
        match self {
            Self::Image(image) => image.relative(),
            Self::Volume(volume) => volume.relative(),
        }
    }

    /// The full name for messages.
    pub fn display(&self) -> String {
        match self {
            Self::Image(image) => image.display(),
            Self::Volume(volume) => volume.display(),
        }
    }
}

/// All images and volumes at `path`, in natural order: the file itself, or those in a folder (searched through). A zip
/// archive gives the images in it; volumes are not looked for there.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::Io`], [`DataError::Archive`], [`DataError::NoStudies`] for a folder without any, or
/// what is wrong with the first DICOM file that cannot be read.
pub fn list_studies(path: &Path) -> Result<Vec<Study>, DataError> {
    let Survey { studies, unreadable } = survey(path)?;
    unreadable.into_iter().next().map_or(Ok(studies), Err)
}

/// As [`list_studies`], for work that goes on where one study cannot be used: in place of it stands what is wrong. Of the
/// DICOM series of one study (one examination of one patient) only the one that is meant is listed. `wanted` tells it by UID,
/// by description or by a part of the description, upper and lower case alike; a study of one series needs no choice.
///
/// # Errors
/// As [`list_studies`], for the place itself.
pub fn list_chosen_studies(
    path: &Path,
    wanted: &[String],
) -> Result<Vec<Result<Study, DataError>>, DataError> {
    let Survey { studies, unreadable } = survey(path)?;
    let mut chosen = choice::with_chosen_series(studies, wanted);
    chosen.extend(unreadable.into_iter().map(Err));
    Ok(chosen)
}

/// What lies at a place.
#[derive(Debug)]
#[non_exhaustive]
pub struct Survey {
    /// Images and volumes, in natural order.
    pub studies: Vec<Study>,
    /// DICOM files that cannot be read.
    pub unreadable: Vec<DataError>,
}

/// As [`list_studies`], with all series and with the DICOM files that cannot be read.
///
/// # Errors
/// As [`list_studies`], for the place itself.
pub fn survey(path: &Path) -> Result<Survey, DataError> {
    let metadata = path.metadata().map_err(|error| DataError::io(path, "read", error))?;
    let mut unreadable = Vec::new();
    let mut studies: Vec<Study> = Vec::new();
    if !metadata.is_dir() {
        match file_kind(path) {
            FileKind::Nifti => studies.push(Study::Volume(VolumeRef::nifti_file(path))),
            FileKind::Dicom => {
                let root = path.parent().unwrap_or(Path::new(""));
                let series = dicom::survey(path)?.series;
                studies.extend(VolumeRef::dicom_series(root, series).into_iter().map(Study::Volume));
            }
            FileKind::Image => studies.extend(list_images(path)?.into_iter().map(Study::Image)),
        }
        return Ok(Survey { studies, unreadable });
    }
    let names = files_in(path)?;
    let (images, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| has_image_extension(name));
    if !images.is_empty() {
        studies.extend(list_images(path)?.into_iter().map(Study::Image));
    }
    let (nifti, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|name| is_nifti_name(name));
    studies.extend(nifti.into_iter().map(|name| Study::Volume(VolumeRef::nifti(path, name))));
    if !others.is_empty() {
        let found = dicom::survey(path)?;
        studies.extend(VolumeRef::dicom_series(path, found.series).into_iter().map(Study::Volume));
        unreadable = found.unreadable;
    }
    if studies.is_empty() && unreadable.is_empty() {
        return Err(DataError::NoStudies { path: path.to_owned(), others: names.len() });
    }
    studies.sort_by(|a, b| natural_order(&a.relative().to_string_lossy(), &b.relative().to_string_lossy()));
    Ok(Survey { studies, unreadable })
}

enum FileKind {
    Image,
    Nifti,
    Dicom,
}

/// By the name, or for a name that says nothing by the content.
fn file_kind(path: &Path) -> FileKind {
    if is_nifti_name(path) || is_second_half(path) {
        FileKind::Nifti
    } else if !has_image_extension(path) && dicom::may_be_dicom(path) {
        FileKind::Dicom
    } else {
        FileKind::Image
    }
}

/// The voxels of a pair of `.hdr` and `.img`, named where the pair is meant.
fn is_second_half(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.ends_with(".img") || name.ends_with(".img.gz")
}
