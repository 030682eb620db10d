//! `mri-cli inspect`: what a file or folder is, in words or as JSON.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Serialize;

use crate::stdout::outln;

mod checkpoint;
mod images;
mod montage;
mod run;

/// Say what PATH is: an image, a folder or zip of slices, a checkpoint, a run folder
///
/// Of slices it tells how many there are in each domain, their sizes, bit depths and intensities, which are near-blank
/// or cannot be read, and which look like pairs (the same slice of the same head in two domains).
#[derive(clap::Args)]
pub struct Args {
    /// Image, folder, zip archive, checkpoint (.safetensors) or run folder
    path: PathBuf,
    /// Print JSON in place of words
    #[arg(long)]
    json: bool,
    /// Write a contact sheet of the images
    #[arg(long, value_name = "FILE.png")]
    montage: Option<PathBuf>,
    /// Replace the contact sheet if it exists
    #[arg(long)]
    overwrite: bool,
}

/// What PATH can be.
enum Kind {
    Images,
    Checkpoint,
    Run,
    Volume,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let path = args.path.as_path();
    let kind = kind(path)?;
    if let Some(montage) = &args.montage {
        ensure!(
            matches!(kind, Kind::Images),
            "--montage is for images; {} has none of its own",
            path.display()
        );
        let is_free = args.overwrite || !montage.exists();
        ensure!(is_free, "{} exists already; --overwrite replaces it", montage.display());
    }
    match kind {
        Kind::Images => {
            let found = images::look(path)?;
            say(&found, images::words, args.json)?;
            if let Some(montage) = &args.montage {
                montage::write(&found, montage)?;
            }
            found.complete()
        }
        Kind::Checkpoint => say(&checkpoint::look(path)?, checkpoint::words, args.json),
        Kind::Run => say(&run::look(path)?, run::words, args.json),
        Kind::Volume => bail!("{}: volumes and series (NIfTI, DICOM) are not supported yet", path.display()),
    }
}

fn kind(path: &Path) -> anyhow::Result<Kind> {
    let metadata = path.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ends_with = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    Ok(
        if metadata.is_dir() && (path.join("config.toml").exists() || path.join("model.safetensors").exists())
        {
            Kind::Run
        } else if metadata.is_dir() {
            Kind::Images
        } else if ends_with(&[".safetensors"]) {
            Kind::Checkpoint
        } else if ends_with(&[".nii", ".nii.gz", ".hdr", ".dcm", ".ima"]) {
            Kind::Volume
        } else {
            Kind::Images
        },
    )
}

fn say<T: Serialize>(found: &T, words: fn(&T) -> String, json: bool) -> anyhow::Result<()> {
    if json {
        outln!("{}", serde_json::to_string_pretty(found)?)
    } else {
        outln!("{}", words(found).trim_end())
    }
}

/// `3 images`, `1 image`.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// `54413313` as `54,413,313`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 54_413_313].map(grouped), ["0", "999", "1,000", "54,413,313"]);
    }
}
