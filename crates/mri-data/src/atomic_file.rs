//! Files that appear whole or not at all: written beside their place under a temporary name, synced, then renamed.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::DataError;

/// What to do with what is at the place of an output already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fail and leave it.
    Refuse,
    /// Put the new one in its place once that is whole.
    Replace,
}

/// Writes `bytes` to `path`.
///
/// # Errors
/// As [`replace_file`] or [`create_file`], by `existing`.
pub fn write_file(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), DataError> {
    match existing {
        Existing::Refuse => create_file(path, bytes),
        Existing::Replace => replace_file(path, bytes),
    }
}

/// Writes `bytes` to `path`, replacing what is there.
///
/// # Errors
/// [`DataError::Io`] or [`DataError::NotFound`] with the path; then `path` is as it was before.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let beside = written_beside(path, bytes)?;
    beside.persist(path).map_err(|error| DataError::io(path, "write", error.error))?;
    sync_folder_of(path)
}

/// Writes `bytes` to `path`, where nothing may be.
///
/// # Errors
/// [`DataError::Exists`] if something is at `path` already, else as [`replace_file`].
pub fn create_file(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    if path.symlink_metadata().is_ok() {
        return Err(DataError::Exists { path: path.to_owned() });
    }
    let beside = written_beside(path, bytes)?;
    beside.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => DataError::Exists { path: path.to_owned() },
        _ => DataError::io(path, "write", error.error),
    })?;
    sync_folder_of(path)
}

fn written_beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, DataError> {
    let failed = |error| DataError::io(path, "write", error);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    // Temporary files are private by default; this one becomes an ordinary file, so the umask alone decides.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the rename itself survive a power cut, where folders can be opened and synced.
fn sync_folder_of(path: &Path) -> Result<(), DataError> {
    #[cfg(unix)]
    std::fs::File::open(folder_of(path))
        .and_then(|folder| folder.sync_all())
        .map_err(|error| DataError::io(path, "sync", error))?;
    Ok(())
}
