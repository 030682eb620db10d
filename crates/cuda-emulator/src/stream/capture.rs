//! Capture of a stream's work as a graph.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{self, ThreadId};

use super::{CAPTURES, Key, is_non_blocking};
use crate::failure::{Failure, Outcome};
use crate::handles::lock;
use crate::memory::{self, Kind, Storage};
use crate::task::{Task, Work};

/// Whose calls that could upset a capture are refused while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaptureMode {
    Global,
    ThreadLocal,
    Relaxed,
}

/// The tasks of a capture, in an order that keeps all their dependencies.
#[derive(Clone, Default)]
pub(crate) struct Graph {
    pub(crate) tasks: Vec<Arc<Task>>,
    /// Addresses that the graph allocates and leaves to others to free.
    pub(crate) unfreed: Vec<u64>,
}

struct Capture {
    origin: Key,
    mode: CaptureMode,
    thread: ThreadId,
    is_invalid: bool,
    graph: Graph,
    /// Streams that take part, each with the number of its last task.
    members: HashMap<Key, u64>,
    /// The members whose last task the origin has not waited for.
    unjoined: HashMap<Key, u64>,
    /// Memory of the graph by address; several allocations may use it one after the other.
    storages: HashMap<u64, Arc<Storage>>,
    unused: Vec<Arc<Storage>>,
}

#[derive(Default)]
struct Active {
    captures: HashMap<u64, Capture>,
    of_stream: HashMap<Key, u64>,
}

static ACTIVE: LazyLock<Mutex<Active>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static MODE: Cell<CaptureMode> = const { Cell::new(CaptureMode::Global) };
}

impl Active {
    fn of(&mut self, stream: Key) -> Option<&mut Capture> {
        let id = self.of_stream.get(&stream)?;
        self.captures.get_mut(id)
    }

    /// The capture of a stream, or why there can be none for it.
    fn valid(&mut self, stream: Key) -> Result<Option<&mut Capture>, Failure> {
        match self.of(stream) {
            Some(capture) if capture.is_invalid => Err(Failure::CAPTURE_INVALIDATED),
            capture => Ok(capture),
        }
    }
}

impl Capture {
    fn push(&mut self, stream: Key, task: Arc<Task>) {
        self.graph.tasks.push(task);
        let last = self.graph.tasks.len() as u64;
        self.members.insert(stream, last);
        if stream != self.origin {
            self.unjoined.insert(stream, last);
        }
    }
}

pub(super) fn forget() {
    *lock(&ACTIVE) = Active::default();
    CAPTURES.store(0, Ordering::Relaxed);
}

pub(crate) fn begin(stream: Key, mode: CaptureMode) -> Outcome {
    if stream == Key::Legacy {
        return Err(Failure::CAPTURE_UNSUPPORTED);
    }
    let mut active = lock(&ACTIVE);
    if active.of(stream).is_some() {
        return Err(Failure::ILLEGAL_STATE);
    }
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let capture = Capture {
        origin: stream,
        mode,
        thread: thread::current().id(),
        is_invalid: false,
        graph: Graph::default(),
        members: HashMap::from([(stream, 0)]),
        unjoined: HashMap::new(),
        storages: HashMap::new(),
        unused: Vec::new(),
    };
    active.captures.insert(id, capture);
    active.of_stream.insert(stream, id);
    CAPTURES.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

pub(crate) fn end(stream: Key) -> Result<Graph, Failure> {
    let mut active = lock(&ACTIVE);
    let Some(&id) = active.of_stream.get(&stream) else { return Err(Failure::ILLEGAL_STATE) };
    if let Some(capture) = active.captures.get(&id) {
        if capture.origin != stream {
            return Err(Failure::CAPTURE_UNMATCHED);
        }
        if capture.mode != CaptureMode::Relaxed && capture.thread != thread::current().id() {
            return Err(Failure::CAPTURE_WRONG_THREAD);
        }
    }
    active.of_stream.retain(|_, other| *other != id);
    let capture = active.captures.remove(&id).ok_or(Failure::ILLEGAL_STATE)?;
    CAPTURES.fetch_sub(1, Ordering::Relaxed);
    if capture.is_invalid {
        return Err(Failure::CAPTURE_INVALIDATED);
    }
    if !capture.unjoined.is_empty() {
        return Err(Failure::CAPTURE_UNJOINED);
    }
    Ok(capture.graph)
}

/// Keeps the task if its stream is capturing, and says so.
pub(super) fn keep(stream: Key, task: &Arc<Task>) -> Result<bool, Failure> {
    let mut active = lock(&ACTIVE);
    if let Some(capture) = active.valid(stream)? {
        capture.push(stream, task.clone());
        return Ok(true);
    }
    if stream == Key::Legacy {
        let mut implied = false;
        for capture in active.captures.values_mut().filter(|capture| !is_non_blocking(capture.origin)) {
            capture.is_invalid = true;
            implied = true;
        }
        if implied {
            return Err(Failure::CAPTURE_IMPLICIT);
        }
    }
    Ok(false)
}

/// A stream that captures cannot be waited for, and asking spoils its capture.
pub(super) fn refuse(stream: Key) -> Outcome {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    match lock(&ACTIVE).of(stream) {
        Some(capture) => {
            capture.is_invalid = true;
            Err(Failure::CAPTURE_UNSUPPORTED)
        }
        None => Ok(()),
    }
}

/// A call that is not allowed beside a capture, as far as the modes of capture and thread say so.
pub(crate) fn prohibit() -> Outcome {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let mode = MODE.get();
    let here = thread::current().id();
    let mut outcome = Ok(());
    for capture in lock(&ACTIVE).captures.values_mut() {
        let is_upset = match mode {
            CaptureMode::Relaxed => false,
            _ if capture.thread == here => capture.mode != CaptureMode::Relaxed,
            CaptureMode::Global => capture.mode == CaptureMode::Global,
            CaptureMode::ThreadLocal => false,
        };
        if is_upset {
            capture.is_invalid = true;
            outcome = Err(Failure::CAPTURE_UNSUPPORTED);
        }
    }
    outcome
}

pub(crate) fn exchange_mode(mode: CaptureMode) -> CaptureMode {
    MODE.replace(mode)
}

/// Status (0 none, 1 active, 2 invalidated), identity and length of a stream's capture.
pub(crate) fn information(stream: Key) -> (i32, u64, usize) {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return (0, 0, 0);
    }
    let mut active = lock(&ACTIVE);
    let id = active.of_stream.get(&stream).copied().unwrap_or(0);
    match active.of(stream) {
        None => (0, 0, 0),
        Some(capture) if capture.is_invalid => (2, id, 0),
        Some(capture) => (1, id, capture.graph.tasks.len()),
    }
}

/// What an event stands for that was recorded during a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventMark {
    capture: u64,
    stream: Key,
    task: u64,
}

/// The mark for an event recorded now on the stream, if it is capturing.
pub(crate) fn record(stream: Key) -> Result<Option<EventMark>, Failure> {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    let mut active = lock(&ACTIVE);
    let id = active.of_stream.get(&stream).copied().unwrap_or(0);
    let capture = active.valid(stream)?;
    Ok(capture.map(|capture| EventMark {
        capture: id,
        stream,
        task: capture.members.get(&stream).copied().unwrap_or(0),
    }))
}

/// The stream waits for an event: `None` is one that was recorded outside of captures.
pub(crate) fn wait_for(stream: Key, event: Option<EventMark>) -> Outcome {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let mut active = lock(&ACTIVE);
    let own = active.of_stream.get(&stream).copied();
    let Some(mark) = event else {
        return match active.valid(stream)? {
            None => Ok(()),
            Some(capture) => {
                capture.is_invalid = true;
                Err(Failure::CAPTURE_ISOLATION)
            }
        };
    };
    if own.is_some_and(|own| own != mark.capture) {
        return Err(Failure::CAPTURE_MERGE);
    }
    let Some(capture) = active.captures.get_mut(&mark.capture) else { return Err(Failure::CAPTURED_EVENT) };
    if own.is_none() {
        let last = capture.graph.tasks.len() as u64;
        capture.members.insert(stream, last);
        capture.unjoined.insert(stream, last);
    } else if stream == capture.origin && capture.unjoined.get(&mark.stream) == Some(&mark.task) {
        capture.unjoined.remove(&mark.stream);
    } else if capture.unjoined.get(&mark.stream) == Some(&mark.task) {
        // Another branch took it over: the origin must wait for that one.
        let last = capture.graph.tasks.len() as u64;
        capture.unjoined.remove(&mark.stream);
        capture.members.insert(stream, last);
        capture.unjoined.insert(stream, last);
    }
    active.of_stream.insert(stream, mark.capture);
    Ok(())
}

/// Memory in the order of the stream, where that is capturing: a node which makes it live at each launch.
pub(crate) fn allocate(stream: Key, size: usize) -> Result<Option<u64>, Failure> {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    let mut active = lock(&ACTIVE);
    let Some(capture) = active.valid(stream)? else { return Ok(None) };
    let reusable = (0..capture.unused.len())
        .filter(|&index| (size..=size.saturating_mul(2)).contains(&capture.unused[index].capacity()))
        .min_by_key(|&index| capture.unused[index].capacity());
    let storage = match reusable {
        Some(index) => capture.unused.swap_remove(index),
        None => Storage::new(size, Kind::Graph)?,
    };
    let address = storage.address();
    capture.storages.insert(address, storage.clone());
    capture.graph.unfreed.push(address);
    let make_live = move || {
        memory::make_live(&storage, size, Kind::Graph);
        Ok(())
    };
    capture.push(stream, Arc::new(Task::new(Work::Allocate, make_live)));
    Ok(Some(address))
}

/// Frees in the order of the stream, where that is capturing. Only memory of a graph can be freed so.
pub(crate) fn free(stream: Key, address: u64) -> Result<Option<()>, Failure> {
    if CAPTURES.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    let mut active = lock(&ACTIVE);
    let Some(capture) = active.valid(stream)? else { return Ok(None) };
    match capture.graph.unfreed.iter().position(|&unfreed| unfreed == address) {
        Some(index) => {
            capture.graph.unfreed.swap_remove(index);
            capture.unused.extend(capture.storages.remove(&address));
        }
        None if memory::kind_of(address) == Some(Kind::Graph) => {}
        None => {
            eprintln!("cuda-emulator: a capture cannot free {address:#x}, which no graph allocated");
            return Err(Failure::INVALID_VALUE);
        }
    }
    capture.push(stream, Arc::new(Task::new(Work::Free, move || memory::free(address).map(drop))));
    Ok(Some(()))
}
