//! Every operation of mri-kernels, forward and backward.

use crate::compare::{BF16, F32, Report, distance, greatest, noise, representable, with_gradients};
use candle_core::{DType, Device, Result, Tensor, Var};
use mri_kernels::{
    Adam, AdamSlot, adam_update, add, bce_with_logits, by_candle, cast, concat_channels, conv_transpose2d,
    conv2d, curve_skip, doubled_kernel, dropout, instance_norm_leaky_relu, l1, leaky_relu, move_toward, mse,
    normal_noise, reflection_pad2d, tanh, upload,
};

/// All bytes differ, so that one out of its place is seen.
const NOISE_KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrs\x80\xfe\xff";

/// A function of tensors.
type Function<'a> = dyn Fn(&[Tensor]) -> Result<Tensor> + 'a;

pub(crate) fn check(gpu: &Device, report: &mut Report) -> Result<()> {
    convolutions(gpu, report)?;
    maps(gpu, report)?;
    floats(gpu, report)?;
    optimizers(gpu, report)?;
    report.expect("upload", 0., || {
        // More than there are buffers, of sizes that grow and shrink, behind work that keeps the device busy.
        let images: Vec<Tensor> =
            (0..12).map(|i| noise(i, &[1 + i as usize % 3, 1, 133, 70])).collect::<Result<_>>()?;
        let mut busy = noise(99, &[1024, 1024])?.to_device(gpu)?;
        for _ in 0..10 {
            busy = (busy.matmul(&busy)? * 1e-3)?;
        }
        let copies: Vec<Tensor> = images.iter().map(|image| upload(image, gpu)).collect::<Result<_>>()?;
        greatest(&copies, &images)
    });
    Ok(())
}

/// `f` in f32, and with its first `images` inputs in bf16 on the device; the others stay f32.
fn in_both_types(
    gpu: &Device,
    report: &mut Report,
    name: &str,
    (inputs, images): (&[Tensor], usize),
    f: &Function,
) -> Result<()> {
    let on_cpu = || with_gradients(&Device::Cpu, inputs, f);
    report.expect(&format!("{name}, f32"), F32, || greatest(&with_gradients(gpu, inputs, f)?, &on_cpu()?));
    let narrow = |tensors: &[Tensor]| {
        let mut tensors = tensors.to_vec();
        for image in tensors.iter_mut().take(images) {
            *image = cast(image, DType::BF16)?;
        }
        cast(&f(&tensors)?, DType::F32)
    };
    report.expect(&format!("{name}, bf16"), BF16, || {
        greatest(&with_gradients(gpu, inputs, narrow)?, &on_cpu()?)
    });
    Ok(())
}

fn convolutions(gpu: &Device, report: &mut Report) -> Result<()> {
    // Batch, channels in and out, sides, kernel side, stride, padding.
    for [n, ci, co, h, w, k, stride, pad] in [
        [1, 3, 8, 16, 16, 4, 2, 1],
        [3, 5, 7, 9, 12, 3, 1, 1],
        [2, 4, 6, 11, 10, 3, 2, 1],
        [1, 2, 3, 13, 14, 7, 1, 0],
        [2, 16, 16, 2, 2, 4, 2, 1],
        [1, 8, 1, 6, 5, 4, 1, 1],
    ] {
        let name = format!("conv2d {n}x{ci}x{h}x{w} to {co}, {k}x{k} stride {stride} padding {pad}");
        let inputs = [noise(1, &[n, ci, h, w])?, noise(2, &[co, ci, k, k])?, noise(3, &[co])?];
        in_both_types(gpu, report, &name, (&inputs, 1), &|t| conv2d(&t[0], &t[1], Some(&t[2]), stride, pad))?;
    }
    for [n, ci, co, h, w, k, stride, pad, output_pad] in
        [[1, 8, 3, 5, 5, 4, 2, 1, 0], [3, 4, 6, 3, 5, 3, 2, 1, 1], [2, 16, 16, 1, 1, 4, 2, 1, 0]]
    {
        let name = format!("conv_transpose2d {n}x{ci}x{h}x{w} to {co}, {k}x{k} stride {stride}");
        let inputs = [noise(1, &[n, ci, h, w])?, noise(2, &[ci, co, k, k])?, noise(3, &[co])?];
        in_both_types(gpu, report, &name, (&inputs, 1), &|t| {
            conv_transpose2d(&t[0], &t[1], Some(&t[2]), stride, pad, output_pad)
        })?;
    }
    let shared = [noise(1, &[2, 4, 8, 8])?, noise(2, &[4, 4, 3, 3])?];
    in_both_types(gpu, report, "one weight used twice", (&shared, 1), &|t| {
        conv2d(&conv2d(&t[0], &t[1], None, 1, 1)?, &t[1], None, 1, 1)
    })?;
    let kernel = [noise(1, &[5, 3, 3, 3])?];
    report.expect("doubled kernel", F32, || {
        let run = |device: &Device| with_gradients(device, &kernel, |t| doubled_kernel(&t[0]));
        greatest(&run(gpu)?, &run(&Device::Cpu)?)
    });
    Ok(())
}

fn maps(gpu: &Device, report: &mut Report) -> Result<()> {
    for shape in [[1, 3, 8, 8], [3, 5, 7, 9], [1, 2, 2, 3], [2, 3, 65, 130]] {
        let x = representable(&((noise(1, &shape)? * 3.)? + 0.5)?)?;
        let channels = shape[1];
        let affine = [x.clone(), noise(2, &[channels])?, noise(3, &[channels])?];
        for slope in [1., 0.2, 0.] {
            in_both_types(
                gpu,
                report,
                &format!("instance norm {shape:?} slope {slope}"),
                (&affine, 1),
                &|t| instance_norm_leaky_relu(&t[0], Some((&t[1], &t[2])), 1e-5, slope),
            )?;
        }
        let x = [x];
        let plain: [(&str, &Function); 4] = [
            ("instance norm without affine", &|t| instance_norm_leaky_relu(&t[0], None, 1e-5, 0.2)),
            ("leaky relu", &|t| leaky_relu(&t[0], 0.2)),
            ("tanh", &|t| tanh(&t[0])),
            ("dropout", &|t| dropout(&t[0], 0.4, 12345)),
        ];
        for (name, f) in plain {
            in_both_types(gpu, report, &format!("{name} {shape:?}"), (&x, 1), f)?;
        }
    }
    let x = [noise(1, &[2, 3, 9, 6])?];
    for pad in [[1, 1, 1, 1], [3, 0, 2, 5], [5, 5, 8, 8], [0, 0, 0, 1]] {
        in_both_types(gpu, report, &format!("reflection pad {pad:?}"), (&x, 1), &|t| {
            reflection_pad2d(&t[0], pad)
        })?;
    }
    let two = [noise(1, &[3, 2, 5, 4])?, noise(2, &[3, 5, 5, 4])?];
    in_both_types(gpu, report, "concat channels", (&two, 2), &|t| concat_channels(&t[0], &t[1]))?;
    // What the kernels get as views of larger tensors.
    let wide = [noise(1, &[2, 6, 9, 10])?];
    in_both_types(gpu, report, "a transposed part of a tensor", (&wide, 1), &|t| {
        let part = by_candle(&[&t[0]], |t| t[0].transpose(2, 3)?.narrow(1, 2, 3)?.narrow(3, 1, 7))?;
        instance_norm_leaky_relu(&leaky_relu(&part, 0.2)?, None, 1e-5, 1.)
    })
}

fn floats(gpu: &Device, report: &mut Report) -> Result<()> {
    let two = [(noise(1, &[2, 3, 70, 65])? * 4.)?, noise(2, &[2, 3, 70, 65])?];
    let losses: [(&str, &Function); 3] = [
        ("mse", &|t| add(&mse(&t[0], 0.9)?, &mse(&t[1], 0.)?)),
        ("bce with logits", &|t| add(&bce_with_logits(&t[0], 1.)?, &bce_with_logits(&t[1], 0.)?)),
        ("l1", &|t| l1(&t[0], &t[1])),
    ];
    for (name, f) in losses {
        report.expect(name, F32, || {
            let run = |device: &Device| with_gradients(device, &two, f);
            greatest(&run(gpu)?, &run(&Device::Cpu)?)
        });
    }
    report.expect("losses at extreme values", F32, || {
        let x = Tensor::new(&[-1e4f32, -90., 0., 90., 1e4], &Device::Cpu)?;
        let run = |device: &Device| {
            with_gradients(device, std::slice::from_ref(&x), |t| bce_with_logits(&t[0], 1.))
        };
        greatest(&run(gpu)?, &run(&Device::Cpu)?)
    });
    // A part of a block's draws; more than the share of them that is accepted on average, so that the last block goes on;
    // several blocks; blocks of several tiles.
    for shape in [[1, 1, 1, 1], [1, 1, 7, 9], [1, 1, 8, 201], [3, 2, 65, 66], [2, 1, 1200, 1000]] {
        let x = [noise(1, &shape)?];
        report.expect(&format!("normal noise {shape:?}"), 0., || {
            let run = |device: &Device| with_gradients(device, &x, |t| normal_noise(&t[0], 0.05, NOISE_KEY));
            greatest(&run(gpu)?, &run(&Device::Cpu)?)
        });
    }
    // Pixels on the bounds and beyond them too.
    let x = (noise(1, &[2, 1, 97, 91])? * 1.2)?;
    let knots = (noise(2, &[33])? * 1.1)?;
    report.expect("curve skip", F32, || {
        let inputs = [x, knots, noise(3, &[2, 1, 97, 91])?];
        let run = |device: &Device| with_gradients(device, &inputs, |t| curve_skip(&t[0], &t[1], &t[2]));
        greatest(&run(gpu)?, &run(&Device::Cpu)?)
    });
    Ok(())
}

fn optimizers(gpu: &Device, report: &mut Report) -> Result<()> {
    // One element, a few, and more than a chunk.
    let lengths = [1, 77, 70_000];
    let variables = |device: &Device, seed: u64| -> Result<Vec<Var>> {
        let one =
            |(i, n): (usize, &usize)| Var::from_tensor(&noise(seed + i as u64, &[*n])?.to_device(device)?);
        lengths.iter().enumerate().map(one).collect()
    };
    let run = |device: &Device, loss: f32| -> Result<Vec<Tensor>> {
        let (parameters, gradients) = (variables(device, 1)?, variables(device, 11)?);
        let moments =
            || lengths.iter().map(|n| Var::zeros(*n, DType::F32, device)).collect::<Result<Vec<_>>>();
        let (first, second) = (moments()?, moments()?);
        for step in 1..=3 {
            let adam = Adam { learning_rate: 1e-3, beta1: 0.5, beta2: 0.999, eps: 1e-8, step };
            let slots: Vec<_> = (0..lengths.len())
                .map(|i| AdamSlot {
                    parameter: &parameters[i],
                    gradient: &gradients[i],
                    first_moment: &first[i],
                    second_moment: &second[i],
                    rate_factor: 1. + i as f64,
                })
                .collect();
            adam_update(&slots, &adam, &Tensor::new(loss, device)?)?;
        }
        let pairs: Vec<_> = gradients.iter().zip(&parameters).collect();
        move_toward(&pairs, 0.3)?;
        [parameters, first, second, gradients]
            .iter()
            .flatten()
            .map(|v| v.as_detached_tensor().copy())
            .collect()
    };
    report.expect("adam and moving average", F32, || greatest(&run(gpu, 1.)?, &run(&Device::Cpu, 1.)?));
    report.expect("adam after a loss that is not finite", 0., || {
        let (found, start) = (run(gpu, f32::NAN)?, variables(&Device::Cpu, 1)?);
        let mut moved = 0f64;
        for (found, start) in found.iter().zip(&start) {
            moved = moved.max(distance(found, start)?);
        }
        Ok(moved)
    });
    Ok(())
}
