//! `cargo xtask gpu-test`: whether a GPU, or an emulated one, computes what the CPU computes.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::{become_process, cargo_with, machine, root};

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let (options, names): (Vec<_>, Vec<_>) =
        args.iter().partition(|argument| argument.to_string_lossy().starts_with('-'));
    let is_emulated = match options[..] {
        [] => false,
        [only] if only == "--emulated" => true,
        _ => bail!("cargo xtask gpu-test takes --emulated and parts of names, and nothing else"),
    };
    if !is_emulated && !machine::has_nvidia_gpu() {
        bail!("no NVIDIA GPU here (nvidia-smi does not run); with --emulated none is needed");
    }
    let Some(toolkit) = machine::cuda_toolkit() else {
        bail!(
            "no CUDA compiler here (nvcc on PATH or under CUDA_HOME). Candle's kernels are compiled by it, for an \
             emulated GPU too. An executable gpu_test that was built elsewhere runs without it"
        )
    };
    let mut test = cargo_with("run", &machine::cuda_features(&toolkit));
    test.args(["--package", "mri-cyclegan", "--example", "gpu_test", "--"]).args(names);
    if is_emulated {
        emulate(&mut test, &toolkit)?;
    }
    become_process(&mut test)
}

/// Lets `command` find the emulator in place of the driver and its libraries.
fn emulate(command: &mut Command, toolkit: &Path) -> Result<()> {
    let folder = root().join("target/cuda-emulator");
    let installed = cargo_with("run", &[])
        .args(["--quiet", "--package", "cuda-emulator", "--example", "install", "--"])
        .arg(&folder)
        .status()
        .context("cannot start cargo")?;
    ensure!(installed.success(), "the emulator did not build");
    let others = std::env::var_os("LD_LIBRARY_PATH");
    // NVRTC is the toolkit's own.
    let folders =
        [folder, toolkit.join("lib64")].into_iter().chain(others.iter().flat_map(std::env::split_paths));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(folders)?);
    if std::env::var_os("CUDA_COMPUTE_CAP").is_none() {
        // The emulated GPU's. nvidia-smi, which is asked otherwise, is not there.
        command.env("CUDA_COMPUTE_CAP", "90");
    }
    Ok(())
}
