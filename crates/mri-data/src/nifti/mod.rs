//! NIfTI volumes: `.nii`, `.nii.gz`, and pairs of `.hdr` and `.img`, of version 1 and 2, in either byte order.
//!
//! Values are `slope * stored + intercept`, computed in f64 and rounded to f32 once; a slope that is absent (0), NaN or
//! infinite counts as none. The affine is that of the sform, where its code says that there is one, else that of the
//! qform, else voxel sizes about the centre with the first axis running left, as nibabel does it.
//!
//! Nothing is believed that the file is too short for: sizes are checked against the bytes at hand (for gzip, against the
//! 1032-fold that deflate can inflate them to) before memory is taken, and memory grows only with what was really read.
//!
//! Volumes are written little endian, on the grid of their header, field for field. What may hold words about a patient
//! is not kept: description, names, and extensions with DICOM, XCEDE or spectroscopy headers.

mod datatype;
mod error;
mod extension;
mod form;
mod header;
mod layout;
mod names;
mod parse;
mod read;
mod samples;
mod scaling;
mod source;
mod write;

pub use datatype::{DataType, StoredType};
pub use error::NiftiError;
pub use extension::Extension;
pub use form::Form;
pub use header::{ByteOrder, LengthUnit, NiftiHeader, Version};
pub use names::{files_of, is_nifti_name};
pub use read::{read_nifti, read_nifti_header};
pub use scaling::Scaling;
pub use write::{DESCRIPTION, encode_nifti, write_nifti};
