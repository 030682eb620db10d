//! Where each field stands in the headers of the two versions.

use super::header::{ByteOrder, Version};

/// The longer of the two headers.
pub(super) const MAX_HEADER_BYTES: usize = 540;

#[derive(Clone, Copy)]
enum Kind {
    U8,
    I16,
    I32,
    I64,
    F32,
    F64,
}
use Kind::{F32, F64, I16, I32, I64, U8};

impl Kind {
    fn bytes(self) -> usize {
        match self {
            U8 => 1,
            I16 => 2,
            I32 | F32 => 4,
            I64 | F64 => 8,
        }
    }
}

/// A field: its name, and its offset and kind in version 1 and 2.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    slots: [(usize, Kind); 2],
}

const fn field(name: &'static str, one: (usize, Kind), two: (usize, Kind)) -> Field {
    Field { name, slots: [one, two] }
}

pub(super) const SIZEOF_HDR: Field = field("sizeof_hdr", (0, I32), (0, I32));
pub(super) const DIM_INFO: Field = field("dim_info", (39, U8), (524, U8));
pub(super) const DIM: Field = field("dim", (40, I16), (16, I64));
pub(super) const DATATYPE: Field = field("datatype", (70, I16), (12, I16));
pub(super) const BITPIX: Field = field("bitpix", (72, I16), (14, I16));
pub(super) const SLICE_START: Field = field("slice_start", (74, I16), (224, I64));
pub(super) const PIXDIM: Field = field("pixdim", (76, F32), (104, F64));
pub(super) const VOX_OFFSET: Field = field("vox_offset", (108, F32), (168, I64));
pub(super) const SCL_SLOPE: Field = field("scl_slope", (112, F32), (176, F64));
pub(super) const SCL_INTER: Field = field("scl_inter", (116, F32), (184, F64));
pub(super) const SLICE_END: Field = field("slice_end", (120, I16), (232, I64));
pub(super) const SLICE_CODE: Field = field("slice_code", (122, U8), (496, I32));
pub(super) const XYZT_UNITS: Field = field("xyzt_units", (123, U8), (500, I32));
pub(super) const SLICE_DURATION: Field = field("slice_duration", (132, F32), (208, F64));
pub(super) const TOFFSET: Field = field("toffset", (136, F32), (216, F64));
pub(super) const QFORM_CODE: Field = field("qform_code", (252, I16), (344, I32));
pub(super) const SFORM_CODE: Field = field("sform_code", (254, I16), (348, I32));
pub(super) const QUATERN: Field = field("quatern_b, quatern_c, quatern_d", (256, F32), (352, F64));
pub(super) const QOFFSET: Field = field("qoffset_x, qoffset_y, qoffset_z", (268, F32), (376, F64));
pub(super) const SROW: Field = field("srow_x, srow_y, srow_z", (280, F32), (400, F64));
/// The first letter of the constant field `regular`, of version 1 only; in version 2 a byte of the unused end.
pub(super) const MAGIC: &str = "magic";

const REGULAR_OFFSET: usize = 38;
const DESCRIP_OFFSETS: [usize; 2] = [148, 240];
const MAGIC_OFFSETS: [usize; 2] = [344, 4];
/// What follows the magic of version 2: it shows whether line ends were converted on the way.
const LINE_ENDS: &[u8] = b"\r\n\x1a\n";

/// The bytes of a header.
pub(super) struct Block {
    pub(super) bytes: [u8; MAX_HEADER_BYTES],
    pub(super) version: Version,
    pub(super) order: ByteOrder,
}

/// Whether the voxels follow in the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    SameFile,
    Image,
}

impl Block {
    pub(super) fn empty(version: Version) -> Self {
        Self { bytes: [0; MAX_HEADER_BYTES], version, order: ByteOrder::Little }
    }

    fn slot(&self, field: Field, index: usize) -> (usize, Kind) {
        let [one, two] = field.slots;
        let (offset, kind) = if self.version == Version::One { one } else { two };
        (offset + index * kind.bytes(), kind)
    }

    fn raw<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut raw = [0; N];
        raw.iter_mut().zip(self.bytes.iter().skip(offset)).for_each(|(to, from)| *to = *from);
        if self.order == ByteOrder::Big {
            raw.reverse();
        }
        raw
    }

    /// An integer field; `index` counts within fields that are arrays.
    pub(super) fn integer(&self, field: Field, index: usize) -> i64 {
        let (offset, kind) = self.slot(field, index);
        match kind {
            U8 => u8::from_le_bytes(self.raw(offset)).into(),
            I16 => i16::from_le_bytes(self.raw(offset)).into(),
            I32 => i32::from_le_bytes(self.raw(offset)).into(),
            I64 => i64::from_le_bytes(self.raw(offset)),
            F32 => f32::from_le_bytes(self.raw(offset)) as i64,
            F64 => f64::from_le_bytes(self.raw(offset)) as i64,
        }
    }

    /// A field of any kind as a number.
    pub(super) fn number(&self, field: Field, index: usize) -> f64 {
        let (offset, kind) = self.slot(field, index);
        match kind {
            F32 => f32::from_le_bytes(self.raw(offset)).into(),
            F64 => f64::from_le_bytes(self.raw(offset)),
            U8 | I16 | I32 | I64 => self.integer(field, index) as f64,
        }
    }

    pub(super) fn numbers<const N: usize>(&self, field: Field, first: usize) -> [f64; N] {
        std::array::from_fn(|index| self.number(field, first + index))
    }

    fn put(&mut self, offset: usize, little: &[u8]) {
        self.bytes.iter_mut().skip(offset).zip(little).for_each(|(to, from)| *to = *from);
    }

    /// Writes an integer or a number, little endian. Values that the kind cannot hold saturate.
    pub(super) fn set(&mut self, field: Field, index: usize, value: f64) {
        let (offset, kind) = self.slot(field, index);
        match kind {
            U8 => self.put(offset, &(value as u8).to_le_bytes()),
            I16 => self.put(offset, &(value as i16).to_le_bytes()),
            I32 => self.put(offset, &(value as i32).to_le_bytes()),
            I64 => self.put(offset, &(value as i64).to_le_bytes()),
            F32 => self.put(offset, &(value as f32).to_le_bytes()),
            F64 => self.put(offset, &value.to_le_bytes()),
        }
    }

    /// Where the voxels are by the magic, if that is one of the four.
    pub(super) fn place(&self) -> Option<Place> {
        let offset = MAGIC_OFFSETS[self.version.index()];
        let magic = self.bytes.get(offset..offset + 4)?;
        let place = match (self.version, magic) {
            (Version::One, b"n+1\0") | (Version::Two, b"n+2\0") => Place::SameFile,
            (Version::One, b"ni1\0") | (Version::Two, b"ni2\0") => Place::Image,
            _ => return None,
        };
        let line_ends = self.bytes.get(offset + 4..offset + 8)?;
        let whole = self.version == Version::One || line_ends == LINE_ENDS || line_ends == [0; 4];
        whole.then_some(place)
    }

    /// Writes the fields that are the same in every file, and what the file is.
    pub(super) fn set_constants(&mut self, place: Place, description: &str) {
        let version = self.version;
        self.set(SIZEOF_HDR, 0, version.header_bytes() as f64);
        let magic: &[u8] = match (version, place) {
            (Version::One, Place::SameFile) => b"n+1\0",
            (Version::One, Place::Image) => b"ni1\0",
            (Version::Two, Place::SameFile) => b"n+2\0\r\n\x1a\n",
            (Version::Two, Place::Image) => b"ni2\0\r\n\x1a\n",
        };
        self.put(MAGIC_OFFSETS[version.index()], magic);
        if version == Version::One {
            self.put(REGULAR_OFFSET, b"r");
        }
        // 80 bytes with the zero that ends it.
        let end = description.len().min(79);
        self.put(DESCRIP_OFFSETS[version.index()], description.as_bytes().get(..end).unwrap_or_default());
    }
}
