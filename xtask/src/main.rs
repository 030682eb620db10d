//! Project tasks, started with `cargo xtask`. Thin: it chooses the profile and features, then hands over to cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

mod bench;
mod gpu_bench;
mod gpu_test;
mod machine;

const USAGE: &str = "\
cargo xtask train [ARGS]     release build with the machine's GPU features, then `mri-cli train ARGS`
cargo xtask bench [--json]   step time, forward time and peak memory of workloads W1, W2 and W3
cargo xtask gpu-test [--emulated] [PARTS OF NAMES]
                             release build with CUDA, then every check whose name has one of the parts (or all): the
                             GPU's values beside the CPU's. --emulated needs no GPU, but nvcc all the same. What is
                             built, target/release/examples/gpu_test, takes the same names, and can be copied to a
                             machine without cargo
cargo xtask gpu-bench [--executable PATH] [WORKLOADS]
                             training steps of W1 and W3 (or those named) beside PyTorch's, as a table: PyTorch where
                             python3, or what PYTHON names, has it. With PATH, an example bench_step that was built
                             elsewhere, it needs no cargo: it and this program can be copied too
cargo xtask ci               everything that must pass before a merge (.ci/run)";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<OsString> = args.collect();
    let asks_for_help = rest.iter().any(|argument| argument == "--help" || argument == "-h");
    let done = match task.to_str() {
        Some("train") => train(&rest),
        Some("bench" | "gpu-test" | "gpu-bench") if asks_for_help => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Some("gpu-test") => gpu_test::run(&rest),
        Some("gpu-bench") => gpu_bench::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("ci") => become_process(Command::new(root().join(".ci/run")).args(&rest).current_dir(root())),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("error: no such task: {}\n\n{USAGE}", task.display());
            Ok(ExitCode::from(2))
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The paths in ARGS are the caller's, so the command runs in the caller's folder.
fn train(args: &[OsString]) -> Result<ExitCode> {
    become_process(cargo("run").args(["--package", "mri-cli", "--", "train"]).args(args))
}

/// `cargo ACTION --release` on this workspace, with the GPU features that this machine can build and use.
fn cargo(action: &str) -> Command {
    cargo_with(action, &machine::gpu_features())
}

fn cargo_with(action: &str, features: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([action, "--release", "--manifest-path"]).arg(root().join("Cargo.toml"));
    if !features.is_empty() {
        eprintln!("building with {}", features.join(", "));
        command.args(["--features", &features.join(",")]);
    }
    command
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Turns this process into `command`: its exit status, and Ctrl-C, are then the command's own.
#[cfg(unix)]
fn become_process(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn become_process(command: &mut Command) -> Result<ExitCode> {
    let status =
        command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let Some(code) = status.code() else { anyhow::bail!("{} was stopped", command.get_program().display()) };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
