//! Types of voxels.

use std::fmt;
use std::str::FromStr;

/// A type that voxels can be read from and written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum DataType {
    /// 8 bit, unsigned.
    U8,
    /// 8 bit, signed.
    I8,
    /// 16 bit, unsigned.
    U16,
    /// 16 bit, signed.
    I16,
    /// 32 bit, unsigned.
    U32,
    /// 32 bit, signed.
    I32,
    /// 64 bit, unsigned.
    U64,
    /// 64 bit, signed.
    I64,
    /// 32-bit floating point.
    #[default]
    F32,
    /// 64-bit floating point.
    F64,
}

impl DataType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
    ];

    /// As numpy calls it, such as `int16`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Bytes of one voxel.
    pub fn bytes(self) -> usize {
        self.row().2
    }

    /// Least and greatest value; none for floating point.
    pub fn range(self) -> Option<(f64, f64)> {
        match self {
            Self::U8 => Some((0.0, f64::from(u8::MAX))),
            Self::I8 => Some((f64::from(i8::MIN), f64::from(i8::MAX))),
            Self::U16 => Some((0.0, f64::from(u16::MAX))),
            Self::I16 => Some((f64::from(i16::MIN), f64::from(i16::MAX))),
            Self::U32 => Some((0.0, f64::from(u32::MAX))),
            Self::I32 => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
            Self::U64 => Some((0.0, u64::MAX as f64)),
            Self::I64 => Some((i64::MIN as f64, i64::MAX as f64)),
            Self::F32 | Self::F64 => None,
        }
    }

    pub(super) fn code(self) -> i64 {
        self.row().0
    }

    /// Code of the standard, name, bytes.
    fn row(self) -> (i64, &'static str, usize) {
        match self {
            Self::U8 => (2, "uint8", 1),
            Self::I8 => (256, "int8", 1),
            Self::U16 => (512, "uint16", 2),
            Self::I16 => (4, "int16", 2),
            Self::U32 => (768, "uint32", 4),
            Self::I32 => (8, "int32", 4),
            Self::U64 => (1280, "uint64", 8),
            Self::I64 => (1024, "int64", 8),
            Self::F32 => (16, "float32", 4),
            Self::F64 => (64, "float64", 8),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DataType {
    type Err = String;

    /// By numpy's name (`int16`) or Rust's (`i16`).
    fn from_str(name: &str) -> Result<Self, String> {
        let rust = |one: &Self| format!("{one:?}").to_ascii_lowercase() == name;
        Self::ALL.into_iter().find(|one| one.name() == name || rust(one)).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is no type of voxels: use one of {names}")
        })
    }
}

/// The type of the voxels in a file, which may be one that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// Single real numbers.
    Real(DataType),
    /// Something else, by its name, such as RGB24.
    Other(&'static str),
}

impl StoredType {
    /// By the code in the field `datatype`, if the standard has it.
    pub(super) fn of_code(code: i64) -> Option<Self> {
        let other = match code {
            1 => "binary (1 bit)",
            32 => "complex64",
            128 => "RGB24",
            1536 => "float128",
            1792 => "complex128",
            2048 => "complex256",
            2304 => "RGBA32",
            _ => return DataType::ALL.into_iter().find(|one| one.code() == code).map(Self::Real),
        };
        Some(Self::Other(other))
    }

    /// As numpy calls it, or the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real(real) => real.name(),
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
