//! Streams. Work is done when it is submitted, in the order of submission, unless the stream is capturing.

mod capture;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use crate::failure::{Failure, Outcome};
use crate::handles::Handles;
use crate::report;
use crate::task::{Task, fault};

pub(crate) use capture::{
    CaptureMode, EventMark, Graph, allocate, begin, end, exchange_mode, free, information, prohibit, record,
    wait_for,
};

pub(crate) struct Stream {
    /// Takes no part in the implicit order with the legacy stream.
    pub(crate) is_non_blocking: bool,
    pub(crate) priority: i32,
}

pub(crate) static STREAMS: Handles<Stream> = Handles::new();

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Legacy,
    PerThread(ThreadId),
    Created(usize),
}

const PER_THREAD: usize = 2;

pub(crate) fn key(stream: usize) -> Result<Key, Failure> {
    match stream {
        0 | 1 => Ok(Key::Legacy),
        PER_THREAD => Ok(Key::PerThread(thread::current().id())),
        created => STREAMS.find(created).map(|_| Key::Created(created)),
    }
}

fn is_non_blocking(key: Key) -> bool {
    matches!(key, Key::Created(stream) if STREAMS.find(stream).is_ok_and(|stream| stream.is_non_blocking))
}

/// The number of captures under way; nearly always none, and then nothing needs to be looked up.
static CAPTURES: AtomicUsize = AtomicUsize::new(0);

/// Ends all streams and their captures.
pub(crate) fn forget() {
    STREAMS.clear();
    capture::forget();
}

/// Does the task, or keeps it in the graph that the stream is capturing.
pub(crate) fn submit(stream: usize, task: Task) -> Outcome {
    let key = key(stream)?;
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return task.execute();
    }
    submit_shared(key, &Arc::new(task))
}

/// The same for a task that a graph has already.
pub(crate) fn submit_shared(stream: Key, task: &Arc<Task>) -> Outcome {
    match capture::keep(stream, task)? {
        true => Ok(()),
        false => task.execute(),
    }
}

/// Waits for a stream: there is nothing to wait for, but it must not be capturing.
pub(crate) fn synchronize(stream: usize) -> Outcome {
    let key = key(stream)?;
    report::synchronized();
    capture::refuse(key)?;
    crate::driver::trim_pool();
    fault()
}

/// For calls that no graph can hold: they spoil the capture of their stream.
pub(crate) fn refuse_capture(stream: usize) -> Outcome {
    capture::refuse(key(stream)?)
}

/// Waits for all streams of the context.
pub(crate) fn synchronize_all() -> Outcome {
    report::synchronized();
    prohibit()?;
    crate::driver::trim_pool();
    fault()
}
