//! What would stop the work, said before it begins; and what is done already.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mri_data::DataError;
use mri_data::atomic_file::create_file;
use mri_data::bids;
use mri_data::study::Study;

use super::Args;
use super::plan::{Derivative, Task};
use super::target::Target;

/// An output must never be put in the place of an input.
pub fn check_inputs_stay(args: &Args, items: &[Result<Task>]) -> Result<()> {
    let canonical = |path: &Path| path.canonicalize().ok();
    let same = |a: &Path, b: &Path| canonical(a).is_some_and(|a| Some(a) == canonical(b));
    let tasks = || items.iter().flatten();
    let is_input = |path: &Path| same(&args.input, path);
    if is_input(&args.output) || tasks().any(|task| task.target.paths().into_iter().any(is_input)) {
        bail!("{}: input and output are the same", args.input.display());
    }
    // A series takes the whole of its folder.
    for folder in tasks().filter_map(|task| match &task.target {
        Target::Dicom(folder) => canonical(folder),
        _ => None,
    }) {
        let lies_inside = |path: &PathBuf| canonical(path).is_some_and(|path| path.starts_with(&folder));
        let source_files = |task: &Task| match &task.study {
            Study::Volume(volume) => volume.paths(),
            Study::Image(_) => Vec::new(),
        };
        if tasks().any(|task| source_files(task).iter().any(lies_inside)) {
            bail!("{}: input and output are the same", folder.display());
        }
    }
    Ok(())
}

/// Those whose outputs exist, and the others.
pub fn without_existing(tasks: Vec<Task>) -> (Vec<Task>, Vec<Task>) {
    tasks.into_iter().partition(|task| task.target.paths().into_iter().all(is_occupied))
}

/// An empty folder is free for a series.
fn is_occupied(path: &Path) -> bool {
    match path.read_dir() {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// Says before the work what would stop it.
pub fn check_outputs(args: &Args, tasks: &[Task]) -> Result<()> {
    let is_output = |path: &Path| tasks.iter().any(|task| task.target.path() == path);
    if args.output.is_file() && !(tasks.len() == 1 && is_output(&args.output)) && !tasks.is_empty() {
        let (output, count) = (args.output.display(), tasks.len());
        bail!("{output}: a file, where a folder for {count} outputs is needed");
    }
    let existing: Vec<_> =
        tasks.iter().flat_map(|task| task.target.paths()).filter(|path| is_occupied(path)).collect();
    match existing.first() {
        Some(first) if !args.overwrite => {
            let others = match existing.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            bail!("{} exists{others}; --overwrite replaces it", first.display())
        }
        _ => Ok(()),
    }
}

/// A data set of somebody else is not written into.
pub fn check_derivative(derivative: &Derivative, args: &Args) -> Result<()> {
    let path = derivative.root.join(bids::DESCRIPTION_FILE);
    if path.exists() && !bids::is_own_derivative(&derivative.root)? {
        bail!("{}: the data set in {} is of another program", path.display(), args.output.display());
    }
    Ok(())
}

/// Writes the description of a derivative, which processes that share the work may do at once.
pub fn describe(derivative: &Derivative) -> Result<()> {
    let Derivative { root, source } = derivative;
    let description = bids::derivative_description(env!("CARGO_PKG_VERSION"), root, source);
    std::fs::create_dir_all(root).with_context(|| format!("cannot make the folder {}", root.display()))?;
    let text = format!("{}\n", serde_json::to_string_pretty(&description)?);
    for (name, text) in [(bids::DESCRIPTION_FILE, text.as_str()), ("README", bids::DERIVATIVE_README)] {
        match create_file(&root.join(name), text.as_bytes()) {
            Ok(()) | Err(DataError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
