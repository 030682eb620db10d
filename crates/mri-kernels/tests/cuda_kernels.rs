//! The CUDA kernels compute what the CPU's operations compute: compiled by NVRTC where it is found, run by the interpreter
//! of cuda-emulator. `gpu_test` of mri-cyclegan tests the same on a device, with all that launches them.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use candle_core::{Result, Tensor, Var};
use cuda_emulator::ptx::Module;
use mri_kernels::*;

mod data;
mod nvrtc;
use data::{close, noise};
use nvrtc::{Nvrtc, source};

/// An argument of a kernel. Memory is a vector; the interpreter reads and writes it by its address.
enum Argument<'a> {
    In(&'a [f32]),
    Out(&'a mut [f32]),
    None,
    U32(u32),
    U64(u64),
    F32(f32),
    /// A struct of numbers.
    Numbers(&'a [u32]),
}
use Argument::{F32, In, None as Null, Numbers, Out, U32, U64};

struct Kernels(Module);

impl Kernels {
    /// `None` where there is no NVRTC.
    fn of(file: &str) -> Option<Self> {
        let Some(nvrtc) = Nvrtc::find() else {
            eprintln!("skipped: no NVRTC here (PyPI's nvidia-cuda-nvrtc, named by NVRTC_LIBRARY, serves)");
            return None;
        };
        let program = [source("element.cuh"), source("reduce.cuh"), source(file)].concat();
        Some(Self(Module::parse(&nvrtc.compile(&program).unwrap()).unwrap()))
    }

    fn launch(&self, name: &str, [blocks, threads]: [u32; 2], arguments: Vec<Argument>) {
        let entry = self.0.entry(name).unwrap();
        assert_eq!(entry.parameters().len(), arguments.len(), "{name}");
        let mut bytes = vec![0; entry.parameter_bytes()];
        for (parameter, argument) in entry.parameters().iter().zip(arguments) {
            let value = match argument {
                In(v) => (v.as_ptr() as u64).to_le_bytes().to_vec(),
                Out(v) => (v.as_mut_ptr() as u64).to_le_bytes().to_vec(),
                Null => vec![0; 8],
                U32(v) => v.to_le_bytes().to_vec(),
                U64(v) => v.to_le_bytes().to_vec(),
                F32(v) => v.to_le_bytes().to_vec(),
                Numbers(v) => v.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            assert_eq!(value.len(), parameter.size, "{name}");
            bytes[parameter.offset..][..parameter.size].copy_from_slice(&value);
        }
        entry.launch([blocks, 1, 1], [threads, 1, 1], 0, &bytes).unwrap();
    }
}

/// NaN, so that what no kernel writes is seen.
fn unwritten(count: usize) -> Vec<f32> {
    vec![f32::NAN; count]
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn same(what: &str, found: &[f32], expected: &Tensor, tolerance: f32) {
    let found = Tensor::from_slice(found, expected.shape(), expected.device()).unwrap();
    assert!(values(&found).iter().all(|v| v.is_finite()), "{what}: something was not written");
    close(what, &found, expected, tolerance);
}

/// The output of `f` on the CPU and the gradients of its inputs, given that of the output.
fn on_cpu(inputs: &[&Tensor], dy: &Tensor, f: impl Fn(&[Tensor]) -> Result<Tensor>) -> (Tensor, Vec<Tensor>) {
    let variables: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tensors).unwrap();
    let gradients = (&y * dy).unwrap().sum_all().unwrap().backward().unwrap();
    (y, variables.iter().map(|v| gradients.get(v).unwrap().clone()).collect())
}

#[test]
fn instance_norm_and_its_gradients() {
    let Some(kernels) = Kernels::of("instance_norm.cu") else { return };
    for (shape, slope) in [([2usize, 3, 7, 9], 0.2f32), ([1, 2, 40, 33], 1.), ([3, 5, 1, 3], 0.)] {
        let [n, channels, h, w] = shape;
        let (planes, area) = ((n * channels) as u32, (h * w) as u32);
        let x = ((noise(1, &shape) * 3.).unwrap() + 10.).unwrap();
        let (gamma, beta, dy) = (noise(2, &[channels]), noise(3, &[channels]), noise(4, &shape));
        let (y, gradients) = on_cpu(&[&x, &gamma, &beta], &dy, |t| {
            instance_norm_leaky_relu(&t[0], Some((&t[1], &t[2])), 1e-5, slope.into())
        });
        let [x, gamma, beta, dy] = [&x, &gamma, &beta, &dy].map(values);
        let (mut found, mut statistics) = (unwritten(x.len()), unwritten(2 * planes as usize));
        let sizes = || [U32(channels as u32), U32(area)];
        let mut arguments = vec![In(&x), In(&gamma), In(&beta), Out(&mut found), Out(&mut statistics)];
        arguments.extend(sizes());
        arguments.extend([F32(1e-5), F32(slope)]);
        kernels.launch("instance_norm_f32", [planes, 64], arguments);
        same("forward", &found, &y, 2e-6);

        let (mut dx, mut sums) = (unwritten(x.len()), unwritten(2 * planes as usize));
        let mut arguments =
            vec![In(&x), In(&dy), In(&gamma), In(&beta), In(&statistics), Out(&mut dx), Out(&mut sums)];
        arguments.extend(sizes());
        arguments.push(F32(slope));
        kernels.launch("instance_norm_backward_f32", [planes, 64], arguments);
        same("gradient of x", &dx, &gradients[0], 2e-5);

        // What is there already is added to, where that is asked for.
        let (mut dgamma, mut dbeta) = (vec![1.; channels], unwritten(channels));
        let arguments = vec![
            In(&sums),
            Out(&mut dgamma),
            Out(&mut dbeta),
            U32(1),
            U32(0),
            U32(n as u32),
            U32(channels as u32),
        ];
        kernels.launch("affine_gradients", [1, 32], arguments);
        same("gradient of gamma", &dgamma, &(&gradients[1] + 1.).unwrap(), 2e-5);
        same("gradient of beta", &dbeta, &gradients[2], 2e-5);
    }
}

#[test]
fn pointwise_operations_and_joins() {
    let Some(kernels) = Kernels::of("pointwise.cu") else { return };
    let shape = [2, 3, 5, 7];
    let (x, dy) = ((noise(1, &shape) * 3.).unwrap(), noise(2, &shape));
    let count = U32;
    let n = x.elem_count() as u32;
    let (xs, dys) = (values(&x), values(&dy));
    let out = || unwritten(n as usize);

    let (y, gradients) = on_cpu(&[&x], &dy, |t| leaky_relu(&t[0], 0.2));
    let (mut found, mut dx) = (out(), out());
    kernels.launch("leaky_relu_f32", [2, 32], vec![In(&xs), Out(&mut found), F32(0.2), count(n)]);
    kernels.launch(
        "leaky_relu_backward_f32",
        [2, 32],
        vec![In(&xs), In(&dys), Out(&mut dx), F32(0.2), count(n)],
    );
    same("leaky relu", &found, &y, 0.);
    same("leaky relu, gradient", &dx, &gradients[0], 0.);

    let (y, gradients) = on_cpu(&[&x], &dy, |t| tanh(&t[0]));
    kernels.launch("tanh_forward_f32", [2, 32], vec![In(&xs), Out(&mut found), count(n)]);
    same("tanh", &found, &y, 1e-6);
    kernels.launch("tanh_backward_f32", [2, 32], vec![In(&values(&y)), In(&dys), Out(&mut dx), count(n)]);
    same("tanh, gradient", &dx, &gradients[0], 1e-6);

    let y = dropout(&x, 0.4, 987).unwrap();
    let threshold = (0.4 * f64::from(1 << 24)).ceil() as u32;
    let arguments =
        vec![In(&xs), Out(&mut found), U64(987), U32(threshold), F32((1f64 / 0.6) as f32), count(n)];
    kernels.launch("dropout_f32", [2, 32], arguments);
    same("dropout", &found, &y, 0.);

    let other = noise(3, &[2, 4, 5, 7]);
    let joined = concat_channels(&x, &other).unwrap();
    let (mut y, others) = (unwritten(joined.elem_count()), values(&other));
    let total = joined.elem_count() as u32;
    kernels.launch(
        "join_rows_f32",
        [3, 32],
        vec![In(&xs), In(&others), Out(&mut y), U32(105), U32(140), U32(total)],
    );
    same("join", &y, &joined, 0.);
    let mut b = unwritten(others.len());
    kernels.launch(
        "split_rows_f32",
        [3, 32],
        vec![In(&y), Out(&mut found), Null, U32(105), U32(140), U32(total)],
    );
    kernels.launch(
        "split_rows_f32",
        [3, 32],
        vec![In(&y), Null, Out(&mut b), U32(105), U32(140), U32(total)],
    );
    same("first part", &found, &x, 0.);
    same("second part", &b, &other, 0.);
}

#[test]
fn reflection_padding() {
    let Some(kernels) = Kernels::of("reflection_pad2d.cu") else { return };
    for pad in [[1usize, 2, 3, 0], [4, 4, 5, 5]] {
        let [left, right, top, bottom] = pad;
        let x = noise(1, &[2, 2, 6, 5]);
        let dy = noise(2, &[2, 2, top + 6 + bottom, left + 5 + right]);
        let (y, gradients) = on_cpu(&[&x], &dy, |t| reflection_pad2d(&t[0], pad));
        let (mut found, mut dx) = (unwritten(y.elem_count()), unwritten(x.elem_count()));
        let sizes = |count: usize| [6, 5, left, right, top, bottom, count].map(|v| U32(v as u32));
        let (xs, dys) = (values(&x), values(&dy));
        let mut arguments = vec![In(&xs), Out(&mut found)];
        arguments.extend(sizes(y.elem_count()));
        kernels.launch("reflection_pad2d_f32", [2, 64], arguments);
        let mut arguments = vec![In(&dys), Out(&mut dx)];
        arguments.extend(sizes(x.elem_count()));
        kernels.launch("reflection_pad2d_backward_f32", [2, 64], arguments);
        same("padded", &found, &y, 0.);
        same("gradient", &dx, &gradients[0], 1e-6);
    }
}

#[test]
fn losses_and_their_gradients() {
    let Some(kernels) = Kernels::of("losses.cu") else { return };
    let (a, b) = ((noise(1, &[3, 700]) * 4.).unwrap(), noise(2, &[3, 700]));
    let (a_values, b_values, count) = (values(&a), values(&b), 2100);
    let dy = Tensor::new(0.7f32, a.device()).unwrap();
    type Loss = fn(&[Tensor]) -> Result<Tensor>;
    let losses: [(&str, Loss); 3] = [
        ("squared", |t| mse(&t[0], 0.9)),
        ("cross entropy", |t| bce_with_logits(&t[0], 0.9)),
        ("absolute", |t| l1(&t[0], &t[1])),
    ];
    for (kind, (name, loss)) in losses.into_iter().enumerate() {
        let inputs: &[&Tensor] = if kind == 2 { &[&a, &b] } else { &[&a] };
        let (mean, gradients) = on_cpu(inputs, &dy, loss);
        let other = || if kind == 2 { In(&b_values) } else { Null };
        let (mut parts, mut found) = (unwritten(5), unwritten(1));
        let numbers = || [U32(kind as u32), F32(0.9), U32(count)];
        let mut arguments = vec![In(&a_values), other(), Out(&mut parts)];
        arguments.extend(numbers());
        kernels.launch("loss_parts", [5, 64], arguments);
        kernels.launch("mean_of_parts", [1, 64], vec![In(&parts), Out(&mut found), U32(5), U32(count)]);
        same(name, &found, &mean.reshape(1).unwrap(), 2e-6);
        let (mut da, mut db) = (unwritten(2100), unwritten(2100));
        let mut arguments = vec![In(&a_values), other(), In(&[0.7]), Out(&mut da)];
        arguments.push(if kind == 2 { Out(&mut db) } else { Null });
        arguments.extend(numbers());
        kernels.launch("loss_backward", [5, 64], arguments);
        same(name, &da, &gradients[0], 1e-6);
        if kind == 2 {
            same("the other gradient", &db, &gradients[1], 1e-6);
        }
    }
}

#[test]
fn the_curve_its_knots_and_nan() {
    let Some(kernels) = Kernels::of("curve.cu") else { return };
    // Pixels on the bounds and beyond them too.
    let x = (noise(1, &[2, 1, 20, 30]) * 1.2).unwrap().clamp(-1.1, 1.).unwrap();
    let (knots, logits, dy) = ((noise(2, &[33]) * 1.1).unwrap(), noise(3, x.dims()), noise(4, x.dims()));
    let (y, gradients) = on_cpu(&[&x, &knots, &logits], &dy, |t| curve_skip(&t[0], &t[1], &t[2]));
    let [mut xs, ks, ls, dys] = [&x, &knots, &logits, &dy].map(values);
    let (mut found, n) = (unwritten(xs.len()), xs.len() as u32);
    let sizes = || [U32(33), U32(n)];
    let mut arguments = vec![In(&xs), In(&ks), In(&ls), Out(&mut found)];
    arguments.extend(sizes());
    kernels.launch("curve_skip", [4, 64], arguments);
    same("forward", &found, &y, 1e-6);

    let [mut dx, mut dlogits, mut dcurve] = [(); 3].map(|()| unwritten(xs.len()));
    let mut arguments =
        vec![In(&xs), In(&ks), In(&found), In(&dys), Out(&mut dx), Out(&mut dlogits), Out(&mut dcurve)];
    arguments.extend(sizes());
    kernels.launch("curve_skip_backward", [4, 64], arguments);
    let (mut parts, mut dknots) = (unwritten(33 * 4), vec![2.; 33]);
    kernels.launch(
        "knot_parts",
        [33 * 4, 64],
        vec![In(&xs), In(&dcurve), Out(&mut parts), U32(33), U32(4), U32(n)],
    );
    kernels.launch("knot_gradients", [1, 64], vec![In(&parts), Out(&mut dknots), U32(1), U32(4), U32(33)]);
    same("gradient of x", &dx, &gradients[0], 1e-5);
    same("gradient of the knots", &dknots, &(&gradients[1] + 2.).unwrap(), 1e-5);
    same("gradient of the logits", &dlogits, &gradients[2], 1e-5);

    xs[5] = f32::NAN;
    let mut arguments = vec![In(&xs), In(&ks), In(&ls), Out(&mut found)];
    arguments.extend(sizes());
    kernels.launch("curve_skip", [4, 64], arguments);
    assert!(found[5].is_nan() && found[4].is_finite());
}

#[test]
fn columns_are_a_convolutions_and_folding_is_their_adjoint() {
    let Some(kernels) = Kernels::of("columns.cu") else { return };
    for [n, ci, h, w, k, stride, pad] in [[2usize, 3, 8, 7, 3, 2, 1], [1, 2, 6, 9, 4, 1, 2]] {
        let (oh, ow) = ((h + 2 * pad - k) / stride + 1, (w + 2 * pad - k) / stride + 1);
        let (x, weight) = (noise(1, &[n, ci, h, w]), noise(2, &[5, ci, k, k]));
        let dy = noise(3, &[n, 5, oh, ow]);
        let (y, gradients) = on_cpu(&[&x], &dy, |t| conv2d(&t[0], &weight, None, stride, pad));
        let sizes = [ci, h, w, oh, ow, k, k, stride, pad].map(|v| v as u32);
        let rows = ci * k * k;
        let mut columns = unwritten(n * rows * oh * ow);
        let count = columns.len() as u32;
        let xs = values(&x);
        kernels.launch("unfold_f32", [3, 64], vec![In(&xs), Out(&mut columns), Numbers(&sizes), U32(count)]);
        let columns = Tensor::from_vec(columns, (n, rows, oh * ow), x.device()).unwrap();
        let weight = weight.reshape((5, rows)).unwrap();
        let product = weight.broadcast_left(n).unwrap().matmul(&columns).unwrap();
        close("product", &product.reshape(y.shape()).unwrap(), &y, 1e-5);

        let dy = dy.reshape((n, 5, oh * ow)).unwrap();
        let transposed = weight.t().unwrap().contiguous().unwrap().broadcast_left(n).unwrap();
        let back = values(&transposed.matmul(&dy).unwrap());
        let mut dx = unwritten(x.elem_count());
        let count = U32(dx.len() as u32);
        kernels.launch("fold_f32", [3, 64], vec![In(&back), Out(&mut dx), Numbers(&sizes), count]);
        same("gradient of x", &dx, &gradients[0], 1e-5);
    }
}

#[test]
fn biases_and_doubled_kernels() {
    let Some(kernels) = Kernels::of("bias.cu") else { return };
    let (x, bias) = (noise(1, &[3, 4, 5, 6]), noise(2, &[4]));
    let y = x.broadcast_add(&bias.reshape((1, 4, 1, 1)).unwrap()).unwrap();
    let mut found = values(&x);
    kernels.launch(
        "add_bias_f32",
        [3, 32],
        vec![Out(&mut found), In(&values(&bias)), U32(4), U32(30), U32(360)],
    );
    same("bias", &found, &y, 0.);
    let mut gradient = vec![1.; 4];
    let arguments = vec![In(&found), Out(&mut gradient), U32(1), U32(3), U32(4), U32(30)];
    kernels.launch("bias_gradient_f32", [4, 32], arguments);
    let sums = y.sum((0, 2, 3)).unwrap();
    same("gradient", &gradient, &(sums + 1.).unwrap(), 1e-6);

    let Some(kernels) = Kernels::of("doubled_kernel.cu") else { return };
    let (weight, dy) = (noise(1, &[5, 3, 3, 3]), noise(2, &[3, 5, 4, 4]));
    let (doubled, gradients) = on_cpu(&[&weight], &dy, |t| doubled_kernel(&t[0]));
    let (mut found, mut gradient, dy) = (unwritten(240), vec![1.; 135], values(&dy));
    kernels.launch(
        "doubled_kernel",
        [2, 32],
        vec![In(&values(&weight)), Out(&mut found), U32(5), U32(3), U32(240)],
    );
    let arguments = vec![In(&dy), Out(&mut gradient), U32(1), U32(5), U32(3), U32(135)];
    kernels.launch("doubled_kernel_backward", [2, 32], arguments);
    same("doubled", &found, &doubled, 1e-6);
    same("gradient", &gradient, &(&gradients[0] + 1.).unwrap(), 1e-6);
}

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
        for i in 0..2 {
            let slot = AdamSlot {
                parameter: &expected[0][i],
                gradient: &expected[1][i],
                first_moment: &expected[2][i],
                second_moment: &expected[3][i],
                rate_factor: 1. + i as f64,
            };
            adam_update(&[slot], &adam, &Tensor::new(loss, &candle_core::Device::Cpu).unwrap()).unwrap();
        }
        let mut table: Vec<u64> = Vec::new();
        for i in 0..2 {
            table.extend(memory.iter_mut().map(|kind| kind[i].as_mut_ptr() as u64));
            table.extend([lengths[i] as u64, u64::from((1. + i as f32).to_bits())]);
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
    let expected = Tensor::new(x.as_slice(), &candle_core::Device::Cpu).unwrap();
    let expected = values(
        &expected.to_dtype(candle_core::DType::BF16).unwrap().to_dtype(candle_core::DType::F32).unwrap(),
    );
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
