//! Normalization, activations, padding, dropout, losses and Adam against the composed reference.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{DType, Result, Tensor, Var};
use mri_kernels::*;

mod data;
use data::{close, noise};

/// Odd sizes, single pixels, more than one chunk of work; batch 1 and 3.
const SHAPES: [[usize; 4]; 6] =
    [[1, 3, 8, 8], [3, 5, 7, 9], [1, 2, 1, 2], [3, 70, 5, 3], [1, 1, 150, 131], [2, 4, 64, 65]];

/// Outputs and the gradients of all inputs of two versions of one function agree.
fn agree(
    name: &str,
    inputs: &[Tensor],
    ours: impl Fn(&[Tensor]) -> Result<Tensor>,
    reference: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let run = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
        let y = f(&vars.iter().map(|v| v.as_tensor().clone()).collect::<Vec<_>>()).unwrap();
        let grads = y.mul(&noise(99, y.dims())).unwrap().sum_all().unwrap().backward().unwrap();
        (y, vars.iter().map(|v| grads.get(v).unwrap().clone()).collect::<Vec<_>>())
    };
    let (ours, reference) = (run(&ours), run(&reference));
    close(&format!("{name}: output"), &ours.0, &reference.0, 2e-6);
    for (i, (a, b)) in ours.1.iter().zip(&reference.1).enumerate() {
        close(&format!("{name}: gradient of input {i}"), a, b, 2e-5);
    }
}

#[test]
fn instance_norm_equals_the_reference() {
    for shape in SHAPES {
        let x = (noise(1, &shape) * 3.).unwrap();
        let x = (x + 0.7).unwrap();
        let (gamma, beta) = (noise(2, &[shape[1]]), noise(3, &[shape[1]]));
        for slope in [1., 0.2, 0.] {
            agree(
                &format!("instance norm {shape:?} slope {slope}"),
                &[x.clone(), gamma.clone(), beta.clone()],
                |t| instance_norm_leaky_relu(&t[0], Some((&t[1], &t[2])), 1e-5, slope),
                |t| composed::instance_norm_leaky_relu(&t[0], Some((&t[1], &t[2])), 1e-5, slope),
            );
        }
        agree(
            &format!("instance norm {shape:?} without affine"),
            &[x],
            |t| instance_norm(&t[0], None, 1e-5),
            |t| composed::instance_norm(&t[0], None, 1e-5),
        );
    }
}

#[test]
fn normal_noise_equals_the_reference_and_follows_its_key() {
    for shape in SHAPES {
        agree(
            &format!("normal noise {shape:?}"),
            &[noise(1, &shape)],
            |t| normal_noise(&t[0], 0.05, [3; 32]),
            |t| composed::normal_noise(&t[0], 0.05, [3; 32]),
        );
    }
    let zeros = Tensor::zeros((4, 5), DType::F32, &candle_core::Device::Cpu).unwrap();
    let values =
        |key| normal_noise(&zeros, 2., key).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let expected: Vec<f32> = standard_normals([3; 32], 20).into_iter().map(|z| z as f32 * 2.).collect();
    assert_eq!(values([3; 32]), expected);
    assert_ne!(values([4; 32]), expected);
}

#[test]
fn instance_norm_keeps_its_precision_far_from_zero() {
    let x = (noise(1, &[1, 1, 64, 64]) + 1000.).unwrap();
    let y = instance_norm(&x, None, 1e-5).unwrap();
    let exact = composed::instance_norm(&x.to_dtype(DType::F64).unwrap(), None, 1e-5).unwrap();
    close("offset 1000", &y, &exact.to_dtype(DType::F32).unwrap(), 1e-4);
}

#[test]
fn a_frozen_affine_receives_no_gradient() {
    let x = Var::from_tensor(&noise(1, &[1, 3, 4, 4])).unwrap();
    let gamma = Var::from_tensor(&noise(2, &[3])).unwrap();
    let beta = Var::from_tensor(&noise(3, &[3])).unwrap();
    let y = instance_norm(&x, Some((&gamma.detach(), &beta)), 1e-5).unwrap();
    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&gamma).is_none() && grads.get(&beta).is_some() && grads.get(&x).is_some());
    let y = instance_norm(&x.detach(), Some((&gamma, &beta.detach())), 1e-5).unwrap();
    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&gamma).is_some() && grads.get(&beta).is_none() && grads.get(&x).is_none());
}

#[test]
fn elementwise_operations_equal_the_reference() {
    for shape in SHAPES {
        let x = (noise(1, &shape) * 4.).unwrap();
        for slope in [0.2, 0., 1.] {
            let name = format!("leaky relu {slope} {shape:?}");
            agree(
                &name,
                std::slice::from_ref(&x),
                |t| leaky_relu(&t[0], slope),
                |t| composed::leaky_relu(&t[0], slope),
            );
        }
        agree(&format!("tanh {shape:?}"), std::slice::from_ref(&x), |t| tanh(&t[0]), |t| t[0].tanh());
        let name = format!("dropout {shape:?}");
        agree(
            &name,
            std::slice::from_ref(&x),
            |t| dropout(&t[0], 0.3, 7),
            |t| composed::dropout(&t[0], 0.3, 7),
        );
    }
}

#[test]
fn reflection_padding_equals_the_reference() {
    for (shape, pad) in [
        ([1, 3, 8, 8], [1, 1, 1, 1]),
        ([3, 2, 7, 9], [3, 3, 3, 3]),
        ([2, 70, 5, 3], [2, 0, 1, 4]),
        ([1, 1, 4, 4], [0, 3, 0, 0]),
        ([1, 2, 130, 140], [3, 3, 3, 3]),
    ] {
        agree(
            &format!("reflection pad {shape:?} {pad:?}"),
            &[noise(1, &shape)],
            |t| reflection_pad2d(&t[0], pad),
            |t| composed::reflection_pad2d(&t[0], pad),
        );
    }
    let message = reflection_pad2d(&noise(1, &[1, 1, 4, 4]), [0, 4, 0, 0]).unwrap_err().to_string();
    assert!(message.contains("4x4"), "{message}");
}

/// import torch.nn.functional as F; F.pad(torch.arange(6.).view(1,1,2,3), (2,1,1,0), mode='reflect')
#[test]
fn reflection_padding_of_a_small_image_is_pytorchs() {
    let x = Tensor::arange(0f32, 6., &candle_core::Device::Cpu).unwrap().reshape((1, 1, 2, 3)).unwrap();
    let y = reflection_pad2d(&x, [2, 1, 1, 0]).unwrap();
    let rows: Vec<Vec<f32>> = y.squeeze(0).unwrap().squeeze(0).unwrap().to_vec2().unwrap();
    assert_eq!(rows, [[5., 4., 3., 4., 5., 4.], [2., 1., 0., 1., 2., 1.], [5., 4., 3., 4., 5., 4.]]);
}

#[test]
fn losses_equal_the_reference() {
    for shape in SHAPES {
        let (a, b) = ((noise(1, &shape) * 3.).unwrap(), noise(2, &shape));
        for target in [0., 1., 0.9] {
            agree(
                &format!("mse {shape:?}"),
                std::slice::from_ref(&a),
                |t| mse(&t[0], target),
                |t| composed::mse(&t[0], target),
            );
            agree(
                &format!("bce {shape:?}"),
                std::slice::from_ref(&a),
                |t| bce_with_logits(&t[0], target),
                |t| composed::bce_with_logits(&t[0], target),
            );
        }
        agree(&format!("l1 {shape:?}"), &[a, b], |t| l1(&t[0], &t[1]), |t| composed::l1(&t[0], &t[1]));
    }
}

#[test]
fn losses_stay_finite_and_exact_at_extreme_values() {
    let x = Var::new(&[-1e4f32, 1e4, 0.], &candle_core::Device::Cpu).unwrap();
    let loss = bce_with_logits(&x, 1.).unwrap();
    assert!((loss.to_scalar::<f32>().unwrap() - (1e4 + 2f32.ln()) / 3.).abs() < 1e-3);
    let grads = loss.backward().unwrap();
    assert_eq!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap(), [-1. / 3., 0., -0.5 / 3.]);

    let same = Var::from_tensor(&noise(1, &[4])).unwrap();
    let grads = l1(&same, &same.detach()).unwrap().backward().unwrap();
    assert_eq!(grads.get(&same).unwrap().to_vec1::<f32>().unwrap(), [0.; 4]);

    // 16 million terms of 0.1: a running sum in f32 would be off in the second digit.
    let many = Tensor::full(0.1f32, 1 << 24, &candle_core::Device::Cpu).unwrap();
    let mean = l1(&many, &many.zeros_like().unwrap()).unwrap().to_scalar::<f32>().unwrap();
    assert_eq!(mean, 0.1);
}

#[test]
fn dropout_keeps_the_right_share_and_depends_on_the_key_alone() {
    let ones = Tensor::ones(100_000, DType::F32, &candle_core::Device::Cpu).unwrap();
    let values = |p: f64, key: u64| dropout(&ones, p, key).unwrap().to_vec1::<f32>().unwrap();
    let kept = values(0.3, 1).iter().filter(|&&v| v > 0.).count() as f64 / 1e5;
    // Standard deviation 0.00145.
    assert!((kept - 0.7).abs() < 0.006, "{kept}");
    assert!(values(0.3, 1).iter().all(|&v| v == 0. || v == (1. / 0.7) as f32));
    assert_eq!(values(0.3, 1), values(0.3, 1));
    assert_ne!(values(0.3, 1), values(0.3, 2));
    assert_eq!(values(0., 1), vec![1.; 100_000]);
    assert!(dropout(&ones, 1., 0).is_err() && dropout(&ones, -0.1, 0).is_err());
}

#[test]
fn strided_inputs_are_read_right() {
    let x =
        noise(1, &[2, 6, 9, 10]).transpose(2, 3).unwrap().narrow(1, 2, 3).unwrap().narrow(3, 1, 7).unwrap();
    let copy = x.contiguous().unwrap();
    let same = |a: Result<Tensor>, b: Result<Tensor>| close("strided", &a.unwrap(), &b.unwrap(), 0.);
    same(instance_norm(&x, None, 1e-5), instance_norm(&copy, None, 1e-5));
    same(leaky_relu(&x, 0.2), leaky_relu(&copy, 0.2));
    same(tanh(&x), tanh(&copy));
    same(dropout(&x, 0.5, 3), dropout(&copy, 0.5, 3));
    same(reflection_pad2d(&x, [1; 4]), reflection_pad2d(&copy, [1; 4]));
    same(mse(&x, 0.5), mse(&copy, 0.5));
    same(l1(&x, &copy.zeros_like().unwrap()), l1(&copy, &copy.zeros_like().unwrap()));
}

type Update = fn(&[AdamSlot], &Adam, &Tensor) -> Result<()>;

fn loss(value: f32) -> Tensor {
    Tensor::new(value, &candle_core::Device::Cpu).unwrap()
}

/// import torch
/// p=torch.tensor([1.,-2.,.5],requires_grad=True); o=torch.optim.Adam([p],lr=.1,betas=(.5,.999),eps=1e-8)
/// for g in ([.1,-.2,0.],[.3,.1,1e-4]): p.grad=torch.tensor(g); o.step()
/// print(p.tolist(), o.state[p]['exp_avg'].tolist(), o.state[p]['exp_avg_sq'].tolist())
#[test]
fn adam_is_pytorchs() {
    let device = &candle_core::Device::Cpu;
    for update in [adam_update, composed::adam_update as Update] {
        let p = Var::new(&[1f32, -2., 0.5], device).unwrap();
        let m = Var::zeros(3, DType::F32, device).unwrap();
        let v = Var::zeros(3, DType::F32, device).unwrap();
        for (step, g) in [(1, [0.1f32, -0.2, 0.]), (2, [0.3, 0.1, 1e-4])] {
            let adam = Adam { learning_rate: 0.1, beta1: 0.5, beta2: 0.999, eps: 1e-8, step };
            let gradient = &Tensor::new(&g, device).unwrap();
            // Half the rate, doubled by the slot.
            let adam = Adam { learning_rate: 0.05, ..adam };
            let slot =
                AdamSlot { parameter: &p, gradient, first_moment: &m, second_moment: &v, rate_factor: 2. };
            update(&[slot], &adam, &loss(1.)).unwrap();
        }
        let (before, gradient) = (p.copy().unwrap(), &Tensor::new(&[1f32; 3], device).unwrap());
        for bad in [f32::NAN, f32::INFINITY] {
            let adam = Adam { learning_rate: 0.1, beta1: 0.5, beta2: 0.999, eps: 1e-8, step: 3 };
            let slot =
                AdamSlot { parameter: &p, gradient, first_moment: &m, second_moment: &v, rate_factor: 1. };
            update(&[slot], &adam, &loss(bad)).unwrap();
        }
        close("parameter after a loss that is not finite", &p, &before, 0.);
        let expected = |values: &[f32; 3]| Tensor::new(values, device).unwrap();
        close("parameter", &p, &expected(&[0.795671, -1.9, 0.405756]), 1e-6);
        close("first moment", &m, &expected(&[0.175, 0., 5e-5]), 1e-7);
        close("second moment", &v, &expected(&[9.999e-5, 4.996e-5, 1e-11]), 1e-8);
    }
}

#[test]
fn adam_refuses_shared_memory_and_other_shapes() {
    let p = Var::zeros(3, DType::F32, &candle_core::Device::Cpu).unwrap();
    let m = Var::zeros(3, DType::F32, &candle_core::Device::Cpu).unwrap();
    let adam = Adam { learning_rate: 0.1, beta1: 0.5, beta2: 0.999, eps: 1e-8, step: 1 };
    let message = |gradient: &Tensor| {
        let slot = AdamSlot { parameter: &p, gradient, first_moment: &m, second_moment: &m, rate_factor: 1. };
        adam_update(&[slot], &adam, &loss(1.)).unwrap_err().to_string()
    };
    let (shared, other_shape) = (message(&m.detach()), message(&noise(1, &[4])));
    assert!(shared.contains("share memory"), "{shared}");
    assert!(other_shape.contains("[3]") && other_shape.contains("[4]"), "{other_shape}");
}

#[test]
fn backward_in_place_gives_candles_gradients() {
    let x = noise(1, &[1, 4, 8, 8]);
    let weight = Var::from_tensor(&noise(2, &[4, 4, 3, 3])).unwrap();
    let bias = Var::from_tensor(&noise(3, &[4])).unwrap();
    // One weight used three times, once outside a convolution.
    let loss = || {
        let twice = conv2d(&conv2d(&x, &weight, Some(&bias), 1, 1)?, &weight, Some(&bias), 1, 1)?;
        let of_weight = weight.sqr()?.sum_all()?;
        Ok((add(&by_candle(&[&twice], |t| t[0].sqr()?.mean_all())?, &of_weight)?, ()))
    };
    let candles = loss().unwrap().0.backward().unwrap();
    let mut backward = Backward::default();
    // The second run overwrites the memory of the first.
    for _ in 0..2 {
        let (_, _, ours) = backward.run(loss).unwrap();
        for v in [&weight, &bias] {
            close("gradient", ours.get(v).unwrap(), candles.get(v).unwrap(), 1e-6);
        }
        backward.reuse(ours);
    }
}

#[test]
fn what_candle_computes_before_ours_and_within_by_candle_is_differentiated() {
    let x = Var::from_tensor(&noise(1, &[2, 3, 6, 5])).unwrap();
    let shift = Var::from_tensor(&noise(2, &[3])).unwrap();
    let loss = || {
        let shifted = x.broadcast_add(&shift.reshape((1, 3, 1, 1))?)?;
        let y = leaky_relu(&shifted, 0.2)?;
        let first = narrow(&y, 0, 0, 1)?;
        let flipped = by_candle(&[&y], |t| t[0].transpose(2, 3)?.contiguous()?.narrow(0, 1, 1)?.sqr())?;
        let sums = add(&tanh(&first)?, &by_candle(&[&flipped], |t| t[0].transpose(2, 3)?.contiguous())?)?;
        let (a, b) = (mse(&sums, 0.3)?, l1(&tanh(&cast(&y, DType::F32)?)?, &y.zeros_like()?)?);
        Ok((weighted_sum(&[(2., &a), (-0.5, &b)])?, ()))
    };
    let candles = loss().unwrap().0.backward().unwrap();
    let (_, _, ours) = Backward::default().run(loss).unwrap();
    for v in [&x, &shift] {
        close("gradient", ours.get(v).unwrap(), candles.get(v).unwrap(), 1e-6);
    }
}

#[test]
fn a_loss_that_was_lost_sight_of_is_an_error() {
    let x = Var::from_tensor(&noise(1, &[1, 1, 4, 4])).unwrap();
    let lost = Backward::default().run(|| Ok((leaky_relu(&x, 0.2)?.sqr()?.sum_all()?, ())));
    assert!(lost.unwrap_err().to_string().contains("depends on no variable"));
    // The next run is none the worse for it.
    let (_, _, gradients) = Backward::default().run(|| Ok((mse(&x, 0.)?, ()))).unwrap();
    close("gradient", gradients.get(&x).unwrap(), &(x.as_tensor() / 8.).unwrap(), 1e-6);
}
