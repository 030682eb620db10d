//! A zip archive read as a folder, without unpacking it.
//!
//! Archives come from strangers: an entry that names a place outside the archive, or that inflates beyond what deflate
//! can do honestly or beyond the size of any slice, condemns the whole archive before anything is read from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;
use zip::result::ZipError;

use super::folder::is_hidden;
use crate::DataError;

/// An entry may inflate to this at most: 512 MiB.
const MAX_ENTRY_BYTES: u64 = 1 << 29;
/// Deflate cannot exceed 1 to 1032.
const MAX_INFLATION: u64 = 1032;

pub(super) struct Archive {
    path: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
    zip: Mutex<ZipArchive<BufReader<File>>>,
}

struct Entry {
    index: usize,
    bytes: u64,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({}, {} entries)", self.path.display(), self.entries.len())
    }
}

/// Whether the file at `path` is an archive, by its name or its content.
pub(super) fn is_archive(path: &Path) -> Result<bool, DataError> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
        return Ok(true);
    }
    if super::has_image_extension(path) || !path.is_file() {
        return Ok(false);
    }
    let mut magic = Vec::new();
    File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut magic))
        .map_err(|error| DataError::io(path, "read", error))?;
    Ok(magic == b"PK\x03\x04")
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| DataError::io(path, "read", error))?;
        let mut zip =
            ZipArchive::new(BufReader::new(file)).map_err(|error| refused(path, explained(&error)))?;
        if zip.has_overlapping_files().map_err(|error| refused(path, explained(&error)))? {
            return Err(refused(path, "entries share their data: this is a zip bomb".into()));
        }
        let mut entries = BTreeMap::new();
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(|error| refused(path, explained(&error)))?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let Some(inside) = enclosed(&name) else {
                return Err(refused(path, format!("entry {name:?} names a place outside the archive")));
            };
            if entry.size() > MAX_ENTRY_BYTES || entry.size() / MAX_INFLATION > entry.compressed_size() {
                return Err(refused(
                    path,
                    format!("entry {name:?} inflates to {} bytes: a zip bomb", entry.size()),
                ));
            }
            let hidden = inside.iter().any(|part| is_hidden(&part.to_string_lossy()));
            if entry.is_file() && !entry.is_symlink() && !hidden {
                entries.insert(inside, Entry { index, bytes: entry.size() });
            }
        }
        Ok(Self { path: path.to_owned(), entries, zip: Mutex::new(zip) })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().map(PathBuf::as_path)
    }

    pub(super) fn read(&self, name: &Path) -> Result<Vec<u8>, DataError> {
        let failed = |reason: String| refused(&self.path, format!("entry {:?}: {reason}", name.display()));
        let entry = self.entries.get(name).ok_or_else(|| failed("not there".into()))?;
        let mut zip = self.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = zip.by_index(entry.index).map_err(|error| failed(explained(&error)))?;
        let mut bytes = Vec::new();
        reader.take(entry.bytes + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 != entry.bytes {
            return Err(failed(format!("declares {} bytes and holds another number", entry.bytes)));
        }
        Ok(bytes)
    }
}

/// The path of an entry if it stays inside the archive on every system.
fn enclosed(name: &str) -> Option<PathBuf> {
    let name = name.replace('\\', "/");
    let escapes = |part: &str| part == ".." || part.contains([':', '\0']);
    if name.starts_with('/') || name.split('/').any(escapes) {
        return None;
    }
    Some(name.split('/').filter(|part| !part.is_empty() && *part != ".").collect())
}

fn refused(path: &Path, reason: String) -> DataError {
    DataError::Archive { path: path.to_owned(), reason }
}

fn explained(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(reason) if *reason == ZipError::PASSWORD_REQUIRED => {
            "encrypted: unpack it first".into()
        }
        ZipError::InvalidArchive(_) => "damaged or truncated zip archive".into(),
        other => other.to_string(),
    }
}
