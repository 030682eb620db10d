//! `--device auto|cpu|cuda[:N]|metal`.

use anyhow::{Context, Result, bail};
use candle_core::{Device, DeviceLocation};
use std::path::Path;
use std::str::FromStr;

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The GPU that this build supports and this machine has, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda(usize),
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "metal" => Ok(Self::Metal),
            Some(("cuda", ordinal)) => {
                ordinal.parse().map(Self::Cuda).map_err(|_| format!("`{ordinal}` is not the number of a GPU"))
            }
            _ => Err("expected auto, cpu, cuda, cuda:N or metal".into()),
        }
    }
}

impl DeviceChoice {
    /// Opens the device, to compute exactly and the same every time; a training then sets its own arithmetic.
    pub fn open(self) -> Result<Device> {
        use candle_core::utils::{cuda_is_available, metal_is_available};
        mri_cyclegan::set_arithmetic(mri_cyclegan::Arithmetic { tf32: false, deterministic: true });
        match self {
            Self::Auto if cuda_is_available() => Ok(Self::Cuda(0).open().unwrap_or_else(on_the_cpu)),
            Self::Auto if metal_is_available() => Ok(Self::Metal.open().unwrap_or_else(on_the_cpu)),
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cuda_is_available() => {
                bail!("this build has no CUDA support: build with `--features cuda`, or use --device cpu")
            }
            Self::Cuda(ordinal) => {
                mri_cyclegan::open_cuda(ordinal).with_context(|| format!("cannot open cuda:{ordinal}"))
            }
            Self::Metal if !metal_is_available() => {
                bail!("this build has no Metal support: build with `--features metal`, or use --device cpu")
            }
            Self::Metal => Device::new_metal(0).context("cannot open the Metal GPU"),
        }
    }

    /// Says on stderr where a GPU is idle for want of another build.
    pub fn note_unused_gpu(self) {
        let is_here = Path::new("/dev/nvidia0").exists();
        if self == Self::Auto && is_here && !candle_core::utils::cuda_is_available() {
            eprintln!(
                "note: this build cannot use the NVIDIA GPU of this machine: `cargo xtask train` makes one that can (features cuda, cudnn)"
            );
        }
    }
}

/// What a device is called on the command line.
pub fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".into(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { .. } => "metal".into(),
    }
}

/// Says on stderr which GPU computes; nothing of the CPU.
pub fn announce_gpu(device: &Device) {
    if !device.is_cpu() {
        eprintln!("computing on {}", name(device));
    }
}

fn on_the_cpu(error: anyhow::Error) -> Device {
    eprintln!("note: computing on the CPU: {error:#}");
    Device::Cpu
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
        assert!("gpu".parse::<DeviceChoice>().is_err());
        assert_eq!(name(&Device::Cpu).parse(), Ok(DeviceChoice::Cpu));
    }
}
