//! Steps whose losses are still on the device.

use crate::{Observer, PendingLosses, Result, StepEvent};
use candle_core::Device;
use std::time::{Duration, Instant};

/// The longest that a GPU goes on without anybody looking at its losses. To read is to wait until it has nothing left to
/// do, which must be rare beside its steps.
const GPU_READ_AFTER: Duration = Duration::from_millis(500);

/// A step that the device may not have finished.
pub(crate) struct UnreadStep {
    pub(crate) step: u64,
    pub(crate) epoch: usize,
    pub(crate) images: u64,
    pub(crate) lr: f64,
    pub(crate) losses: PendingLosses,
}

/// The steps since losses were last read, in their order.
pub(crate) struct Unread {
    read_after: Duration,
    /// When the first of them began.
    since: Instant,
    steps: Vec<UnreadStep>,
}

impl Unread {
    /// Read after each step on the CPU, where reading costs nothing.
    pub(crate) fn on(device: &Device) -> Self {
        Self::reading_after(if device.is_cpu() { Duration::ZERO } else { GPU_READ_AFTER })
    }

    pub(crate) fn reading_after(read_after: Duration) -> Self {
        Self { read_after, since: Instant::now(), steps: Vec::new() }
    }

    /// A step begins.
    pub(crate) fn begin(&mut self) {
        if self.steps.is_empty() {
            self.since = Instant::now();
        }
    }

    /// Takes the step that has begun, and tells `observer` of all steps where it is time to.
    pub(crate) fn add(&mut self, step: UnreadStep, observer: &mut dyn Observer) -> Result<()> {
        self.steps.push(step);
        if self.since.elapsed() >= self.read_after { self.read(observer) } else { Ok(()) }
    }

    /// Tells `observer` of all steps, up to one whose losses are not finite.
    pub(crate) fn read(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let (steps, pending): (Vec<_>, Vec<_>) = self
            .steps
            .drain(..)
            .map(|UnreadStep { step, epoch, images, lr, losses }| ((step, epoch, images, lr), losses))
            .unzip();
        let losses = PendingLosses::read_all(&pending)?;
        let s_per_step = self.since.elapsed().as_secs_f64() / steps.len() as f64;
        for ((step, epoch, images, lr), loss) in steps.into_iter().zip(losses) {
            let loss = loss?;
            tracing::debug!(step, lr, ?loss, "step done");
            observer.step_done(&StepEvent { step, epoch, images, loss, lr, s_per_step })?;
        }
        Ok(())
    }
}
