//! conv2d and conv_transpose2d against the composed reference, forward and backward.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Result, Tensor, Var};
use mri_kernels::{composed, conv_transpose2d, conv2d};

mod data;
use data::{close, noise};

/// n, cin, cout, h, w, kernel, stride, padding, output padding
type Case = (usize, usize, usize, usize, usize, usize, usize, usize, usize);

/// The layers of U-Net, ResNet and PatchGAN in small, then odd ones.
const CASES: [Case; 34] = [
    (1, 1, 8, 32, 32, 4, 2, 1, 0),
    (3, 1, 8, 32, 32, 4, 2, 1, 0),
    (1, 8, 16, 31, 33, 4, 2, 1, 0),
    (2, 40, 24, 20, 36, 4, 2, 1, 0),
    (1, 20, 24, 17, 17, 4, 1, 1, 0),
    (1, 24, 1, 16, 16, 4, 1, 1, 0),
    (1, 48, 32, 2, 2, 4, 2, 1, 0),
    (3, 48, 32, 4, 4, 4, 2, 1, 0),
    (1, 32, 48, 2, 3, 4, 2, 1, 0),
    (1, 1, 8, 38, 38, 7, 1, 0, 0),
    (1, 8, 1, 38, 41, 7, 1, 0, 0),
    (2, 16, 16, 18, 18, 3, 1, 0, 0),
    (1, 33, 17, 18, 22, 3, 1, 1, 0),
    (1, 16, 32, 33, 32, 3, 2, 1, 0),
    (1, 16, 8, 16, 17, 3, 2, 1, 1),
    (3, 16, 8, 7, 9, 3, 2, 1, 1),
    (1, 32, 40, 34, 37, 3, 1, 1, 0),
    (2, 48, 33, 10, 39, 3, 1, 0, 0),
    (1, 33, 32, 8, 70, 3, 1, 2, 0),
    (1, 40, 1, 20, 22, 7, 1, 3, 0),
    (3, 12, 2, 20, 13, 4, 1, 1, 0),
    (2, 12, 7, 1, 1, 4, 2, 1, 0),
    (1, 70, 65, 4, 4, 4, 2, 1, 0),
    (1, 3, 5, 1, 1, 1, 1, 0, 0),
    (2, 3, 5, 11, 300, 3, 3, 2, 2),
    (1, 2, 2, 5, 5, 5, 3, 4, 0),
    (1, 2, 300, 20, 20, 2, 2, 0, 0),
    (1, 300, 2, 20, 20, 1, 1, 0, 0),
    (2, 2, 3, 9, 9, 3, 4, 0, 1),
    // Enough channels for the ways of computing that pay with many.
    (1, 128, 130, 18, 19, 4, 1, 1, 0),
    (2, 129, 128, 13, 16, 4, 1, 2, 0),
    (3, 64, 68, 4, 4, 4, 2, 1, 0),
    (1, 64, 64, 2, 2, 4, 2, 1, 0),
    (2, 128, 64, 5, 3, 4, 2, 1, 0),
];

fn check(name: &str, inputs: [&Var; 3], ours: Result<Tensor>, reference: Result<Tensor>) {
    let (ours, reference) = (ours.unwrap(), reference.unwrap());
    close(&format!("{name}: output"), &ours, &reference, 2e-5);
    let direction = noise(9, reference.dims());
    let grads = |y: &Tensor| y.mul(&direction).unwrap().sum_all().unwrap().backward().expect(name);
    let (ours, reference) = (grads(&ours), grads(&reference));
    for (input, what) in inputs.iter().zip(["input", "weight", "bias"]) {
        let (a, b) = (ours.get(input).unwrap(), reference.get(input).unwrap());
        close(&format!("{name}: {what} gradient"), a, b, 3e-5);
    }
}

#[test]
fn conv2d_equals_the_reference() {
    for case @ (n, ci, co, h, w, k, s, p, _) in CASES {
        let (Ok(x), Ok(weight), Ok(bias)) = (
            Var::from_tensor(&noise(1, &[n, ci, h, w])),
            Var::from_tensor(&noise(2, &[co, ci, k, k])),
            Var::from_tensor(&noise(3, &[co])),
        ) else {
            unreachable!()
        };
        if h + 2 * p < k {
            continue;
        }
        check(
            &format!("conv2d {case:?}"),
            [&x, &weight, &bias],
            conv2d(&x, &weight, Some(&bias), s, p),
            composed::conv2d(&x, &weight, Some(&bias), s, p),
        );
    }
}

#[test]
fn conv_transpose2d_equals_the_reference() {
    for case @ (n, ci, co, h, w, k, s, p, op) in CASES {
        let x = Var::from_tensor(&noise(1, &[n, ci, h, w])).unwrap();
        let weight = Var::from_tensor(&noise(2, &[ci, co, k, k])).unwrap();
        let bias = Var::from_tensor(&noise(3, &[co])).unwrap();
        if (h - 1) * s + k + op <= 2 * p {
            continue;
        }
        check(
            &format!("conv_transpose2d {case:?}"),
            [&x, &weight, &bias],
            conv_transpose2d(&x, &weight, Some(&bias), s, p, op),
            composed::conv_transpose2d(&x, &weight, Some(&bias), s, p, op),
        );
    }
}

#[test]
fn strided_and_offset_inputs_are_read_right() {
    let x =
        noise(1, &[2, 9, 14, 10]).transpose(2, 3).unwrap().narrow(1, 2, 6).unwrap().narrow(3, 1, 12).unwrap();
    let weight = noise(2, &[4, 6, 3, 3]).transpose(0, 1).unwrap();
    let y = conv_transpose2d(&x, &weight.transpose(0, 1).unwrap().transpose(0, 1).unwrap(), None, 1, 1, 0)
        .unwrap();
    close(
        "transposed",
        &y,
        &composed::conv_transpose2d(&x.contiguous().unwrap(), &weight.contiguous().unwrap(), None, 1, 1, 0)
            .unwrap(),
        1e-5,
    );
    let weight = noise(2, &[6, 4, 3, 3]).transpose(0, 1).unwrap();
    let y = conv2d(&x, &weight, None, 2, 1).unwrap();
    close(
        "conv",
        &y,
        &composed::conv2d(&x.contiguous().unwrap(), &weight.contiguous().unwrap(), None, 2, 1).unwrap(),
        1e-5,
    );
}

#[test]
fn frozen_operands_receive_no_gradient_and_the_others_do() {
    let (x, w, b) = (noise(1, &[1, 3, 8, 8]), noise(2, &[3, 3, 4, 4]), noise(3, &[3]));
    for mask in 1..8u8 {
        let vars = [&x, &w, &b].map(|t| Var::from_tensor(t).unwrap());
        let pick = |i: usize| if mask >> i & 1 == 1 { vars[i].as_tensor().clone() } else { vars[i].detach() };
        let (x, w, b) = (pick(0), pick(1), pick(2));
        for y in
            [conv2d(&x, &w, Some(&b), 2, 1).unwrap(), conv_transpose2d(&x, &w, Some(&b), 2, 1, 0).unwrap()]
        {
            let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            for (i, v) in vars.iter().enumerate() {
                assert_eq!(grads.get(v).is_some(), mask >> i & 1 == 1, "operand {i} of mask {mask:03b}");
            }
        }
    }
}

#[test]
fn other_dtypes_take_the_composed_path() {
    let x = noise(1, &[1, 3, 8, 8]).to_dtype(candle_core::DType::F64).unwrap();
    let w = noise(2, &[3, 3, 4, 4]).to_dtype(candle_core::DType::F64).unwrap();
    assert_eq!(conv2d(&x, &w, None, 2, 1).unwrap().dtype(), candle_core::DType::F64);
    assert_eq!(conv_transpose2d(&x, &w, None, 2, 1, 0).unwrap().dims(), [1, 3, 16, 16]);
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_the_reason() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let message = |r: Result<Tensor>| r.unwrap_err().to_string();
    let (x, w) = (zeros(&[1, 3, 8, 8]), zeros(&[5, 2, 4, 4]));
    assert!(message(conv2d(&x, &w, None, 2, 1)).contains("expects 2 channels, the input has 3"));
    assert!(message(conv_transpose2d(&x, &w, None, 2, 1, 0)).contains("expects 5 channels, the input has 3"));
    assert!(message(conv2d(&x, &zeros(&[5, 3, 4, 4]), None, 0, 1)).contains("stride 0"));
    assert!(
        message(conv2d(&zeros(&[1, 3, 2, 2]), &zeros(&[5, 3, 4, 4]), None, 1, 0)).contains("does not fit")
    );
    assert!(message(conv2d(&zeros(&[3, 8, 8]), &zeros(&[5, 3, 4, 4]), None, 1, 0)).contains("(N,C,H,W)"));
}
