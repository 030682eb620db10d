//! Bytes to an image, with nothing allocated that the bytes do not warrant.

use std::io::Cursor;

use ::image::error::{ImageError as DecodeError, LimitErrorKind};
use ::image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array2;

use super::content::{self, Format};
use super::{BitDepth, Image};
use crate::ImageError;

/// The densest compression among the three formats is that of LZW and deflate on a constant image, 1 to about 1,400.
const MAX_BYTES_PER_FILE_BYTE: u64 = 2048;
/// No slice is larger: 512 MiB decoded.
const MAX_DECODED_BYTES: u64 = 1 << 29;
/// Chroma that JPEG rounding may leave on a grey image, in 8-bit units.
const JPEG_GREY_TOLERANCE: u16 = 4;

/// Decodes the bytes of a PNG, JPEG or TIFF. The content decides what it is; `extension` (lower case, no dot), where
/// given, must agree.
///
/// # Errors
/// What is wrong with the image, without its name.
pub fn decode_image(bytes: &[u8], extension: Option<&str>) -> Result<Image, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let format = checked_format(bytes, extension)?;
    match format {
        Format::Jpeg if !content::jpeg_is_complete(bytes) => {
            return Err(ImageError::Truncated { format: format.name() });
        }
        Format::Tiff if content::tiff_has_pages(bytes) => return Err(ImageError::Stack),
        _ => {}
    }
    decode(bytes, format)
}

fn checked_format(bytes: &[u8], extension: Option<&str>) -> Result<Format, ImageError> {
    let format = content::sniff(bytes).map_err(|found| ImageError::NotAnImage { found })?;
    match extension {
        Some(extension) if content::format_of(extension) != Some(format) => {
            Err(ImageError::WrongExtension { extension: extension.to_owned(), content: format.name() })
        }
        _ => Ok(format),
    }
}

fn decode(bytes: &[u8], format: Format) -> Result<Image, ImageError> {
    let file_bytes = bytes.len() as u64;
    let warranted = file_bytes.saturating_mul(MAX_BYTES_PER_FILE_BYTE).min(MAX_DECODED_BYTES);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(warranted.saturating_mul(2));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), codec(format));
    reader.limits(limits);
    let declared = content::png_size(bytes).unwrap_or_default();
    let decoder = reader.into_decoder().map_err(|error| explained(error, format, declared, file_bytes))?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > warranted {
        return Err(ImageError::TooLarge { width, height, file_bytes });
    }
    let (channels, depth) = layout(decoder.color_type(), format)?;
    let mut samples = vec![0_u8; decoder.total_bytes() as usize];
    decoder
        .read_image(&mut samples)
        .map_err(|error| explained(error, format, (width, height), file_bytes))?;
    let samples: Vec<u16> = if depth == BitDepth::Eight {
        samples.iter().map(|&byte| u16::from(byte)).collect()
    } else {
        samples.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect()
    };
    let grey = grey(&samples, channels, width as usize, format)?;
    let pixels = Array2::from_shape_vec((height as usize, width as usize), grey)
        .map_err(|error| ImageError::Damaged { format: format.name(), reason: error.to_string() })?;
    Ok(Image { pixels, depth })
}

fn codec(format: Format) -> ImageFormat {
    match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Tiff => ImageFormat::Tiff,
    }
}

/// Channels per pixel and depth.
fn layout(color: ColorType, format: Format) -> Result<(usize, BitDepth), ImageError> {
    match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => {
            Ok((color.channel_count().into(), BitDepth::Eight))
        }
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => {
            Ok((color.channel_count().into(), BitDepth::Sixteen))
        }
        other => Err(ImageError::Unsupported {
            format: format.name(),
            reason: format!("pixels of type {other:?}; 8 and 16 bit integers are read"),
        }),
    }
}

fn grey(samples: &[u16], channels: usize, width: usize, format: Format) -> Result<Vec<f32>, ImageError> {
    if channels < 3 {
        return Ok(samples.iter().step_by(channels).map(|&sample| f32::from(sample)).collect());
    }
    let tolerance = if format == Format::Jpeg { JPEG_GREY_TOLERANCE } else { 0 };
    let pixel = |(index, rgb): (usize, &[u16])| {
        let (red, green, blue) = (rgb[0], rgb[1], rgb[2]);
        let spread = red.max(green).max(blue) - red.min(green).min(blue);
        if spread > tolerance {
            let (row, column) = (index / width, index % width);
            return Err(ImageError::Colour { row, column, red, green, blue });
        }
        let sum = u32::from(red) + u32::from(green) + u32::from(blue);
        Ok(((sum + 1) / 3) as f32)
    };
    samples.chunks_exact(channels).enumerate().map(pixel).collect()
}

/// The decoder's error in this crate's words.
fn explained(error: DecodeError, format: Format, size: (u32, u32), file_bytes: u64) -> ImageError {
    let name = format.name();
    match error {
        DecodeError::Limits(limit) if !matches!(limit.kind(), LimitErrorKind::Unsupported { .. }) => {
            ImageError::TooLarge { width: size.0, height: size.1, file_bytes }
        }
        DecodeError::Unsupported(reason) => {
            ImageError::Unsupported { format: name, reason: one_line(reason) }
        }
        DecodeError::IoError(reason) if reason.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::Truncated { format: name }
        }
        other => {
            let reason = one_line(other);
            let lower = reason.to_ascii_lowercase();
            if ["unexpected end", "unexpectedeof", "fill whole buffer", "no more bytes", "eof"]
                .iter()
                .any(|sign| lower.contains(sign))
            {
                ImageError::Truncated { format: name }
            } else {
                ImageError::Damaged { format: name, reason }
            }
        }
    }
}

fn one_line(error: impl ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
