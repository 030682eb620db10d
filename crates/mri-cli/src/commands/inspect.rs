//! `mri-cli inspect`: what a file or folder is, in words or as JSON.

use std::path::PathBuf;

use crate::stdout::outln;

/// Say what PATH is: an image, a folder or zip of slices, a checkpoint, a run folder
#[derive(clap::Args)]
pub struct Args {
    /// Image, folder, zip archive, checkpoint (.safetensors) or run folder
    path: PathBuf,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let found = std::fs::metadata(&args.path)
        .map_err(|error| anyhow::Error::new(error).context(format!("cannot read {}", args.path.display())))?;
    outln!("{}: {} bytes", args.path.display(), found.len())
}
