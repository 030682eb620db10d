//! From bytes to data elements.
//!
//! dicom-rs decodes the headers of elements; the walk over them is our own, because a length that a damaged file declares
//! must be held against the bytes at hand before anything is allocated, and nesting must end.

use std::io::{self, Read};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::{DataElementHeader, Length, SequenceItemHeader};
use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_encoding::decode;
use dicom_object::InMemDicomObject;

use super::error::DicomError;
use super::syntax::ElementCoding;
use super::value::primitive;

/// Sequences in sequences; real files have five or six.
const MAX_DEPTH: usize = 16;
const ITEM_DELIMITER: Tag = Tag(0xFFFE, 0xE00D);

/// How far to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Up to the pixels.
    Header,
    /// With the pixels.
    Whole,
}

/// Pixels as they stand in the file.
#[derive(Debug)]
pub(super) enum PixelBytes {
    /// Not read.
    Unread,
    /// One value; its VR tells the size of the words that endianness swaps.
    Native { vr: VR, bytes: Vec<u8> },
    /// Items, of which the first is the offset table.
    Fragments { offset_table: Vec<u8>, fragments: Vec<Vec<u8>> },
}

/// Bytes with a known end.
pub(super) struct Input<R> {
    source: R,
    position: u64,
    end: u64,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = buffer.len().min(room);
        let read = self.source.read(&mut buffer[..length])?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Walks over the elements of one file.
pub(super) struct Parser<R> {
    input: Input<R>,
    coding: ElementCoding,
    pixels: Option<PixelBytes>,
    extent: Extent,
    /// The last element whose header was read, to say where it went wrong.
    last: Tag,
}

enum Ending {
    /// At this position.
    At(u64),
    /// At the delimiter of the item.
    Delimiter,
}

impl<R: Read> Parser<R> {
    /// Over `length` bytes of `source`, which stands at the first element behind the meta group.
    pub(super) fn new(source: R, length: u64, coding: ElementCoding, extent: Extent) -> Self {
        let input = Input { source, position: 0, end: length };
        Self { input, coding, pixels: None, extent, last: tags::TRANSFER_SYNTAX_UID }
    }

    /// All elements before the pixels but private ones, overlays and curves, and the pixels. What follows the pixels is
    /// not looked at.
    pub(super) fn read(mut self) -> Result<(InMemDicomObject, Option<PixelBytes>), DicomError> {
        let end = self.input.end;
        let header = self.dataset(&Ending::At(end), 0)?;
        Ok((header, self.pixels))
    }

    fn dataset(&mut self, ending: &Ending, depth: usize) -> Result<InMemDicomObject, DicomError> {
        let mut object = InMemDicomObject::new_empty();
        loop {
            if let Ending::At(end) = ending {
                if self.input.position == *end {
                    return Ok(object);
                }
                if self.input.position > *end {
                    return Err(DicomError::value(self.last, "longer than the sequence item that it is in"));
                }
            }
            let header = self.coding.header(&mut self.input).map_err(|error| self.failed(error))?;
            if header.tag == ITEM_DELIMITER {
                return match ending {
                    Ending::Delimiter => Ok(object),
                    Ending::At(_) => Err(DicomError::value(header.tag, "outside of an item")),
                };
            }
            self.last = header.tag;
            if depth == 0 && header.tag == tags::PIXEL_DATA {
                self.pixels = Some(self.pixel_data(header)?);
                return Ok(object);
            }
            if let Some(element) = self.element(header, depth)? {
                object.put(element);
            }
        }
    }

    /// The element, or nothing for one that is not kept.
    fn element(
        &mut self,
        header: DataElementHeader,
        depth: usize,
    ) -> Result<Option<DataElement<InMemDicomObject>>, DicomError> {
        let DataElementHeader { tag, vr: written, len } = header;
        if tag.group() == 0xFFFE {
            return Err(DicomError::value(tag, "not where an element is expected"));
        }
        let private = tag.group() % 2 == 1;
        let graphics = matches!(tag.group() & 0xFF00, 0x5000 | 0x6000);
        let kept = !private && !graphics && tag.element() != 0;
        // Systems that did not know an element wrote it as unknown, in implicit little endian (PS3.5 6.2.2).
        let unknown = written == VR::UN && self.coding != ElementCoding::ImplicitLittle;
        let vr = if unknown { standard_vr(tag) } else { written };
        let sequence = vr == VR::SQ || len.is_undefined() && !matches!(vr, VR::OB | VR::OW);
        match len.get() {
            Some(length) if !kept => self.skip(tag, length).map(|()| None),
            _ if sequence && depth >= MAX_DEPTH => Err(DicomError::value(tag, "sequences nested too deep")),
            _ if sequence => {
                let coding = self.coding;
                if unknown {
                    self.coding = ElementCoding::ImplicitLittle;
                }
                let items = self.sequence(tag, len, depth);
                self.coding = coding;
                let items = items?;
                Ok(kept.then(|| DataElement::new(tag, VR::SQ, DataSetSequence::from(items))))
            }
            Some(length) => {
                let bytes = self.bytes(tag, length)?;
                let big_endian = self.coding.is_big_endian() && !unknown;
                Ok(Some(DataElement::new(tag, vr, primitive(vr, bytes, big_endian))))
            }
            // The pixels of an icon.
            None => self.fragments(tag).map(|_| None),
        }
    }

    fn sequence(
        &mut self,
        tag: Tag,
        length: Length,
        depth: usize,
    ) -> Result<Vec<InMemDicomObject>, DicomError> {
        let end = length.get().map(|length| self.end_of(tag, length)).transpose()?;
        let mut items = Vec::new();
        loop {
            self.last = tag;
            match end {
                Some(end) if self.input.position == end => return Ok(items),
                Some(end) if self.input.position > end => {
                    return Err(DicomError::value(tag, "its items are longer than it is"));
                }
                _ => {}
            }
            match self.coding.item_header(&mut self.input).map_err(|error| self.failed(error))? {
                SequenceItemHeader::Item { len } => {
                    let ending = match len.get() {
                        Some(length) => Ending::At(self.end_of(tag, length)?),
                        None => Ending::Delimiter,
                    };
                    items.push(self.dataset(&ending, depth + 1)?);
                }
                SequenceItemHeader::SequenceDelimiter if end.is_none() => return Ok(items),
                _ => return Err(DicomError::value(tag, "a delimiter where an item is expected")),
            }
        }
    }

    fn pixel_data(&mut self, header: DataElementHeader) -> Result<PixelBytes, DicomError> {
        if self.extent == Extent::Header {
            return Ok(PixelBytes::Unread);
        }
        match header.len.get() {
            Some(length) => Ok(PixelBytes::Native { vr: header.vr, bytes: self.bytes(header.tag, length)? }),
            None => {
                let mut items = self.fragments(header.tag)?.into_iter();
                let offset_table = items.next().unwrap_or_default();
                Ok(PixelBytes::Fragments { offset_table, fragments: items.collect() })
            }
        }
    }

    fn fragments(&mut self, tag: Tag) -> Result<Vec<Vec<u8>>, DicomError> {
        let mut fragments = Vec::new();
        loop {
            match self.coding.item_header(&mut self.input).map_err(|error| self.failed(error))? {
                SequenceItemHeader::Item { len } => match len.get() {
                    Some(length) => fragments.push(self.bytes(tag, length)?),
                    None => return Err(DicomError::value(tag, "a fragment without a length")),
                },
                SequenceItemHeader::SequenceDelimiter => return Ok(fragments),
                SequenceItemHeader::ItemDelimiter => {
                    return Err(DicomError::value(tag, "a delimiter where a fragment is expected"));
                }
            }
        }
    }

    fn end_of(&self, tag: Tag, length: u32) -> Result<u64, DicomError> {
        let end = self.input.position + u64::from(length);
        if end > self.input.end { Err(DicomError::truncated(tag)) } else { Ok(end) }
    }

    fn bytes(&mut self, tag: Tag, length: u32) -> Result<Vec<u8>, DicomError> {
        self.end_of(tag, length)?;
        let mut bytes = vec![0; length as usize];
        self.input.read_exact(&mut bytes).map_err(|_| DicomError::truncated(tag))?;
        Ok(bytes)
    }

    fn skip(&mut self, tag: Tag, length: u32) -> Result<(), DicomError> {
        let end = self.end_of(tag, length)?;
        io::copy(&mut self.input.by_ref().take(u64::from(length)), &mut io::sink())
            .map_err(|_| DicomError::truncated(tag))?;
        if self.input.position == end { Ok(()) } else { Err(DicomError::truncated(tag)) }
    }

    fn failed(&self, error: decode::Error) -> DicomError {
        match error {
            decode::Error::BadSequenceHeader { .. } => {
                DicomError::value(self.last, "something else where an item is expected")
            }
            _ => DicomError::truncated(self.last),
        }
    }
}

/// What the dictionary says.
fn standard_vr(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed())
}

/// An empty value, for elements that must be there and may be empty.
pub(super) fn empty(tag: Tag, vr: VR) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::Empty)
}
