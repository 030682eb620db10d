//! A series: the files that belong together, in the order of their slices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::contrast::Contrast;
use super::error::{DicomError, Field, PositionLps};
use super::file::DicomFile;
use super::frame::{Frame, frames};
use super::parse::Extent;
use super::pixels::{PixelFormat, without_pixels};
use super::stack::{Stack, stack};
use super::value::Fields;
use crate::DataError;

/// A series that can be read: files of one slice each, or an enhanced multi-frame file.
///
/// Listing reads headers only. A series with a fault is listed too, and says so when it is read.
#[derive(Debug, Clone)]
pub struct SeriesRef {
    uid: String,
    description: String,
    number: Option<i64>,
    modality: String,
    study_uid: String,
    contrast: Contrast,
    relative: PathBuf,
    name: String,
    size_px: [usize; 2],
    files: Vec<PathBuf>,
    pub(super) stack: Result<Stack, DicomError>,
}

impl SeriesRef {
    /// `SeriesInstanceUID`, to choose by; empty where the file has none. It leads back to the patient: not for logs.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// `SeriesDescription`, for the user's choice only: people write anything there.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// `SeriesNumber`.
    pub fn number(&self) -> Option<i64> {
        self.number
    }

    /// `Modality`: `MR`, `CT`, ...
    pub fn modality(&self) -> &str {
        &self.modality
    }

    /// `StudyInstanceUID`, by which series of one examination belong together; empty where the file has none. Not for logs.
    pub(crate) fn study_uid(&self) -> &str {
        &self.study_uid
    }

    /// What the first header tells of the contrast.
    pub fn contrast(&self) -> Contrast {
        self.contrast
    }

    /// The folder of its files inside the place that was listed: relative, without `..`; empty for the place itself or a
    /// single file. Several series may share it.
    pub fn relative(&self) -> &Path {
        &self.relative
    }

    /// The files, in the order of the slices.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Rows and columns of each slice.
    pub fn size_px(&self) -> [usize; 2] {
        self.size_px
    }

    /// How many slices it has, if it can be read.
    pub fn slices(&self) -> Option<usize> {
        self.stack.as_ref().ok().map(|stack| stack.frames.len())
    }

    /// Where its voxels lie, if it can be read.
    pub fn affine(&self) -> Option<crate::volume::Affine> {
        self.stack.as_ref().ok().map(|stack| stack.affine)
    }

    /// What keeps it from being read: slices that are missing, doubled, uneven or unlike each other, with their positions.
    pub fn fault(&self) -> Option<&DicomError> {
        self.stack.as_ref().err()
    }

    /// What is not quite right with it, in words.
    pub fn warnings(&self) -> &[String] {
        self.stack.as_ref().map_or(&[], |stack| &stack.warnings)
    }

    /// The place of the files, for messages.
    pub fn display(&self) -> String {
        self.name.clone()
    }
}

/// What the header of a file says about its series.
pub(super) struct Instance {
    path: PathBuf,
    folder: PathBuf,
    series_uid: String,
    instance_uid: String,
    description: String,
    number: Option<i64>,
    modality: String,
    study_uid: String,
    contrast: Contrast,
    format: PixelFormat,
    frames: Vec<Frame>,
}

impl Instance {
    pub(super) fn read(path: &Path, folder: &Path) -> Result<Self, DataError> {
        let file = DicomFile::open(path, Extent::Header)?;
        Self::of(&file.header, file.pixels.is_some(), path, folder)
            .map_err(|problem| DataError::dicom(path, problem))
    }

    fn of(
        header: &InMemDicomObject,
        has_pixels: bool,
        path: &Path,
        folder: &Path,
    ) -> Result<Self, DicomError> {
        if !has_pixels {
            return Err(without_pixels(header));
        }
        let format = PixelFormat::of(header)?;
        if header
            .text(tags::IMAGE_TYPE)
            .is_some_and(|kind| kind.split('\\').any(|part| part.trim() == "MOSAIC"))
        {
            return Err(DicomError::unsupported(tags::IMAGE_TYPE, "a mosaic of slices in one image"));
        }
        let text = |tag: Tag| header.text(tag).unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
            series_uid: text(tags::SERIES_INSTANCE_UID),
            instance_uid: text(tags::SOP_INSTANCE_UID),
            description: text(tags::SERIES_DESCRIPTION),
            number: header.whole(tags::SERIES_NUMBER).unwrap_or_default(),
            modality: text(tags::MODALITY),
            study_uid: text(tags::STUDY_INSTANCE_UID),
            contrast: Contrast::of(header),
            frames: frames(header, 0, format.frames)?,
            format,
        })
    }

    /// Files with the same one are of one series. Without a UID a file is on its own.
    pub(super) fn key(&self) -> String {
        if self.series_uid.is_empty() {
            self.path.to_string_lossy().into_owned()
        } else {
            self.series_uid.clone()
        }
    }

    fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

pub(super) fn gathered(root: &Path, instances: Vec<Instance>) -> SeriesRef {
    let folder = instances.iter().map(|instance| instance.folder.clone()).reduce(common).unwrap_or_default();
    let name = match instances.as_slice() {
        [one] => one.path.display().to_string(),
        several => {
            let number = several.first().and_then(|one| one.number);
            let number = number.map(|number| format!(" (series {number})")).unwrap_or_default();
            format!("{}{number}", root.join(&folder).display())
        }
    };
    let arranged = arrange(&instances);
    let mut files: Vec<PathBuf> = instances.iter().map(|instance| instance.path.clone()).collect();
    let stack = arranged.map(|mut stack| {
        // Files are numbered by their slices.
        let mut order = Vec::new();
        for frame in &mut stack.frames {
            let place = order.iter().position(|file| *file == frame.file);
            let place = place.unwrap_or_else(|| {
                order.push(frame.file);
                order.len() - 1
            });
            frame.file = place;
        }
        files = order.iter().filter_map(|&file| instances.get(file)).map(|one| one.path.clone()).collect();
        stack
    });
    let first = instances.into_iter().next();
    let size_px = first.as_ref().map_or([0, 0], |one| [one.format.rows, one.format.columns]);
    let Some(first) = first else { unreachable!("a series has files") };
    let Instance { series_uid: uid, description, number, modality, study_uid, contrast, .. } = first;
    SeriesRef {
        uid,
        description,
        number,
        modality,
        study_uid,
        contrast,
        relative: folder,
        name,
        size_px,
        files,
        stack,
    }
}

fn arrange(instances: &[Instance]) -> Result<Stack, DicomError> {
    let mut by_uid: BTreeMap<&str, &Instance> = BTreeMap::new();
    let mut all = Vec::new();
    let Some(first) = instances.first() else { return Err(DicomError::NotAnImage) };
    for (index, instance) in instances.iter().enumerate() {
        if !instance.instance_uid.is_empty()
            && let Some(other) = by_uid.insert(&instance.instance_uid, instance)
        {
            let (first, second) = (other.file_name(), instance.file_name());
            return Err(DicomError::SameInstance { first, second });
        }
        if (instance.format.rows, instance.format.columns) != (first.format.rows, first.format.columns) {
            return Err(DicomError::MixedSlices {
                field: Field(tags::ROWS),
                position: PositionLps(instance.frames.first().map_or([0.0; 3], |frame| frame.position)),
                reason: format!("{} x {} px", instance.format.rows, instance.format.columns),
            });
        }
        all.extend(instance.frames.iter().cloned().map(|frame| Frame { file: index, ..frame }));
    }
    stack(all)
}

/// The folder that holds both.
fn common(a: PathBuf, b: PathBuf) -> PathBuf {
    a.iter().zip(b.iter()).take_while(|(a, b)| a == b).map(|(part, _)| part).collect()
}
