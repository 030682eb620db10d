//! JPEG 2000, by `hayro-jpeg2000`, which is written in safe Rust.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::{check_depth, check_size};
use crate::dicom::pixels::PixelFormat;

/// SOC and SIZ.
const START: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
/// Real files have one tile, or some hundred.
const MAX_TILES: u64 = 1 << 14;

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Vec<u32>, String> {
    // DICOM has the bare codestream; some writers put it into a JP2 container.
    let start = bytes.windows(4).take(1 << 10).position(|four| four == START).ok_or("no codestream")?;
    let codestream = bytes.get(start..).unwrap_or_default();
    let size = ImageSize::read(codestream).ok_or("the header is cut off")?;
    if size.components != 1 {
        return Err(format!("{} components where one is expected", size.components));
    }
    check_size(format, size.columns, size.rows)?;
    check_depth(format, size.bits)?;
    if size.tiles > MAX_TILES {
        return Err(format!("{} tiles", size.tiles));
    }
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let image = Image::new(codestream, &settings).map_err(|error| error.to_string())?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|error| error.to_string())?;
    let samples = decoded.components().first().ok_or("no component")?.samples();
    if samples.len() != format.frame_px() {
        return Err("not all pixels are there".into());
    }
    // The decoder moves all samples up by half the range, as is right for unsigned ones only.
    let (low, high, offset) = if size.signed {
        let half = 2f32.powi(size.bits as i32 - 1);
        (-half, half - 1.0, half)
    } else {
        (0.0, 2f32.powi(size.bits as i32) - 1.0, 0.0)
    };
    Ok(samples.iter().map(|sample| (sample - offset).round().clamp(low, high) as i64 as u32).collect())
}

/// What the SIZ marker says.
struct ImageSize {
    columns: u32,
    rows: u32,
    tiles: u64,
    components: u16,
    bits: u32,
    signed: bool,
}

impl ImageSize {
    fn read(codestream: &[u8]) -> Option<Self> {
        let long = |at: usize| {
            codestream.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
        };
        let [right, bottom, left, top] = [long(8)?, long(12)?, long(16)?, long(20)?];
        let [tile_width, tile_height] = [long(24)?, long(28)?];
        let components = u16::from_be_bytes([*codestream.get(40)?, *codestream.get(41)?]);
        let depth = *codestream.get(42)?;
        if tile_width == 0 || tile_height == 0 {
            return None;
        }
        Some(Self {
            columns: right.checked_sub(left)?,
            rows: bottom.checked_sub(top)?,
            tiles: u64::from(right.div_ceil(tile_width)) * u64::from(bottom.div_ceil(tile_height)),
            components,
            bits: u32::from(depth & 0x7F) + 1,
            signed: depth & 0x80 != 0,
        })
    }
}
