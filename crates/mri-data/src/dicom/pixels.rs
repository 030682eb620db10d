//! From stored bits to values: unpacked, sign-extended, MONOCHROME1 inverted, rescaled.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::codec;
use super::error::DicomError;
use super::file::DicomFile;
use super::fragments::frame_bytes;
use super::parse::PixelBytes;
use super::syntax::{PixelCoding, TransferSyntax};
use super::value::Fields;

/// A blank image takes next to no bytes in JPEG-LS and JPEG 2000: this many pixels are taken from any file.
const WARRANTED_PX: u64 = 1 << 22;

/// How pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelFormat {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) frames: usize,
    pub(super) bits_allocated: u32,
    bits_stored: u32,
    high_bit: u32,
    signed: bool,
    /// Small values are bright: MONOCHROME1.
    inverted: bool,
}

impl PixelFormat {
    pub(super) fn of(header: &InMemDicomObject) -> Result<Self, DicomError> {
        let samples = header.whole_in(tags::SAMPLES_PER_PIXEL, 1, 4)?;
        let inverted = match header.text(tags::PHOTOMETRIC_INTERPRETATION).as_deref() {
            Some("MONOCHROME2") => false,
            Some("MONOCHROME1") => true,
            Some(_) => {
                return Err(DicomError::unsupported(tags::PHOTOMETRIC_INTERPRETATION, "a colour image"));
            }
            None => return Err(DicomError::missing(tags::PHOTOMETRIC_INTERPRETATION)),
        };
        if samples != 1 {
            return Err(DicomError::unsupported(
                tags::SAMPLES_PER_PIXEL,
                format!("{samples} samples a pixel"),
            ));
        }
        let rows = header.whole_in(tags::ROWS, 1, 65535)?;
        let columns = header.whole_in(tags::COLUMNS, 1, 65535)?;
        let frames = match header.whole(tags::NUMBER_OF_FRAMES)? {
            Some(_) => header.whole_in(tags::NUMBER_OF_FRAMES, 1, i64::from(i32::MAX))?,
            None => 1,
        };
        let bits_allocated = header.whole_in(tags::BITS_ALLOCATED, 1, 64)? as u32;
        if !matches!(bits_allocated, 8 | 16 | 32) {
            let reason = format!("{bits_allocated} bits a pixel");
            return Err(DicomError::unsupported(tags::BITS_ALLOCATED, reason));
        }
        let bits_stored = header.whole_in(tags::BITS_STORED, 1, bits_allocated.into())? as u32;
        let high_bit = match header.whole(tags::HIGH_BIT)? {
            Some(_) => {
                header.whole_in(tags::HIGH_BIT, i64::from(bits_stored) - 1, i64::from(bits_allocated) - 1)?
                    as u32
            }
            None => bits_stored - 1,
        };
        let signed = header.whole_in(tags::PIXEL_REPRESENTATION, 0, 1)? == 1;
        Ok(Self { rows, columns, frames, bits_allocated, bits_stored, high_bit, signed, inverted })
    }

    pub(super) fn frame_px(&self) -> usize {
        self.rows * self.columns
    }

    fn frame_bytes(&self) -> u64 {
        self.frame_px() as u64 * u64::from(self.bits_allocated / 8)
    }

    fn bytes(&self) -> u64 {
        self.frame_bytes().saturating_mul(self.frames as u64)
    }

    /// What so many compressed bytes can hold: RLE has two bytes for 128, JPEG two bits for a block of 64 pixels. The others
    /// have no limit of their own.
    fn warranted_bytes(&self, coding: PixelCoding, compressed: u64) -> u64 {
        match coding {
            PixelCoding::Native => compressed,
            PixelCoding::Rle => compressed * 64,
            PixelCoding::Jpeg => compressed * 512,
            PixelCoding::JpegLs | PixelCoding::Jpeg2000 => {
                compressed * 1024 + WARRANTED_PX * u64::from(self.bits_allocated / 8)
            }
        }
    }

    fn mismatch(&self, found: u64) -> DicomError {
        let Self { rows, columns, frames, .. } = *self;
        DicomError::PixelBytes { rows, columns, frames, expected: self.bytes(), found }
    }

    /// The stored number of a pixel from its bits.
    fn stored(&self, bits: u32) -> i64 {
        let unused = 32 - self.bits_stored;
        let value = bits << unused;
        let value = if self.signed { i64::from(value as i32 >> unused) } else { i64::from(value >> unused) };
        match (self.inverted, self.signed) {
            (false, _) => value,
            (true, true) => -1 - value,
            (true, false) => (1i64 << self.bits_stored) - 1 - value,
        }
    }
}

/// `value = slope * stored + intercept`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rescale {
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

/// Pixels of one file, checked to be as many as declared.
pub(super) struct Pixels {
    pub(super) format: PixelFormat,
    syntax: TransferSyntax,
    bytes: PixelBytes,
}

impl Pixels {
    pub(super) fn of(file: DicomFile) -> Result<(InMemDicomObject, Self), DicomError> {
        let DicomFile { syntax, header, pixels } = file;
        let bytes = pixels.ok_or_else(|| without_pixels(&header))?;
        let format = PixelFormat::of(&header)?;
        match (&bytes, syntax.pixels) {
            (PixelBytes::Native { bytes, .. }, PixelCoding::Native) => {
                let (found, expected) = (bytes.len() as u64, format.bytes());
                // Some writers pad; a whole frame more is another image than was declared.
                if found < expected
                    || found >= expected.saturating_add(format.frame_bytes()).max(expected + 2)
                {
                    return Err(format.mismatch(found));
                }
            }
            (PixelBytes::Fragments { .. }, PixelCoding::Native) => {
                return Err(DicomError::value(tags::PIXEL_DATA, "in fragments, but not compressed"));
            }
            (PixelBytes::Fragments { fragments, .. }, _) => {
                let compressed: u64 = fragments.iter().map(|fragment| fragment.len() as u64).sum();
                let warranted = format.warranted_bytes(syntax.pixels, compressed);
                if format.bytes() > warranted {
                    return Err(format.mismatch(warranted));
                }
                if format.high_bit + 1 != format.bits_stored {
                    return Err(DicomError::unsupported(
                        tags::HIGH_BIT,
                        "compressed pixels that are shifted",
                    ));
                }
            }
            (PixelBytes::Native { .. } | PixelBytes::Unread, _) => {
                return Err(DicomError::value(tags::PIXEL_DATA, "not in fragments, but compressed"));
            }
        }
        Ok((header, Self { format, syntax, bytes }))
    }

    /// Appends the values of a frame, row by row.
    pub(super) fn append_frame(
        &self,
        frame: usize,
        rescale: Rescale,
        values: &mut Vec<f32>,
    ) -> Result<(), DicomError> {
        let format = &self.format;
        let value = |bits: u32| (format.stored(bits) as f64 * rescale.slope + rescale.intercept) as f32;
        match &self.bytes {
            PixelBytes::Unread => return Err(DicomError::missing(tags::PIXEL_DATA)),
            PixelBytes::Native { vr, bytes } => {
                let length = format.frame_bytes() as usize;
                let start = frame.saturating_mul(length);
                let bytes = bytes
                    .get(start..start.saturating_add(length))
                    .ok_or_else(|| format.mismatch(bytes.len() as u64))?;
                let shift = format.high_bit + 1 - format.bits_stored;
                let big_endian = self.syntax.elements.is_big_endian();
                match (format.bits_allocated, big_endian) {
                    // In words of 16 bits, the first of two bytes is the lower half.
                    (8, true) if *vr == VR::OW => values.extend(
                        (0..bytes.len())
                            .map(|at| value(u32::from(*bytes.get(at ^ 1).unwrap_or(&0)) >> shift)),
                    ),
                    (8, _) => values.extend(bytes.iter().map(|&byte| value(u32::from(byte) >> shift))),
                    (16, false) => {
                        extend(values, bytes, |word| value(u32::from(u16::from_le_bytes(word)) >> shift))
                    }
                    (16, true) => {
                        extend(values, bytes, |word| value(u32::from(u16::from_be_bytes(word)) >> shift))
                    }
                    (_, false) => extend(values, bytes, |word| value(u32::from_le_bytes(word) >> shift)),
                    (_, true) => extend(values, bytes, |word| value(u32::from_be_bytes(word) >> shift)),
                }
            }
            PixelBytes::Fragments { offset_table, fragments } => {
                let bytes = frame_bytes(offset_table, fragments, format.frames, frame)?;
                let coding = self.syntax.pixels;
                let bits = codec::decode(coding, &bytes, format).map_err(|reason| {
                    DicomError::Compressed { format: coding.name(), frame: frame + 1, reason }
                })?;
                values.extend(bits.into_iter().map(value));
            }
        }
        Ok(())
    }
}

/// What to say of an object without integer pixels.
pub(super) fn without_pixels(header: &InMemDicomObject) -> DicomError {
    let floating = [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA];
    match floating.into_iter().find(|tag| header.get(*tag).is_some()) {
        Some(tag) => DicomError::unsupported(tag, "floating-point pixels"),
        None if was_to_be_an_image(header) => DicomError::missing(tags::PIXEL_DATA),
        None => DicomError::NotAnImage,
    }
}

/// By its rows, or by its class where it is cut off before them.
fn was_to_be_an_image(header: &InMemDicomObject) -> bool {
    let image_class = |class: String| {
        [
            uids::MR_IMAGE_STORAGE,
            uids::ENHANCED_MR_IMAGE_STORAGE,
            uids::LEGACY_CONVERTED_ENHANCED_MR_IMAGE_STORAGE,
            uids::CT_IMAGE_STORAGE,
            uids::ENHANCED_CT_IMAGE_STORAGE,
            uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE,
            uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
        ]
        .contains(&class.as_str())
    };
    header.get(tags::ROWS).is_some() || header.text(tags::SOP_CLASS_UID).is_none_or(image_class)
}

fn extend<const N: usize>(values: &mut Vec<f32>, bytes: &[u8], value: impl Fn([u8; N]) -> f32) {
    values.extend(bytes.as_chunks::<N>().0.iter().map(|word| value(*word)));
}
