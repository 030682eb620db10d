//! The series of a place, found by the headers of its files.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::DicomError;
use super::file::begins_as_dicom;
use super::series::{Instance, SeriesRef, gathered};
use crate::DataError;
use crate::source::{files_in, natural_order};

/// What lies at a place.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// Series of images, in natural order of their folders and then by number.
    pub series: Vec<SeriesRef>,
    /// DICOM files that cannot be read, each with what is wrong with it.
    pub unreadable: Vec<DataError>,
    /// DICOM files without images: reports, plans, presentation states, directories.
    pub without_image: usize,
}

/// All series at `path`, a file or a folder (searched through; other files and hidden ones are passed over). Only headers
/// are read. DICOM files that are unreadable are left out; [`survey`] lists them.
///
/// # Errors
/// As [`survey`]. For a single file, also what is wrong with it.
pub fn list_series(path: &Path) -> Result<Vec<SeriesRef>, DataError> {
    survey(path).map(|listing| listing.series)
}

/// Series, and what else there is of DICOM, at `path`.
///
/// # Errors
/// [`DataError::NotFound`] or [`DataError::Io`] for the place itself; [`DataError::Dicom`] if `path` is a file and cannot be
/// read.
pub fn survey(path: &Path) -> Result<Listing, DataError> {
    let metadata = path.metadata().map_err(|error| DataError::io(path, "read", error))?;
    let mut listing = Listing::default();
    if !metadata.is_dir() {
        let instance = Instance::read(path, Path::new(""))?;
        listing.series.push(gathered(path, vec![instance]));
        return Ok(listing);
    }
    let mut names = files_in(path)?;
    names.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
    let mut by_series: BTreeMap<String, Vec<Instance>> = BTreeMap::new();
    for name in names {
        let file = path.join(&name);
        if !may_be_dicom(&file) {
            continue;
        }
        let folder = name.parent().unwrap_or(Path::new(""));
        match Instance::read(&file, folder) {
            Ok(instance) => by_series.entry(instance.key()).or_default().push(instance),
            Err(DataError::Dicom { problem: DicomError::NotAnImage, .. }) => listing.without_image += 1,
            Err(error) => listing.unreadable.push(error),
        }
    }
    listing.series = by_series.into_values().map(|instances| gathered(path, instances)).collect();
    listing.series.sort_by(|a, b| {
        natural_order(&a.relative().to_string_lossy(), &b.relative().to_string_lossy())
            .then(a.number().cmp(&b.number()))
            .then_with(|| a.uid().cmp(b.uid()))
    });
    Ok(listing)
}

/// By its name or its first bytes.
pub(crate) fn may_be_dicom(path: &Path) -> bool {
    // A pipe would wait for ever.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return false;
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if matches!(extension.as_str(), "dcm" | "dicom" | "dic" | "ima" | "dc3") {
        return true;
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| std::io::Read::read_to_end(&mut std::io::Read::take(file, 132), &mut start));
    // A data set without preamble has no mark of its own: only names without a meaning may hold one.
    let unnamed = extension.is_empty() || extension.bytes().all(|byte| byte.is_ascii_digit());
    read.is_ok() && (start.ends_with(b"DICM") || unnamed && begins_as_dicom(&start))
}
