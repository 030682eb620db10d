//! The bytes of a header to a header, each field checked.

use super::extension::Extension;
use super::form::{Qform, Sform};
use super::header::{ByteOrder, Geometry, NiftiHeader, Version};
use super::layout::{
    Block, DATATYPE, DIM, DIM_INFO, Field, MAGIC, MAX_HEADER_BYTES, PIXDIM, Place, QFORM_CODE, QOFFSET,
    QUATERN, SCL_INTER, SCL_SLOPE, SFORM_CODE, SLICE_CODE, SLICE_DURATION, SLICE_END, SLICE_START, SROW,
    TOFFSET, VOX_OFFSET, XYZT_UNITS,
};
use super::names::Role;
use super::source::Source;
use super::{NiftiError, Scaling, StoredType};

/// f64 holds every whole number up to here.
const MAX_OFFSET: f64 = 9e15;
/// Larger extensions than this are no honest ones: 256 MiB.
const MAX_EXTENSION_BYTES: u64 = 1 << 28;
/// Codes of the spaces that a form can lead to.
const SPACE_CODES: std::ops::RangeInclusive<i64> = 0..=5;

/// Reads header and extensions, up to the first voxel if the voxels are in the same file.
pub(super) fn header(source: &mut Source, role: Role) -> Result<NiftiHeader, super::read::Failure> {
    let block = block(source)?;
    check_place(&block, role)?;
    let offset = offset(&block, role)?;
    let dim = dim(&block)?;
    let code = block.integer(DATATYPE, 0);
    let stored = StoredType::of_code(code).ok_or_else(|| {
        NiftiError::field(DATATYPE.name, format!("{code}, which the standard does not have"))
    })?;
    let srow = |row: usize| block.numbers::<4>(SROW, 4 * row);
    let geometry = Geometry {
        dim,
        pixdim: block.numbers(PIXDIM, 0),
        qform: Qform {
            code: space_code(&block, QFORM_CODE)?,
            bcd: block.numbers(QUATERN, 0),
            offset_mm: block.numbers(QOFFSET, 0),
        },
        sform: Sform { code: space_code(&block, SFORM_CODE)?, rows: [srow(0), srow(1), srow(2)] },
        dim_info: block.integer(DIM_INFO, 0),
        xyzt_units: block.integer(XYZT_UNITS, 0),
        slice_start: block.integer(SLICE_START, 0),
        slice_end: block.integer(SLICE_END, 0),
        slice_code: block.integer(SLICE_CODE, 0),
        slice_duration: block.number(SLICE_DURATION, 0),
        toffset: block.number(TOFFSET, 0),
    };
    let (affine, form) = geometry.affine()?;
    let scaling = scaling(&block)?;
    let extensions = extensions(source, &block, role, offset)?;
    let (version, byte_order) = (block.version, block.order);
    Ok(NiftiHeader {
        version,
        byte_order,
        stored,
        scaling,
        voxels_at: offset,
        geometry,
        affine,
        form,
        extensions,
    })
}

/// The size that the header gives itself tells the version and the order of bytes.
fn block(source: &mut Source) -> Result<Block, super::read::Failure> {
    let mut bytes = [0; MAX_HEADER_BYTES];
    let (size, rest) = bytes.split_at_mut(4);
    source.fill(size, "the header")?;
    let size: [u8; 4] = std::array::from_fn(|index| size.get(index).copied().unwrap_or_default());
    let kinds = [
        (Version::One, ByteOrder::Little),
        (Version::One, ByteOrder::Big),
        (Version::Two, ByteOrder::Little),
        (Version::Two, ByteOrder::Big),
    ];
    let number = |order| match order {
        ByteOrder::Little => i32::from_le_bytes(size),
        ByteOrder::Big => i32::from_be_bytes(size),
    };
    let kind = kinds.into_iter().find(|&(version, order)| number(order) == version.header_bytes() as i32);
    let Some((version, order)) = kind else {
        return Err(NiftiError::NotNifti { found: i32::from_le_bytes(size) }.into());
    };
    let rest = rest.get_mut(..version.header_bytes() - 4).unwrap_or_default();
    source.fill(rest, "the header")?;
    Ok(Block { bytes, version, order })
}

fn check_place(block: &Block, role: Role) -> Result<(), NiftiError> {
    let wrong = |reason: &str| Err(NiftiError::field(MAGIC, reason));
    match (block.place(), role) {
        (Some(Place::SameFile), Role::Whole) | (Some(Place::Image), Role::Header) => Ok(()),
        (Some(Place::SameFile), Role::Header) => {
            wrong("n+1 or n+2, a file with voxels in it, but the name is that of a header alone (.hdr)")
        }
        (Some(Place::Image), Role::Whole) => {
            wrong("ni1 or ni2, a header alone, but the name is that of a file with voxels in it (.nii)")
        }
        (None, _) => wrong("not n+1, n+2, ni1 or ni2: an Analyze file, or damaged"),
    }
}

fn dim(block: &Block) -> Result<[i64; 8], NiftiError> {
    let dim: [i64; 8] = std::array::from_fn(|index| block.integer(DIM, index));
    let [rank, lengths @ ..] = dim;
    if !(1..=7).contains(&rank) {
        return Err(NiftiError::field(DIM.name, format!("{rank} axes, not 1 to 7")));
    }
    match lengths.iter().take(rank as usize).enumerate().find(|(_, length)| **length < 1) {
        Some((axis, length)) => {
            Err(NiftiError::field(DIM.name, format!("{length} voxels along axis {}", axis + 1)))
        }
        None => Ok(dim),
    }
}

fn space_code(block: &Block, field: Field) -> Result<u8, NiftiError> {
    let code = block.integer(field, 0);
    if SPACE_CODES.contains(&code) {
        return Ok(code as u8);
    }
    Err(NiftiError::field(field.name, format!("{code}, which the standard does not have (0 to 5)")))
}

fn scaling(block: &Block) -> Result<Option<Scaling>, NiftiError> {
    let (slope, inter) = (block.number(SCL_SLOPE, 0), block.number(SCL_INTER, 0));
    if slope == 0.0 || !slope.is_finite() {
        return Ok(None);
    }
    if !inter.is_finite() {
        return Err(NiftiError::field(SCL_INTER.name, format!("{inter}, with a slope of {slope}")));
    }
    let scaling = Scaling { slope, inter };
    Ok((scaling != Scaling::IDENTITY).then_some(scaling))
}

/// Byte of the first voxel, in the file that has the voxels.
fn offset(block: &Block, role: Role) -> Result<u64, NiftiError> {
    let offset = block.number(VOX_OFFSET, 0);
    let least = match role {
        Role::Whole => block.version.header_bytes() as f64 + 4.0,
        Role::Header => 0.0,
    };
    if offset.fract() == 0.0 && (least..=MAX_OFFSET).contains(&offset) {
        return Ok(offset as u64);
    }
    Err(NiftiError::field(VOX_OFFSET.name, format!("{offset}, not a whole number from {least}")))
}

fn extensions(
    source: &mut Source,
    block: &Block,
    role: Role,
    offset: u64,
) -> Result<Vec<Extension>, super::read::Failure> {
    let number = |bytes| match block.order {
        ByteOrder::Little => i32::from_le_bytes(bytes),
        ByteOrder::Big => i32::from_be_bytes(bytes),
    };
    let mut flags = [0; 4];
    let bytes = match role {
        Role::Whole => {
            let length = offset - block.version.header_bytes() as u64 - 4;
            source.fill(&mut flags, "the extension flag")?;
            if flags[0] == 0 {
                source.skip(length, VOX_OFFSET.name)?;
                return Ok(Vec::new());
            }
            if length > MAX_EXTENSION_BYTES || offset > source.at_most() {
                let reason = format!("{offset}, which leaves {length} bytes for extensions");
                return Err(NiftiError::field(VOX_OFFSET.name, reason).into());
            }
            let bytes = source.up_to(length)?;
            if (bytes.len() as u64) < length {
                source.truncated("the extensions", length - bytes.len() as u64)?;
            }
            bytes
        }
        Role::Header => {
            // The flags may be missing: then nothing follows.
            let flags = source.up_to(4)?;
            if flags.len() < 4 || flags.first() == Some(&0) {
                return Ok(Vec::new());
            }
            source.up_to(MAX_EXTENSION_BYTES)?
        }
    };
    Ok(Extension::parse(&bytes, number)?)
}
