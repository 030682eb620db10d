//! What a NIfTI header says about the grid of its voxels.

use super::extension::Extension;
use super::form::{self, Form, Qform, Sform};
use super::{NiftiError, Scaling, StoredType};
use crate::volume::Affine;

/// Version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// NIfTI-1: at most 32,767 voxels along an axis, f32 numbers.
    One,
    /// NIfTI-2: wider fields.
    Two,
}

impl Version {
    /// 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    pub(super) fn index(self) -> usize {
        usize::from(self == Self::Two)
    }

    pub(super) fn header_bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }
}

/// Order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
}

/// Unit of the lengths in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthUnit {
    /// Not said; taken for millimetres, as everybody does.
    Unknown,
    /// Metres.
    Metre,
    /// Millimetres.
    Millimetre,
    /// Micrometres.
    Micron,
}

impl LengthUnit {
    fn mm(self) -> f64 {
        match self {
            Self::Unknown | Self::Millimetre => 1.0,
            Self::Metre => 1e3,
            Self::Micron => 1e-3,
        }
    }
}

/// The header of a NIfTI file, without what it says about a patient: the grid with both forms and their codes, units,
/// timing, type of the voxels, extensions.
#[derive(Debug, Clone, PartialEq)]
pub struct NiftiHeader {
    pub(super) version: Version,
    pub(super) byte_order: ByteOrder,
    pub(super) stored: StoredType,
    pub(super) scaling: Option<Scaling>,
    pub(super) voxels_at: u64,
    pub(super) geometry: Geometry,
    pub(super) affine: Affine,
    pub(super) form: Form,
    pub(super) extensions: Vec<Extension>,
}

/// Fields that a volume on the same grid has too, as they are in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Geometry {
    pub(super) dim: [i64; 8],
    pub(super) pixdim: [f64; 8],
    pub(super) qform: Qform,
    pub(super) sform: Sform,
    pub(super) dim_info: i64,
    pub(super) xyzt_units: i64,
    pub(super) slice_start: i64,
    pub(super) slice_end: i64,
    pub(super) slice_code: i64,
    pub(super) slice_duration: f64,
    pub(super) toffset: f64,
}

const MILLIMETRES: i64 = 2;
const SCANNER: u8 = 1;

impl Geometry {
    pub(super) fn unit(&self) -> LengthUnit {
        match self.xyzt_units & 7 {
            1 => LengthUnit::Metre,
            2 => LengthUnit::Millimetre,
            3 => LengthUnit::Micron,
            _ => LengthUnit::Unknown,
        }
    }

    /// In millimetres.
    pub(super) fn affine(&self) -> Result<(Affine, Form), NiftiError> {
        let (mut affine, form) = form::affine(&self.dim, &self.pixdim, &self.qform, &self.sform)?;
        let mm = self.unit().mm();
        affine.linear.iter_mut().flatten().chain(&mut affine.origin_mm).for_each(|number| *number *= mm);
        Ok((affine, form))
    }
}

impl NiftiHeader {
    /// A header for voxels that come from elsewhere: scanner space, sform and (unless the axes are sheared) qform,
    /// millimetres. NIfTI-1, or NIfTI-2 where an axis is too long for it.
    pub fn for_grid(affine: &Affine, shape: [usize; 3]) -> Self {
        let long = |length: &usize| *length > i16::MAX as usize;
        let [i, j, k] = shape.map(|length| length as i64);
        let [di, dj, dk] = affine.voxel_mm();
        let without = Qform { code: 0, bcd: [0.0; 3], offset_mm: [0.0; 3] };
        let (qform, sign) = Qform::of(affine, SCANNER).unwrap_or((without, 1.0));
        Self {
            version: if shape.iter().any(long) { Version::Two } else { Version::One },
            byte_order: ByteOrder::Little,
            stored: StoredType::Real(super::DataType::F32),
            scaling: None,
            voxels_at: 0,
            geometry: Geometry {
                dim: [3, i, j, k, 1, 1, 1, 1],
                pixdim: [sign, di, dj, dk, 0.0, 0.0, 0.0, 0.0],
                qform,
                sform: Sform { code: SCANNER, rows: affine.rows() },
                dim_info: 0,
                xyzt_units: MILLIMETRES,
                slice_start: 0,
                slice_end: 0,
                slice_code: 0,
                slice_duration: 0.0,
                toffset: 0.0,
            },
            affine: *affine,
            form: Form::Sform(SCANNER),
            extensions: Vec::new(),
        }
    }

    /// Version of the format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Order of the bytes in the file that was read. Files are written little endian.
    pub fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// Lengths of the three axes in space, in file order; 1 for an axis that a flat file does not have.
    pub fn shape(&self) -> [usize; 3] {
        let [_, i, j, k, ..] = self.dims_with_ones();
        [i, j, k].map(|length| usize::try_from(length).unwrap_or_default())
    }

    /// Lengths of all axes that the file declares, in space and beyond: of a time series four.
    pub fn dimensions(&self) -> Vec<u64> {
        let [rank, lengths @ ..] = self.geometry.dim;
        lengths.iter().take(rank.unsigned_abs() as usize).map(|length| length.unsigned_abs()).collect()
    }

    /// Volumes in the file: above 1 for time series, vectors and the like, which are not read.
    pub fn volumes(&self) -> u64 {
        let [_, _, _, _, beyond @ ..] = self.dims_with_ones();
        beyond.iter().fold(1, |volumes: u64, length| volumes.saturating_mul(length.unsigned_abs()))
    }

    fn dims_with_ones(&self) -> [i64; 8] {
        let rank = self.geometry.dim[0];
        let mut axis = -1;
        self.geometry.dim.map(|length| {
            axis += 1;
            if axis > rank { 1 } else { length }
        })
    }

    /// Voxel sizes along the axes, in millimetres.
    pub fn voxel_mm(&self) -> [f64; 3] {
        self.affine.voxel_mm()
    }

    /// Where voxel `[i, j, k]` lies, in RAS millimetres.
    pub fn affine(&self) -> &Affine {
        &self.affine
    }

    /// Where the affine is from.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Unit of the lengths in the file. [`Self::affine`] and [`Self::voxel_mm`] are in millimetres in any case.
    pub fn unit(&self) -> LengthUnit {
        self.geometry.unit()
    }

    /// Type of the voxels in the file.
    pub fn datatype(&self) -> StoredType {
        self.stored
    }

    /// Slope and intercept, where the file has a slope that is finite and not 0.
    pub fn scaling(&self) -> Option<Scaling> {
        self.scaling
    }

    /// Blocks of other programs.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Whether the file holds one volume of single real numbers: what [`read_nifti`](super::read_nifti) reads.
    ///
    /// # Errors
    /// [`NiftiError::Series`] or [`NiftiError::NotReal`] says why not.
    pub fn check_readable(&self) -> Result<super::DataType, NiftiError> {
        let StoredType::Real(datatype) = self.stored else {
            return Err(NiftiError::NotReal { name: self.stored.name() });
        };
        match self.volumes() {
            1 => Ok(datatype),
            volumes => {
                let dimensions = self.dimensions();
                Err(NiftiError::Series { shape: by(&dimensions), rank: dimensions.len(), volumes })
            }
        }
    }
}

/// As in `64 x 64 x 10`.
pub(super) fn by(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}
