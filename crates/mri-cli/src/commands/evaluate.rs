//! `mri-cli evaluate`: a model against true pairs and against methods that know no anatomy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mri_data::scratch::default_folder;
use mri_eval::report::Report;

use crate::dataset::{Dataset, with_phantom};
use crate::device::{DeviceChoice, announce_gpu};
use crate::ensemble::Models;
use crate::exit::SomeFailed;
use crate::pairs::Pairs;
use crate::run_folder::RunFolder;
use crate::stdout::outln;
use crate::training_data::{TrainingData, Unpaired};
use crate::translator::Translator;
use crate::{evaluation, evaluation_page, whole_file};

/// Measure a model on true pairs, beside copying, inverting, histogram matching and two oracles
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    models: Models,
    /// True pairs of images, or of volumes on one grid: a CSV with one column a domain (t1,t2) and perhaps `subject`,
    /// `labels` of tissues and masks of `lesions`; paths relative to it
    #[arg(long, value_name = "CSV")]
    pairs: PathBuf,
    /// Pairs of the training part, to fit the baselines on [default: what the run was trained on, else the other
    /// subjects of --pairs]
    #[arg(long, value_name = "CSV")]
    train_pairs: Option<PathBuf>,
    /// Write every number, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write evaluation.html, the table with pictures, into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Folder for temporary files [default: TMPDIR, else the system's]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Replace files that exist
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: Args) -> Result<()> {
    let page = args.report.as_ref().map(|folder| folder.join("evaluation.html"));
    for file in args.json.iter().chain(&page) {
        if file.exists() && !args.overwrite {
            bail!("{} exists; --overwrite replaces it", file.display());
        }
    }
    let device = args.device.open()?;
    announce_gpu(&device);
    let translator = args.models.open(&device)?;
    let domains = translator.domains();
    let pairs = Pairs::list(&args.pairs, domains)?;
    let training = training_data(&args, &translator)?;
    let total = pairs.len();
    let scratch = args.scratch.clone().unwrap_or_else(default_folder);
    let evaluation = evaluation::evaluate(&translator, &pairs, training.as_ref(), &scratch)?;
    say_what_was_fitted_on_the_cases(training.as_ref(), &evaluation.report);

    if let Some(file) = &args.json {
        whole_file::write_text(file, &(serde_json::to_string_pretty(&evaluation.report)? + "\n"))?;
    }
    if let Some(file) = &page {
        whole_file::write_text(file, &evaluation_page::page(&evaluation)?)?;
    }
    outln!("{}", evaluation.report.table())?;
    for failed in &evaluation.report.failed {
        eprintln!("{}: {}: {}", args.pairs.display(), failed.name, failed.reason);
    }
    match evaluation.report.failed.len() {
        0 => Ok(()),
        failed => Err(SomeFailed { failed, total }.into()),
    }
}

/// The pairs that the user names, else the training data of the run (of several the first), where they still are.
fn training_data(args: &Args, translator: &Translator) -> Result<Option<TrainingData>> {
    if let Some(csv) = &args.train_pairs {
        return Ok(Some(training_pairs(csv, translator.domains())?));
    }
    let Some(run) = args.models.paths.first().filter(|path| path.is_dir()) else { return Ok(None) };
    let of_run = || -> Result<TrainingData> {
        let (_, config) = RunFolder::open(run)?;
        let config = with_phantom(config)?;
        let dataset = Dataset::find(&config)?;
        ensure!(
            dataset.manifest.hash() == translator.settings().manifest_sha256,
            "the files have changed since the training"
        );
        dataset.for_baselines(&config)
    };
    match of_run() {
        Ok(training) => Ok(Some(training)),
        Err(error) => {
            eprintln!("warning: the training data of {} cannot be used: {error:#}", run.display());
            Ok(None)
        }
    }
}

/// Training pairs serve every baseline; the histogram match sees them as two unpaired sets.
fn training_pairs(csv: &Path, domains: [&str; 2]) -> Result<TrainingData> {
    let pairs = Pairs::list(csv, domains).context("--train-pairs")?;
    let origin = format!("{} pairs of {}", pairs.len(), csv.display());
    Ok(TrainingData { origin, unpaired: Unpaired::OfPairs, pairs: Some(pairs) })
}

fn say_what_was_fitted_on_the_cases(training: Option<&TrainingData>, report: &Report) {
    let Some(fitted_on) = report.directions.first().map(|report| &report.fitted_on) else { return };
    let has_pairs = training.is_some_and(|data| data.pairs.is_some());
    if training.is_none() {
        eprintln!("note: no training images: histogram is fitted, for each case, on {}", fitted_on.histogram);
    }
    if !has_pairs {
        eprintln!(
            "note: no training pairs: lut and retrieval are fitted, for each case, on {}",
            fitted_on.lut
        );
        let cases = report.directions.iter().flat_map(|direction| &direction.cases);
        let subjects: BTreeSet<_> = cases.map(|case| case.subject.as_deref()).collect();
        if subjects.contains(&None) || subjects.len() < 2 {
            eprintln!(
                "note: where those are neighbouring slices of one head, that flatters retrieval; name subjects, two or more"
            );
        }
    }
}
