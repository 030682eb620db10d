//! Times one workload and prints one line of JSON: `cargo run --release --example bench_step -- W1`.
//!
//! `gemm` measures the machine's own rate instead: a 2048x2048 f32 matrix product through the `gemm` crate.
//! Medians of five after two to warm up: seconds a training step (LSGAN, cycle, identity, both discriminators, batch
//! 1) and a generator's forward pass, and the process's peak memory, MiB, where the system tells it.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use mri_cyclegan::{Architecture, CycleGan, LossConfig, TrainConfig};
use mri_unet::{GeneratorConfig, GeneratorKind, PatchGanConfig};
use std::time::Instant;

const RUNS: usize = 5;
const WARM_UP: usize = 2;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let (kind, depth, width, size) = match name.as_str() {
        "W1" => (GeneratorKind::UNet, 8, 64, 256),
        "W2" => (GeneratorKind::UNet, 7, 32, 128),
        "W3" => (GeneratorKind::ResNet, 8, 64, 256),
        "gemm" => return println!("{{\"gemm_gflops\":{:.0}}}", gemm_gflops()),
        _ => {
            eprintln!("usage: bench_step gemm|W1|W2|W3 [BATCH [SIZE]]");
            std::process::exit(2)
        }
    };
    let number = |n| std::env::args().nth(n).map(|text| text.parse::<usize>().unwrap());
    let (batch, size) = (number(2).unwrap_or(1), number(3).unwrap_or(size));
    let architecture = Architecture {
        generator: GeneratorConfig { kind, depth, width, ..GeneratorConfig::default() },
        discriminator: PatchGanConfig { width, ..PatchGanConfig::default() },
    };
    let (loss, train) = (LossConfig::default(), TrainConfig::default());
    let mut model = CycleGan::new(&architecture, &loss, &train, 0, &Device::Cpu).unwrap();
    let image = || Tensor::rand(-1f32, 1., (batch, 1, size, size), &Device::Cpu).unwrap();
    let (a, b) = (image(), image());
    let step_s = median_s(|| {
        model.step(&a, &b, 2e-4).unwrap().read().unwrap();
    });
    let translators = model.translators().unwrap();
    let forward_s = median_s(|| {
        translators.a_to_b(&a).unwrap();
    });
    println!("{{\"step_s\":{step_s:.4},\"forward_s\":{forward_s:.5},\"peak_mib\":{}}}", peak_mib());
}

fn median_s(mut work: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..WARM_UP + RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .skip(WARM_UP)
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}

fn gemm_gflops() -> f64 {
    const SIDE: usize = 2048;
    let matrix = Tensor::rand(-1f32, 1., (SIDE, SIDE), &Device::Cpu).unwrap();
    let seconds = median_s(|| {
        matrix.matmul(&matrix).unwrap();
    });
    2. * (SIDE as f64).powi(3) / seconds / 1e9
}

/// `VmHWM` of Linux; `null` elsewhere.
fn peak_mib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.map_or("null".into(), |kib| (kib / 1024).to_string())
}
