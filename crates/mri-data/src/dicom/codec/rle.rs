//! RLE Lossless (PS3.5 annex G): each byte of the pixels is a plane of its own, the most significant first, packed as in
//! TIFF's PackBits.

use crate::dicom::pixels::PixelFormat;

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Vec<u32>, String> {
    let words: Vec<usize> =
        bytes.as_chunks().0.iter().take(16).map(|word| u32::from_le_bytes(*word) as usize).collect();
    let [count, offsets @ ..] = words.as_slice() else { return Err("no header".into()) };
    let planes = format.bits_allocated.div_ceil(8) as usize;
    if *count != planes || offsets.len() != 15 {
        return Err(format!("{count} segments where {planes} are expected"));
    }
    let mut pixels = vec![0u32; format.frame_px()];
    for plane in 0..planes {
        let start = offsets.get(plane).copied().unwrap_or_default();
        let end = offsets.get(plane + 1).copied().filter(|_| plane + 1 < planes).unwrap_or(bytes.len());
        let segment = bytes.get(start..end).filter(|_| start >= 64).ok_or("a segment outside of the data")?;
        unpack(segment, &mut pixels).ok_or_else(|| format!("segment {} is too short", plane + 1))?;
    }
    Ok(pixels)
}

/// Shifts one more byte into every pixel.
fn unpack(segment: &[u8], pixels: &mut [u32]) -> Option<()> {
    let mut bytes = segment.iter().copied();
    let mut pixels = pixels.iter_mut();
    while pixels.len() > 0 {
        match bytes.next()? {
            length @ 0..=127 => {
                for pixel in pixels.by_ref().take(usize::from(length) + 1) {
                    *pixel = *pixel << 8 | u32::from(bytes.next()?);
                }
            }
            128 => {}
            length => {
                let value = u32::from(bytes.next()?);
                pixels
                    .by_ref()
                    .take(257 - usize::from(length))
                    .for_each(|pixel| *pixel = *pixel << 8 | value);
            }
        }
    }
    Some(())
}
