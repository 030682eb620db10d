//! Training as a whole: exact resume, any number of threads, stopping, and what goes wrong by name.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use mri_cyclegan::{
    Adversarial, Architecture, Batches, CheckpointFolder, CycleGan, EpochBatches, EpochEvent, Error,
    LossConfig, Observer, Outcome, Progress, Result, StepEvent, TrainConfig, Training, Validation,
    export_model, load_translators, read_metadata, resume, train,
};
use mri_unet::{GeneratorConfig, PatchGanConfig, Precision, Skip, TONE_KNOTS};
use std::{
    cell::Cell,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Four steps an epoch of smooth images that differ by epoch and step.
struct Waves;

impl Batches for Waves {
    fn epoch(&self, epoch: usize, skip: usize) -> Result<EpochBatches<'_>> {
        Ok(Box::new((skip..4).map(move |step| Ok((wave(epoch, step, 1.)?, wave(epoch, step, -1.)?)))))
    }

    fn steps_per_epoch(&self) -> usize {
        4
    }
}

fn wave(epoch: usize, step: usize, sign: f32) -> candle_core::Result<Tensor> {
    let phase = (epoch * 4 + step) as f32;
    let pixel = |i: usize| sign * 0.8 * ((i / 16) as f32 * 0.5 + phase).sin() * ((i % 16) as f32 * 0.3).cos();
    Tensor::from_vec((0..256).map(pixel).collect::<Vec<_>>(), (1, 1, 16, 16), &Device::Cpu)
}

struct StopAfter<'a> {
    step: u64,
    stop: &'a AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn step_done(&mut self, event: &StepEvent) -> Result<()> {
        if event.step == self.step {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn epoch_done(&mut self, _: &EpochEvent) -> Result<()> {
        Ok(())
    }
}

fn architecture() -> Architecture {
    let generator =
        GeneratorConfig { width: 4, depth: 2, dropout: 0.3, skip: Skip::Tone, ..GeneratorConfig::default() };
    let discriminator = PatchGanConfig { width: 4, layers: 1, ..PatchGanConfig::default() };
    Architecture { generator, discriminator }
}

fn settings() -> (LossConfig, TrainConfig) {
    let loss = LossConfig { cycle_noise: 0.05, ..LossConfig::default() };
    let train = TrainConfig { epochs: 6, pool: 3, ema: 0.9, validate_every: 2, ..TrainConfig::default() };
    (loss, train)
}

fn new_model() -> CycleGan {
    let (loss, train) = settings();
    CycleGan::new(&architecture(), &loss, &train, 7, &Device::Cpu).unwrap()
}

fn folder(path: &Path) -> CheckpointFolder {
    let domains = ["t1".to_string(), "t2".to_string()];
    CheckpointFolder { path: path.to_path_buf(), domains, data: serde_json::json!({"of": "test"}) }
}

/// Trains to the end of `epochs`, or to `stop_after` steps; the state lies in `path` afterwards.
fn run(mut model: CycleGan, mut progress: Progress, epochs: usize, stop_after: u64, path: &Path) -> Outcome {
    let config = TrainConfig { epochs, ..settings().1 };
    let stop = AtomicBool::new(false);
    let translators = model.translators().unwrap();
    let mut validate = |_| {
        let score = f64::from(translators.a_to_b(&wave(9, 0, 1.)?)?.mean_all()?.to_scalar::<f32>()?);
        Ok(Some(Validation { score, figures: Default::default(), collapse: vec![] }))
    };
    train(
        &mut model,
        &mut progress,
        Training {
            config: &config,
            batches: &Waves,
            validate: &mut validate,
            observer: &mut StopAfter { step: stop_after, stop: &stop },
            checkpoints: &folder(path),
            stop: &stop,
        },
    )
    .unwrap()
}

fn resumed(path: &Path) -> (CycleGan, Progress) {
    let mut model = new_model();
    let progress = resume(&mut model, &folder(path).last()).unwrap();
    (model, progress)
}

fn bytes(path: &Path, name: &str) -> Vec<u8> {
    std::fs::read(path.join(name)).unwrap()
}

const NEVER: u64 = u64::MAX;

#[test]
fn three_epochs_and_three_resumed_equal_six_in_every_byte() {
    let (straight, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(run(new_model(), Progress::default(), 6, NEVER, straight.path()), Outcome::Finished);
    assert_eq!(run(new_model(), Progress::default(), 3, NEVER, broken.path()), Outcome::Finished);
    let (model, progress) = resumed(broken.path());
    assert_eq!((progress.epoch, model.steps()), (3, 12));
    assert_eq!(run(model, progress, 6, NEVER, broken.path()), Outcome::Finished);
    for name in ["last.safetensors", "best.safetensors"] {
        assert!(bytes(straight.path(), name) == bytes(broken.path(), name), "{name} differs");
    }
}

/// Knows the epoch under way.
struct EpochOf<'a>(&'a Cell<usize>);

impl Observer for EpochOf<'_> {
    fn step_done(&mut self, event: &StepEvent) -> Result<()> {
        self.0.set(event.epoch);
        Ok(())
    }

    fn epoch_done(&mut self, _: &EpochEvent) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_best_state_does_not_depend_on_where_a_run_was_broken_off() {
    // Validated after epochs 2, 4 and the last one, whose score is the highest.
    let run_to = |epochs: usize, (mut model, mut progress): (CycleGan, Progress), path: &Path| {
        let epoch = Cell::new(0);
        let score = |epoch: usize| if epoch.is_multiple_of(2) { epoch as f64 } else { 100. };
        let training = Training {
            config: &TrainConfig { epochs, ..settings().1 },
            batches: &Waves,
            validate: &mut |_| {
                Ok(Some(Validation {
                    score: score(epoch.get()),
                    figures: Default::default(),
                    collapse: vec![],
                }))
            },
            observer: &mut EpochOf(&epoch),
            checkpoints: &folder(path),
            stop: &AtomicBool::new(false),
        };
        train(&mut model, &mut progress, training).unwrap();
        read_metadata(&folder(path).best()).unwrap().training.unwrap().progress.epoch
    };
    let (straight, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let new = || (new_model(), Progress::default());
    assert_eq!(run_to(5, new(), straight.path()), 4);
    assert_eq!(run_to(1, new(), broken.path()), 1, "the only one there is");
    assert_eq!(run_to(3, resumed(broken.path()), broken.path()), 2);
    assert_eq!(run_to(5, resumed(broken.path()), broken.path()), 4);
    for name in ["last.safetensors", "best.safetensors"] {
        assert!(bytes(straight.path(), name) == bytes(broken.path(), name), "{name} differs");
    }
}

#[test]
fn a_stop_within_an_epoch_resumes_exactly() {
    let (straight, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(new_model(), Progress::default(), 2, NEVER, straight.path());
    assert_eq!(run(new_model(), Progress::default(), 2, 6, stopped.path()), Outcome::Stopped);
    let (model, progress) = resumed(stopped.path());
    assert_eq!((progress.epoch, progress.step_in_epoch, model.steps()), (1, 2, 6));
    run(model, progress, 2, NEVER, stopped.path());
    assert!(bytes(straight.path(), "last.safetensors") == bytes(stopped.path(), "last.safetensors"));
}

#[test]
fn the_model_file_translates_as_the_model_does() {
    let path = tempfile::tempdir().unwrap();
    run(new_model(), Progress::default(), 1, NEVER, path.path());
    let (model, _) = resumed(path.path());
    let file = path.path().join("model.safetensors");
    export_model(&folder(path.path()).last(), &file).unwrap();
    let x = wave(5, 1, 1.).unwrap();
    let expected = model.translators().unwrap();
    for file in [file, folder(path.path()).last()] {
        let (loaded, metadata) = load_translators(&file, &Device::Cpu).unwrap();
        assert_eq!((metadata.step, metadata.domains[1].as_str()), (4, "t2"));
        let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(flat(loaded.a_to_b(&x).unwrap()), flat(expected.a_to_b(&x).unwrap()));
        assert_eq!(flat(loaded.b_to_a(&x).unwrap()), flat(expected.b_to_a(&x).unwrap()));
    }
}

#[test]
fn a_sample_of_dropout_is_drawn_by_its_index_alone() {
    let translators = new_model().translators().unwrap();
    let x = wave(5, 1, 1.).unwrap();
    let flat = |t: Result<Tensor>| t.unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let sample = |index| flat(translators.dropout_sample(index).a_to_b(&x));
    assert_eq!(sample(0), sample(0));
    assert_ne!(sample(0), sample(1));
    assert_ne!(sample(0), flat(translators.a_to_b(&x)));
    assert_ne!(sample(0), flat(translators.dropout_sample(0).b_to_a(&x)));
}

#[test]
fn a_loss_that_is_not_finite_is_named_with_its_step_and_moves_nothing() {
    let (loss, train) = settings();
    let train = TrainConfig { ema: 0., ..train };
    for adversarial in [Adversarial::Lsgan, Adversarial::Bce] {
        let loss = LossConfig { adversarial, ..loss };
        let mut model = CycleGan::new(&architecture(), &loss, &train, 7, &Device::Cpu).unwrap();
        let x = wave(0, 0, 1.).unwrap();
        model.step(&x, &x, 1e-4).unwrap().read().unwrap();
        let translated = |model: &CycleGan| {
            let translators = model.translators().unwrap();
            let y = translators.a_to_b(&wave(0, 1, 1.).unwrap()).unwrap();
            y.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let before = translated(&model);
        let broken = (&x * f64::NAN).unwrap();
        match model.step(&broken, &x, 1e-4).unwrap().read() {
            Err(Error::NonFinite { step: 2, term, .. }) => assert_eq!(term, "adversarial_ab"),
            other => panic!("{other:?}"),
        }
        assert!(translated(&model) == before);
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_says_why() {
    let path = tempfile::tempdir().unwrap();
    run(new_model(), Progress::default(), 1, NEVER, path.path());
    let last = folder(path.path()).last();
    let whole = std::fs::read(&last).unwrap();
    let (loss, train) = settings();
    let message = |model: &mut CycleGan, file: &Path| resume(model, file).unwrap_err().to_string();

    let mut other = architecture();
    other.generator.width = 8;
    let mut wider = CycleGan::new(&other, &loss, &train, 7, &Device::Cpu).unwrap();
    assert!(message(&mut wider, &last).contains("another architecture"));
    let mut reseeded = CycleGan::new(&architecture(), &loss, &train, 8, &Device::Cpu).unwrap();
    assert!(message(&mut reseeded, &last).contains("seed 7, not 8"));

    let file = path.path().join("damaged.safetensors");
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let text = message(&mut new_model(), &file);
        assert!(text.contains("damaged.safetensors: not a whole safetensors file"), "{length}: {text}");
    }
    let newer = String::from_utf8_lossy(&whole[8..4000]).replacen(
        "\\\"format_version\\\":1",
        "\\\"format_version\\\":9",
        1,
    );
    std::fs::write(&file, [&whole[..8], newer.as_bytes(), &whole[4000..]].concat()).unwrap();
    assert!(message(&mut new_model(), &file).contains("format version 9 is newer than 1"));
    assert!(message(&mut new_model(), &path.path().join("none")).contains("none: No such file"));
}

#[test]
fn tone_curves_start_where_they_are_told() {
    let mean = |there: f32, back: f32| {
        let mut model = new_model();
        model.start_tones(&[there; TONE_KNOTS], &[back; TONE_KNOTS]).unwrap();
        let translators = model.translators().unwrap();
        let x = wave(0, 0, 1.).unwrap();
        let [there, back] = [translators.a_to_b(&x).unwrap(), translators.b_to_a(&x).unwrap()];
        [there, back].map(|y| y.mean_all().unwrap().to_scalar::<f32>().unwrap())
    };
    let ([bright, dark], [dim, light]) = (mean(0.6, -0.6), mean(-0.6, 0.6));
    assert!(bright > dim + 0.5 && light > dark + 0.5, "{bright} {dark} {dim} {light}");

    assert!(new_model().start_tones(&[0.; TONE_KNOTS], &[0.; 5]).is_err());
    let (loss, train) = settings();
    let without = Architecture {
        generator: GeneratorConfig { skip: Skip::None, ..architecture().generator },
        ..architecture()
    };
    let mut without = CycleGan::new(&without, &loss, &train, 7, &Device::Cpu).unwrap();
    let error = without.start_tones(&[0.; TONE_KNOTS], &[0.; TONE_KNOTS]).unwrap_err().to_string();
    assert!(error.contains("model.skip"), "{error}");
}

#[test]
fn bf16_is_refused_where_there_is_no_cuda() {
    let (loss, train) = settings();
    let train = TrainConfig { precision: Precision::Bf16, ..train };
    let Err(error) = CycleGan::new(&architecture(), &loss, &train, 7, &Device::Cpu) else {
        panic!("the CPU has no bf16");
    };
    assert!(
        error.to_string().starts_with("setting train.precision: \"bf16\" needs a CUDA device"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_goes_on_with_another_arithmetic() {
    let (straight, changed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(new_model(), Progress::default(), 2, NEVER, straight.path());
    run(new_model(), Progress::default(), 1, NEVER, changed.path());
    let (loss, train) = settings();
    let train = TrainConfig { tf32: false, deterministic: true, ..train };
    let mut model = CycleGan::new(&architecture(), &loss, &train, 7, &Device::Cpu).unwrap();
    let progress = resume(&mut model, &folder(changed.path()).last()).unwrap();
    run(model, progress, 2, NEVER, changed.path());
    assert!(bytes(straight.path(), "last.safetensors") == bytes(changed.path(), "last.safetensors"));
}
