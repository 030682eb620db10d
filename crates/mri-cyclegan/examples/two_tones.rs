//! Two domains of made-up images that differ by a tone: grey discs with a bright blob, and bright discs with a dark one.
//!
//! Trains a small CycleGAN for a few epochs on unpaired images, saves it, and translates with the model file:
//! `cargo run --release -p mri-cyclegan --example two_tones`

use candle_core::{Device, Tensor};
use mri_cyclegan::{
    Architecture, Batches, CheckpointFolder, CycleGan, EpochBatches, EpochEvent, LossConfig, Observer,
    Progress, Result, Schedule, StepEvent, TrainConfig, Training, export_model, load_translators, train,
};
use mri_unet::{GeneratorConfig, PatchGanConfig, Skip};
use std::sync::atomic::AtomicBool;

const SIDE_PX: usize = 32;
const STEPS: usize = 20;

/// Unpaired batches of one image: what epoch and step say decides what is seen, so a resumed run sees the same.
struct Blobs;

impl Batches for Blobs {
    fn epoch(&self, epoch: usize, skip: usize) -> Result<EpochBatches<'_>> {
        Ok(Box::new((skip..STEPS).map(move |step| {
            let n = 2 * (epoch * STEPS + step);
            Ok((blob(n)?, darkened(n + 1)?))
        })))
    }

    fn steps_per_epoch(&self) -> usize {
        STEPS
    }
}

/// Image `n` of domain A: a disc on black with a soft bright blob, (1, 1, H, W) in [-1, 1].
fn blob(n: usize) -> candle_core::Result<Tensor> {
    disc(n, |blob| -0.6 + 1.4 * blob)
}

/// What image `n` of domain A is in domain B.
fn darkened(n: usize) -> candle_core::Result<Tensor> {
    disc(n, |blob| 0.9 - 1.2 * blob)
}

/// A disc whose values are a function of how much blob there is, 0 to 1.
fn disc(n: usize, value: impl Fn(f32) -> f32) -> candle_core::Result<Tensor> {
    let side = SIDE_PX as f32;
    let (row, column) =
        (side * (0.5 + 0.15 * (n as f32).sin()), side * (0.5 + 0.15 * (1.7 * n as f32).cos()));
    let pixels = (0..SIDE_PX * SIDE_PX).map(|i| {
        let (y, x) = ((i / SIDE_PX) as f32, (i % SIDE_PX) as f32);
        let blob = (-((y - row).hypot(x - column) / 5.).powi(2)).exp();
        if (y - side / 2.).hypot(x - side / 2.) < 0.45 * side { value(blob) } else { -1. }
    });
    Tensor::from_iter(pixels, &Device::Cpu)?.reshape((1, 1, SIDE_PX, SIDE_PX))
}

/// Prints the end of each epoch.
struct Print;

impl Observer for Print {
    fn step_done(&mut self, event: &StepEvent) -> Result<()> {
        if event.step.is_multiple_of(STEPS as u64) {
            let (epoch, cycle, lr) = (event.epoch, event.loss.cycle_a, event.lr);
            println!("epoch {epoch:2}: cycle loss {cycle:.3} at learning rate {lr:.1e}");
        }
        Ok(())
    }

    fn epoch_done(&mut self, _: &EpochEvent) -> Result<()> {
        Ok(())
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let architecture = Architecture {
        generator: GeneratorConfig { depth: 3, width: 8, skip: Skip::Tone, ..GeneratorConfig::default() },
        discriminator: PatchGanConfig { width: 8, layers: 2, ..PatchGanConfig::default() },
    };
    let loss = LossConfig { identity: 0., ..LossConfig::default() };
    let schedule = Schedule { constant_epochs: 10, decay_epochs: 10 };
    let config = TrainConfig { epochs: 20, lr: 2e-3, schedule, ..TrainConfig::default() };
    let mut model = CycleGan::new(&architecture, &loss, &config, 42, &Device::Cpu)?;
    let untrained = model.translators()?.a_to_b(&blob(1_000_001)?)?;

    let folder = tempfile::tempdir()?;
    let checkpoints = CheckpointFolder {
        path: folder.path().to_path_buf(),
        domains: ["bright".into(), "dark".into()],
        data: serde_json::json!({ "side_px": SIDE_PX }),
    };
    let outcome = train(
        &mut model,
        &mut Progress::default(),
        Training {
            config: &config,
            batches: &Blobs,
            validate: &mut |_| Ok(None),
            observer: &mut Print,
            checkpoints: &checkpoints,
            stop: &AtomicBool::new(false),
        },
    )?;
    println!("{outcome:?} after {} steps", model.steps());

    let file = folder.path().join("model.safetensors");
    export_model(&checkpoints.last(), &file)?;
    let (translators, metadata) = load_translators(&file, &Device::Cpu)?;
    let [a, b] = &metadata.domains;
    let (image, truth) = (blob(1_000_001)?, darkened(1_000_001)?);
    let error = |made: &Tensor| mri_kernels::l1(made, &truth)?.to_scalar::<f32>();
    println!("mean absolute error from {a} to {b}, on an image never seen:");
    println!("  the input itself    {:.3}", error(&image)?);
    println!("  before training     {:.3}", error(&untrained)?);
    println!("  after training      {:.3}", error(&translators.a_to_b(&image)?)?);
    Ok(())
}
