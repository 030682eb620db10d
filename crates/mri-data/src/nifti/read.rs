//! Files to volumes.

use std::io;
use std::path::{Path, PathBuf};

use ndarray::{Array3, ShapeBuilder};

use super::header::by;
use super::names::{self, Role};
use super::source::Source;
use super::{DataType, NiftiError, NiftiHeader, parse, samples};
use crate::DataError;
use crate::volume::Volume;

/// Raw bytes held beside the voxels while reading.
const PART_BYTES: u64 = 1 << 18;

/// A failure whose file is known to the caller, or one of the system.
pub(super) enum Failure {
    Content(NiftiError),
    Io(PathBuf, io::Error),
}

impl From<NiftiError> for Failure {
    fn from(problem: NiftiError) -> Self {
        Self::Content(problem)
    }
}

fn of_file(path: &Path, failure: Failure) -> DataError {
    match failure {
        Failure::Content(problem) => DataError::nifti(path, problem),
        Failure::Io(path, reason) => DataError::io(&path, "read", reason),
    }
}

/// Reads a volume. Of a pair, `path` is either half; a file that is gzip data is inflated, whatever its name.
///
/// Axes beyond the third must have length 1. The voxels are in the order of the file, with the first axis contiguous.
///
/// # Errors
/// [`DataError::Nifti`] with the file and the field that is wrong, or the type of voxels or number of volumes that is not
/// read; [`DataError::NotFound`] or [`DataError::Io`].
pub fn read_nifti(path: &Path) -> Result<Volume<NiftiHeader>, DataError> {
    let (header_path, role, mut source, header) = opened(path)?;
    let named = |problem| DataError::nifti(&header_path, problem);
    let datatype = header.check_readable().map_err(named)?;
    let image_path = match role {
        Role::Whole => header_path.clone(),
        Role::Header => names::image_of(&header_path).map_err(named)?,
    };
    let in_image = |failure| of_file(&image_path, failure);
    if role == Role::Header {
        source.finish().map_err(|failure| of_file(&header_path, failure))?;
        source = Source::open(&image_path).map_err(in_image)?;
        source.skip(header.voxels_at, "vox_offset").map_err(in_image)?;
    }
    let voxels = voxels(&mut source, &header, datatype).map_err(in_image)?;
    source.finish().map_err(in_image)?;
    let [i, j, k] = header.shape();
    let voxels = Array3::from_shape_vec((i, j, k).f(), voxels)
        .map_err(|error| named(NiftiError::field("dim", error.to_string())))?;
    Ok(Volume { voxels, affine: header.affine, header })
}

/// Reads the header and extensions alone, also of files whose voxels are not read here (see
/// [`NiftiHeader::check_readable`]), and of a `.hdr` without its image.
///
/// # Errors
/// As [`read_nifti`], for the header.
pub fn read_nifti_header(path: &Path) -> Result<NiftiHeader, DataError> {
    Ok(opened(path)?.3)
}

fn opened(path: &Path) -> Result<(PathBuf, Role, Source, NiftiHeader), DataError> {
    let (header_path, role) = names::header_of(path).map_err(|problem| DataError::nifti(path, problem))?;
    let named = |failure| of_file(&header_path, failure);
    let mut source = Source::open(&header_path).map_err(named)?;
    let header = parse::header(&mut source, role).map_err(named)?;
    Ok((header_path, role, source, header))
}

fn voxels(source: &mut Source, header: &NiftiHeader, datatype: DataType) -> Result<Vec<f32>, Failure> {
    let too_large = |found: u64, bytes: u64| NiftiError::TooLarge {
        shape: by(&header.dimensions()),
        datatype: datatype.name(),
        needed: header.voxels_at.saturating_add(bytes),
        found,
    };
    let count = header.shape().iter().try_fold(1_usize, |count, &length| count.checked_mul(length));
    let bytes = count.and_then(|count| u64::try_from(count).ok()?.checked_mul(datatype.bytes() as u64));
    let (Some(count), Some(bytes)) = (count, bytes) else {
        return Err(too_large(source.at_most(), u64::MAX).into());
    };
    if header.voxels_at.saturating_add(bytes) > source.at_most() {
        return Err(too_large(source.at_most(), bytes).into());
    }
    let mut voxels = Vec::new();
    let mut part = vec![0; bytes.min(PART_BYTES) as usize];
    let mut left = bytes;
    while left > 0 {
        let wanted = left.min(PART_BYTES) as usize;
        let buffer = part.get_mut(..wanted).unwrap_or_default();
        if source.read(buffer)? < wanted {
            return Err(too_large(source.position(), bytes).into());
        }
        let more = wanted / datatype.bytes();
        if voxels.capacity() - voxels.len() < more {
            let plausible = (source.plausibly() / datatype.bytes() as u64) as usize;
            let wanted = more.max(voxels.len()).max(plausible).min(count - voxels.len());
            voxels
                .try_reserve_exact(wanted)
                .map_err(|error| NiftiError::field("dim", format!("{count} voxels: {error}")))?;
        }
        samples::append(&mut voxels, buffer, datatype, header.byte_order, header.scaling);
        left -= wanted as u64;
    }
    Ok(voxels)
}
