//! What there is to translate or to learn from at a place: single images, NIfTI volumes, DICOM series.
//!
//! Listing reads names, and of DICOM files the headers; nothing else is decoded. Hidden files are passed over, links are
//! followed, and the order is that of [`natural_order`].

mod domains;
mod pending;
mod volume_ref;

use std::path::{Path, PathBuf};

use crate::DataError;
use crate::dicom;
use crate::image::has_image_extension;
use crate::source::{ImageRef, files_in, list_images, natural_order};

pub use domains::list_domains;
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
/// [`DataError::NotFound`], [`DataError::Io`], [`DataError::Archive`], or [`DataError::NoStudies`] for a folder without
/// any.
pub fn list_studies(path: &Path) -> Result<Vec<Study>, DataError> {
    let metadata = path.metadata().map_err(|error| DataError::io(path, "read", error))?;
    if !metadata.is_dir() {
        return match file_kind(path) {
            FileKind::Nifti => Ok(vec![Study::Volume(VolumeRef::nifti_file(path))]),
            FileKind::Dicom => {
                let root = path.parent().unwrap_or(Path::new(""));
                let series = dicom::list_series(path)?;
                Ok(VolumeRef::dicom_series(root, series).into_iter().map(Study::Volume).collect())
            }
            FileKind::Image => Ok(list_images(path)?.into_iter().map(Study::Image).collect()),
        };
    }
    let names = files_in(path)?;
    let (images, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| has_image_extension(name));
    let mut studies: Vec<Study> = Vec::new();
    if !images.is_empty() {
        studies.extend(list_images(path)?.into_iter().map(Study::Image));
    }
    let (nifti, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        others.into_iter().partition(|name| is_nifti_name(name));
    studies.extend(nifti.into_iter().map(|name| Study::Volume(VolumeRef::nifti(path, name))));
    if others.iter().any(|name| may_be_dicom(&path.join(name))) {
        let series = dicom::list_series(path)?;
        studies.extend(VolumeRef::dicom_series(path, series).into_iter().map(Study::Volume));
    }
    if studies.is_empty() {
        return Err(DataError::NoStudies { path: path.to_owned(), others: names.len() });
    }
    studies.sort_by(|a, b| natural_order(&a.relative().to_string_lossy(), &b.relative().to_string_lossy()));
    Ok(studies)
}

enum FileKind {
    Image,
    Nifti,
    Dicom,
}

/// By the name, or for a name that says nothing by the content.
fn file_kind(path: &Path) -> FileKind {
    if is_nifti_name(path) {
        FileKind::Nifti
    } else if !has_image_extension(path) && may_be_dicom(path) {
        FileKind::Dicom
    } else {
        FileKind::Image
    }
}

/// Whether a file of this name is a NIfTI volume. Of a pair it is the header.
fn is_nifti_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    [".nii", ".nii.gz", ".hdr", ".hdr.gz"].iter().any(|ending| name.ends_with(ending))
}

/// By the name, or by the `DICM` behind the preamble.
fn may_be_dicom(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if matches!(extension.as_str(), "dcm" | "dicom" | "dic" | "ima") {
        return true;
    }
    let mut start = [0; 132];
    std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start))
        .is_ok_and(|()| start.ends_with(b"DICM"))
}
