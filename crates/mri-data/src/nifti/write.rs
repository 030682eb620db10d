//! Volumes to files.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use ndarray::ArrayView3;

use super::extension::Extension;
use super::header::NiftiHeader;
use super::layout::{
    BITPIX, Block, DATATYPE, DIM, DIM_INFO, Field, PIXDIM, Place, QFORM_CODE, QOFFSET, QUATERN, SCL_INTER,
    SCL_SLOPE, SFORM_CODE, SLICE_CODE, SLICE_DURATION, SLICE_END, SLICE_START, SROW, TOFFSET, VOX_OFFSET,
    XYZT_UNITS,
};
use super::names::OutputNames;
use super::{DataType, NiftiError, Scaling, samples};
use crate::DataError;
use crate::atomic_file::{Existing, write_file};
use crate::volume::{Affine, Volume};

/// What stands in the field `descrip` of every file written.
pub const DESCRIPTION: &str = "synthetic, research only";

/// f32 volumes hardly shrink more at higher levels, which take several times as long.
const COMPRESSION: Compression = Compression::new(3);
/// Offsets between a header's grid and that of its volume up to which they are the same, in voxels.
const GRID_TOLERANCE: f64 = 1e-3;

/// The bytes of a `.nii` file.
///
/// Everything about the grid is that of the header, field for field. [`DESCRIPTION`] says what it is; the display range
/// (`cal_min`, `cal_max`), intent, and names are empty, and extensions that [may
/// identify](Extension::may_identify) a patient are left out. Integer types get a slope and an intercept with which no
/// voxel is clipped, or none where all values are whole and fit; NaN becomes 0.
///
/// # Errors
/// [`DataError::Nifti`] if shape or affine are not those of the header.
pub fn encode_nifti(volume: &Volume<NiftiHeader>, datatype: DataType) -> Result<Vec<u8>, DataError> {
    let name = Path::new("the volume to be written");
    check_grid(volume).map_err(|problem| DataError::nifti(name, problem))?;
    let encoder = Encoder::of(volume, datatype);
    let (head, voxels) = encoder.sizes(Place::SameFile);
    let mut bytes = Vec::with_capacity(head + voxels);
    encoder
        .write_head(&mut bytes, Place::SameFile)
        .and_then(|()| encoder.write_voxels(&mut bytes))
        .map_err(|error| DataError::io(name, "encode", error))?;
    Ok(bytes)
}

/// Writes a volume, whole or not at all: `.nii`, or a pair of `.hdr` and `.img` (either names it), compressed if the name
/// ends in `.gz`. See [`encode_nifti`] for what is in it.
///
/// # Errors
/// [`DataError::Exists`], [`DataError::Nifti`] for another extension or as [`encode_nifti`], [`DataError::Io`].
pub fn write_nifti(
    path: &Path,
    volume: &Volume<NiftiHeader>,
    datatype: DataType,
    existing: Existing,
) -> Result<(), DataError> {
    let named = |problem| DataError::nifti(path, problem);
    let failed = |error| DataError::io(path, "encode", error);
    let names = OutputNames::of(path).map_err(named)?;
    check_grid(volume).map_err(named)?;
    let encoder = Encoder::of(volume, datatype);
    let Some(image) = &names.image else {
        let bytes =
            encoder.file(Some(Place::SameFile), Voxels::Included, names.compressed).map_err(failed)?;
        return write_file(&names.first, &bytes, existing);
    };
    if existing == Existing::Refuse {
        refuse_existing(&names.first)?;
    }
    let header = encoder.file(Some(Place::Image), Voxels::Elsewhere, names.compressed).map_err(failed)?;
    let voxels = encoder.file(None, Voxels::Included, names.compressed).map_err(failed)?;
    // The header comes last, so that a header never stands without its voxels.
    write_file(image, &voxels, existing)?;
    write_file(&names.first, &header, existing).inspect_err(|_| {
        if existing == Existing::Refuse {
            let _ = fs::remove_file(image);
        }
    })
}

fn refuse_existing(path: &Path) -> Result<(), DataError> {
    match path.symlink_metadata() {
        Ok(_) => Err(DataError::Exists { path: path.to_owned() }),
        Err(_) => Ok(()),
    }
}

fn check_grid(volume: &Volume<NiftiHeader>) -> Result<(), NiftiError> {
    let header = &volume.header;
    let (shape, expected) = (<[usize; 3]>::from(volume.voxels.dim()), header.shape());
    if shape == expected && farthest_voxels(&volume.affine, &header.affine, shape) <= GRID_TOLERANCE {
        return Ok(());
    }
    let described = |shape: [usize; 3], affine: &Affine| {
        let lengths = shape.map(|length| length as u64);
        format!("{}, affine {:?}", super::header::by(&lengths), affine.rows())
    };
    Err(NiftiError::OtherGrid {
        volume: described(shape, &volume.affine),
        header: described(expected, &header.affine),
    })
}

/// How far the corners of two grids are apart at most, in voxels of the first.
fn farthest_voxels(one: &Affine, other: &Affine, shape: [usize; 3]) -> f64 {
    let smallest_mm = one.voxel_mm().into_iter().fold(f64::INFINITY, f64::min);
    let corners = (0..8).map(|corner| {
        let voxel = std::array::from_fn(|axis| {
            if corner >> axis & 1 == 1 { shape[axis].saturating_sub(1) as f64 } else { 0.0 }
        });
        let (a, b) = (one.ras_mm(voxel), other.ras_mm(voxel));
        (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
    });
    corners.fold(0.0, f64::max) / smallest_mm
}

#[derive(PartialEq)]
enum Voxels {
    Included,
    Elsewhere,
}

struct Encoder<'a> {
    header: &'a NiftiHeader,
    voxels: ArrayView3<'a, f32>,
    datatype: DataType,
    scaling: Scaling,
    extensions: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn of(volume: &'a Volume<NiftiHeader>, datatype: DataType) -> Self {
        let kept = volume.header.extensions.iter().filter(|extension| !extension.may_identify());
        Self {
            header: &volume.header,
            voxels: volume.voxels.view(),
            datatype,
            scaling: Scaling::to_store(volume.voxels.view(), datatype),
            extensions: Extension::encode(kept),
        }
    }

    /// Bytes before the voxels and of the voxels, padding included: f32 offsets must be multiples of 16.
    fn sizes(&self, place: Place) -> (usize, usize) {
        let head = self.header.version.header_bytes() + self.extensions.len();
        let head = if place == Place::SameFile { head.next_multiple_of(16) } else { head };
        (head, self.voxels.len() * self.datatype.bytes())
    }

    fn file(&self, head: Option<Place>, voxels: Voxels, compressed: bool) -> io::Result<Vec<u8>> {
        let write = |out: &mut dyn Write| {
            let mut out = out;
            if let Some(place) = head {
                self.write_head(&mut out, place)?;
            }
            if voxels == Voxels::Included { self.write_voxels(&mut out) } else { Ok(()) }
        };
        if compressed {
            // Without time and name, so that equal volumes give equal files.
            let mut out = GzBuilder::new().write(Vec::new(), COMPRESSION);
            write(&mut out)?;
            return out.finish();
        }
        let (header, image) = self.sizes(head.unwrap_or(Place::Image));
        let mut bytes = Vec::with_capacity(header + if voxels == Voxels::Included { image } else { 0 });
        write(&mut bytes)?;
        Ok(bytes)
    }

    fn write_voxels(&self, out: &mut impl Write) -> io::Result<()> {
        samples::write(out, self.voxels, self.datatype, self.scaling)
    }

    fn write_head(&self, out: &mut impl Write, place: Place) -> io::Result<()> {
        let geometry = &self.header.geometry;
        let mut block = Block::empty(self.header.version);
        block.set_constants(place, DESCRIPTION);
        let (head, _) = self.sizes(place);
        let offset = if place == Place::SameFile { head } else { 0 };
        let single = [
            (DIM_INFO, geometry.dim_info as f64),
            (DATATYPE, self.datatype.code() as f64),
            (BITPIX, (8 * self.datatype.bytes()) as f64),
            (SLICE_START, geometry.slice_start as f64),
            (SLICE_END, geometry.slice_end as f64),
            (SLICE_CODE, geometry.slice_code as f64),
            (SLICE_DURATION, geometry.slice_duration),
            (TOFFSET, geometry.toffset),
            (XYZT_UNITS, geometry.xyzt_units as f64),
            (VOX_OFFSET, offset as f64),
            (SCL_SLOPE, self.scaling.slope),
            (SCL_INTER, self.scaling.inter),
            (QFORM_CODE, geometry.qform.code.into()),
            (SFORM_CODE, geometry.sform.code.into()),
        ];
        single.into_iter().for_each(|(field, value)| block.set(field, 0, value));
        let mut array = |field: Field, values: &[f64]| {
            values.iter().enumerate().for_each(|(index, &value)| block.set(field, index, value));
        };
        array(DIM, &geometry.dim.map(|length| length as f64));
        array(PIXDIM, &geometry.pixdim);
        array(QUATERN, &geometry.qform.bcd);
        array(QOFFSET, &geometry.qform.offset_mm);
        array(SROW, geometry.sform.rows.as_flattened());
        let header = block.bytes.get(..self.header.version.header_bytes()).unwrap_or_default();
        out.write_all(header)?;
        out.write_all(&self.extensions)?;
        let padding = head - header.len() - self.extensions.len();
        out.write_all([0; 16].get(..padding).unwrap_or_default())
    }
}
