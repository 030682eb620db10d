//! `mri-cli inspect`: what a file or folder is, in words or as JSON.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use mri_data::study::{Study, Survey, survey};
use serde::Serialize;

use crate::stdout::outln;

mod checkpoint;
mod images;
mod montage;
mod run;
mod volumes;

/// Say what PATH is: an image, a folder or zip of slices, a volume, a series, a checkpoint, a run folder
///
/// Of slices it tells how many there are in each domain, their sizes, bit depths and intensities, which are near-blank
/// or cannot be read, and which look like pairs (the same slice of the same head in two domains). Of volumes (NIfTI,
/// DICOM) it tells grid, orientation and intensities, what a series says of its contrast, and missing or doubled slices;
/// no names, IDs or dates.
#[derive(clap::Args)]
pub struct Args {
    /// Image, volume, folder, zip archive, checkpoint (.safetensors) or run folder
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
    Volumes(Survey),
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
        Kind::Volumes(survey) => {
            let found = volumes::look(path, survey)?;
            say(&found, volumes::words, args.json)?;
            found.complete()
        }
    }
}

fn kind(path: &Path) -> anyhow::Result<Kind> {
    let metadata = path.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if metadata.is_dir() && (path.join("config.toml").exists() || path.join("model.safetensors").exists()) {
        return Ok(Kind::Run);
    }
    if name.ends_with(".safetensors") {
        return Ok(Kind::Checkpoint);
    }
    let found = survey(path)?;
    let is_image = |study: &Study| matches!(study, Study::Image(_));
    let images_alone = found.unreadable.is_empty() && found.studies.iter().all(is_image);
    Ok(if images_alone { Kind::Images } else { Kind::Volumes(found) })
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
