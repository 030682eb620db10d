//! Files that appear together.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mri_data::DataError;
use mri_data::atomic_file::Existing;
use mri_data::nifti::files_of;
use tempfile::TempDir;

/// Files of one folder that are written whole out of sight and then take their places, in the order in which they were
/// added: where the last one stands, all of them stand.
pub struct Together {
    hidden: TempDir,
    /// The last one's place, and the one that all errors are told of.
    main: PathBuf,
    existing: Existing,
    moves: Vec<(PathBuf, PathBuf)>,
}

impl Together {
    /// For `main` and others in its folder.
    pub fn beside(main: &Path, existing: Existing) -> Result<Self> {
        let folder = main.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let hidden = tempfile::Builder::new()
            .prefix(".")
            .suffix(".part")
            .tempdir_in(folder)
            .with_context(|| format!("{}: cannot write", main.display()))?;
        Ok(Self { hidden, main: main.to_owned(), existing, moves: Vec::new() })
    }

    /// Adds what is meant for `place`. `write` writes it, or a pair of files of this name, where it is told to.
    pub fn add(&mut self, place: &Path, write: impl FnOnce(&Path) -> Result<(), DataError>) -> Result<()> {
        let hidden = self.hidden.path().join(place.file_name().unwrap_or_default());
        write(&hidden).map_err(|error| under_its_name(error, place))?;
        // The header of a pair comes last, so that it never stands without its voxels.
        for file in files_of(&hidden).into_iter().rev() {
            let place = place.with_file_name(file.file_name().unwrap_or_default());
            self.moves.push((file, place));
        }
        Ok(())
    }

    /// Moves all files to their places.
    pub fn appear(self) -> Result<()> {
        for (_, taken) in self.moves.iter().filter(|(_, place)| place.symlink_metadata().is_ok()) {
            ensure!(self.existing == Existing::Replace, "{}: exists already", taken.display());
        }
        for (file, place) in &self.moves {
            fs::rename(file, place).with_context(|| format!("{}: cannot write", self.main.display()))?;
        }
        Ok(())
    }
}

/// What went wrong at a hidden place, told of the place that the file was for.
fn under_its_name(error: DataError, path: &Path) -> DataError {
    match error {
        DataError::Io { action, reason, .. } => DataError::Io { path: path.to_owned(), action, reason },
        other => other,
    }
}
