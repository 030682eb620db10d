use super::*;
use crate::{Architecture, LossConfig};
use candle_core::Device;
use mri_unet::{GeneratorConfig, PatchGanConfig, Skip};
use std::path::Path;
use std::time::Duration;

const STEPS: usize = 4;

/// Epochs of four images. That of step `broken`, from 1, is not a number; a stop is asked for with that of step `stop_at`.
struct Ramps<'a> {
    broken: Option<usize>,
    stop_at: Option<usize>,
    stop: &'a AtomicBool,
}

impl Batches for Ramps<'_> {
    fn epoch(&self, epoch: usize, skip: usize) -> Result<EpochBatches<'_>> {
        Ok(Box::new((skip..STEPS).map(move |step| {
            let step = epoch * STEPS + step + 1;
            if self.stop_at == Some(step) {
                self.stop.store(true, Ordering::Relaxed);
            }
            let level = if self.broken == Some(step) { f64::NAN } else { 0.1 * step as f64 };
            let ramp = (Tensor::arange(0f32, 256., &Device::Cpu)? / 256.)?.reshape((1, 1, 16, 16))?;
            Ok(((&ramp * level)?, (ramp * -0.5)?))
        })))
    }

    fn steps_per_epoch(&self) -> usize {
        STEPS
    }
}

/// Writes down the steps.
#[derive(Default)]
struct Notes {
    steps: Vec<StepEvent>,
    /// How many steps were known when an epoch was done.
    known_at_epoch: Vec<usize>,
}

impl Observer for Notes {
    fn step_done(&mut self, event: &StepEvent) -> Result<()> {
        self.steps.push(event.clone());
        Ok(())
    }

    fn epoch_done(&mut self, _: &EpochEvent) -> Result<()> {
        self.known_at_epoch.push(self.steps.len());
        Ok(())
    }
}

struct Trained {
    outcome: Result<Outcome>,
    /// What was told, but for durations.
    told: Vec<(u64, usize, u64, Losses)>,
    known_at_epoch: Vec<usize>,
    last: Vec<u8>,
    saved_step: u64,
}

fn trained(read_after: Duration, broken: Option<usize>, stop_at: Option<usize>, path: &Path) -> Trained {
    let architecture = Architecture {
        generator: GeneratorConfig { width: 4, depth: 2, skip: Skip::Tone, ..GeneratorConfig::default() },
        discriminator: PatchGanConfig { width: 4, layers: 1, ..PatchGanConfig::default() },
    };
    let config = TrainConfig { epochs: 3, pool: 3, ema: 0.9, validate_every: 2, ..TrainConfig::default() };
    let mut model = CycleGan::new(&architecture, &LossConfig::default(), &config, 7, &Device::Cpu).unwrap();
    let domains = ["t1".into(), "t2".into()];
    let checkpoints = CheckpointFolder { path: path.into(), domains, data: serde_json::Value::Null };
    let stop = AtomicBool::new(false);
    let mut notes = Notes::default();
    let training = Training {
        config: &config,
        batches: &Ramps { broken, stop_at, stop: &stop },
        validate: &mut |_| Ok(None),
        observer: &mut notes,
        checkpoints: &checkpoints,
        stop: &stop,
    };
    let outcome =
        train_with(Unread::reading_after(read_after), &mut model, &mut Progress::default(), training);
    Trained {
        outcome,
        told: notes.steps.iter().map(|event| (event.step, event.epoch, event.images, event.loss)).collect(),
        known_at_epoch: notes.known_at_epoch,
        last: std::fs::read(checkpoints.last()).unwrap(),
        saved_step: crate::read_metadata(&checkpoints.last()).unwrap().step,
    }
}

const AT_ONCE: Duration = Duration::ZERO;
/// At the end of each epoch.
const LATE: Duration = Duration::MAX;

#[test]
fn losses_read_late_give_the_same_events_and_files() {
    let folders = [AT_ONCE, LATE].map(|after| (after, tempfile::tempdir().unwrap()));
    let [at_once, late] = folders.map(|(after, folder)| trained(after, None, None, folder.path()));
    assert_eq!(late.told.len(), 3 * STEPS);
    assert_eq!(late.told, at_once.told);
    assert_eq!(
        late.known_at_epoch,
        [STEPS, 2 * STEPS, 3 * STEPS],
        "an epoch is done once its steps are known"
    );
    assert!(late.last == at_once.last);
}

#[track_caller]
fn assert_broken_in_step_6(training: &Trained) {
    match training.outcome {
        Err(Error::NonFinite { step: 6, .. }) => {}
        ref other => panic!("{other:?}"),
    }
    let steps: Vec<u64> = training.told.iter().map(|told| told.0).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5], "those before it are told");
    assert_eq!(training.saved_step, STEPS as u64, "nothing of it is saved");
}

#[test]
fn a_loss_that_is_not_finite_is_named_however_late_it_is_read() {
    for after in [AT_ONCE, LATE] {
        let folder = tempfile::tempdir().unwrap();
        assert_broken_in_step_6(&trained(after, Some(6), None, folder.path()));
    }
}

#[test]
fn a_stop_reads_what_is_pending_before_it_saves() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = trained(LATE, None, Some(7), folder.path());
    assert!(matches!(stopped.outcome, Ok(Outcome::Stopped)), "{:?}", stopped.outcome);
    assert_eq!((stopped.told.len(), stopped.saved_step), (7, 7));

    let folder = tempfile::tempdir().unwrap();
    assert_broken_in_step_6(&trained(LATE, Some(6), Some(7), folder.path()));
}
