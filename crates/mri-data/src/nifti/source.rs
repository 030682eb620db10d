//! The bytes of a file, inflated where they are gzip, with what there can be of them at most.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::NiftiError;
use super::read::Failure;

/// Deflate cannot exceed 1 to 1032.
const MAX_INFLATION: u64 = 1032;
/// Head scans with air around inflate by 2 to 8, f64 ones and masks by more.
const PLAUSIBLE_INFLATION: u64 = 16;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Compressed data that go on behind the voxels are read to the end, for its checksum, if it is not farther than this:
/// 1 MiB.
const MAX_TRAILER_BYTES: u64 = 1 << 20;

/// A file that is read from its first byte on.
pub(super) struct Source {
    path: PathBuf,
    reader: Box<dyn Read>,
    compressed: bool,
    /// Length of the file.
    length: u64,
    /// Bytes that it has, or can inflate to.
    at_most: u64,
    position: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::Io(path.to_owned(), error);
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let length = metadata.len();
        if length == 0 {
            return Err(NiftiError::Empty.into());
        }
        let mut start = Vec::with_capacity(2);
        (&mut file).take(2).read_to_end(&mut start).map_err(failed)?;
        let compressed = start == GZIP_MAGIC;
        let whole = Cursor::new(start).chain(file);
        if !compressed {
            let named_gz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
            if named_gz {
                let reason = "the file is named .gz and does not begin as gzip data do".into();
                return Err(NiftiError::Gzip { reason }.into());
            }
            let reader = Box::new(BufReader::new(whole));
            return Ok(Self {
                path: path.to_owned(),
                reader,
                compressed,
                length,
                at_most: length,
                position: 0,
            });
        }
        let reader = Box::new(MultiGzDecoder::new(whole));
        let at_most = length.saturating_mul(MAX_INFLATION);
        Ok(Self { path: path.to_owned(), reader, compressed, length, at_most, position: 0 })
    }

    /// Bytes that the file has, or can inflate to.
    pub(super) fn at_most(&self) -> u64 {
        self.at_most
    }

    /// Bytes that the file may well have: those that it has, or as many as images inflate to that are not nearly blank.
    pub(super) fn plausibly(&self) -> u64 {
        if self.compressed { self.length.saturating_mul(PLAUSIBLE_INFLATION) } else { self.length }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Fills the buffer as far as the file goes.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A gzip file that is cut off: what there is before the cut counts.
                Err(error) if self.compressed && error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) if self.compressed && is_damage(&error) => {
                    return Err(NiftiError::Gzip { reason: error.to_string() }.into());
                }
                Err(error) => return Err(Failure::Io(self.path.clone(), error)),
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }

    /// Fills the whole buffer.
    pub(super) fn fill(&mut self, buffer: &mut [u8], part: &'static str) -> Result<(), Failure> {
        let filled = self.read(buffer)?;
        if filled < buffer.len() { self.truncated(part, (buffer.len() - filled) as u64) } else { Ok(()) }
    }

    /// The error that `missing` more bytes were needed.
    pub(super) fn truncated(&self, part: &'static str, missing: u64) -> Result<(), Failure> {
        let found = self.position;
        Err(NiftiError::Truncated { part, needed: found.saturating_add(missing), found }.into())
    }

    /// As many bytes as there are, up to a limit. Memory grows with what is there.
    pub(super) fn up_to(&mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        loop {
            let wanted = limit.saturating_sub(bytes.len() as u64).min(part.len() as u64) as usize;
            let buffer = part.get_mut(..wanted).unwrap_or_default();
            let filled = self.read(buffer)?;
            bytes.extend(part.iter().take(filled));
            if filled < wanted || wanted == 0 {
                return Ok(bytes);
            }
        }
    }

    /// Passes over bytes that must be there.
    pub(super) fn skip(&mut self, length: u64, part: &'static str) -> Result<(), Failure> {
        let mut left = length;
        if self.position.saturating_add(length) > self.at_most {
            return self.truncated(part, length);
        }
        let mut buffer = [0; 4096];
        while left > 0 {
            let wanted = left.min(buffer.len() as u64) as usize;
            self.fill(buffer.get_mut(..wanted).unwrap_or_default(), part)?;
            left -= wanted as u64;
        }
        Ok(())
    }

    /// Checks compressed data to their end, so that damage anywhere is found. What follows the voxels is passed over.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        if !self.compressed {
            return Ok(());
        }
        let end = self.position.saturating_add(MAX_TRAILER_BYTES);
        let mut buffer = [0; 4096];
        while self.position < end {
            match self.reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => self.position += length as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return self.truncated("the gzip checksum", 1);
                }
                Err(error) if is_damage(&error) => {
                    return Err(NiftiError::Gzip { reason: error.to_string() }.into());
                }
                Err(error) => return Err(Failure::Io(self.path, error)),
            }
        }
        Ok(())
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}
