//! What this machine can build and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Cargo features for the accelerator of this machine; empty for the CPU.
///
/// CUDA needs a driver with a GPU (`nvidia-smi`) and a compiler (`nvcc`); with only the first, the CPU build is
/// chosen and stderr says what is missing.
pub(crate) fn gpu_features() -> Vec<&'static str> {
    if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
        return vec!["metal", "accelerate"];
    }
    if !has_nvidia_gpu() {
        return Vec::new();
    }
    let Some(toolkit) = cuda_toolkit() else {
        eprintln!(
            "an NVIDIA GPU is here but no CUDA compiler (nvcc on PATH or under CUDA_HOME): building for the CPU"
        );
        return Vec::new();
    };
    cuda_features(&toolkit)
}

pub(crate) fn has_nvidia_gpu() -> bool {
    runs("nvidia-smi", "-L")
}

/// Cargo features for CUDA: with cuDNN where its headers are.
pub(crate) fn cuda_features(toolkit: &Path) -> Vec<&'static str> {
    let headers = [toolkit.join("include"), "/usr/include".into(), "/usr/include/x86_64-linux-gnu".into()];
    if headers.iter().any(|folder| folder.join("cudnn.h").exists()) {
        vec!["cuda", "cudnn"]
    } else {
        vec!["cuda"]
    }
}

/// The folder that holds `bin/nvcc`.
pub(crate) fn cuda_toolkit() -> Option<PathBuf> {
    let named = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let on_path: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| {
            std::env::split_paths(&path).filter_map(|bin| bin.parent().map(Path::to_path_buf)).collect()
        })
        .unwrap_or_default();
    named.chain(on_path).find(|folder| runs(folder.join("bin/nvcc"), "--version"))
}

fn runs(program: impl AsRef<std::ffi::OsStr>, argument: &str) -> bool {
    let quiet = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}
