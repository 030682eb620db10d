//! Names of NIfTI files, and of the two halves of a pair.

use std::path::{Path, PathBuf};

use super::NiftiError;

/// What a file is for by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Header and voxels.
    Whole,
    /// Header alone, the voxels in another file.
    Header,
}

/// The endings of NIfTI files; longer ones first, as `.gz` may follow.
const ENDINGS: [&str; 6] = [".nii.gz", ".hdr.gz", ".img.gz", ".nii", ".hdr", ".img"];

/// Whether a file of this name is a NIfTI volume. Of a pair it is the header.
pub fn is_nifti_name(path: &Path) -> bool {
    split(path).is_some_and(|(_, ending)| !ending.starts_with(".img"))
}

/// The name before the ending, and the ending in lower case.
fn split(path: &Path) -> Option<(String, &'static str)> {
    let name = path.file_name()?.to_string_lossy();
    let ending = ENDINGS.into_iter().find(|ending| {
        let tail = name.len().checked_sub(ending.len()).and_then(|at| name.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
    })?;
    Some((name.get(..name.len() - ending.len())?.to_owned(), ending))
}

/// The file with the header and, for a pair, the one with the voxels if it is there.
///
/// `path` is either half of a pair; a `.hdr.gz` may belong to an `.img` and the other way round.
pub fn files_of(path: &Path) -> Vec<PathBuf> {
    match header_of(path) {
        Ok((header, Role::Header)) => {
            let image = image_of(&header).ok();
            std::iter::once(header).chain(image).collect()
        }
        Ok((header, Role::Whole)) => vec![header],
        Err(_) => vec![path.to_owned()],
    }
}

/// The file with the header.
pub(super) fn header_of(path: &Path) -> Result<(PathBuf, Role), NiftiError> {
    match split(path) {
        Some((_, ".hdr" | ".hdr.gz")) => Ok((path.to_owned(), Role::Header)),
        Some((_, ".img" | ".img.gz")) => Ok((other_half(path, ".hdr")?, Role::Header)),
        _ => Ok((path.to_owned(), Role::Whole)),
    }
}

/// The file with the voxels that belongs to a `.hdr`.
pub(super) fn image_of(header: &Path) -> Result<PathBuf, NiftiError> {
    other_half(header, ".img")
}

/// Compressed as the first half, or else the other way.
fn other_half(path: &Path, wanted: &str) -> Result<PathBuf, NiftiError> {
    let (stem, ending) = split(path).unwrap_or_default();
    let (first, second) = if ending.ends_with(".gz") { (".gz", "") } else { ("", ".gz") };
    let names = [first, second].map(|compression| format!("{stem}{wanted}{compression}"));
    let upper = names.clone().map(|name| {
        let ending = name.get(stem.len()..).unwrap_or_default().to_ascii_uppercase();
        format!("{stem}{ending}")
    });
    let expected = names[0].clone();
    names
        .into_iter()
        .chain(upper)
        .map(|name| path.with_file_name(name))
        .find(|path| path.is_file())
        .ok_or(NiftiError::NoPartner { expected })
}

/// Where a volume of this name is to be written: the file, or the two of a pair, and whether compressed.
pub(super) struct OutputNames {
    /// The header alone, or header and voxels.
    pub(super) first: PathBuf,
    /// The voxels of a pair.
    pub(super) image: Option<PathBuf>,
    pub(super) compressed: bool,
}

impl OutputNames {
    pub(super) fn of(path: &Path) -> Result<Self, NiftiError> {
        let (stem, ending) = split(path).ok_or(NiftiError::OutputName)?;
        let compression = if ending.ends_with(".gz") { ".gz" } else { "" };
        let named = |kind: &str| path.with_file_name(format!("{stem}{kind}{compression}"));
        let (first, image) = match ending {
            ".nii" | ".nii.gz" => (path.to_owned(), None),
            ".hdr" | ".hdr.gz" => (path.to_owned(), Some(named(".img"))),
            _ => (named(".hdr"), Some(path.to_owned())),
        };
        Ok(Self { first, image, compressed: !compression.is_empty() })
    }
}
