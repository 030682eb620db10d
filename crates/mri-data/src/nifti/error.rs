//! What can be wrong with a NIfTI file, by the field of its header.

/// What is wrong with one NIfTI file, whatever its name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NiftiError {
    /// No bytes at all.
    #[error("the file is empty (0 bytes)")]
    Empty,
    /// The first field of every NIfTI header is its own size.
    #[error("sizeof_hdr: {found}, not 348 (NIfTI-1) or 540 (NIfTI-2): not a NIfTI file, or damaged")]
    NotNifti {
        /// What stands there, read as little endian.
        found: i32,
    },
    /// The file ends inside its header.
    #[error("truncated: {part} needs {needed} bytes and there are {found}")]
    Truncated {
        /// The part that is cut off.
        part: &'static str,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The file ends before its voxels do, or its dimensions are wrong.
    #[error(
        "dim: {shape} voxels of {datatype} end at byte {needed} and there are {found}: truncated or damaged"
    )]
    TooLarge {
        /// Declared dimensions.
        shape: String,
        /// Declared type of the voxels.
        datatype: &'static str,
        /// Bytes that offset and voxels take.
        needed: u64,
        /// Bytes that the file has, or can inflate to.
        found: u64,
    },
    /// A field with a value that cannot be.
    #[error("{field}: {reason}")]
    Field {
        /// Name of the field in the standard.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// More than one volume in the file.
    #[error("dim: {shape} is a {rank}-D series of {volumes} volumes; save one volume a file")]
    Series {
        /// Declared dimensions.
        shape: String,
        /// How many of them there are.
        rank: usize,
        /// Volumes in the file.
        volumes: u64,
    },
    /// Voxels that are not single real numbers.
    #[error("datatype: {name} voxels; only single real numbers (integers, float32, float64) are read")]
    NotReal {
        /// Name of the type, such as RGB24.
        name: &'static str,
    },
    /// The compressed data are damaged.
    #[error("damaged gzip data: {reason}")]
    Gzip {
        /// The decoder's words.
        reason: String,
    },
    /// The other file of a pair of `.hdr` and `.img` is missing.
    #[error("its other half is missing: no {expected} beside it")]
    NoPartner {
        /// Name of the first place looked at.
        expected: String,
    },
    /// The file to be written has a name of no NIfTI file.
    #[error("cannot write this extension: use .nii, .nii.gz, .hdr, .hdr.gz, .img or .img.gz")]
    OutputName,
    /// The header to be written belongs to another volume.
    #[error("the volume ({volume}) does not lie on the grid of its header ({header})")]
    OtherGrid {
        /// The volume's shape and origin.
        volume: String,
        /// The header's.
        header: String,
    },
}

impl NiftiError {
    pub(super) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Field { field, reason: reason.into() }
    }
}
