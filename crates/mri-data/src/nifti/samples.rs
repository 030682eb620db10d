//! Bytes to voxels and back.

use std::io::{self, Write};

use ndarray::ArrayView3;

use super::header::ByteOrder;
use super::{DataType, Scaling};

/// Appends the voxels that `raw` holds, in real units. Bytes that make no whole voxel are left out.
pub(super) fn append(
    voxels: &mut Vec<f32>,
    raw: &[u8],
    datatype: DataType,
    order: ByteOrder,
    scaling: Option<Scaling>,
) {
    macro_rules! append {
        ($stored:ty) => {{
            let (stored, _) = raw.as_chunks::<{ size_of::<$stored>() }>();
            match (order, scaling) {
                (ByteOrder::Little, None) => {
                    voxels.extend(stored.iter().map(|&one| <$stored>::from_le_bytes(one) as f32));
                }
                (ByteOrder::Big, None) => {
                    voxels.extend(stored.iter().map(|&one| <$stored>::from_be_bytes(one) as f32));
                }
                (ByteOrder::Little, Some(line)) => {
                    voxels.extend(stored.iter().map(|&one| line.real(<$stored>::from_le_bytes(one) as f64)));
                }
                (ByteOrder::Big, Some(line)) => {
                    voxels.extend(stored.iter().map(|&one| line.real(<$stored>::from_be_bytes(one) as f64)));
                }
            }
        }};
    }
    match datatype {
        DataType::U8 => append!(u8),
        DataType::I8 => append!(i8),
        DataType::U16 => append!(u16),
        DataType::I16 => append!(i16),
        DataType::U32 => append!(u32),
        DataType::I32 => append!(i32),
        DataType::U64 => append!(u64),
        DataType::I64 => append!(i64),
        DataType::F32 => append!(f32),
        DataType::F64 => append!(f64),
    }
}

/// Writes the voxels little endian, the first axis fastest. Casts to integers saturate, so that infinities and what cannot be
/// reached become the ends.
pub(super) fn write(
    out: &mut impl Write,
    voxels: ArrayView3<'_, f32>,
    datatype: DataType,
    scaling: Scaling,
) -> io::Result<()> {
    let in_file_order = voxels.reversed_axes();
    let mut row = Vec::new();
    macro_rules! write {
        ($value:ident => $stored:expr) => {
            for line in in_file_order.rows() {
                row.clear();
                line.iter().for_each(|&$value| row.extend_from_slice(&($stored).to_le_bytes()));
                out.write_all(&row)?;
            }
        };
    }
    match datatype {
        DataType::U8 => write!(value => scaling.stored(value) as u8),
        DataType::I8 => write!(value => scaling.stored(value) as i8),
        DataType::U16 => write!(value => scaling.stored(value) as u16),
        DataType::I16 => write!(value => scaling.stored(value) as i16),
        DataType::U32 => write!(value => scaling.stored(value) as u32),
        DataType::I32 => write!(value => scaling.stored(value) as i32),
        DataType::U64 => write!(value => scaling.stored(value) as u64),
        DataType::I64 => write!(value => scaling.stored(value) as i64),
        DataType::F32 => write!(value => value),
        DataType::F64 => write!(value => f64::from(value)),
    }
    Ok(())
}
