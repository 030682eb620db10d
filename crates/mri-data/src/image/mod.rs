//! One slice: reading and writing PNG, JPEG and TIFF, 8 and 16 bit, as `f32` arrays in the units of the file.

mod content;
mod decode;
mod encode;

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

pub use decode::decode_image;
pub use encode::encode_image;

use crate::atomic_file::{create_file, replace_file};
use crate::{DataError, source};

/// Bits per pixel of the file that an image came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BitDepth {
    /// Values 0 to 255.
    #[serde(rename = "8")]
    Eight,
    /// Values 0 to 65535.
    #[serde(rename = "16")]
    Sixteen,
    /// Real values: a slice of a volume after the normalization of its volume, 0 (air) to 1.
    #[serde(rename = "float")]
    Float,
}

impl BitDepth {
    /// The largest value that a pixel can have: 255, 65535 or 1.
    pub fn max_value(self) -> f32 {
        match self {
            Self::Eight => 255.0,
            Self::Sixteen => 65535.0,
            Self::Float => 1.0,
        }
    }

    /// 8, 16 or 32.
    pub fn bits(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Sixteen => 16,
            Self::Float => 32,
        }
    }
}

/// A grey image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Values in file units (0 to 255 or 0 to 65535), indexed `[row, column]`, row 0 at the top.
    pub pixels: Array2<f32>,
    /// Depth of the file.
    pub depth: BitDepth,
}

/// Reads a PNG, JPEG or TIFF file. RGB is accepted where the channels are equal (JPEG: nearly so); alpha is ignored.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::Io`], or [`DataError::Image`] for a file that is empty, truncated, damaged,
/// in colour, of another kind than its extension says, or whose header declares more pixels than its bytes can hold.
pub fn read_image(path: &Path) -> Result<Image, DataError> {
    let bytes = source::read_file(path)?;
    decode_image(&bytes, extension_of(path).as_deref())
        .map_err(|problem| DataError::image(path.display().to_string(), problem))
}

/// Writes a grey image, whole or not at all, in the format of the extension (`.png`, `.tif`, `.tiff`, `.jpg`, `.jpeg`),
/// and replaces what is there. Values are rounded and clipped to the depth.
///
/// # Errors
/// [`DataError::OutputFormat`] for another extension or a 16-bit JPEG, [`DataError::Image`] for an image without pixels
/// or with a value that is not finite, [`DataError::Io`] if it cannot be written.
pub fn write_image(path: &Path, image: &Image) -> Result<(), DataError> {
    replace_file(path, &encoded_for(path, image)?)
}

/// As [`write_image`], but refuses with [`DataError::Exists`] where a file is already.
///
/// # Errors
/// [`DataError::Exists`], else as [`write_image`].
pub fn write_new_image(path: &Path, image: &Image) -> Result<(), DataError> {
    create_file(path, &encoded_for(path, image)?)
}

fn encoded_for(path: &Path, image: &Image) -> Result<Vec<u8>, DataError> {
    let unknown = || DataError::OutputFormat { path: path.to_owned() };
    let format =
        extension_of(path).and_then(|extension| content::format_of(&extension)).ok_or_else(unknown)?;
    if format == content::Format::Jpeg && image.depth == BitDepth::Sixteen {
        return Err(unknown());
    }
    encode_image(image, format).map_err(|problem| DataError::image(path.display().to_string(), problem))
}

/// File formats of slices.
pub use content::Format;

/// The extension in lower case, without the dot.
pub(crate) fn extension_of(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

/// Whether a file of this name is expected to be an image.
pub(crate) fn has_image_extension(path: &Path) -> bool {
    extension_of(path).is_some_and(|extension| content::format_of(&extension).is_some())
}
