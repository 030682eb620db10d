//! Rates in GFLOP/s of each convolution of the three reference workloads, forward and backward, beside the matrix
//! product rate of this machine measured in the same moment.
//!
//! `cargo run --release -p mri-kernels --example layer_rates [W1|W2|W3]`
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor, Var};
use mri_kernels::{Backward, conv_transpose2d, conv2d};

#[derive(Clone, Copy)]
enum Kind {
    Conv,
    Transposed,
}
use Kind::{Conv, Transposed};

/// Name, kind, input channels, output channels, input side, kernel, stride, padding, output padding.
type Layer = (&'static str, Kind, usize, usize, usize, usize, usize, usize, usize);

const W1: &[Layer] = &[
    ("down 1", Conv, 1, 64, 256, 4, 2, 1, 0),
    ("down 2", Conv, 64, 128, 128, 4, 2, 1, 0),
    ("down 3", Conv, 128, 256, 64, 4, 2, 1, 0),
    ("down 4", Conv, 256, 512, 32, 4, 2, 1, 0),
    ("down 5", Conv, 512, 512, 16, 4, 2, 1, 0),
    ("down 6", Conv, 512, 512, 8, 4, 2, 1, 0),
    ("down 7", Conv, 512, 512, 4, 4, 2, 1, 0),
    ("down 8", Conv, 512, 512, 2, 4, 2, 1, 0),
    ("up 8", Transposed, 512, 512, 1, 4, 2, 1, 0),
    ("up 7", Transposed, 1024, 512, 2, 4, 2, 1, 0),
    ("up 6", Transposed, 1024, 512, 4, 4, 2, 1, 0),
    ("up 5", Transposed, 1024, 512, 8, 4, 2, 1, 0),
    ("up 4", Transposed, 1024, 256, 16, 4, 2, 1, 0),
    ("up 3", Transposed, 512, 128, 32, 4, 2, 1, 0),
    ("up 2", Transposed, 256, 64, 64, 4, 2, 1, 0),
    ("up 1", Transposed, 128, 1, 128, 4, 2, 1, 0),
    ("patch 4", Conv, 256, 512, 32, 4, 1, 1, 0),
    ("patch 5", Conv, 512, 1, 31, 4, 1, 1, 0),
];

const W2: &[Layer] = &[
    ("down 1", Conv, 1, 32, 128, 4, 2, 1, 0),
    ("down 2", Conv, 32, 64, 64, 4, 2, 1, 0),
    ("down 3", Conv, 64, 128, 32, 4, 2, 1, 0),
    ("down 4", Conv, 128, 256, 16, 4, 2, 1, 0),
    ("down 5", Conv, 256, 256, 8, 4, 2, 1, 0),
    ("down 6", Conv, 256, 256, 4, 4, 2, 1, 0),
    ("down 7", Conv, 256, 256, 2, 4, 2, 1, 0),
    ("up 7", Transposed, 256, 256, 1, 4, 2, 1, 0),
    ("up 6", Transposed, 512, 256, 2, 4, 2, 1, 0),
    ("up 5", Transposed, 512, 256, 4, 4, 2, 1, 0),
    ("up 4", Transposed, 512, 128, 8, 4, 2, 1, 0),
    ("up 3", Transposed, 256, 64, 16, 4, 2, 1, 0),
    ("up 2", Transposed, 128, 32, 32, 4, 2, 1, 0),
    ("up 1", Transposed, 64, 1, 64, 4, 2, 1, 0),
    ("patch 4", Conv, 128, 256, 16, 4, 1, 1, 0),
    ("patch 5", Conv, 256, 1, 15, 4, 1, 1, 0),
];

const W3: &[Layer] = &[
    ("first", Conv, 1, 64, 262, 7, 1, 0, 0),
    ("down 1", Conv, 64, 128, 256, 3, 2, 1, 0),
    ("down 2", Conv, 128, 256, 128, 3, 2, 1, 0),
    ("block", Conv, 256, 256, 66, 3, 1, 0, 0),
    ("up 2", Transposed, 256, 128, 64, 3, 2, 1, 1),
    ("up 1", Transposed, 128, 64, 128, 3, 2, 1, 1),
    ("last", Conv, 64, 1, 262, 7, 1, 0, 0),
];

fn best<R>(mut f: impl FnMut() -> R) -> f64 {
    let mut best = f64::MAX;
    let begun = Instant::now();
    for _ in 0..30 {
        let start = Instant::now();
        std::hint::black_box(f());
        best = best.min(start.elapsed().as_secs_f64());
        if begun.elapsed().as_secs_f64() > 0.3 {
            break;
        }
    }
    best
}

/// GFLOP/s of independent 512³ products on all threads.
fn gemm_rate() -> f64 {
    const N: usize = 512;
    let threads = candle_core::utils::get_num_threads();
    let a = vec![0.5f32; N * N];
    let mut c = vec![vec![0f32; N * N]; threads];
    let product = |c: &mut Vec<f32>| {
        for _ in 0..8 {
            // SAFETY: three N x N matrices, rows N apart.
            unsafe {
                let (a, n) = (a.as_ptr(), N as isize);
                gemm::gemm(
                    N,
                    N,
                    N,
                    c.as_mut_ptr(),
                    1,
                    n,
                    false,
                    a,
                    1,
                    n,
                    a,
                    1,
                    n,
                    0.,
                    1.,
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        }
    };
    let seconds = best(|| std::thread::scope(|s| c.iter_mut().for_each(|c| drop(s.spawn(|| product(c))))));
    (16 * N * N * N * threads) as f64 / seconds / 1e9
}

fn measure(layer: Layer) -> Result<[f64; 4]> {
    let (_, kind, cin, cout, side, k, stride, padding, output_padding) = layer;
    let device = &Device::Cpu;
    let x = Var::randn(0f32, 1., (1, cin, side, side), device)?;
    let shape = if let Conv = kind { (cout, cin, k, k) } else { (cin, cout, k, k) };
    let weight = Var::randn(0f32, 0.02, shape, device)?;
    let bias = Tensor::zeros(cout, DType::F32, device)?;
    let run = |x: &Tensor, weight: &Tensor| match kind {
        Conv => conv2d(x, weight, Some(&bias), stride, padding),
        Transposed => conv_transpose2d(x, weight, Some(&bias), stride, padding, output_padding),
    };
    let (constant_x, frozen) = (x.detach(), weight.detach());
    let y = run(&constant_x, &frozen)?;
    let positions = if let Conv = kind { y.elem_count() / cout } else { side * side };
    let gflop = (2 * cin * cout * k * k * positions) as f64 / 1e9;
    let forward = best(|| run(&constant_x, &frozen).unwrap());
    // Forward and backward together, less the forward pass.
    let both = |x: &Tensor, weight: &Tensor| {
        best(|| Backward::default().run(|| Ok((run(x, weight)?, ()))).unwrap()) - forward
    };
    Ok([gflop, forward, both(&x, &frozen), both(&constant_x, &weight)])
}

fn main() -> Result<()> {
    let wanted = std::env::args().nth(1);
    for (name, layers) in [("W1", W1), ("W2", W2), ("W3", W3)] {
        if wanted.as_deref().is_some_and(|w| w != name) {
            continue;
        }
        println!(
            "{name:9} GFLOP   machine   forward ms   GFLOP/s   d input ms   GFLOP/s   d weight ms   GFLOP/s"
        );
        for &layer in layers {
            let machine = gemm_rate();
            let [gflop, forward, input, weight] = measure(layer)?;
            println!(
                "{:9} {gflop:5.2}   {machine:7.0}   {:10.2}   {:7.0}   {:10.2}   {:7.0}   {:11.2}   {:7.0}",
                layer.0,
                forward * 1e3,
                gflop / forward,
                input * 1e3,
                gflop / input,
                weight * 1e3,
                gflop / weight
            );
        }
    }
    Ok(())
}
