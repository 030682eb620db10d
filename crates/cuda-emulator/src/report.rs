//! Counters of what a program did, and their report in JSON.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::boundary::{Out, copy_bytes};
use crate::handles::lock;
use crate::memory;
use crate::settings::settings;
use crate::task::{Direction, Work};

static COUNTERS: Mutex<Counters> = Mutex::new(Counters::new());

struct Counters {
    calls: BTreeMap<&'static str, u64>,
    kernels: BTreeMap<String, u64>,
    library: BTreeMap<&'static str, u64>,
    copies: [Volume; 4],
    fills: Volume,
    synchronizations: u64,
    blocking_copies: u64,
    allocations: u64,
    frees: u64,
}

#[derive(Clone, Copy)]
struct Volume {
    count: u64,
    bytes: u64,
}

impl Volume {
    const NONE: Self = Self { count: 0, bytes: 0 };

    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }

    fn json(self) -> Value {
        json!({ "count": self.count, "bytes": self.bytes })
    }
}

impl Counters {
    const fn new() -> Self {
        Self {
            calls: BTreeMap::new(),
            kernels: BTreeMap::new(),
            library: BTreeMap::new(),
            copies: [Volume::NONE; 4],
            fills: Volume::NONE,
            synchronizations: 0,
            blocking_copies: 0,
            allocations: 0,
            frees: 0,
        }
    }
}

/// A function of the API was called.
pub(crate) fn called(name: &'static str) {
    *lock(&COUNTERS).calls.entry(name).or_default() += 1;
}

/// Work was done, now or in the replay of a graph.
pub(crate) fn worked(work: &Work) {
    let mut counters = lock(&COUNTERS);
    match work {
        Work::Kernel(name) => match counters.kernels.get_mut(&**name) {
            Some(count) => *count += 1,
            None => drop(counters.kernels.insert(name.to_string(), 1)),
        },
        Work::Library(name) => *counters.library.entry(name).or_default() += 1,
        Work::Copy(direction, bytes) => counters.copies[*direction as usize].add(*bytes),
        Work::Fill(bytes) => counters.fills.add(*bytes),
        Work::Allocate => counters.allocations += 1,
        Work::Free => counters.frees += 1,
        Work::Host => {}
    }
}

pub(crate) fn synchronized() {
    lock(&COUNTERS).synchronizations += 1;
}

/// A copy that the host waits for, though it did not ask to synchronize.
pub(crate) fn blocked() {
    lock(&COUNTERS).blocking_copies += 1;
}

fn json() -> Value {
    let memory = memory::usage();
    let counters = lock(&COUNTERS);
    let copies = |direction: Direction| counters.copies[direction as usize].json();
    json!({
        "kernels": counters.kernels,
        "library": counters.library,
        "calls": counters.calls,
        "copies": {
            "host_to_device": copies(Direction::HostToDevice),
            "device_to_host": copies(Direction::DeviceToHost),
            "device_to_device": copies(Direction::DeviceToDevice),
            "host_to_host": copies(Direction::HostToHost),
        },
        "fills": counters.fills.json(),
        "synchronizations": counters.synchronizations,
        "blocking_copies": counters.blocking_copies,
        "allocations": counters.allocations,
        "frees": counters.frees,
        "memory": { "used_bytes": memory.used, "peak_bytes": memory.peak, "total_bytes": settings().memory_bytes },
    })
}

/// Sets all counters to zero, and the peak of memory to what is in use now.
#[unsafe(no_mangle)]
extern "C" fn cuda_emulator_reset() {
    *lock(&COUNTERS) = Counters::new();
    memory::reset_peak();
}

/// Writes the report as JSON text with a closing zero, cut to `length` bytes; returns the bytes that all of it takes.
#[unsafe(no_mangle)]
extern "C" fn cuda_emulator_report(buffer: Out<u8>, length: usize) -> usize {
    let mut text = json().to_string().into_bytes();
    text.push(0);
    if !buffer.is_null() {
        copy_bytes(buffer.as_in().address(), text.as_ptr() as u64, text.len().min(length));
    }
    text.len()
}

/// Arranges the report at the end of the program, where one is asked for.
pub(crate) fn write_at_exit() {
    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> i32;
    }
    extern "C" fn write() {
        if let Some(path) = &settings().report
            && let Err(error) = std::fs::write(path, format!("{:#}\n", json()))
        {
            eprintln!("cuda-emulator: {}: {error}", path.display());
        }
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    if settings().report.is_some() {
        ONCE.call_once(|| {
            // SAFETY: `atexit` of the C library takes a function that stays loaded until the end.
            if unsafe { atexit(write) } != 0 {
                eprintln!("cuda-emulator: there will be no report");
            }
        });
    }
}
