//! Extensions: blocks of other programs between header and voxels.

use std::fmt;

use super::NiftiError;

/// A block of some other program, kept as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    /// Who made it: a code of the NIfTI register.
    pub code: i32,
    /// Its bytes, with the padding that they had.
    pub content: Vec<u8>,
}

/// The content may be a patient's DICOM header, so it stays out of messages.
impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extension(code {}, {} bytes)", self.code, self.content.len())
    }
}

const DICOM: i32 = 2;
const XCEDE: i32 = 8;
const SPECTROSCOPY: i32 = 44;
/// Size and code.
const FRAME_BYTES: usize = 8;

impl Extension {
    /// Whether its format is made for facts about the subject and the visit, so that it is not written.
    pub fn may_identify(&self) -> bool {
        matches!(self.code, DICOM | XCEDE | SPECTROSCOPY)
    }

    /// Those in the bytes between header and voxels. A size of zero ends them.
    pub(super) fn parse(mut bytes: &[u8], number: impl Fn([u8; 4]) -> i32) -> Result<Vec<Self>, NiftiError> {
        let mut found = Vec::new();
        while let Some((frame, rest)) = bytes.split_at_checked(FRAME_BYTES) {
            let (words, _) = frame.as_chunks::<4>();
            let mut words = words.iter().map(|&word| number(word));
            let (size, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if size == 0 {
                break;
            }
            let content = usize::try_from(size).ok().and_then(|size| size.checked_sub(FRAME_BYTES));
            let Some((content, rest)) = content.and_then(|length| rest.split_at_checked(length)) else {
                let (place, left) = (found.len() + 1, bytes.len());
                let reason = format!("{size} in extension {place}, for which there are {left} bytes");
                return Err(NiftiError::field("esize", reason));
            };
            found.push(Self { code, content: content.to_vec() });
            bytes = rest;
        }
        Ok(found)
    }

    /// The bytes that follow a header: the flag for extensions, then those given, each padded to a multiple of 16.
    pub(super) fn encode<'a>(extensions: impl IntoIterator<Item = &'a Self>) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        for extension in extensions {
            let size = (FRAME_BYTES + extension.content.len()).next_multiple_of(16);
            let end = bytes.len() + size;
            bytes.extend((size as i32).to_le_bytes());
            bytes.extend(extension.code.to_le_bytes());
            bytes.extend(&extension.content);
            bytes.resize(end, 0);
        }
        if let (true, Some(flag)) = (bytes.len() > 4, bytes.first_mut()) {
            *flag = 1;
        }
        bytes
    }
}
