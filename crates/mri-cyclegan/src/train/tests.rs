use super::*;
use crate::{Architecture, LossConfig};
use candle_core::Device;
use mri_unet::{GeneratorConfig, PatchGanConfig, Skip};
use std::path::Path;
use std::time::Duration;

const STEPS: usize = 4;

const EPOCHS: usize = 3;

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
struct Notes<'a> {
    steps: Vec<StepEvent>,
    /// How many steps were known when an epoch was done.
    known_at_epoch: Vec<usize>,
    /// How many `last` had when an epoch was done and not yet saved.
    saved_before: Vec<Option<u64>>,
    checkpoints: &'a CheckpointFolder,
}

impl Observer for Notes<'_> {
    fn step_done(&mut self, event: &StepEvent) -> Result<()> {
        self.steps.push(event.clone());
        Ok(())
    }

    fn epoch_done(&mut self, _: &EpochEvent) -> Result<()> {
        self.known_at_epoch.push(self.steps.len());
        self.saved_before.push(crate::read_metadata(&self.checkpoints.last()).ok().map(|saved| saved.step));
        Ok(())
    }
}

struct Trained {
    outcome: Result<Outcome>,
    /// What was told, but for durations.
    told: Vec<(u64, usize, u64, Losses)>,
    known_at_epoch: Vec<usize>,
    saved_before: Vec<Option<u64>>,
    last: Vec<u8>,
    saved_step: u64,
}

fn new_model(config: &TrainConfig) -> CycleGan {
    let architecture = Architecture {
        generator: GeneratorConfig { width: 4, depth: 2, skip: Skip::Tone, ..GeneratorConfig::default() },
        discriminator: PatchGanConfig { width: 4, layers: 1, ..PatchGanConfig::default() },
    };
    CycleGan::new(&architecture, &LossConfig::default(), config, 7, &Device::Cpu).unwrap()
}

/// What happens to a training.
#[derive(Clone, Copy)]
struct Course {
    read_after: Duration,
    save_after: Duration,
    broken: Option<usize>,
    stop_at: Option<usize>,
    /// The highest score so far, as all that are validated at the end of an epoch.
    best_epoch: Option<usize>,
}

/// Nothing but epochs, each of which is saved.
const PLAIN: Course =
    Course { read_after: AT_ONCE, save_after: AT_ONCE, broken: None, stop_at: None, best_epoch: None };

/// Goes on from what lies in `path`, if anything does.
fn trained(course: Course, path: &Path) -> Trained {
    let Course { read_after, save_after, broken, stop_at, best_epoch } = course;
    let config =
        TrainConfig { epochs: EPOCHS, pool: 3, ema: 0.9, validate_every: 1, ..TrainConfig::default() };
    let mut model = new_model(&config);
    let domains = ["t1".into(), "t2".into()];
    let checkpoints = CheckpointFolder { path: path.into(), domains, data: serde_json::Value::Null };
    let mut progress = match checkpoints.last().exists() {
        true => crate::resume(&mut model, &checkpoints.last()).unwrap(),
        false => Progress::default(),
    };
    let stop = AtomicBool::new(false);
    let mut notes =
        Notes { steps: vec![], known_at_epoch: vec![], saved_before: vec![], checkpoints: &checkpoints };
    let mut validate = |steps| {
        let is_best = best_epoch.is_some_and(|epoch| steps == (epoch * STEPS) as u64);
        Ok(is_best.then(|| Validation { score: 1., figures: BTreeMap::new(), collapse: vec![] }))
    };
    let training = Training {
        config: &config,
        batches: &Ramps { broken, stop_at, stop: &stop },
        validate: &mut validate,
        observer: &mut notes,
        checkpoints: &checkpoints,
        stop: &stop,
    };
    let unread = Unread::reading_after(read_after);
    let outcome = train_with(unread, SaveInterval::of(save_after), &mut model, &mut progress, training);
    Trained {
        outcome,
        told: notes.steps.iter().map(|event| (event.step, event.epoch, event.images, event.loss)).collect(),
        known_at_epoch: notes.known_at_epoch,
        saved_before: notes.saved_before,
        last: std::fs::read(checkpoints.last()).unwrap(),
        saved_step: crate::read_metadata(&checkpoints.last()).unwrap().step,
    }
}

const AT_ONCE: Duration = Duration::ZERO;
/// At the end of each epoch, or never.
const LATE: Duration = Duration::MAX;

#[test]
fn losses_read_late_give_the_same_events_and_files() {
    let folders = [AT_ONCE, LATE].map(|after| (after, tempfile::tempdir().unwrap()));
    let [at_once, late] =
        folders.map(|(after, folder)| trained(Course { read_after: after, ..PLAIN }, folder.path()));
    assert_eq!(late.told.len(), EPOCHS * STEPS);
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
        assert_broken_in_step_6(&trained(
            Course { read_after: after, broken: Some(6), ..PLAIN },
            folder.path(),
        ));
    }
}

#[test]
fn a_stop_reads_what_is_pending_before_it_saves() {
    let folder = tempfile::tempdir().unwrap();
    let late = Course { read_after: LATE, stop_at: Some(7), ..PLAIN };
    let stopped = trained(late, folder.path());
    assert!(matches!(stopped.outcome, Ok(Outcome::Stopped)), "{:?}", stopped.outcome);
    assert_eq!((stopped.told.len(), stopped.saved_step), (7, 7));

    let folder = tempfile::tempdir().unwrap();
    assert_broken_in_step_6(&trained(Course { broken: Some(6), ..late }, folder.path()));
}

#[test]
fn each_epoch_is_saved_that_ends_late_enough() {
    let saved = |course| {
        let folder = tempfile::tempdir().unwrap();
        let training = trained(course, folder.path());
        assert_eq!(training.saved_step, training.told.len() as u64, "the end is saved");
        training.saved_before
    };
    let seldom = Course { save_after: LATE, ..PLAIN };
    assert_eq!(saved(PLAIN), [None, Some(4), Some(8)]);
    assert_eq!(saved(seldom), [None, Some(4), Some(4)], "the first alone");
    assert_eq!(saved(Course { best_epoch: Some(2), ..seldom }), [None, Some(4), Some(8)], "a best one, too");
    assert_eq!(saved(Course { stop_at: Some(8), ..seldom }), [None, Some(4)], "a stop after an epoch, too");
    assert_eq!(saved(Course { stop_at: Some(6), ..seldom }), [None], "and one within");
}

#[test]
fn a_training_that_was_killed_goes_on_from_what_was_saved_to_the_same_bytes() {
    let [straight, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let straight = trained(PLAIN, straight.path());
    // An error saves no more than a kill.
    let seldom = Course { save_after: LATE, ..PLAIN };
    let first = trained(Course { broken: Some(11), ..seldom }, killed.path());
    assert_eq!((first.told.len(), first.saved_step), (10, 4));
    let second = trained(seldom, killed.path());
    assert_eq!(second.told, straight.told[4..]);
    assert!(second.last == straight.last);
}
