//! `mri-cli translate`: synthetic images of the other contrast, from slices, volumes, series, and folders of them.

mod checks;
mod plan;
mod shard;
mod sidecar;
mod target;
mod together;
mod work;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::Device;
use indicatif::ProgressBar;
use mri_data::atomic_file::Existing;
use mri_data::nifti::DataType;
use mri_data::study::Study;
use mri_data::volume::SliceAxis;

use crate::ensemble::Models;
use crate::stdout::outln;
use crate::translator::VolumePass;
use crate::{
    device::{DeviceChoice, announce_gpu},
    exit::SomeFailed,
};
use checks::{check_derivative, check_inputs_stay, check_outputs, describe, without_existing};
use plan::{Plan, Task};
use shard::Shard;
use work::{Worker, for_all, hashes_of};

/// Translate slices, volumes or series into the other contrast
///
/// PATH is an image (PNG, JPEG, TIFF), a NIfTI volume, a DICOM file, a folder of these (searched through; a DICOM series in
/// it counts as one), a BIDS data set, or a zip archive of images. Each output has the name, size or grid, and format of its
/// input. Outputs are synthetic: for research only, not for diagnosis.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    models: Models,
    /// Domain to translate to, such as t2; the inputs are of the other one
    #[arg(long, value_name = "DOMAIN")]
    to: String,
    /// Image, volume, series, folder, BIDS data set or zip archive
    #[arg(short, long, value_name = "PATH")]
    input: PathBuf,
    /// File to write, or the folder to write into; a single DICOM series becomes this folder
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Replace files that exist
    #[arg(long, conflicts_with = "skip_existing")]
    overwrite: bool,
    /// Pass over inputs whose outputs exist
    #[arg(long)]
    skip_existing: bool,
    /// Only list what would be done; of volumes the headers alone are read
    #[arg(long)]
    dry_run: bool,
    /// Format of the volumes to write
    #[arg(long, value_enum, default_value_t)]
    format: VolumeFormat,
    /// Type of the voxels in NIfTI files, such as float32 (the default) or int16, which gets a slope and clips nothing
    #[arg(long, value_name = "TYPE")]
    dtype: Option<DataType>,
    /// Direction of the slices of volumes, in place of the model's
    #[arg(long, value_parser = slice_axis, value_name = "axial|coronal|sagittal")]
    axis: Option<SliceAxis>,
    /// The series that is meant, where a DICOM study has several: its UID, description or a part of the description
    #[arg(long, value_name = "UID|TEXT")]
    series: Vec<String>,
    /// Studies done at once
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// Slices of a volume in one pass of the network, on a GPU; the CPU takes them one at a time
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    /// Do only the i-th of n parts of the work: every n-th study
    #[arg(long, value_name = "i/n")]
    shard: Option<Shard>,
}

/// The format of a volume to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum VolumeFormat {
    /// That of the input
    #[default]
    Same,
    Nifti,
    Dicom,
}

fn slice_axis(name: &str) -> Result<SliceAxis, String> {
    match name {
        "axial" => Ok(SliceAxis::Axial),
        "coronal" => Ok(SliceAxis::Coronal),
        "sagittal" => Ok(SliceAxis::Sagittal),
        _ => Err("use axial, coronal or sagittal".into()),
    }
}

pub fn run(args: Args) -> Result<()> {
    let device = if args.dry_run { Device::Cpu } else { args.device.open()? };
    announce_gpu(&device);
    let translator = args.models.open(&device)?;
    let to = translator.domain(&args.to)?;
    let Plan { mut items, derivative } = Plan::make(&args, &translator)?;
    check_inputs_stay(&args, &items)?;
    if let Some(shard) = args.shard {
        items = shard.of(items);
    }
    let total = items.len();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Ok(task) => tasks.push(task),
            Err(error) => failures.push(error),
        }
    }
    let (skipped, tasks) = if args.skip_existing { without_existing(tasks) } else { (Vec::new(), tasks) };
    check_outputs(&args, &tasks)?;
    if let Some(derivative) = &derivative {
        check_derivative(derivative, &args)?;
    }
    let axis = args.axis.unwrap_or(translator.settings().slice_axis);
    if args.dry_run {
        return dry_run(&tasks, &skipped, failures, axis);
    }
    if let Some(derivative) = &derivative {
        describe(derivative)?;
    }

    let has_volumes = tasks.iter().any(|task| matches!(task.study, Study::Volume(_)));
    let worker = Worker {
        translator: &translator,
        to,
        models_sha256: &if has_volumes { hashes_of(translator.files())? } else { Vec::new() },
        pass: VolumePass { axis, batch: args.batch.get() },
        datatype: args.dtype.unwrap_or_default(),
        existing: existing(&args),
    };
    let (members, _) = translator.members();
    let passes = |task: &Task| members as u64 * task.slices(axis).unwrap_or(1);
    let slices: Vec<u64> = tasks.iter().map(passes).collect();
    let bar = ProgressBar::new(slices.iter().sum());
    let tasks_and_slices: Vec<_> = tasks.iter().zip(slices).collect();
    failures.extend(for_all(&tasks_and_slices, args.jobs.get(), |(task, expected)| {
        let mut seen = 0;
        let made = worker.make(task, |slices| {
            seen += slices as u64;
            bar.inc(slices as u64);
        });
        bar.inc(expected.saturating_sub(seen));
        made
    }));
    bar.finish_and_clear();
    report(&args, total, &tasks, skipped.len(), failures)
}

fn existing(args: &Args) -> Existing {
    if args.overwrite { Existing::Replace } else { Existing::Refuse }
}

/// Says on stderr what was done; an error where something was not.
fn report(
    args: &Args,
    total: usize,
    tasks: &[Task],
    skipped: usize,
    mut failures: Vec<anyhow::Error>,
) -> Result<()> {
    let failed = failures.len();
    let images_alone = tasks.iter().all(|task| matches!(task.study, Study::Image(_)));
    let things = |number: usize| match (images_alone, number) {
        (true, 1) => "image",
        (true, _) => "images",
        (false, 1) => "study",
        (false, _) => "studies",
    };
    if failed == total
        && let Some(last) = failures.pop()
    {
        let of_many = format!("none of {total} {} could be translated; the last", things(total));
        return Err(if total == 1 { last } else { last.context(of_many) });
    }
    if skipped > 0 {
        eprintln!("{skipped} {} passed over: their outputs exist", things(skipped));
    }
    let done = total - failed - skipped;
    eprintln!(
        "{done} synthetic {} written to {}: for research only, not for diagnosis",
        things(done),
        args.output.display()
    );
    list_failures(&failures, total)
}

fn list_failures(failures: &[anyhow::Error], total: usize) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    failures.iter().for_each(|error| eprintln!("failed: {error:#}"));
    Err(SomeFailed { failed: failures.len(), total }.into())
}

/// Lists on stdout what would be done: action, source, output and remark, with tabs between them.
fn dry_run(
    tasks: &[Task],
    skipped: &[Task],
    mut failures: Vec<anyhow::Error>,
    axis: SliceAxis,
) -> Result<()> {
    let total = tasks.len() + skipped.len() + failures.len();
    for task in tasks {
        let remark = || Ok(format!("{}, {} slices", task.remark()?, task.slices(axis)?));
        match (&task.study, remark()) {
            (_, Err(error)) => failures.push(error),
            (study, Ok(remark)) => {
                let mut remark = if matches!(study, Study::Image(_)) { "image".into() } else { remark };
                if let Some(map) = task.target.uncertainty() {
                    remark.push_str(&format!(", uncertainty in {}", map.display()));
                }
                outln!("translate\t{}\t{}\t{remark}", study.display(), task.target.path().display())?;
            }
        }
    }
    for task in skipped {
        outln!("skip\t{}\t{}\texists", task.study.display(), task.target.path().display())?;
    }
    match failures.pop() {
        Some(only) if total == 1 => Err(only),
        Some(last) => {
            failures.push(last);
            list_failures(&failures, total)
        }
        None => Ok(()),
    }
}
