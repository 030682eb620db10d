//! What a file is, judged by its bytes: formats, a JPEG's end, a TIFF's pages.

/// A file format that slices are read from and written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG, 8 bit, lossy.
    Jpeg,
    /// Tagged Image File Format.
    Tiff,
}

impl Format {
    /// The name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Tiff => "TIFF",
        }
    }
}

/// The format that an extension (lower case, no dot) stands for.
pub(super) fn format_of(extension: &str) -> Option<Format> {
    match extension {
        "png" => Some(Format::Png),
        "jpg" | "jpeg" => Some(Format::Jpeg),
        "tif" | "tiff" => Some(Format::Tiff),
        _ => None,
    }
}

/// The format of the content, or in words what else it looks like.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, &'static str> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(PNG) || (bytes.len() < PNG.len() && PNG.starts_with(bytes)) {
        Ok(Format::Png)
    } else if starts(b"\xff\xd8\xff") || (bytes.len() < 3 && b"\xff\xd8\xff".starts_with(bytes)) {
        Ok(Format::Jpeg)
    } else if starts(b"II\x2a\0") || starts(b"MM\0\x2a") || starts(b"II\x2b\0") || starts(b"MM\0\x2b") {
        Ok(Format::Tiff)
    } else {
        Err(other_kind(bytes))
    }
}

fn other_kind(bytes: &[u8]) -> &'static str {
    let has = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if has(128, b"DICM") {
        "a DICOM file"
    } else if has(344, b"n+1") || has(344, b"ni1") || has(4, b"n+2") {
        "a NIfTI volume"
    } else if has(0, b"\x1f\x8b") {
        "a gzip file"
    } else if has(0, b"PK\x03\x04") {
        "a zip archive"
    } else if has(0, b"GIF8") {
        "a GIF image"
    } else if has(0, b"BM") {
        "a BMP image"
    } else if has(0, b"RIFF") && has(8, b"WEBP") {
        "a WebP image"
    } else if has(0, b"%PDF") {
        "a PDF document"
    } else if bytes.iter().take(512).all(|&byte| byte == 0) {
        "zeros"
    } else if bytes.iter().take(512).all(|&byte| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r')) {
        "text"
    } else {
        "something unknown"
    }
}

/// Width and height that the header chunk of a PNG declares.
pub(super) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    bytes.get(12..16).filter(|chunk| chunk == b"IHDR")?;
    Some((number(16)?, number(20)?))
}

/// Whether the end-of-image marker of a JPEG was reached. Decoders fill what is missing with grey and say nothing.
///
/// ISO/IEC 10918-1, annex B: segments carry their length; inside a scan 0xFF is followed by 0x00 or a restart marker
/// unless a segment begins.
pub(super) fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        let marker = bytes.get(at + 1).copied();
        match (byte, marker) {
            (0xff, None) => return false,
            (0xff, Some(0xd9)) => return true,
            (0xff, Some(0xff)) => at += 1,
            (0xff, Some(0x00 | 0x01 | 0xd0..=0xd8)) => at += 2,
            (0xff, Some(_)) => match (bytes.get(at + 2), bytes.get(at + 3)) {
                (Some(&high), Some(&low)) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
            _ => at += 1,
        }
    }
    false
}

/// Whether a TIFF (or BigTIFF) has a second page. A chain that cannot be followed counts as one page: the decoder
/// will say what is wrong.
pub(super) fn tiff_has_pages(bytes: &[u8]) -> bool {
    second_directory(bytes).is_some_and(|offset| offset != 0)
}

fn second_directory(bytes: &[u8]) -> Option<u64> {
    let big_endian = bytes.starts_with(b"MM");
    let number = |at: u64, length: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let digits = bytes.get(at..at.checked_add(length)?)?;
        let fold = |value: u64, &digit: &u8| (value << 8) | u64::from(digit);
        Some(if big_endian { digits.iter().fold(0, fold) } else { digits.iter().rev().fold(0, fold) })
    };
    let (offset_at, offset_bytes, count_bytes, entry_bytes) =
        if number(2, 2)? == 43 { (8, 8, 8, 20) } else { (4, 4, 2, 12) };
    let first = number(offset_at, offset_bytes)?;
    let entries = number(first, count_bytes)?;
    let next_at = entries.checked_mul(entry_bytes)?.checked_add(first)?.checked_add(count_bytes as u64)?;
    number(next_at, offset_bytes)
}
