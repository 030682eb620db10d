//! A piece of work for a stream: done at once, or kept in a graph and done at each launch of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::failure::{Failure, Outcome};
use crate::report;
use crate::settings::settings;

pub(crate) enum Work {
    Kernel(Arc<str>),
    Library(&'static str),
    Copy(Direction, usize),
    Fill(usize),
    Allocate,
    Free,
    Host,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    HostToDevice,
    DeviceToHost,
    DeviceToDevice,
    HostToHost,
}

pub(crate) struct Task {
    work: Work,
    run: Box<dyn Fn() -> Outcome + Send + Sync>,
}

impl Task {
    pub(crate) fn new(work: Work, run: impl Fn() -> Outcome + Send + Sync + 'static) -> Self {
        Self { work, run: Box::new(run) }
    }

    pub(crate) fn execute(&self) -> Outcome {
        report::worked(&self.work);
        if settings().null && self.is_for_the_device() {
            return Ok(());
        }
        let outcome = (self.run)();
        if let Err(failure) = outcome
            && failure.ends_the_context()
        {
            FAULT.store(failure.0, Ordering::Relaxed);
        }
        outcome
    }

    fn is_for_the_device(&self) -> bool {
        matches!(
            self.work,
            Work::Kernel(_) | Work::Library(_) | Work::Fill(_) | Work::Copy(Direction::DeviceToDevice, _)
        )
    }
}

/// A kernel that touched what is not its own ends the context: every later call gets the same error.
static FAULT: AtomicI32 = AtomicI32::new(0);

pub(crate) fn fault() -> Outcome {
    match FAULT.load(Ordering::Relaxed) {
        0 => Ok(()),
        code => Err(Failure(code)),
    }
}

pub(crate) fn forget_fault() {
    FAULT.store(0, Ordering::Relaxed);
}
