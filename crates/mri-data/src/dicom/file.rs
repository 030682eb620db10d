//! One DICOM file: preamble, meta group, transfer syntax, data set.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use flate2::read::DeflateDecoder;

use super::error::DicomError;
use super::parse::{Extent, Parser, PixelBytes};
use super::syntax::{ElementCoding, TransferSyntax};
use crate::DataError;

const PREAMBLE_BYTES: usize = 128;
/// More than any preamble and meta group take.
const START_BYTES: usize = 1 << 14;
/// Deflate cannot exceed 1 to 1032.
const MAX_INFLATION: u64 = 1032;

/// A parsed file.
#[derive(Debug)]
pub(super) struct DicomFile {
    pub(super) syntax: TransferSyntax,
    pub(super) header: InMemDicomObject,
    /// None where the object has no pixels.
    pub(super) pixels: Option<PixelBytes>,
}

impl DicomFile {
    pub(super) fn open(path: &Path, extent: Extent) -> Result<Self, DataError> {
        let failed = |error| DataError::io(path, "read", error);
        let mut file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let mut start = Vec::new();
        file.by_ref().take(START_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
        let invalid = |problem| DataError::dicom(path, problem);
        let Beginning { offset, syntax } = beginning(&start).map_err(invalid)?;
        file.seek(SeekFrom::Start(offset as u64)).map_err(failed)?;
        let rest = bytes.saturating_sub(offset as u64);
        let (header, pixels) = if syntax.deflated {
            let mut inflated = Vec::new();
            let limit = rest.saturating_mul(MAX_INFLATION);
            DeflateDecoder::new(BufReader::new(file)).take(limit).read_to_end(&mut inflated).map_err(
                |error: io::Error| {
                    let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
                        "ends early"
                    } else {
                        "is damaged"
                    };
                    invalid(DicomError::value(
                        tags::TRANSFER_SYNTAX_UID,
                        format!("the deflated data set {reason}"),
                    ))
                },
            )?;
            let length = inflated.len() as u64;
            Parser::new(Cursor::new(inflated), length, syntax.elements, extent).read()
        } else {
            Parser::new(BufReader::with_capacity(1 << 15, file), rest, syntax.elements, extent).read()
        }
        .map_err(invalid)?;
        Ok(Self { syntax, header, pixels })
    }
}

/// Whether these first bytes of a file are those of a DICOM file with its mark, or without preamble.
pub(super) fn begins_as_dicom(start: &[u8]) -> bool {
    has_mark(start) || bare_coding(start).is_some()
}

fn has_mark(start: &[u8]) -> bool {
    start.get(PREAMBLE_BYTES..PREAMBLE_BYTES + 4) == Some(b"DICM")
}

struct Beginning {
    /// Where the data set begins.
    offset: usize,
    syntax: TransferSyntax,
}

fn beginning(start: &[u8]) -> Result<Beginning, DicomError> {
    let offset = if has_mark(start) {
        PREAMBLE_BYTES + 4
    } else if start.get(..4) == Some(b"DICM") {
        4
    } else {
        0
    };
    let (syntax_uid, end) = meta_group(start, offset)?;
    let guessed = || start.get(end..).and_then(bare_coding).map(TransferSyntax::native);
    let syntax = match syntax_uid {
        Some(uid) => TransferSyntax::by_uid(&uid)?,
        None if end > offset => guessed().ok_or_else(|| DicomError::missing(tags::TRANSFER_SYNTAX_UID))?,
        None => guessed().ok_or(DicomError::NotDicom)?,
    };
    Ok(Beginning { offset: end, syntax })
}

/// The transfer syntax that the meta group names, if there is one, and where the group ends.
fn meta_group(start: &[u8], offset: usize) -> Result<(Option<String>, usize), DicomError> {
    let mut at = offset;
    let mut syntax = None;
    let mut last = tags::FILE_META_INFORMATION_GROUP_LENGTH;
    while let Some([2, 0, low, high]) = start.get(at..at + 4) {
        let tag = Tag(2, u16::from_le_bytes([*low, *high]));
        let cut = || DicomError::truncated(tag);
        let vr: [u8; 2] = start.get(at + 4..at + 6).and_then(|vr| vr.try_into().ok()).ok_or_else(cut)?;
        let (length, value) =
            if matches!(VR::from_binary(vr), Some(VR::OB | VR::UN | VR::UT | VR::OW | VR::SQ)) {
                let length =
                    start.get(at + 8..at + 12).and_then(|bytes| bytes.try_into().ok()).ok_or_else(cut)?;
                (u32::from_le_bytes(length) as usize, at + 12)
            } else if VR::from_binary(vr).is_some() {
                let length =
                    start.get(at + 6..at + 8).and_then(|bytes| bytes.try_into().ok()).ok_or_else(cut)?;
                (usize::from(u16::from_le_bytes(length)), at + 8)
            } else {
                return Err(DicomError::value(tag, "in the meta group, without a valid VR"));
            };
        let bytes = start.get(value..value.saturating_add(length)).ok_or_else(cut)?;
        if tag == tags::TRANSFER_SYNTAX_UID {
            let text = String::from_utf8_lossy(bytes);
            let text = text.trim_matches([' ', '\0']);
            syntax = (!text.is_empty()).then(|| text.to_owned());
        }
        last = tag;
        at = value + length;
    }
    if offset > 0 && at >= start.len() {
        return Err(DicomError::truncated(last));
    }
    Ok((syntax, at))
}

/// How a data set without meta group is encoded, by its first element: one of the groups that files begin with.
fn bare_coding(start: &[u8]) -> Option<ElementCoding> {
    let [a, b, _, _, v, r, ..] = *start else { return None };
    let vr_is_valid = VR::from_binary([v, r]).is_some();
    match (u16::from_le_bytes([a, b]), u16::from_be_bytes([a, b]), vr_is_valid) {
        (2 | 8, _, true) => Some(ElementCoding::ExplicitLittle),
        (_, 8, true) => Some(ElementCoding::ExplicitBig),
        (8, _, false) => {
            let length = start.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)?;
            (length < 1 << 16).then_some(ElementCoding::ImplicitLittle)
        }
        _ => None,
    }
}
