//! What can be wrong with a DICOM file or series. No message quotes text of a file: it could be a patient's.

use std::fmt;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

/// A data element, shown by its keyword and number: `Rows (0028,0010)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub(crate) Tag);

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tag(group, element) = self.0;
        match StandardDataDictionary.by_tag(self.0) {
            Some(entry) => write!(f, "{} ({group:04X},{element:04X})", entry.alias()),
            None => write!(f, "element ({group:04X},{element:04X})"),
        }
    }
}

impl From<Tag> for Field {
    fn from(tag: Tag) -> Self {
        Self(tag)
    }
}

/// A point in the patient's coordinates, shown in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionLps(pub [f64; 3]);

impl fmt::Display for PositionLps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a sign on what is shown as zero.
        let [x, y, z] = self.0.map(|mm| (mm * 100.0).round() / 100.0 + 0.0);
        write!(f, "[{x:.2}, {y:.2}, {z:.2}] mm")
    }
}

/// What is wrong with a DICOM file or series. Positions are `ImagePositionPatient` (LPS, in millimetres).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DicomError {
    /// The bytes do not begin as a DICOM file does.
    #[error("not a DICOM file: no DICM behind a preamble, and no data element at the start")]
    NotDicom,
    /// The file ends inside an element.
    #[error("truncated inside {field}")]
    Truncated {
        /// The element that is cut, or the last one before the cut.
        field: Field,
    },
    /// A required element is absent or empty.
    #[error("{field} is missing")]
    Missing {
        /// The element.
        field: Field,
    },
    /// An element holds something that cannot be.
    #[error("{field}: {reason}")]
    Value {
        /// The element.
        field: Field,
        /// Why it cannot be.
        reason: String,
    },
    /// A valid file of a kind that is not read here.
    #[error("{field}: {reason}: not supported")]
    Unsupported {
        /// The element that says so.
        field: Field,
        /// What is not supported.
        reason: String,
    },
    /// A DICOM object without an image.
    #[error("not an image: it has no PixelData (7FE0,0010)")]
    NotAnImage,
    /// Rows, columns, frames and bits promise another number of bytes than there are.
    #[error(
        "PixelData (7FE0,0010): {rows} x {columns} px x {frames} frames need {expected} bytes, and there are {found}"
    )]
    PixelBytes {
        /// Declared rows.
        rows: usize,
        /// Declared columns.
        columns: usize,
        /// Declared frames.
        frames: usize,
        /// Bytes that these need.
        expected: u64,
        /// Bytes there are, or that the compressed bytes there are could warrant.
        found: u64,
    },
    /// Compressed pixels are damaged.
    #[error("PixelData (7FE0,0010): damaged {format} in frame {frame}: {reason}")]
    Compressed {
        /// Name of the compression.
        format: &'static str,
        /// The frame, from 1.
        frame: usize,
        /// The decoder's words.
        reason: String,
    },
    /// One instance twice.
    #[error("the same SOPInstanceUID (0008,0018) in two files, {first} and {second}")]
    SameInstance {
        /// File name of the one.
        first: String,
        /// File name of the other.
        second: String,
    },
    /// Several slices at one place: echoes, time points, diffusion directions or a slice sent twice.
    #[error("{count} slices at {position}{}: choose one image per position{distinction}", others(*.other_positions))]
    DoubledSlices {
        /// The first such place.
        position: PositionLps,
        /// How many slices lie there.
        count: usize,
        /// How many further places have more than one.
        other_positions: usize,
        /// What tells them apart, if anything does.
        distinction: String,
    },
    /// Slices are absent.
    #[error("{count} slices missing between {before} and {after} (steps are {step_mm:.3} mm){}", others(*.other_gaps))]
    MissingSlices {
        /// How many fit into the first gap.
        count: usize,
        /// The last slice before it.
        before: PositionLps,
        /// The first slice behind it.
        after: PositionLps,
        /// The usual step.
        step_mm: f64,
        /// How many further gaps there are.
        other_gaps: usize,
    },
    /// Slices do not lie on a regular grid.
    #[error(
        "unevenly spaced: the slice at {position} lies {deviation_mm:.3} mm from its place in steps of {step_mm:.3} mm"
    )]
    UnevenSlices {
        /// The slice that is farthest off.
        position: PositionLps,
        /// How far.
        deviation_mm: f64,
        /// The mean step.
        step_mm: f64,
    },
    /// Slices differ in what must be equal.
    #[error("slices differ in {field}: the slice at {position} is not like the first ({reason})")]
    MixedSlices {
        /// What they differ in.
        field: Field,
        /// The first that differs.
        position: PositionLps,
        /// How, in words.
        reason: String,
    },
    /// A volume cannot be written as a series.
    #[error("cannot be written as a DICOM series: {reason}")]
    NotWritable {
        /// Why not.
        reason: String,
    },
}

fn others(count: usize) -> String {
    if count == 0 { String::new() } else { format!(", and at {count} other places") }
}

impl DicomError {
    pub(super) fn value(tag: Tag, reason: impl Into<String>) -> Self {
        Self::Value { field: tag.into(), reason: reason.into() }
    }

    pub(super) fn unsupported(tag: Tag, reason: impl Into<String>) -> Self {
        Self::Unsupported { field: tag.into(), reason: reason.into() }
    }

    pub(super) fn missing(tag: Tag) -> Self {
        Self::Missing { field: tag.into() }
    }

    pub(super) fn truncated(tag: Tag) -> Self {
        Self::Truncated { field: tag.into() }
    }
}
