//! `--device auto|cpu|cuda[:N]|metal`.

use anyhow::{Context, Result, bail};
use candle_core::Device;
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
    /// Opens the device.
    pub fn open(self) -> Result<Device> {
        use candle_core::utils::{cuda_is_available, metal_is_available};
        match self {
            Self::Auto if cuda_is_available() => Ok(Self::Cuda(0).open().unwrap_or_else(on_the_cpu)),
            Self::Auto if metal_is_available() => Ok(Self::Metal.open().unwrap_or_else(on_the_cpu)),
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cuda_is_available() => {
                bail!("this build has no CUDA support: build with `--features cuda`, or use --device cpu")
            }
            Self::Cuda(ordinal) => {
                Device::new_cuda(ordinal).with_context(|| format!("cannot open GPU {ordinal}"))
            }
            Self::Metal if !metal_is_available() => {
                bail!("this build has no Metal support: build with `--features metal`, or use --device cpu")
            }
            Self::Metal => Device::new_metal(0).context("cannot open the Metal GPU"),
        }
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
    }
}
