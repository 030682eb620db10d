//! A folder of files that appears whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::IMPLEMENTATION;
use crate::DataError;
use crate::atomic_file::Existing;

/// A folder being filled beside its place.
pub(super) struct NewFolder {
    place: PathBuf,
    beside: TempDir,
    existing: Existing,
}

impl NewFolder {
    pub(super) fn beside(place: &Path, existing: Existing) -> Result<Self, DataError> {
        check_free(place, existing)?;
        let parent = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|error| DataError::io(parent, "make", error))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".part");
        // Temporary folders are private by default; this one becomes an ordinary one, so the umask alone decides.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let beside = builder.tempdir_in(parent).map_err(|error| DataError::io(place, "make", error))?;
        Ok(Self { place: place.to_owned(), beside, existing })
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DataError> {
        let path = self.beside.path().join("new").join(name);
        let failed = |error| DataError::io(&self.place.join(name), "write", error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
    }

    pub(super) fn persist(self) -> Result<(), DataError> {
        let place = &self.place;
        let failed = |error| DataError::io(place, "write", error);
        check_free(place, self.existing)?;
        let (new, old) = (self.beside.path().join("new"), self.beside.path().join("old"));
        let replaces = place.symlink_metadata().is_ok();
        if replaces {
            fs::rename(place, &old).map_err(failed)?;
        }
        if let Err(error) = fs::rename(&new, place) {
            if replaces {
                // The first error is the one to tell.
                let _ = fs::rename(&old, place);
            }
            return Err(failed(error));
        }
        #[cfg(unix)]
        if let Some(parent) = self.beside.path().parent() {
            File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Whether a new folder may come to `place`: nothing or an empty folder is there, or earlier output that may be replaced.
fn check_free(place: &Path, existing: Existing) -> Result<(), DataError> {
    let Ok(metadata) = place.symlink_metadata() else { return Ok(()) };
    let occupied = || DataError::Exists { path: place.to_owned() };
    if !metadata.is_dir() {
        return Err(occupied());
    }
    for entry in place.read_dir().map_err(|error| DataError::io(place, "read", error))? {
        let entry = entry.map_err(|error| DataError::io(place, "read", error))?;
        let path = entry.path();
        let ours = match path.extension().and_then(|extension| extension.to_str()) {
            Some("dcm") => is_ours(&path),
            Some("json") => true,
            _ => false,
        };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if existing == Existing::Refuse || !ours || !is_file {
            return Err(occupied());
        }
    }
    Ok(())
}

/// Whether this program wrote the file, by the name in its meta group.
fn is_ours(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1024).read_to_end(&mut start));
    read.is_ok() && start.windows(IMPLEMENTATION.len()).any(|window| window == IMPLEMENTATION.as_bytes())
}
