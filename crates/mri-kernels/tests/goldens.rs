//! Forward and backward of each operation against PyTorch; tests/goldens.py made the numbers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Result, Tensor, Var};
use mri_kernels::*;

mod data;
use data::{close, noise};

type Operation = fn(&[Tensor]) -> Result<Tensor>;

#[test]
fn operations_equal_pytorchs() {
    let goldens: serde_json::Value = serde_json::from_str(include_str!("goldens.json")).unwrap();
    let cases: &[(&str, &[&[usize]], Operation)] = &[
        ("conv2d", &[&[2, 3, 7, 6], &[4, 3, 4, 4], &[4]], |t| conv2d(&t[0], &t[1], Some(&t[2]), 2, 1)),
        ("conv2d_3x3", &[&[1, 3, 6, 9], &[2, 3, 3, 3], &[2]], |t| conv2d(&t[0], &t[1], Some(&t[2]), 1, 0)),
        ("conv_transpose2d", &[&[2, 3, 4, 5], &[3, 2, 3, 3], &[2]], |t| {
            conv_transpose2d(&t[0], &t[1], Some(&t[2]), 2, 1, 1)
        }),
        ("instance_norm_leaky_relu", &[&[2, 3, 5, 4], &[3], &[3]], |t| {
            instance_norm_leaky_relu(&t[0], Some((&t[1], &t[2])), 1e-5, 0.2)
        }),
        ("reflection_pad2d", &[&[1, 2, 4, 5]], |t| reflection_pad2d(&t[0], [1, 2, 3, 0])),
        ("mse", &[&[2, 1, 3, 5]], |t| mse(&t[0], 0.9)),
        ("bce_with_logits", &[&[2, 1, 3, 5]], |t| bce_with_logits(&t[0], 0.9)),
        ("l1", &[&[2, 1, 3, 5], &[2, 1, 3, 5]], |t| l1(&t[0], &t[1])),
        ("tanh", &[&[2, 1, 3, 5]], |t| tanh(&t[0])),
    ];
    assert_eq!(cases.len(), goldens.as_object().unwrap().len());
    for (name, shapes, operation) in cases {
        let golden = &goldens[name];
        let numbers = |v: &serde_json::Value, shape: &[usize]| {
            let values: Vec<f32> = v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let inputs: Vec<Var> =
            shapes.iter().zip(1..).map(|(s, seed)| Var::from_tensor(&noise(seed, s)).unwrap()).collect();
        let y = operation(&inputs.iter().map(|v| v.as_tensor().clone()).collect::<Vec<_>>()).unwrap();
        close(name, &y, &numbers(&golden["output"], y.dims()), 2e-6);
        let loss = if y.rank() == 0 { y } else { (&y * noise(99, y.dims())).unwrap().sum_all().unwrap() };
        let grads = loss.backward().unwrap();
        for (i, (input, shape)) in inputs.iter().zip(*shapes).enumerate() {
            let expected = numbers(&golden["gradients"][i], shape);
            close(&format!("{name}: gradient {i}"), grads.get(input).unwrap(), &expected, 3e-6);
        }
    }
}
