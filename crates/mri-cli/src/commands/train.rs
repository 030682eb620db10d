//! `mri-cli train`: load, construct, resume, train, measure.

use crate::{
    collapse,
    config::{Config, DataConfig},
    dataset::{Dataset, LoaderBatches, with_phantom},
    device::{self, DeviceChoice},
    evaluation::evaluate,
    out_of_memory,
    pairs::Pairs,
    plot, progress_gif, report,
    run_folder::{MetricsLog, RunFolder},
    stdout::outln,
    tone_start::start_tones,
    translator::{DataSettings, Translator},
    validation::{Cases, validate},
    whole_file,
    witness::{Exhibit, Witness, bar, outside},
};
use anyhow::{Context, Result, bail};
use candle_core::Device;
use mri_cyclegan::{
    Architecture, Batches, CheckpointFolder, CycleGan, Outcome, Progress, Training, export_model, resume,
    train,
};
use mri_data::split::Split;
use mri_eval::collapse::Sign;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Instant,
};

/// Train a model, on the built-in phantom or on your images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A preset (quick, quality, seed) or a TOML file
    #[arg(long, value_name = "FILE|PRESET", default_value = "quick")]
    config: String,
    /// Image, folder or zip archive of the first domain (without both: the phantom)
    #[arg(long, value_name = "PATH", requires = "t2", conflicts_with = "resume")]
    t1: Option<PathBuf>,
    /// The same of the second domain
    #[arg(long, value_name = "PATH", requires = "t1", conflicts_with = "resume")]
    t2: Option<PathBuf>,
    /// Run folder to make [default: the next free runs/CONFIG-NNN]
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Run folder to go on with, from its last checkpoint
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "set", "seed"])]
    resume: Option<PathBuf>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Every random number follows from it
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Epochs at which to stop
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Override one setting of the configuration, such as train.lr=1e-4
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

pub fn run(args: Args) -> Result<()> {
    let device = args.device.open()?;
    let (run, config, resumption) = match &args.resume {
        Some(path) => reopen(path, args.epochs)?,
        None => begin(&args)?,
    };
    config.train.check_on(&device)?;
    let mut as_given = config.clone();
    let config = with_phantom(config)?;
    let dataset = Dataset::find(&config)?;
    as_given.data.normalization = Some(dataset.normalization.clone());
    let settings = dataset.settings(&config)?;
    let loader = dataset.loader(&config, &settings, &device)?;
    let cases = validation_cases(&config, &dataset, &settings)?;
    check_pairs(&config, &settings)?;
    let checkpoints = CheckpointFolder {
        path: run.checkpoints(),
        domains: config.data.domains.clone(),
        data: serde_json::to_value(&settings)?,
    };

    let architecture =
        Architecture { generator: config.model.clone(), discriminator: config.discriminator.clone() };
    let mut model = CycleGan::new(&architecture, &config.loss, &config.train, config.seed, &device)?;
    let mut progress = match resumption {
        Resumption::Fresh => {
            start_tones(&mut model, &config, loader.domains())?;
            Progress::default()
        }
        Resumption::FromLast => {
            check_data_unchanged(&checkpoints, &settings)?;
            resume(&mut model, &checkpoints.last())?
        }
    };
    // Nothing is written before all that can be wrong with settings and data has been looked at.
    run.make(&as_given)?;
    whole_file::write_text(&run.manifest(), &serde_json::to_string_pretty(&dataset.manifest)?)?;
    progress_gif::drop_samples_after(&run.path, progress.epoch)?;

    let batches = LoaderBatches { loader: &loader, batch: config.train.batch, device: &device };
    let translator = Translator::of_training(&model, &checkpoints.domains, &settings)?;
    let steps = (config.train.epochs * batches.steps_per_epoch()) as u64;
    announce(&run, &config, &dataset, steps, &device);
    args.device.note_unused_gpu();
    let stop = stop_on_interrupt()?;
    let started = Instant::now();
    let mut witness = Witness {
        run: &run,
        log: MetricsLog::open(&run, model.steps(), progress.epoch)?,
        bar: bar(steps, model.steps()),
        translator: &translator,
        exhibits: exhibits(&config, &cases),
        panels_every: config.output.panels_every,
        epochs: config.train.epochs,
        started,
    };
    let mut judge = |steps| {
        let counts = |sign: &Sign| collapse::counts(sign, config.model.skip, steps);
        validate(&translator, &cases, counts).map(Some).map_err(outside)
    };
    let outcome = train(
        &mut model,
        &mut progress,
        Training {
            config: &config.train,
            batches: &batches,
            validate: &mut judge,
            observer: &mut witness,
            checkpoints: &checkpoints,
            stop: &stop,
        },
    );
    witness.bar.finish_and_clear();
    let outcome = outcome.map_err(|error| out_of_memory::of_training(error.into(), &mut model, &config))?;
    match outcome {
        Outcome::Stopped => {
            eprintln!("stopped and saved after step {} of {steps}", model.steps());
            outln!("go on with: {} train --resume {}", program(), run.path.display())
        }
        Outcome::Finished => {
            eprintln!("trained {} steps in {:.0} s", model.steps(), started.elapsed().as_secs_f64());
            // There is nothing more to save: an interrupt now ends at once.
            stop.store(true, Ordering::Relaxed);
            finish(&run, &config, &dataset, &checkpoints, &cases, &device)
        }
    }
}

enum Resumption {
    Fresh,
    FromLast,
}

fn begin(args: &Args) -> Result<(RunFolder, Config, Resumption)> {
    let mut config = Config::load(&args.config, &args.set)?;
    if let (Some(t1), Some(t2)) = (&args.t1, &args.t2) {
        (config.data.t1, config.data.t2) = (Some(t1.clone()), Some(t2.clone()));
        forget_other_data(&mut config.data, &args.set);
    }
    config.seed = args.seed.unwrap_or(config.seed);
    config.train.epochs = args.epochs.unwrap_or(config.train.epochs);
    config.check()?;
    let name = Path::new(&args.config).file_stem().and_then(|name| name.to_str()).unwrap_or("run");
    let out = args.out.clone().unwrap_or_else(|| RunFolder::next_free(name));
    RunFolder::check_vacant(&out)?;
    Ok((RunFolder { path: out }, config, Resumption::Fresh))
}

/// Other data than the configuration's have neither its pairs nor its split, unless `settings` say so.
fn forget_other_data(data: &mut DataConfig, settings: &[String]) {
    let is_set = |key: &str| settings.iter().any(|setting| setting.starts_with(&format!("data.{key}")));
    for (key, pairs) in [
        ("validation_pairs", &mut data.validation_pairs),
        ("test_pairs", &mut data.test_pairs),
        ("train_pairs", &mut data.train_pairs),
    ] {
        if !is_set(key) {
            *pairs = None;
        }
    }
    if !is_set("split") {
        data.split = Split::default();
    }
}

/// Reads all pairs that will be needed at the end, so that hours of training do not end in a misspelt path.
fn check_pairs(config: &Config, settings: &DataSettings) -> Result<()> {
    for csv in config.data.test_pairs.iter().chain(&config.data.train_pairs) {
        Pairs::list(csv, domain_names(config))?.read_all(settings, |_, _| Ok(()))?;
    }
    Ok(())
}

fn domain_names(config: &Config) -> [&str; 2] {
    config.data.domains.each_ref().map(String::as_str)
}

fn reopen(path: &Path, epochs: Option<usize>) -> Result<(RunFolder, Config, Resumption)> {
    let (run, mut config) = RunFolder::open(path)?;
    if let Some(epochs) = epochs {
        config.train.epochs = epochs;
        config.check()?;
    }
    let saved = run.checkpoints().join("last.safetensors");
    let resumption = if saved.exists() { Resumption::FromLast } else { Resumption::Fresh };
    Ok((run, config, resumption))
}

fn check_data_unchanged(checkpoints: &CheckpointFolder, settings: &DataSettings) -> Result<()> {
    let found = mri_cyclegan::read_metadata(&checkpoints.last())?.data;
    // Through text, as the checkpoint's went: a number may change its last bit on that way.
    let expected = serde_json::to_value(settings)?.to_string();
    let expected: serde_json::Value = serde_json::from_str(&expected)?;
    if found != expected {
        bail!(
            "{}: made from other training data: the files have changed since",
            checkpoints.last().display()
        );
    }
    Ok(())
}

/// Pairs where the configuration names them, else held-out slices, else training slices.
fn validation_cases(config: &Config, dataset: &Dataset, settings: &DataSettings) -> Result<Cases> {
    if let Some(csv) = &config.data.validation_pairs {
        return Cases::paired(&Pairs::list(csv, domain_names(config))?, settings);
    }
    let held_out = dataset.held_out.iter().all(|slices| !slices.is_empty());
    Cases::unpaired(if held_out { &dataset.held_out } else { &dataset.train }, settings)
}

/// Half of the rows from A to B, half back.
fn exhibits(config: &Config, cases: &Cases) -> Vec<Exhibit> {
    let per_direction = config.output.panel_rows.div_ceil(2);
    let spread =
        |n: usize| (0..per_direction.min(n)).map(move |i| (2 * i + 1) * n / (2 * per_direction.min(n)));
    let mut exhibits = Vec::new();
    for from in 0..2 {
        match cases {
            Cases::Paired(pairs) => exhibits.extend(spread(pairs.len()).map(|i| Exhibit {
                from,
                slice: pairs[i][from].clone(),
                target: Some(pairs[i][1 - from].clone()),
            })),
            Cases::Unpaired(slices) => exhibits.extend(spread(slices[from].len()).map(|i| Exhibit {
                from,
                slice: slices[from][i].clone(),
                target: None,
            })),
        }
    }
    exhibits
}

fn announce(run: &RunFolder, config: &Config, dataset: &Dataset, steps: u64, device: &Device) {
    let [a, b] = &config.data.domains;
    let [slices_a, slices_b] = dataset.train.each_ref().map(Vec::len);
    let [height, width] = config.data.size.height_width_px();
    eprintln!(
        "training {} on {slices_a} {a} and {slices_b} {b} slices at {height}x{width} px, {} epochs, {steps} steps, on {}",
        run.path.display(),
        config.train.epochs,
        device::name(device),
    );
}

/// The first Ctrl-C (or SIGTERM) asks to save and end, the second ends at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nsaving after this step; interrupt again to end at once");
    })
    .context("cannot catch Ctrl-C")?;
    Ok(stop)
}

/// The model file, the final measurement, the pictures, and where all of it lies.
fn finish(
    run: &RunFolder,
    config: &Config,
    dataset: &Dataset,
    checkpoints: &CheckpointFolder,
    cases: &Cases,
    device: &Device,
) -> Result<()> {
    let chosen = match cases {
        Cases::Paired(_) if checkpoints.best().exists() => checkpoints.best(),
        _ => checkpoints.last(),
    };
    export_model(&chosen, &run.model())?;
    let history = crate::history::read(&run.path)?;
    plot::write(&run.path, &history)?;
    progress_gif::write(&run.path)?;
    if let Some(csv) = &config.data.test_pairs {
        let translator = Translator::load(&run.model(), device)?;
        let training = dataset.for_baselines(config)?;
        let pairs = Pairs::list(csv, domain_names(config))?;
        let report = evaluate(&translator, &pairs, Some(&training), &config.data.scratch())?.report;
        whole_file::write_text(&run.evaluation(), &serde_json::to_string_pretty(&report)?)?;
        outln!("{}", report.table())?;
    }
    report::write(&run.path)?;
    let [_, b] = &config.data.domains;
    let path = run.path.display();
    outln!("run folder  {path}")?;
    outln!("model       {}", run.model().display())?;
    outln!("report      {path}/report.html")?;
    collapse::check(run, &history)?;
    outln!("translate   {} translate --model {path} --to {b} -i IN -o OUT", program())
}

/// This program as it can be started from here.
fn program() -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_else(|_| "mri-cli".into());
    program.strip_prefix(&here).unwrap_or(&program).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_data_do_not_keep_the_presets_pairs_and_split() {
        let of_preset = Config::load("quality", &[]).unwrap().data;
        assert!(of_preset.test_pairs.is_some() && of_preset.split != Split::None);
        let mut data = of_preset.clone();
        forget_other_data(&mut data, &["data.test_pairs=mine.csv".into()]);
        assert_eq!((data.test_pairs, data.train_pairs), (of_preset.test_pairs, None));
        assert_eq!(data.split, Split::None);
    }
}
