//! An image to the bytes of a file.

use std::io::Cursor;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::codecs::tiff::TiffEncoder;
use ::image::{ExtendedColorType, ImageEncoder};

use super::content::Format;
use super::{BitDepth, Image};
use crate::ImageError;

const JPEG_QUALITY: u8 = 95;

/// Encodes a grey image; values are rounded and clipped to the depth. JPEG is written at quality 95.
///
/// # Errors
/// [`ImageError::NoPixels`], [`ImageError::NotFinite`], or [`ImageError::Unsupported`] for a 16-bit JPEG.
pub fn encode_image(image: &Image, format: Format) -> Result<Vec<u8>, ImageError> {
    let (height, width) = image.pixels.dim();
    let (Ok(columns), Ok(rows)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(ImageError::NoPixels { height, width });
    };
    if columns == 0 || rows == 0 {
        return Err(ImageError::NoPixels { height, width });
    }
    if let Some(((row, column), &value)) = image.pixels.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(ImageError::NotFinite { row, column, value });
    }
    let clipped = image.pixels.iter().map(|value| value.round().clamp(0.0, image.depth.max_value()));
    let (samples, color): (Vec<u8>, _) = match image.depth {
        BitDepth::Eight => (clipped.map(|value| value as u8).collect(), ExtendedColorType::L8),
        BitDepth::Sixteen => {
            (clipped.flat_map(|value| (value as u16).to_ne_bytes()).collect(), ExtendedColorType::L16)
        }
        BitDepth::Float => {
            let reason = "slices of volumes are written as NIfTI or DICOM".into();
            return Err(ImageError::Unsupported { format: format.name(), reason });
        }
    };
    let mut bytes = Cursor::new(Vec::new());
    let written = match format {
        Format::Png => PngEncoder::new(&mut bytes).write_image(&samples, columns, rows, color),
        Format::Tiff => TiffEncoder::new(&mut bytes).write_image(&samples, columns, rows, color),
        Format::Jpeg => JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
            .write_image(&samples, columns, rows, color),
    };
    written.map_err(|error| ImageError::Unsupported { format: format.name(), reason: error.to_string() })?;
    Ok(bytes.into_inner())
}
