//! Which fragments of compressed pixels make up a frame.

use std::borrow::Cow;

use dicom_dictionary_std::tags;

use super::error::DicomError;

/// The compressed bytes of `frame` among `frames`.
pub(super) fn frame_bytes<'a>(
    offset_table: &[u8],
    fragments: &'a [Vec<u8>],
    frames: usize,
    frame: usize,
) -> Result<Cow<'a, [u8]>, DicomError> {
    let invalid = |reason: &str| DicomError::value(tags::PIXEL_DATA, reason);
    let own = if frames == 1 {
        fragments
    } else if fragments.len() == frames {
        fragments.get(frame..=frame).unwrap_or_default()
    } else {
        let offsets = offset_table.as_chunks::<4>().0;
        if offsets.len() != frames {
            return Err(invalid("its offset table does not say which fragments make up a frame"));
        }
        let offset = |frame: usize| offsets.get(frame).map(|word| u64::from(u32::from_le_bytes(*word)));
        let first = fragment_at(fragments, offset(frame)).ok_or_else(|| invalid("a wrong offset table"))?;
        let end = match offset(frame + 1) {
            Some(next) => {
                fragment_at(fragments, Some(next)).ok_or_else(|| invalid("a wrong offset table"))?
            }
            None => fragments.len(),
        };
        fragments.get(first..end).ok_or_else(|| invalid("a wrong offset table"))?
    };
    match own {
        [] => Err(invalid("no fragment for a frame")),
        [one] => Ok(Cow::Borrowed(one)),
        several => Ok(Cow::Owned(several.concat())),
    }
}

/// The fragment whose item starts at `offset`, counted from the first one's.
fn fragment_at(fragments: &[Vec<u8>], offset: Option<u64>) -> Option<usize> {
    let mut start = 0;
    fragments.iter().position(|fragment| {
        let found = Some(start) == offset;
        start += 8 + fragment.len() as u64;
        found
    })
}
