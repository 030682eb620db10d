//! The optimizer's kernels, and the rounding to bf16.

use candle_core::{DType, Device, Tensor, Var};
use mri_kernels::{Adam, AdamSlot, adam_update};

use crate::data::noise;
use crate::interpreter::{F32, In, Kernels, U32, U64, same, values};

#[test]
fn adam_and_moving_averages() {
    let Some(kernels) = Kernels::of("optimizer.cu") else { return };
    // Two tensors, the first of two chunks.
    let lengths = [17_000usize, 5];
    let tensors = |seed: u64| lengths.map(|n| noise(seed, &[n]));
    let squares = tensors(4).map(|t| t.sqr().unwrap());
    let initial = [tensors(1), tensors(2), tensors(3), squares];
    let adam = Adam { learning_rate: 1e-2, beta1: 0.5, beta2: 0.999, eps: 1e-8, step: 3 };
    for (loss, moves) in [(0.5f32, true), (f32::NAN, false)] {
        let mut memory = initial.each_ref().map(|pair| pair.each_ref().map(values));
        let expected = initial.each_ref().map(|pair| pair.each_ref().map(|t| Var::from_tensor(t).unwrap()));
        let [parameters, gradients, first_moments, second_moments] = &expected;
        for (i, parameter) in parameters.iter().enumerate() {
            let slot = AdamSlot {
                parameter,
                gradient: &gradients[i],
                first_moment: &first_moments[i],
                second_moment: &second_moments[i],
                rate_factor: 1. + i as f64,
            };
            adam_update(&[slot], &adam, &Tensor::new(loss, &Device::Cpu).unwrap()).unwrap();
        }
        let mut table: Vec<u64> = Vec::new();
        for (i, length) in lengths.into_iter().enumerate() {
            table.extend(memory.iter_mut().map(|kind| kind[i].as_mut_ptr() as u64));
            table.extend([length as u64, u64::from((1. + i as f32).to_bits())]);
        }
        let chunks = [0u64, 1 << 32, 1];
        let address = |words: &[u64]| U64(words.as_ptr() as u64);
        let step = adam.step as i32;
        let corrections = [1. - adam.beta1.powi(step), 1. - adam.beta2.powi(step)];
        let rate = adam.learning_rate / corrections[0];
        let numbers = [rate, 0.5, 0.999, 0.5, 1. - 0.999, 1. / corrections[1].sqrt(), 1e-8];
        let loss = [loss];
        let mut arguments = vec![address(&table), address(&chunks), In(&loss)];
        arguments.extend(numbers.map(|v| F32(v as f32)));
        kernels.launch("adam", [3, 64], arguments);
        for (kind, expected) in memory.iter().zip(&expected) {
            for (found, expected) in kind.iter().zip(expected) {
                same("adam", found, expected, 1e-6);
            }
        }
        assert_eq!(memory[0][0] != values(&initial[0][0]), moves);

        // The gradients, which no step changes, follow the parameters.
        let pair: Vec<u64> = [&memory[1][0], &memory[0][0]].map(|v| v.as_ptr() as u64).into();
        let table = [pair[0], pair[1], lengths[0] as u64];
        let average =
            ((&initial[1][0] * 0.7).unwrap() + (expected[0][0].as_tensor() * 0.3).unwrap()).unwrap();
        kernels.launch("move_toward", [2, 64], vec![address(&table), address(&[0, 1 << 32]), F32(0.3)]);
        same("moving average", &memory[1][0], &average, 1e-6);
    }
}

#[test]
fn bf16_is_rounded_to_the_nearest() {
    let Some(kernels) = Kernels::of("pointwise.cu") else { return };
    // A tie to even each way, halves of an ulp more and less, an infinity, a NaN, and what overflows.
    let bits = [0x3f80_8000u32, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0x7f80_0000, 0x7fc0_0001, 0x7f7f_ffff];
    let x: Vec<f32> = bits
        .into_iter()
        .chain((0..50).map(|i| (i as f32 * 0.37 - 9.).to_bits()))
        .map(f32::from_bits)
        .collect();
    let mut rounded = vec![0u32; x.len().div_ceil(2)];
    let n = x.len() as u32;
    let address = |v: &mut Vec<u32>| U64(v.as_mut_ptr() as u64);
    kernels.launch("narrow_to_bf16", [1, 32], vec![In(&x), address(&mut rounded), U32(n)]);
    let expected = Tensor::new(x.as_slice(), &Device::Cpu).unwrap();
    let expected = values(&expected.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap());
    for (i, expected) in expected.into_iter().enumerate() {
        let found = f32::from_bits((rounded[i / 2] >> (16 * (i % 2))) << 16);
        assert!(
            found == expected || found.is_nan() && expected.is_nan(),
            "{}: {found}, not {expected}",
            x[i]
        );
    }
    // Computed in f32, and rounded again.
    let mut y = vec![0u32; rounded.len()];
    kernels.launch(
        "leaky_relu_bf16",
        [1, 32],
        vec![address(&mut rounded), address(&mut y), F32(0.2), U32(n)],
    );
    let of = |words: &[u32], i: usize| f32::from_bits((words[i / 2] >> (16 * (i % 2))) << 16);
    for i in (0..x.len()).filter(|&i| x[i].is_finite()) {
        let v = of(&rounded, i);
        let exact = if v > 0. { v } else { 0.2 * v };
        assert!((of(&y, i) - exact).abs() <= exact.abs() / 256. || v.is_infinite(), "{i}");
    }
}
