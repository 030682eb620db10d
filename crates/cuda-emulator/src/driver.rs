//! libcuda: device, contexts, memory, copies, modules, launches, streams, events, graphs.

mod context;
mod copy;
mod device;
mod errors;
mod event;
mod graph;
mod launch;
mod memory;
mod module;
mod occupancy;
mod pool;
mod stream;

pub(crate) use pool::trim_pool;

use crate::failure::{Failure, Outcome};
use crate::settings::settings;
use crate::{report, task};

/// A call that needs no context, nor a sound one.
fn driver(name: &'static str, body: impl FnOnce() -> Outcome) -> i32 {
    report::called(name);
    let code = body().err().map_or(0, |Failure(code)| code);
    trace(name, code);
    code
}

/// A call that works in the thread's current context.
fn in_context(name: &'static str, body: impl FnOnce() -> Outcome) -> i32 {
    driver(name, || {
        context::require_current()?;
        task::fault()?;
        body()
    })
}

pub(crate) fn trace(name: &str, code: i32) {
    if settings().trace {
        eprintln!("cuda-emulator: {name} -> {code}");
    }
}
