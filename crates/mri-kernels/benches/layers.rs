//! The heaviest kinds of layer of the reference networks, forward and backward, ours and Candle's own, beside a matrix
//! product of the same machine. `cargo bench -p mri-kernels`
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mri_kernels::{
    Adam, AdamSlot, adam_update, composed, conv_transpose2d, conv2d, instance_norm_leaky_relu,
};

fn random(shape: &[usize]) -> Var {
    Var::randn(0f32, 1., shape, &Device::Cpu).unwrap()
}

type Convolution = fn(&Tensor, &Tensor) -> Result<Tensor>;
/// Name, input, weight, multiply-adds, ours, Candle's own.
type Case = (&'static str, [usize; 4], [usize; 4], usize, Convolution, Convolution);

fn convolutions(criterion: &mut Criterion) {
    let cases: [Case; 4] = [
        (
            "w1-down3-128x64x64",
            [1, 128, 64, 64],
            [256, 128, 4, 4],
            128 * 256 * 16 * 1024,
            |x, w| conv2d(x, w, None, 2, 1),
            |x, w| composed::conv2d(x, w, None, 2, 1),
        ),
        (
            "w1-down7-512x4x4",
            [1, 512, 4, 4],
            [512, 512, 4, 4],
            512 * 512 * 16 * 4,
            |x, w| conv2d(x, w, None, 2, 1),
            |x, w| composed::conv2d(x, w, None, 2, 1),
        ),
        (
            "w1-up3-512x32x32",
            [1, 512, 32, 32],
            [512, 128, 4, 4],
            512 * 128 * 16 * 1024,
            |x, w| conv_transpose2d(x, w, None, 2, 1, 0),
            |x, w| composed::conv_transpose2d(x, w, None, 2, 1, 0),
        ),
        (
            "w3-block-256x66x66",
            [1, 256, 66, 66],
            [256, 256, 3, 3],
            256 * 256 * 9 * 4096,
            |x, w| conv2d(x, w, None, 1, 0),
            |x, w| composed::conv2d(x, w, None, 1, 0),
        ),
    ];
    for (name, x, weight, products, ours, candles) in cases {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements(2 * products as u64));
        let (x, weight) = (random(&x), random(&weight));
        for (whose, f) in [("ours", ours), ("candle", candles)] {
            group.bench_function(format!("{whose}/forward"), |b| {
                b.iter(|| f(black_box(&x.detach()), &weight.detach()).unwrap());
            });
            let (dx, dw) = (f(&x, &weight.detach()).unwrap(), f(&x.detach(), &weight).unwrap());
            group.bench_function(format!("{whose}/input-gradient"), |b| {
                b.iter(|| black_box(&dx).backward().unwrap())
            });
            group.bench_function(format!("{whose}/weight-gradient"), |b| {
                b.iter(|| black_box(&dw).backward().unwrap())
            });
        }
        group.finish();
    }
}

fn machine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matrix-product-1024");
    group.sample_size(10).throughput(Throughput::Elements(2 * 1024u64.pow(3)));
    let (a, b) = (random(&[1024, 1024]), random(&[1024, 1024]));
    group.bench_function("candle", |bench| bench.iter(|| a.detach().matmul(black_box(&b.detach())).unwrap()));
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("others");
    group.sample_size(10);
    let (x, gamma, beta) = (random(&[1, 64, 128, 128]), random(&[64]), random(&[64]));
    for slope in [0.2, 1.] {
        let run = || instance_norm_leaky_relu(&x, Some((&gamma, &beta)), 1e-5, slope).unwrap();
        group.bench_function(format!("instance-norm/forward/slope-{slope}"), |b| b.iter(run));
        let y = run();
        group.bench_function(format!("instance-norm/backward/slope-{slope}"), |b| {
            b.iter(|| y.backward().unwrap())
        });
    }
    let (p, m, v) = (random(&[1 << 22]), random(&[1 << 22]), random(&[1 << 22]));
    let (v, g) = (Var::from_tensor(&v.sqr().unwrap()).unwrap(), random(&[1 << 22]));
    let adam = Adam { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, eps: 1e-8, step: 10 };
    let slot = AdamSlot { parameter: &p, gradient: &g, first_moment: &m, second_moment: &v, rate_factor: 1. };
    let loss = Tensor::new(0f32, &Device::Cpu).unwrap();
    group.bench_function("adam/4M", |b| b.iter(|| adam_update(&[slot], &adam, &loss).unwrap()));
    group.finish();
}

criterion_group!(benches, machine, convolutions, others);
criterion_main!(benches);
