//! Times one workload and prints one line of JSON: `cargo run --release --example bench_step -- W1`, and with further
//! arguments in this order: images of each domain in a step, side in px, device (`cpu`, `cuda`, `cuda:N`),
//! precision (`f32`, `bf16`).
//!
//! `gemm` measures the machine's own rate instead: a 2048x2048 f32 matrix product through the `gemm` crate.
//! Medians of five after two to warm up: seconds a training step (LSGAN, cycle, identity, both discriminators, the way of the
//! images to the device) and a generator's forward pass; images of one domain a second; the peak memory in MiB of the
//! process, where the system tells it, and of tensors on a GPU. On a GPU one run is of 20 steps, whose losses are read at its
//! end as the training loop would.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use mri_cyclegan::{
    Architecture, CycleGan, LossConfig, PendingLosses, TrainConfig, device_memory, open_cuda,
};
use mri_unet::{GeneratorConfig, GeneratorKind, PatchGanConfig, Precision};
use std::time::Instant;

const RUNS: usize = 5;
const WARM_UP: usize = 2;
const GPU_STEPS_A_RUN: usize = 20;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let (kind, depth, width, size) = match name.as_str() {
        "W1" => (GeneratorKind::UNet, 8, 64, 256),
        "W2" => (GeneratorKind::UNet, 7, 32, 128),
        "W3" => (GeneratorKind::ResNet, 8, 64, 256),
        "gemm" => return println!("{{\"gemm_gflops\":{:.0}}}", gemm_gflops()),
        _ => {
            eprintln!("usage: bench_step gemm|W1|W2|W3 [BATCH [SIZE [DEVICE [PRECISION]]]]");
            std::process::exit(2)
        }
    };
    let argument = |n| std::env::args().nth(n);
    let number = |n| argument(n).map(|text| text.parse::<usize>().unwrap());
    let (batch, size) = (number(2).unwrap_or(1), number(3).unwrap_or(size));
    let device = open(&argument(4).unwrap_or("cpu".into()));
    let architecture = Architecture {
        generator: GeneratorConfig { kind, depth, width, ..GeneratorConfig::default() },
        discriminator: PatchGanConfig { width, ..PatchGanConfig::default() },
    };
    let precision = match argument(5).as_deref() {
        None | Some("f32") => Precision::F32,
        Some("bf16") => Precision::Bf16,
        Some(other) => panic!("{other} is none of f32, bf16"),
    };
    let (loss, train) = (LossConfig::default(), TrainConfig { precision, ..TrainConfig::default() });
    let mut model = CycleGan::new(&architecture, &loss, &train, 0, &device).unwrap();
    let image = || Tensor::rand(-1f32, 1., (batch, 1, size, size), &Device::Cpu).unwrap();
    let (a, b) = (image(), image());
    let there = |x: &Tensor| mri_kernels::upload(x, &device).unwrap();
    let steps = if device.is_cpu() { 1 } else { GPU_STEPS_A_RUN };
    let step_s = median_s(|| {
        let pending: Vec<PendingLosses> =
            (0..steps).map(|_| model.step(&there(&a), &there(&b), 2e-4).unwrap()).collect();
        for losses in PendingLosses::read_all(&pending).unwrap() {
            losses.unwrap();
        }
        device.synchronize().unwrap();
    }) / steps as f64;
    let translators = model.translators().unwrap();
    let forward_s = median_s(|| {
        let x = there(&a);
        (0..steps).for_each(|_| drop(translators.a_to_b(&x).unwrap()));
        device.synchronize().unwrap();
    }) / steps as f64;
    let images_per_s = batch as f64 / step_s;
    let memory = device_memory(&device).unwrap();
    let device_peak_mib = memory.map_or("null".into(), |memory| (memory.peak >> 20).to_string());
    println!(
        "{{\"step_s\":{step_s:.5},\"forward_s\":{forward_s:.5},\"images_per_s\":{images_per_s:.2},\"peak_mib\":{},\"device_peak_mib\":{device_peak_mib}}}",
        peak_mib()
    );
}

fn open(device: &str) -> Device {
    match device.split_once(':') {
        None if device == "cpu" => Device::Cpu,
        None if device == "cuda" => open_cuda(0).unwrap(),
        Some(("cuda", ordinal)) => open_cuda(ordinal.parse().unwrap()).unwrap(),
        _ => panic!("{device} is none of cpu, cuda, cuda:N"),
    }
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
