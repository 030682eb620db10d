#![doc = include_str!("../README.md")]
// A binary has no public API: `pub` here says "used by another file of this program".
#![allow(unreachable_pub)]
// A closed pipe must not panic: write results with `outln!`.
#![cfg_attr(not(test), warn(clippy::print_stdout))]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod anatomy_maps;
mod collapse;
mod commands;
mod config;
mod data_settings;
mod dataset;
mod device;
mod ensemble;
mod evaluation;
mod evaluation_page;
mod exit;
mod font;
mod history;
mod hub;
mod member;
mod out_of_memory;
mod paired_slices;
mod pairs;
mod pictures;
mod plot;
mod probes;
mod progress_gif;
mod public_set;
mod report;
mod run_folder;
mod slice_passes;
mod stdout;
mod tone_start;
mod training_data;
mod translator;
mod validation;
mod volume_passes;
mod whole_file;
mod witness;

/// Learn to translate MRI contrasts (T1 to T2 and back) from unpaired images, apply the model and measure it.
///
/// Translated images are synthetic. They are for research only, not for diagnosis: the model can invent
/// anatomy and can hide lesions.
#[derive(Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more on stderr: -v for steps, -vv for details (RUST_LOG overrides)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

const AFTER_HELP: &str = "Results go to stdout, progress and logs to stderr. \
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some inputs of many failed.\n\
Synthetic images: research only, not for diagnosis.";

#[derive(Subcommand)]
enum Command {
    Train(commands::train::Args),
    Translate(commands::translate::Args),
    Evaluate(commands::evaluate::Args),
    Inspect(commands::inspect::Args),
    Phantom(commands::phantom::Args),
    Fetch(commands::fetch::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    exit::code(match cli.command {
        Command::Train(args) => commands::train::run(args),
        Command::Translate(args) => commands::translate::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Phantom(args) => commands::phantom::run(args),
        Command::Fetch(args) => commands::fetch::run(args),
    })
}

/// Logs go to stderr; `RUST_LOG` (`mri_data=debug,info`) wins over the number of `-v`.
fn log_to_stderr(verbosity: u8) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;

    let named = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = named.unwrap_or_else(|| {
        let ours = [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];
        let level = ours[usize::from(verbosity).min(3)];
        // What goes wrong inside a dependency comes back as an error; its own lines are for those who ask.
        let others = if verbosity == 0 { LevelFilter::OFF } else { LevelFilter::WARN };
        ["mri_cli", "mri_data", "mri_unet", "mri_cyclegan", "mri_eval", "mri_kernels"]
            .into_iter()
            .fold(Targets::new().with_default(others), |targets, name| targets.with_target(name, level))
    });
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
}
