//! `mri-cli translate`: synthetic images of the other contrast, from one slice or a folder of them.

use crate::{device::DeviceChoice, exit::SomeFailed, translator::Translator};
use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use mri_data::{
    image::{write_image, write_new_image},
    source::{ImageRef, list_images},
};
use std::path::{Path, PathBuf};

/// Translate a slice, or a folder or zip archive of slices, into the other contrast
///
/// Each output has the name, size and bit depth of its input. Outputs are synthetic: for research only, not for
/// diagnosis.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run folder or model file
    #[arg(long, value_name = "RUN|FILE")]
    model: PathBuf,
    /// Domain to translate to, such as t2; the inputs are of the other one
    #[arg(long, value_name = "DOMAIN")]
    to: String,
    /// Image (PNG, JPEG, TIFF), folder or zip archive
    #[arg(short, long, value_name = "PATH")]
    input: PathBuf,
    /// Image to write, or for a folder or archive the folder to write into
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Replace files that exist
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: Args) -> Result<()> {
    let images = list_images(&args.input)?;
    let outputs = output_paths(&args, &images);
    check_outputs(&args, &outputs)?;
    let translator = Translator::load(&args.model, &args.device.open()?)?;
    translator.domain(&args.to)?;

    let total = images.len();
    let bar = ProgressBar::new(total as u64);
    let mut failures = Vec::new();
    for (image, output) in images.iter().zip(&outputs) {
        if let Err(error) = translate_one(&translator, image, output, &args) {
            failures.push(error);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();

    let failed = failures.len();
    if failed == total
        && let Some(first) = failures.pop()
    {
        let of_many = format!("none of {total} images could be translated; the last");
        return Err(if total == 1 { first } else { first.context(of_many) });
    }
    eprintln!(
        "{} synthetic {} written to {}: for research only, not for diagnosis",
        total - failed,
        if total - failed == 1 { "image" } else { "images" },
        args.output.display()
    );
    if failed > 0 {
        failures.iter().for_each(|error| eprintln!("failed: {error:#}"));
        return Err(SomeFailed { failed, total }.into());
    }
    Ok(())
}

/// One file goes to the output itself, or into it where that is a folder; many go into it by their relative names.
fn output_paths(args: &Args, images: &[ImageRef]) -> Vec<PathBuf> {
    if args.input.is_file() && images.len() == 1 && !args.output.is_dir() && args.output.extension().is_some()
    {
        return vec![args.output.clone()];
    }
    images.iter().map(|image| args.output.join(image.relative())).collect()
}

/// Says before the work what would stop it.
fn check_outputs(args: &Args, outputs: &[PathBuf]) -> Result<()> {
    let same = |a: &Path, b: &Path| a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    if same(&args.input, &args.output) || outputs.iter().any(|path| same(&args.input, path)) {
        bail!("{}: input and output are the same", args.input.display());
    }
    if args.output.is_file() && outputs != [args.output.as_path()] {
        bail!("{}: a file, where a folder for {} images is needed", args.output.display(), outputs.len());
    }
    let existing: Vec<_> = outputs.iter().filter(|path| path.exists()).collect();
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

fn translate_one(translator: &Translator, image: &ImageRef, output: &Path, args: &Args) -> Result<()> {
    let translated = translator.translate(&image.read()?, &args.to).with_context(|| image.display())?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let write = if args.overwrite { write_image } else { write_new_image };
    Ok(write(output, &translated)?)
}
