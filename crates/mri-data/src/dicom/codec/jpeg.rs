//! JPEG baseline and lossless, by `jpeg-decoder`.

use jpeg_decoder::{Decoder, PixelFormat as Decoded};

use super::{check_depth, check_size};
use crate::dicom::pixels::PixelFormat;

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Vec<u32>, String> {
    let frame = frame_header(bytes).ok_or("no frame header")?;
    if frame.components != 1 {
        return Err(format!("{} components where one is expected", frame.components));
    }
    check_size(format, frame.columns, frame.rows)?;
    check_depth(format, frame.bits)?;
    let mut decoder = Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(format.frame_px().saturating_mul(2));
    let decoded = decoder.decode().map_err(|error| error.to_string())?;
    let pixels: Vec<u32> = match decoder.info().map(|info| info.pixel_format) {
        Some(Decoded::L8) => decoded.iter().map(|&byte| byte.into()).collect(),
        Some(Decoded::L16) => {
            decoded.as_chunks().0.iter().map(|word| u16::from_ne_bytes(*word).into()).collect()
        }
        _ => return Err("not a grey image".into()),
    };
    if pixels.len() == format.frame_px() { Ok(pixels) } else { Err("not all pixels are there".into()) }
}

struct FrameHeader {
    bits: u32,
    rows: u32,
    columns: u32,
    components: u8,
}

/// The first frame header, so that sizes are known before anything is allocated.
fn frame_header(bytes: &[u8]) -> Option<FrameHeader> {
    let mut at = 2;
    loop {
        let &[0xFF, marker, high, low] = bytes.get(at..at + 4)? else { return None };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        // SOF0 to SOF15, without DHT, JPG and DAC.
        if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            let &[bits, rows_high, rows_low, columns_high, columns_low, components] =
                bytes.get(at + 4..at + 10)?
            else {
                return None;
            };
            return Some(FrameHeader {
                bits: bits.into(),
                rows: u16::from_be_bytes([rows_high, rows_low]).into(),
                columns: u16::from_be_bytes([columns_high, columns_low]).into(),
                components,
            });
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}
