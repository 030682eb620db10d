//! Frames of compressed pixels. Every decoder is handed the size that the data set declares, and refuses another one.

mod jpeg;
mod jpeg2000;
mod jpegls;
mod rle;

use super::pixels::PixelFormat;
use super::syntax::PixelCoding;

/// The stored bits of each pixel of a frame, row by row; negative ones in two's complement of 32 bits.
pub(super) fn decode(coding: PixelCoding, bytes: &[u8], format: &PixelFormat) -> Result<Vec<u32>, String> {
    match coding {
        PixelCoding::Native => Err("not compressed".into()),
        PixelCoding::Rle => rle::decode(bytes, format),
        PixelCoding::Jpeg => jpeg::decode(bytes, format),
        PixelCoding::JpegLs => jpegls::decode(bytes, format),
        PixelCoding::Jpeg2000 => jpeg2000::decode(bytes, format),
    }
}

/// What is wrong with a size that a codestream declares, if it is not that of the data set.
fn check_size(format: &PixelFormat, columns: u32, rows: u32) -> Result<(), String> {
    if (rows as usize, columns as usize) == (format.rows, format.columns) {
        Ok(())
    } else {
        Err(format!("it holds {rows} x {columns} px instead of {} x {}", format.rows, format.columns))
    }
}

fn check_depth(format: &PixelFormat, bits: u32) -> Result<(), String> {
    if bits <= format.bits_allocated {
        Ok(())
    } else {
        Err(format!("it holds {bits} bits a pixel, more than the {} allocated", format.bits_allocated))
    }
}
