//! Events. All work before a record is done when it happens, so an event is a point in time.

use std::sync::Mutex;
use std::time::Instant;

use super::in_context;
use crate::boundary::Out;
use crate::failure::{Failure, Outcome};
use crate::handles::{Handles, lock};
use crate::report;
use crate::stream::{self, EventMark, Key};
use crate::task::fault;

struct Event {
    has_timing: bool,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    NeverRecorded,
    Recorded(Instant),
    Captured(EventMark),
}

static EVENTS: Handles<Event> = Handles::new();
const DISABLE_TIMING: u32 = 2;

pub(super) fn forget() {
    EVENTS.clear();
}

#[unsafe(no_mangle)]
extern "C" fn cuEventCreate(event: Out<usize>, flags: u32) -> i32 {
    in_context("cuEventCreate", || {
        let has_timing = flags & DISABLE_TIMING == 0;
        event.set(EVENTS.insert(Event { has_timing, state: Mutex::new(State::NeverRecorded) }))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuEventDestroy_v2(event: usize) -> i32 {
    in_context("cuEventDestroy_v2", || EVENTS.remove(event))
}

fn record(event: usize, key: Key) -> Outcome {
    let event = EVENTS.find(event)?;
    *lock(&event.state) = match stream::record(key)? {
        Some(mark) => State::Captured(mark),
        None => State::Recorded(Instant::now()),
    };
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecord(event: usize, stream: usize) -> i32 {
    in_context("cuEventRecord", || record(event, stream::key(stream)?))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecordWithFlags(event: usize, stream: usize, _flags: u32) -> i32 {
    in_context("cuEventRecordWithFlags", || record(event, stream::key(stream)?))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamWaitEvent(stream: usize, event: usize, _flags: u32) -> i32 {
    in_context("cuStreamWaitEvent", || {
        let key = stream::key(stream)?;
        let state = *lock(&EVENTS.find(event)?.state);
        match state {
            State::NeverRecorded => Ok(()),
            State::Recorded(_) => stream::wait_for(key, None),
            State::Captured(mark) => stream::wait_for(key, Some(mark)),
        }
    })
}

/// When the event was recorded; one that never was is complete.
fn completion(event: usize) -> Result<Option<Instant>, Failure> {
    let state = *lock(&EVENTS.find(event)?.state);
    match state {
        State::NeverRecorded => Ok(None),
        State::Recorded(time) => Ok(Some(time)),
        State::Captured(_) => Err(Failure::CAPTURED_EVENT),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventQuery(event: usize) -> i32 {
    in_context("cuEventQuery", || completion(event).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(event: usize) -> i32 {
    in_context("cuEventSynchronize", || {
        report::synchronized();
        completion(event)?;
        fault()
    })
}

fn elapsed(milliseconds: Out<f32>, start: usize, end: usize) -> Outcome {
    if !EVENTS.find(start)?.has_timing || !EVENTS.find(end)?.has_timing {
        return Err(Failure::INVALID_HANDLE);
    }
    let (Some(start), Some(end)) = (completion(start)?, completion(end)?) else {
        return Err(Failure::INVALID_HANDLE);
    };
    let seconds = match end.checked_duration_since(start) {
        Some(after) => after.as_secs_f32(),
        None => -start.duration_since(end).as_secs_f32(),
    };
    milliseconds.set(seconds * 1e3)
}

#[unsafe(no_mangle)]
extern "C" fn cuEventElapsedTime(milliseconds: Out<f32>, start: usize, end: usize) -> i32 {
    in_context("cuEventElapsedTime", || elapsed(milliseconds, start, end))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventElapsedTime_v2(milliseconds: Out<f32>, start: usize, end: usize) -> i32 {
    in_context("cuEventElapsedTime_v2", || elapsed(milliseconds, start, end))
}
