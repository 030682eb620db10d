//! The CUDA kernels compute what the CPU's operations compute: compiled by NVRTC where it is found, run by the interpreter
//! of cuda-emulator. `gpu_test` of mri-cyclegan tests the same on a device, with all that launches them.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use candle_core::{Result, Tensor, Var};
use mri_kernels::*;

#[path = "../data/mod.rs"]
mod data;
mod interpreter;
#[path = "../nvrtc/mod.rs"]
mod nvrtc;
mod optimizer;
use data::{close, noise};
use interpreter::{F32, In, Kernels, Null, Numbers, Out, U32, U64, same, unwritten, values};

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
