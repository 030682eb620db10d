//! Trainings on the device beside the CPU's, and checkpoints that move between the two.

use crate::compare::{Report, greatest, noise};
use candle_core::{Device, Error, Result, Tensor};
use mri_cyclegan::{
    Architecture, CheckpointFolder, CycleGan, LossConfig, PendingLosses, Progress, TrainConfig, resume,
};
use mri_kernels::upload;
use mri_unet::{GeneratorConfig, PatchGanConfig, Precision, Skip};
use std::path::PathBuf;

const SIDE: usize = 32;
const STEPS: u64 = 20;
const RATE: f64 = 2e-4;

/// What rounding grows to in [`STEPS`] steps of Adam, which divides small gradients by small gradients.
const AFTER_STEPS: f64 = 5e-3;
const AFTER_STEPS_BF16: f64 = 5e-2;

pub(crate) fn check(gpu: &Device, report: &mut Report) -> Result<()> {
    let cpu = &Device::Cpu;
    let f32 = Precision::F32;
    report.expect(&format!("losses of {STEPS} steps, f32"), AFTER_STEPS, || {
        compared(&losses_of_steps(gpu, f32)?, &losses_of_steps(cpu, f32)?)
    });
    report.expect(&format!("losses of {STEPS} steps, bf16"), AFTER_STEPS_BF16, || {
        compared(&losses_of_steps(gpu, Precision::Bf16)?, &losses_of_steps(cpu, f32)?)
    });
    report.expect("the same training twice, bit for bit", 0., || {
        compared(&losses_of_steps(gpu, f32)?, &losses_of_steps(gpu, f32)?)
    });
    for (name, from, to) in
        [("from the CPU to the device", cpu, gpu), ("from the device to the CPU", gpu, cpu)]
    {
        report.expect(&format!("a checkpoint goes {name}"), AFTER_STEPS, || moved(from, to));
    }
    report.expect("a loss that is not finite moves no weight", 0., || {
        let mut model = model(gpu, f32)?;
        let start = translated(&model)?;
        let bad = upload(&Tensor::full(f32::NAN, (1, 1, SIDE, SIDE), cpu)?, gpu)?;
        let pending = model.step(&bad, &bad, RATE).map_err(Error::wrap)?;
        if pending.read().is_ok() {
            candle_core::bail!("the losses of NaN are finite")
        }
        greatest(&[translated(&model)?], &[start])
    });
    Ok(())
}

fn model(device: &Device, precision: Precision) -> Result<CycleGan> {
    let generator =
        GeneratorConfig { width: 6, depth: 3, dropout: 0.3, skip: Skip::Tone, ..GeneratorConfig::default() };
    let discriminator = PatchGanConfig { width: 6, layers: 2, ..PatchGanConfig::default() };
    let loss = LossConfig { cycle_noise: 0.02, ..LossConfig::default() };
    let exact = TrainConfig { tf32: false, deterministic: true, ..TrainConfig::default() };
    let train = TrainConfig { pool: 2, ema: 0.9, precision, ..exact };
    CycleGan::new(&Architecture { generator, discriminator }, &loss, &train, 3, device).map_err(Error::wrap)
}

/// Smooth images, other ones at each step.
fn images(step: u64, device: &Device) -> Result<[Tensor; 2]> {
    let image = |sign: f64| {
        let smooth = noise(step, &[1, 1, SIDE / 4, SIDE / 4])?.upsample_nearest2d(SIDE, SIDE)?;
        upload(&(smooth * (0.9 * sign))?, device)
    };
    Ok([image(1.)?, image(-1.)?])
}

fn steps(model: &mut CycleGan, count: u64) -> Result<Vec<PendingLosses>> {
    let one = |_| {
        let [a, b] = images(model.steps(), &model.device().clone())?;
        model.step(&a, &b, RATE).map_err(Error::wrap)
    };
    (0..count).map(one).collect()
}

/// The weighted losses of each step, as JSON would have them.
fn losses_of_steps(device: &Device, precision: Precision) -> Result<Vec<f32>> {
    let pending = steps(&mut model(device, precision)?, STEPS)?;
    let mut values = Vec::new();
    for losses in PendingLosses::read_all(&pending).map_err(Error::wrap)? {
        let losses = losses.map_err(Error::wrap)?;
        values.extend([losses.adversarial_ab, losses.adversarial_ba, losses.cycle_a, losses.cycle_b]);
        values.extend(losses.identity_a.into_iter().chain(losses.identity_b));
        values.extend([losses.discriminator_a, losses.discriminator_b]);
    }
    Ok(values)
}

fn compared(found: &[f32], expected: &[f32]) -> Result<f64> {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu);
    greatest(&[tensor(found)?], &[tensor(expected)?])
}

/// Three steps on one device, five more there and, from the checkpoint, on the other.
fn moved(from: &Device, to: &Device) -> Result<f64> {
    let folder = std::env::temp_dir().join(format!("mri-cyclegan-gpu-test-{}", std::process::id()));
    let outcome = moved_through(folder.clone(), from, to);
    std::fs::remove_dir_all(folder).map_err(Error::wrap)?;
    outcome
}

fn moved_through(folder: PathBuf, from: &Device, to: &Device) -> Result<f64> {
    std::fs::create_dir_all(&folder).map_err(Error::wrap)?;
    let mut stays = model(from, Precision::F32)?;
    for losses in steps(&mut stays, 3)? {
        losses.read().map_err(Error::wrap)?;
    }
    let domains = ["t1".to_string(), "t2".to_string()];
    let folder = CheckpointFolder { path: folder, domains, data: serde_json::Value::Null };
    folder.save_last(&stays, &Progress::default()).map_err(Error::wrap)?;
    let mut moves = model(to, Precision::F32)?;
    resume(&mut moves, &folder.last()).map_err(Error::wrap)?;
    for model in [&mut stays, &mut moves] {
        for losses in steps(model, 5)? {
            losses.read().map_err(Error::wrap)?;
        }
    }
    greatest(&[translated(&moves)?], &[translated(&stays)?])
}

fn translated(model: &CycleGan) -> Result<Tensor> {
    let [a, b] = images(1000, model.device())?;
    let translators = model.translators().map_err(Error::wrap)?;
    let ab = translators.a_to_b(&a).map_err(Error::wrap)?;
    Tensor::cat(&[ab, translators.b_to_a(&b).map_err(Error::wrap)?], 0)
}
