//! `mri-cli phantom`: a folder of procedural heads for training and testing.

use std::path::PathBuf;

use anyhow::Context;
use mri_data::DataError;
use mri_data::phantom::{Acquisition, DatasetOptions, Existing, Lesions, write_dataset};

use crate::stdout::outln;

/// Write a data set of procedural heads: T1- and T2-weighted slices with their truth
///
/// train/t1 and train/t2 hold slices of different subjects, for unpaired training. validation/ and test/ hold exact
/// pairs and tissue labels of subjects that are in no other part, listed in their pairs.csv. phantom.json says how it
/// was made and what the labels mean. The same options give the same files.
#[derive(clap::Args)]
pub struct Args {
    /// Folder to write; it appears whole or not at all
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Training subjects of each contrast
    #[arg(long, value_name = "N", default_value_t = DatasetOptions::default().train_subjects)]
    subjects: usize,
    /// Subjects of the validation part
    #[arg(long, value_name = "N", default_value_t = DatasetOptions::default().validation_subjects)]
    validation_subjects: usize,
    /// Subjects of the test part
    #[arg(long, value_name = "N", default_value_t = DatasetOptions::default().test_subjects)]
    test_subjects: usize,
    /// Slices of each subject
    #[arg(long, value_name = "N", default_value_t = DatasetOptions::default().slices_per_subject)]
    slices: usize,
    /// Side of the square images, in pixels
    #[arg(long, value_name = "PX", default_value_t = DatasetOptions::default().size_px)]
    size: usize,
    /// Seed: another seed gives other people
    #[arg(long, default_value_t = DatasetOptions::default().seed)]
    seed: u64,
    /// Give the test subjects, and them alone, white-matter lesions and a focal one, and write lesion masks
    #[arg(long)]
    lesions: bool,
    /// Noise, in percent of the signal of white matter (T1) or fluid (T2)
    #[arg(long, value_name = "PERCENT", default_value_t = DatasetOptions::default().acquisition.noise_percent)]
    noise: f32,
    /// Range of the smooth intensity non-uniformity, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = DatasetOptions::default().acquisition.bias_percent)]
    bias: f32,
    /// Replace an older phantom data set in DIR
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let options = DatasetOptions {
        seed: args.seed,
        train_subjects: args.subjects,
        validation_subjects: args.validation_subjects,
        test_subjects: args.test_subjects,
        slices_per_subject: args.slices,
        size_px: args.size,
        lesions: if args.lesions { Lesions::Test } else { Lesions::Absent },
        acquisition: Acquisition { noise_percent: args.noise, bias_percent: args.bias },
        ..DatasetOptions::default()
    };
    let existing = if args.overwrite { Existing::Replace } else { Existing::Refuse };
    write_dataset(&args.out, &options, existing).map_err(|error| match error {
        DataError::Exists { .. } if args.overwrite => anyhow::Error::from(error)
            .context("--overwrite replaces only a phantom data set, and this folder holds something else"),
        DataError::Exists { .. } => {
            anyhow::Error::from(error).context("--overwrite replaces an older phantom data set")
        }
        error => error.into(),
    })?;
    let subjects = 2 * args.subjects + args.validation_subjects + args.test_subjects;
    let pairs = subjects * args.slices;
    outln!(
        "{}: {pairs} pairs of slices of {subjects} subjects, {} x {} px",
        args.out.display(),
        args.size,
        args.size
    )
    .context("the data set is written")
}
