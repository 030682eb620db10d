//! Whether a CUDA device computes what the CPU computes: `cargo xtask gpu-test`, or this executable by itself.
//!
//! Every operation forward and backward, whole networks, trainings, and checkpoints that move between the two. Each line
//! gives the distance between the device's values and the CPU's, relative to the size of the CPU's (2-norms), and what is
//! allowed. The exit status is 0 if all is well. Arguments are parts of the names of the checks to run; none runs all.
#![allow(clippy::unwrap_used)]

mod compare;
mod networks;
mod operations;
mod trainings;

use candle_core::{Device, Result};
use compare::Report;
use mri_kernels::{Arithmetic, device_memory, open_cuda, set_arithmetic};
use std::process::ExitCode;

fn main() -> ExitCode {
    let device = match open_cuda(0) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("no CUDA device to test: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report::new(std::env::args().skip(1).collect());
    match run(&device, &mut report) {
        Ok(()) => report.summary(),
        Err(error) => {
            eprintln!("the tests broke off: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(gpu: &Device, report: &mut Report) -> Result<()> {
    if let Some(memory) = device_memory(gpu)? {
        println!("CUDA device 0, {} MiB", memory.total >> 20);
    }
    // What is compared with the CPU must not be rounded to TF32.
    set_arithmetic(Arithmetic { tf32: false, deterministic: true });
    operations::check(gpu, report)?;
    networks::check(gpu, report)?;
    trainings::check(gpu, report)?;
    Ok(())
}
