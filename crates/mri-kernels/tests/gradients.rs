//! Gradients against finite differences of the forward pass: (f(x + h d) - f(x - h d)) / 2h along random directions d.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Result, Tensor, Var};
use mri_kernels::*;

mod data;
use data::{close, noise};

/// `f` is reduced to a number by fixed random weights, summed here in f64 so that the difference keeps its digits.
fn check(name: &str, inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let value = |t: &[Tensor]| -> f64 {
        let y = f(t).unwrap();
        let read = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        read(&y).iter().zip(read(&noise(99, y.dims()))).map(|(&a, b)| a as f64 * b as f64).sum()
    };
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let y = f(&vars.iter().map(|v| v.as_tensor().clone()).collect::<Vec<_>>()).unwrap();
    let grads = y.mul(&noise(99, y.dims())).unwrap().sum_all().unwrap().backward().unwrap();
    for (i, var) in vars.iter().enumerate() {
        for seed in [50, 51, 52] {
            let d = noise(seed, inputs[i].dims());
            let h = 5e-3;
            let moved = |sign: f64| {
                let mut t = inputs.to_vec();
                t[i] = (&t[i] + (&d * (sign * h)).unwrap()).unwrap();
                value(&t)
            };
            let expected = (moved(1.) - moved(-1.)) / (2. * h);
            let gradient = grads.get(var).unwrap();
            let found = gradient.mul(&d).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() as f64;
            let scale = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt() as f64;
            let scale = scale * (d.elem_count() as f64).sqrt() * 0.2 + 1e-3;
            assert!(
                (found - expected).abs() < 0.02 * scale,
                "{name}, input {i}: {found}, differences {expected}"
            );
        }
    }
}

#[test]
fn convolutions() {
    for (n, ci, co, h, w, k, s, p) in [
        (1, 3, 4, 6, 6, 4, 2, 1),
        (3, 2, 3, 5, 7, 3, 1, 1),
        (1, 2, 2, 9, 8, 7, 1, 0),
        (2, 3, 2, 7, 5, 3, 2, 1),
    ] {
        let inputs = [noise(1, &[n, ci, h, w]), noise(2, &[co, ci, k, k]), noise(3, &[co])];
        check("conv2d", &inputs, |t| conv2d(&t[0], &t[1], Some(&t[2]), s, p));
        let inputs = [noise(1, &[n, ci, h, w]), noise(2, &[ci, co, k, k]), noise(3, &[co])];
        check("conv_transpose2d", &inputs, |t| conv_transpose2d(&t[0], &t[1], Some(&t[2]), s, p, s - 1));
    }
}

#[test]
fn everything_else() {
    let x = noise(1, &[2, 3, 6, 5]);
    // Away from the kink at 0, where differences mean nothing.
    let off_zero = (&x + x.sign().unwrap() * 0.1).unwrap();
    let (gamma, beta) = (noise(2, &[3]), noise(3, &[3]));
    check("instance_norm", &[x.clone(), gamma, beta], |t| instance_norm(&t[0], Some((&t[1], &t[2])), 1e-5));
    check("instance_norm", std::slice::from_ref(&x), |t| instance_norm(&t[0], None, 1e-5));
    check("leaky_relu", std::slice::from_ref(&off_zero), |t| leaky_relu(&t[0], 0.2));
    check("tanh", std::slice::from_ref(&x), |t| tanh(&t[0]));
    check("reflection_pad2d", std::slice::from_ref(&x), |t| reflection_pad2d(&t[0], [2, 1, 3, 0]));
    check("dropout", std::slice::from_ref(&x), |t| dropout(&t[0], 0.4, 5));
    check("mse", std::slice::from_ref(&x), |t| mse(&t[0], 1.));
    check("bce_with_logits", std::slice::from_ref(&x), |t| bce_with_logits(&t[0], 1.));
    check("l1", &[off_zero.clone(), off_zero.zeros_like().unwrap()], |t| l1(&t[0], &t[1]));
}

#[test]
fn a_transposed_convolution_is_the_adjoint_of_a_convolution() {
    // <conv(x), y> = <x, conv_transpose(y)> for the same weight.
    let (x, y, w) = (noise(1, &[2, 5, 12, 8]), noise(2, &[2, 7, 6, 4]), noise(3, &[7, 5, 4, 4]));
    let inner = |a: &Tensor, b: &Tensor| a.mul(b).unwrap().sum_all().unwrap();
    let (there, back) =
        (conv2d(&x, &w, None, 2, 1).unwrap(), conv_transpose2d(&y, &w, None, 2, 1, 0).unwrap());
    close("adjoint", &inner(&there, &y), &inner(&x, &back), 1e-5);
}
