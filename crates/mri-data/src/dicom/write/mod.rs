//! Derived series: MR Image Storage, one file a slice, explicit VR little endian.

mod attributes;
mod decimal;
mod folder;
mod geometry;
mod quantize;

use std::path::{Path, PathBuf};

use dicom_dictionary_std::uids;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use ndarray::Axis;
use sha2::{Digest, Sha256};

use self::folder::NewFolder;
use self::geometry::Planes;
use self::quantize::Quantization;
use super::error::DicomError;
use super::header::DicomSeries;
use super::uid::uid_of;
use crate::DataError;
use crate::atomic_file::Existing;
use crate::volume::Volume;

/// `ImplementationVersionName`, by which files of ours are known.
const IMPLEMENTATION: &str = "MRI_CYCLEGAN";

/// What made the new series, in words. Letters beyond ASCII become `?`, since the character set is the patient's.
///
/// That the images are synthetic and for research only is said in each of the three texts, whatever they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derivation {
    /// For `DerivationDescription`: what was done, with which model.
    pub description: String,
    /// For `SeriesDescription`, of which about 40 characters remain: `T2`.
    pub series_description: String,
    /// For `ImageComments`.
    pub comments: String,
    /// Name and version of the program: `mri-cyclegan 0.1.0`. The name is also the `Manufacturer`.
    pub software: String,
}

impl Derivation {
    fn series_text(&self) -> String {
        limited(&format!("SYNTHETIC, research only: {}", self.series_description), 64)
    }

    fn derivation_text(&self) -> String {
        limited(&format!("Synthetic image, for research only. {}", self.description), 1024)
    }

    fn comments_text(&self) -> String {
        let warning = "Synthetic image made by a neural network: for research only, not for diagnosis.";
        limited(&format!("{warning} {}", self.comments), 10240)
    }

    fn software_text(&self) -> String {
        limited(&self.software, 64)
    }

    fn manufacturer(&self) -> String {
        let name = self.software.split_whitespace().next().unwrap_or("mri-cyclegan");
        limited(name, 64)
    }
}

/// Text without control characters, backslashes and letters beyond ASCII, of at most `length` characters.
fn limited(text: &str, length: usize) -> String {
    let plain = |c: char| match c {
        '\\' => '/',
        c if c.is_control() => ' ',
        c if !c.is_ascii() => '?',
        c => c,
    };
    text.trim().chars().map(plain).take(length).collect::<String>().trim_end().to_owned()
}

/// Writes `volume` as a new series into `folder`, which appears whole or not at all, and returns its files in the order of
/// the slices (`00001.dcm`, ...).
///
/// The patient's and study's attributes, the frame of reference and the grid are those of the source; the Series and SOP
/// Instance UIDs are new, and follow from source, derivation and values. Pixels are 16 bits with a rescale slope: whole
/// numbers that fit are stored as they are, others to within half a slope, which is 1/65535 of the largest value (1/32767
/// where some are negative). What is not finite becomes 0.
///
/// With [`Existing::Replace`], a folder of earlier output (and `.json` files) is replaced; one that holds anything else, as
/// other people's DICOM files, is not.
///
/// # Errors
/// [`DataError::Dicom`] for a volume that DICOM cannot hold (axes that are not at right angles, more than 65535 pixels a
/// side), [`DataError::Exists`], or [`DataError::Io`]; then there is no new folder.
pub fn write_series(
    folder: &Path,
    volume: &Volume<DicomSeries>,
    derivation: &Derivation,
    existing: Existing,
) -> Result<Vec<PathBuf>, DataError> {
    let invalid = |problem| DataError::dicom(folder, problem);
    let Volume { voxels, affine, header } = volume;
    let slices = voxels.len_of(Axis(2));
    let not_writable = |reason: &str| invalid(DicomError::NotWritable { reason: reason.to_owned() });
    if voxels.is_empty() {
        return Err(not_writable("no voxels"));
    }
    if !header.sources.is_empty() && header.sources.len() != slices {
        return Err(not_writable("another number of slices than its source has"));
    }
    let planes = Planes::of(affine).map_err(invalid)?;
    let quantization = Quantization::of(voxels.view());
    let series_uid = new_series_uid(volume, derivation);
    let series = attributes::of_series(header, derivation, &planes, &quantization, &series_uid);
    let new = NewFolder::beside(folder, existing)?;
    let mut names = Vec::with_capacity(slices);
    for k in 0..slices {
        let instance_uid = uid_of("instance", &[series_uid.as_bytes(), &(k as u64).to_le_bytes()]);
        let pixels = voxels.index_axis(Axis(2), k).reversed_axes();
        let source = header.sources.get(k);
        let image = attributes::of_image(&series, k, &instance_uid, source, &planes, pixels, &quantization)
            .map_err(invalid)?;
        let name = format!("{:05}.dcm", k + 1);
        new.write(&name, &encoded(image, &instance_uid).map_err(invalid)?)?;
        names.push(name);
    }
    new.persist()?;
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn encoded(image: InMemDicomObject, instance_uid: &str) -> Result<Vec<u8>, DicomError> {
    let failed = |reason: String| DicomError::NotWritable { reason };
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::MR_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(instance_uid)
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(uid_of("implementation", &[]))
        .implementation_version_name(IMPLEMENTATION)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    image.with_exact_meta(meta).write_all(&mut bytes).map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

fn new_series_uid(volume: &Volume<DicomSeries>, derivation: &Derivation) -> String {
    let mut digest = Sha256::new();
    let rows = volume.affine.rows();
    rows.iter().flatten().for_each(|number| digest.update(number.to_le_bytes()));
    volume.voxels.shape().iter().for_each(|length| digest.update((*length as u64).to_le_bytes()));
    volume.voxels.iter().for_each(|value| digest.update(value.to_le_bytes()));
    let Derivation { description, series_description, comments, software } = derivation;
    let texts = [description, series_description, comments, software];
    let mut parts: Vec<&[u8]> = vec![volume.header.series_uid.as_bytes()];
    parts.extend(texts.iter().map(|text| text.as_bytes()));
    let content = digest.finalize();
    parts.push(&content);
    uid_of("series", &parts)
}
