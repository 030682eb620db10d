//! Pixels of files and series, as values.

use std::path::Path;

use ndarray::Array3;

use super::error::DicomError;
use super::file::DicomFile;
use super::frame::Frame;
use super::header::DicomSeries;
use super::parse::Extent;
use super::pixels::{Pixels, Rescale};
use super::series::SeriesRef;
use super::value::Fields;
use crate::DataError;
use crate::volume::Volume;
use dicom_dictionary_std::tags;

/// Reads all slices of a series.
///
/// Voxels are `[column, row, slice]`: `i` runs along a row, `j` down a column, `k` along the normal (rows × columns), however
/// the files are numbered. Values are those after the modality's rescale slope and intercept, without windowing. In
/// MONOCHROME1 images, where small values are bright, the stored value is first mirrored in the range of its bits (`2^bits - 1
/// - v`, signed `-1 - v`). The affine is RAS.
///
/// # Errors
/// [`DataError::Dicom`] that names the file or folder: the fault of the series (slices missing, doubled, uneven), or what is
/// wrong with a file.
pub fn read_series(series: &SeriesRef) -> Result<Volume<DicomSeries>, DataError> {
    let fault = |problem| DataError::dicom_named(series.display(), problem);
    let stack = series.stack.as_ref().map_err(|problem| fault(problem.clone()))?;
    let [rows, columns] = series.size_px();
    let slices = stack.frames.len();
    let mut values = Vec::new();
    let mut header = DicomSeries::empty();
    let mut reserved = false;
    // Frames of a file mostly follow each other, but need not.
    let mut open: Option<(usize, Pixels)> = None;
    for frame in &stack.frames {
        if open.as_ref().is_none_or(|(file, _)| *file != frame.file) {
            let Some(path) = series.files().get(frame.file) else { continue };
            let invalid = |problem| DataError::dicom(path, problem);
            let file = DicomFile::open(path, Extent::Whole)?;
            let (data_set, pixels) = Pixels::of(file).map_err(invalid)?;
            if (pixels.format.rows, pixels.format.columns) != (rows, columns) {
                return Err(invalid(DicomError::value(tags::ROWS, "changed since it was listed")));
            }
            header.keep(&data_set, frame.file);
            open = Some((frame.file, pixels));
        }
        let Some((_, pixels)) = &open else { continue };
        let invalid = |problem| {
            let path = series.files().get(frame.file).map_or(Path::new(""), |path| path);
            DataError::dicom(path, problem)
        };
        append(pixels, frame, &mut values).map_err(invalid)?;
        header.add_slice(frame, pixels.format.frames);
        if !reserved {
            // The first frame is there, so others of its size can be expected.
            values.reserve_exact((slices - 1).saturating_mul(rows * columns));
            reserved = true;
        }
    }
    let voxels = Array3::from_shape_vec((slices, rows, columns), values)
        .map_err(|_| fault(DicomError::value(tags::NUMBER_OF_FRAMES, "changed since it was listed")))?
        .reversed_axes();
    Ok(Volume { voxels, affine: stack.affine, header })
}

fn append(pixels: &Pixels, frame: &Frame, values: &mut Vec<f32>) -> Result<(), DicomError> {
    if frame.index >= pixels.format.frames {
        return Err(DicomError::value(tags::NUMBER_OF_FRAMES, "changed since it was listed"));
    }
    pixels.append_frame(frame.index, frame.rescale, values)
}

/// The frames of one file as (frames, rows, columns), in their order in the file, wherever they lie: for a look at images
/// without geometry. Values are as those of [`read_series`], by the rescale of the data set itself.
///
/// # Errors
/// [`DataError::Dicom`] with the file and what is wrong with it.
pub fn read_frames(path: &Path) -> Result<Array3<f32>, DataError> {
    let invalid = |problem| DataError::dicom(path, problem);
    let (data_set, pixels) = Pixels::of(DicomFile::open(path, Extent::Whole)?).map_err(invalid)?;
    let number = |tag, absent: f64| {
        data_set.exactly::<1>(tag).map(|value| value.map_or(absent, |[number]| number)).map_err(invalid)
    };
    let rescale = Rescale {
        slope: number(tags::RESCALE_SLOPE, 1.0)?,
        intercept: number(tags::RESCALE_INTERCEPT, 0.0)?,
    };
    let mut values = Vec::new();
    for frame in 0..pixels.format.frames {
        pixels.append_frame(frame, rescale, &mut values).map_err(invalid)?;
    }
    let shape = (pixels.format.frames, pixels.format.rows, pixels.format.columns);
    Array3::from_shape_vec(shape, values).map_err(|_| invalid(DicomError::missing(tags::PIXEL_DATA)))
}
