//! Walking a folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::DataError;

/// Paths, relative to `root`, of all files below it that are not hidden.
pub(crate) fn files_in(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    let mut visited = HashSet::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(relative) = pending.pop() {
        let folder = root.join(&relative);
        let failed = |error| DataError::io(&folder, "read", error);
        // A link to a folder above would go round for ever.
        if !visited.insert(folder.canonicalize().map_err(failed)?) {
            continue;
        }
        for entry in folder.read_dir().map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if is_hidden(&name.to_string_lossy()) {
                continue;
            }
            let inside = relative.join(&name);
            let path = root.join(&inside);
            match path.metadata() {
                Ok(metadata) if metadata.is_dir() => pending.push(inside),
                // A link that leads nowhere is a file like others: whoever reads it learns what is wrong.
                Ok(_) | Err(_) => files.push(inside),
            }
        }
    }
    Ok(files)
}

/// Names that systems put beside a user's files.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}
