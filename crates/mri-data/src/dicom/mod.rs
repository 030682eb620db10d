//! DICOM: series of images in, derived series out.
//!
//! [`list_series`] finds the series of a place by the headers of its files, [`read_series`] gives a [`Volume`] with its values
//! in real units, [`write_series`] writes one back as a new series of the same study.
//!
//! Read are implicit and explicit little endian, explicit big endian, deflated, RLE, JPEG (baseline and lossless), JPEG-LS
//! and JPEG 2000; classic and enhanced multi-frame images; files without preamble or meta group. Files come from strangers:
//! a declared length is held against the bytes at hand before memory is asked for, and errors never quote text of the file,
//! which could be a patient's.
//!
//! [`Volume`]: crate::volume::Volume

mod codec;
mod contrast;
mod error;
mod file;
mod fragments;
mod frame;
mod header;
mod listing;
mod parse;
mod pixels;
mod read;
mod series;
mod stack;
mod syntax;
mod uid;
mod value;
mod write;

pub use contrast::Contrast;
pub use error::{DicomError, Field, PositionLps};
pub use header::DicomSeries;
pub(crate) use listing::may_be_dicom;
pub use listing::{Listing, list_series, survey};
pub use read::{read_frames, read_series};
pub use series::SeriesRef;
pub use write::{Derivation, write_series};
