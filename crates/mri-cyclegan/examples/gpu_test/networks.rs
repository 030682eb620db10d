//! Whole generators and discriminators, forward and backward.

use crate::compare::{BF16, F32, Report, distance, noise, projected};
use candle_core::{Device, Result, Tensor};
use mri_kernels::Backward;
use mri_unet::{
    Generator, GeneratorConfig, GeneratorKind, Mode, Norm, Parameters, PatchGan, PatchGanConfig, Precision,
    Skip, Upsample,
};

/// Where a rounded value has the other sign, a rectifier passes the other gradient: in networks that are not trained yet,
/// PyTorch's bf16 gradients lie as far from its f32 ones.
const BF16_GRADIENTS: f64 = 2.5e-1;

pub(crate) fn check(gpu: &Device, report: &mut Report) -> Result<()> {
    let unet = GeneratorConfig { depth: 4, width: 6, dropout: 0.4, ..GeneratorConfig::default() };
    let resnet =
        GeneratorConfig { kind: GeneratorKind::ResNet, blocks: 2, width: 6, ..GeneratorConfig::default() };
    for (name, config, sides) in [
        ("U-Net", unet.clone(), [2, 1, 32, 48]),
        (
            "U-Net of an odd image, with a tone curve",
            GeneratorConfig { skip: Skip::Tone, ..unet.clone() },
            [1, 1, 37, 29],
        ),
        (
            "U-Net by resize, inversion, plain norm",
            GeneratorConfig {
                skip: Skip::Inverse,
                upsample: Upsample::Resize,
                norm: Norm::Instance,
                ..unet.clone()
            },
            [1, 1, 32, 32],
        ),
        ("ResNet", resnet.clone(), [1, 1, 24, 20]),
        (
            "ResNet by resize, input",
            GeneratorConfig { skip: Skip::Input, upsample: Upsample::Resize, ..resnet },
            [2, 1, 16, 16],
        ),
    ] {
        let run = |device: &Device, precision: Precision| {
            let parameters = parameters(device);
            let generator = Generator::new(&config, parameters.var_builder())?.with_precision(precision);
            let x = noise(1, &sides)?.to_device(device)?;
            outcome(|| generator.forward(&x, Mode::Train { dropout_key: 5 }), &parameters)
        };
        compare(gpu, report, name, run)?;
    }
    compare(gpu, report, "PatchGAN", |device, precision| {
        let parameters = parameters(device);
        let config = PatchGanConfig { width: 6, layers: 2, ..PatchGanConfig::default() };
        let judge = PatchGan::new(&config, parameters.var_builder())?.with_precision(precision);
        let x = noise(1, &[2, 1, 32, 40])?.to_device(device)?;
        outcome(|| judge.forward(&x), &parameters)
    })
}

fn parameters(device: &Device) -> Parameters {
    Parameters::seeded(7, device)
}

/// The output, and all gradients as one vector: that of a bias before a norm is nothing but rounding.
fn outcome(forward: impl FnOnce() -> Result<Tensor>, parameters: &Parameters) -> Result<[Tensor; 2]> {
    let (_, y, gradients) = Backward::default().run(|| projected(forward()?))?;
    let mut all = Vec::new();
    for (name, variable) in parameters.iter() {
        let Some(gradient) = gradients.get(&variable) else {
            candle_core::bail!("{name} received no gradient")
        };
        all.push(gradient.flatten_all()?);
    }
    Ok([y, Tensor::cat(&all, 0)?])
}

fn compare(
    gpu: &Device,
    report: &mut Report,
    name: &str,
    run: impl Fn(&Device, Precision) -> Result<[Tensor; 2]>,
) -> Result<()> {
    let [y, gradients] = run(&Device::Cpu, Precision::F32)?;
    for (precision, label, allowed) in
        [(Precision::F32, "f32", [F32; 2]), (Precision::Bf16, "bf16", [BF16, BF16_GRADIENTS])]
    {
        report.expect(&format!("{name}, {label}"), allowed[0], || distance(&run(gpu, precision)?[0], &y));
        report.expect(&format!("{name}, gradients, {label}"), allowed[1], || {
            distance(&run(gpu, precision)?[1], &gradients)
        });
    }
    Ok(())
}
