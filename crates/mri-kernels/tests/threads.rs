//! Every operation gives the same bits for any number of threads.
//!
//! The number of threads is fixed when a process first needs them, so each number gets a process of its own: this test
//! program again, with `RAYON_NUM_THREADS`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Tensor, Var};
use mri_kernels::{
    Adam, AdamSlot, Backward, adam_update, bce_with_logits, by_candle, conv_transpose2d, conv2d, dropout,
    instance_norm_leaky_relu, l1, leaky_relu, mse, reflection_pad2d, tanh, weighted_sum,
};

#[allow(dead_code)]
mod data;
use data::noise;

#[test]
fn results_are_the_same_bits_for_any_number_of_threads() {
    let with_threads = |count: &str| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "print_all_results", "--ignored", "--nocapture", "--test-threads=1"])
            .env("RAYON_NUM_THREADS", count)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let results: Vec<String> = text
            .lines()
            .filter_map(|line| line.split_once("result "))
            .map(|(_, found)| found.into())
            .collect();
        assert_eq!(results.len(), 17, "{text}");
        results
    };
    let one = with_threads("1");
    assert_eq!(one, with_threads("2"));
    assert_eq!(one, with_threads("3"));
}

/// Fowler, Noll & Vo's hash of the bits.
fn print(name: &str, tensors: &[&Tensor]) {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for tensor in tensors {
        for value in tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
            for byte in value.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    println!("result {name} {hash:016x}");
}

/// `y` and the gradients of its square's sum.
fn print_with_gradients(name: &str, y: impl FnOnce() -> candle_core::Result<Tensor>, variables: &[&Var]) {
    let squares = || {
        let y = y()?;
        Ok((by_candle(&[&y], |t| t[0].sqr()?.sum_all())?, y))
    };
    let (_, y, gradients) = Backward::default().run(squares).unwrap();
    let mut all = vec![&y];
    all.extend(variables.iter().map(|variable| gradients.get(variable).unwrap()));
    print(name, &all);
}

#[test]
#[ignore = "run by the other test, in processes of its own"]
fn print_all_results() {
    let var = |seed, shape: &[usize]| Var::from_tensor(&noise(seed, shape)).unwrap();
    // n, ci, co, h, w, kernel, stride, padding: one for each way of computing.
    for (n, ci, co, h, w, k, s, p) in [
        (3, 1, 8, 32, 32, 4, 2, 1),
        (2, 40, 24, 20, 36, 4, 2, 1),
        (3, 64, 68, 4, 4, 4, 2, 1),
        (1, 40, 1, 20, 22, 7, 1, 3),
        (2, 32, 40, 34, 37, 3, 1, 1),
        (1, 128, 130, 18, 19, 4, 1, 1),
    ] {
        let x = var(1, &[n, ci, h, w]);
        let (weight, transposed) = (var(2, &[co, ci, k, k]), var(2, &[ci, co, k, k]));
        let bias = var(3, &[co]);
        let y = || conv2d(&x, &weight, Some(&bias), s, p);
        print_with_gradients("convolution", y, &[&x, &weight, &bias]);
        let y = || conv_transpose2d(&x, &transposed, Some(&bias), s, p, 0);
        print_with_gradients("transposed", y, &[&x, &transposed, &bias]);
    }

    // More than one task each.
    let x = var(1, &[2, 6, 90, 70]);
    let (gamma, beta) = (var(2, &[6]), var(3, &[6]));
    let y = || instance_norm_leaky_relu(&x, Some((&gamma, &beta)), 1e-5, 0.2);
    print_with_gradients("norm", y, &[&x, &gamma, &beta]);
    print_with_gradients("pointwise", || dropout(&tanh(&leaky_relu(&x, 0.2)?)?, 0.5, 7), &[&x]);
    print_with_gradients("pad", || reflection_pad2d(&x, [3, 2, 1, 4]), &[&x]);
    let other = noise(5, x.dims());
    let losses = || {
        let [a, b, c] = [mse(&x, 0.9)?, bce_with_logits(&x, 0.1)?, l1(&x, &other)?];
        weighted_sum(&[(1., &a), (1., &b), (1., &c)])
    };
    print_with_gradients("losses", losses, &[&x]);
    let (mean, square) = (var(6, x.dims()), Var::from_tensor(&other.sqr().unwrap()).unwrap());
    let adam = Adam { learning_rate: 1e-3, beta1: 0.5, beta2: 0.999, eps: 1e-8, step: 3 };
    let slot = AdamSlot {
        parameter: &x,
        gradient: &other,
        first_moment: &mean,
        second_moment: &square,
        rate_factor: 1.,
    };
    adam_update(&[slot], &adam, &Tensor::new(1f32, &candle_core::Device::Cpu).unwrap()).unwrap();
    print("adam", &[&x, &mean, &square]);
}
