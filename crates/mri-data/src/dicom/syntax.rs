//! Transfer syntaxes: how elements and pixels are encoded.

use std::io::Read;

use dicom_core::header::{DataElementHeader, SequenceItemHeader};
use dicom_dictionary_std::tags;
use dicom_encoding::decode::explicit_be::ExplicitVRBigEndianDecoder;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::StandardImplicitVRLittleEndianDecoder;
use dicom_encoding::decode::{self, Decode};

use super::error::DicomError;

/// How data elements are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementCoding {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
}

impl ElementCoding {
    pub(super) fn header(self, source: &mut dyn Read) -> decode::Result<DataElementHeader> {
        let mut source = source;
        let (header, _) = match self {
            Self::ImplicitLittle => {
                StandardImplicitVRLittleEndianDecoder::default().decode_header(&mut source)?
            }
            Self::ExplicitLittle => ExplicitVRLittleEndianDecoder::default().decode_header(&mut source)?,
            Self::ExplicitBig => ExplicitVRBigEndianDecoder::default().decode_header(&mut source)?,
        };
        Ok(header)
    }

    pub(super) fn item_header(self, source: &mut dyn Read) -> decode::Result<SequenceItemHeader> {
        let mut source = source;
        match self {
            Self::ExplicitBig => ExplicitVRBigEndianDecoder::default().decode_item_header(&mut source),
            _ => ExplicitVRLittleEndianDecoder::default().decode_item_header(&mut source),
        }
    }

    pub(super) fn is_big_endian(self) -> bool {
        self == Self::ExplicitBig
    }
}

/// How pixels are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PixelCoding {
    Native,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

impl PixelCoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "uncompressed data",
            Self::Rle => "RLE",
            Self::Jpeg => "JPEG",
            Self::JpegLs => "JPEG-LS",
            Self::Jpeg2000 => "JPEG 2000",
        }
    }
}

/// A transfer syntax that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransferSyntax {
    pub(super) elements: ElementCoding,
    pub(super) pixels: PixelCoding,
    /// The data set behind the meta group is a deflate stream.
    pub(super) deflated: bool,
}

impl TransferSyntax {
    pub(super) const fn native(elements: ElementCoding) -> Self {
        Self { elements, pixels: PixelCoding::Native, deflated: false }
    }

    pub(super) fn by_uid(uid: &str) -> Result<Self, DicomError> {
        let explicit = Self::native(ElementCoding::ExplicitLittle);
        let suffix = uid.strip_prefix("1.2.840.10008.1.2");
        Ok(match suffix {
            Some("") => Self::native(ElementCoding::ImplicitLittle),
            Some(".1") => explicit,
            Some(".1.99") => Self { deflated: true, ..explicit },
            Some(".2") => Self::native(ElementCoding::ExplicitBig),
            Some(".5") => Self { pixels: PixelCoding::Rle, ..explicit },
            Some(".4.50" | ".4.51" | ".4.57" | ".4.70") => Self { pixels: PixelCoding::Jpeg, ..explicit },
            Some(".4.80" | ".4.81") => Self { pixels: PixelCoding::JpegLs, ..explicit },
            Some(".4.90" | ".4.91") => Self { pixels: PixelCoding::Jpeg2000, ..explicit },
            _ => {
                // A UID is digits and dots; anything else could be anything, and is not repeated.
                let is_uid = uid.len() <= 64 && uid.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
                let shown = if is_uid { uid } else { "something that is no UID" };
                return Err(DicomError::unsupported(tags::TRANSFER_SYNTAX_UID, shown));
            }
        })
    }
}
