//! The training loop.

use crate::{
    CheckpointFolder, CycleGan, Error, Losses, Result, TrainConfig,
    save_interval::SaveInterval,
    unread::{Unread, UnreadStep},
};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

/// One finished step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// Steps done, over all resumes.
    pub step: u64,
    /// The epoch it belongs to, counted from 1.
    pub epoch: usize,
    /// Images of one domain seen so far.
    pub images: u64,
    /// The loss terms.
    pub loss: Losses,
    /// Learning rate of the step.
    pub lr: f64,
    /// Duration, data loading included: of a GPU, whose losses are not read after each step, the mean since they were read
    /// last.
    pub s_per_step: f64,
}

/// How well the translators did on validation cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// What `best` is chosen by; higher is better.
    pub score: f64,
    /// Every figure, by what is judged (`t1_to_t2`), then by the figure's name (`ssim`).
    pub figures: BTreeMap<String, BTreeMap<String, f64>>,
    /// Signs of a collapse of the translators, in words; empty where there is none.
    pub collapse: Vec<String>,
}

/// One finished epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochEvent {
    /// Epochs done.
    pub epoch: usize,
    /// Present where this epoch was validated.
    pub validation: Option<Validation>,
    /// This state becomes `best`.
    pub is_best: bool,
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Finished,
    /// A stop was asked for; the checkpoint allows to go on from here.
    Stopped,
}

/// Where a training stands; saved with the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done.
    pub epoch: usize,
    /// Steps done of the epoch under way.
    pub step_in_epoch: usize,
    /// Images of one domain seen.
    pub images: u64,
    /// The highest validation score of the epochs that are multiples of [`TrainConfig::validate_every`].
    pub best: Option<f64>,
}

/// The batches of domains A and B of one epoch.
pub type EpochBatches<'a> = Box<dyn Iterator<Item = candle_core::Result<(Tensor, Tensor)>> + 'a>;

/// Where batches come from.
pub trait Batches {
    /// Batches (N,C,H,W) in [-1,1] of domains A and B of `epoch` (from 0), the first `skip` left out. What it gives
    /// must depend on nothing else: then a resumed run sees what a straight one sees.
    fn epoch(&self, epoch: usize, skip: usize) -> Result<EpochBatches<'_>>;
    /// Steps of one epoch.
    fn steps_per_epoch(&self) -> usize;
}

/// Takes note of what happens; cannot change the training.
pub trait Observer {
    /// A step is done. On a GPU this is said some steps late, but before anything is validated or saved.
    fn step_done(&mut self, event: &StepEvent) -> Result<()>;
    /// An epoch is done and not yet saved.
    fn epoch_done(&mut self, event: &EpochEvent) -> Result<()>;
}

/// Judges the model as it is now, after so many steps, through a view such as [`CycleGan::translators`]; `None` where it
/// cannot.
pub type Validate<'a> = dyn FnMut(u64) -> Result<Option<Validation>> + 'a;

/// All that a training needs beside the model.
pub struct Training<'a> {
    /// Length, rate, validation interval.
    pub config: &'a TrainConfig,
    /// Unpaired batches.
    pub batches: &'a dyn Batches,
    /// The judge.
    pub validate: &'a mut Validate<'a>,
    /// The witness.
    pub observer: &'a mut dyn Observer,
    /// Where `last` and `best` are kept.
    pub checkpoints: &'a CheckpointFolder,
    /// Set from outside to save and end after the step under way.
    pub stop: &'a AtomicBool,
}

/// Trains `model` from `progress` to `config.epochs`.
///
/// The newest state is saved at a stop, at the end, with each best one, and else at the end of the first epoch and of each
/// that ends 30 s or more after it was last saved: a process that is killed loses no more than that and an epoch.
///
/// # Errors
/// [`Error::NonFinite`] where a loss is not finite: then nothing of that step or after it has been saved.
pub fn train(model: &mut CycleGan, progress: &mut Progress, training: Training) -> Result<Outcome> {
    let unread = Unread::on(model.device());
    train_with(unread, SaveInterval::default(), model, progress, training)
}

fn train_with(
    mut unread: Unread,
    mut save_interval: SaveInterval,
    model: &mut CycleGan,
    progress: &mut Progress,
    training: Training,
) -> Result<Outcome> {
    let Training { config, batches, validate, observer, checkpoints, stop } = training;
    let steps_per_epoch = batches.steps_per_epoch();
    if steps_per_epoch == 0 {
        return Err(Error::Data("an epoch has no batch".into()));
    }

    while progress.epoch < config.epochs {
        let mut epoch = batches.epoch(progress.epoch, progress.step_in_epoch)?;
        loop {
            unread.begin();
            let Some(batch) = epoch.next() else { break };
            let (a, b) = batch.map_err(|e| Error::Data(e.to_string()))?;
            let epochs_done = progress.epoch as f64 + progress.step_in_epoch as f64 / steps_per_epoch as f64;
            let lr = config.lr * config.schedule.factor(epochs_done, config.epochs);

            let losses = model.step(&a, &b, lr)?;
            progress.step_in_epoch += 1;
            progress.images += a.dim(0)? as u64;
            let (step, epoch, images) = (model.steps(), progress.epoch + 1, progress.images);
            unread.add(UnreadStep { step, epoch, images, lr, losses }, observer)?;
            if stop.load(Ordering::Relaxed) && progress.step_in_epoch < steps_per_epoch {
                unread.read(observer)?;
                checkpoints.save_last(model, progress)?;
                return Ok(Outcome::Stopped);
            }
        }
        unread.read(observer)?;
        if progress.step_in_epoch < steps_per_epoch {
            let got = progress.step_in_epoch;
            return Err(Error::Data(format!("epoch gave {got} of {steps_per_epoch} batches")));
        }
        progress.epoch += 1;
        progress.step_in_epoch = 0;

        // `best` is chosen at every `validate_every` epochs alone, so that it does not depend on where a run was broken
        // off; the last epoch's counts where there is no other yet.
        let is_regular = progress.epoch.is_multiple_of(config.validate_every);
        let is_due = is_regular || progress.epoch == config.epochs;
        let validation = if is_due { validate(model.steps())? } else { None };
        let is_best = match (&validation, progress.best) {
            (None, _) => false,
            (Some(validation), None) => !validation.score.is_nan(),
            (Some(validation), Some(best)) => is_regular && validation.score > best,
        };
        if is_best && is_regular {
            progress.best = validation.as_ref().map(|v| v.score);
        }
        observer.epoch_done(&EpochEvent { epoch: progress.epoch, validation, is_best })?;
        // First the best: `last` must never know of a best that could not be written.
        if is_best {
            checkpoints.save_best(model, progress)?;
        }
        let is_stopped = stop.load(Ordering::Relaxed);
        if is_best || is_stopped || progress.epoch == config.epochs || save_interval.is_over() {
            checkpoints.save_last(model, progress)?;
            save_interval.restart();
            tracing::info!(epoch = progress.epoch, step = model.steps(), is_best, "checkpoint written");
        }
        if is_stopped {
            return Ok(if progress.epoch < config.epochs { Outcome::Stopped } else { Outcome::Finished });
        }
    }
    Ok(Outcome::Finished)
}

#[cfg(test)]
mod tests;
