//! Contexts. They share one memory; a context is a thing to be current, no more.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{device, driver, in_context};
use crate::boundary::{In, Out};
use crate::failure::{Failure, Outcome};
use crate::handles::Handles;
use crate::{memory, stream, task};

const PRIMARY: usize = 0xC0;
static RETAINED: AtomicUsize = AtomicUsize::new(0);
static OTHERS: Handles<()> = Handles::new();

thread_local! {
    /// The last is current.
    static STACK: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn current() -> usize {
    STACK.with_borrow(|stack| stack.last().copied().unwrap_or(0))
}

pub(super) fn write_current(context: Out<usize>) -> Outcome {
    context.set(current())
}

pub(super) fn require_current() -> Outcome {
    match current() {
        PRIMARY if RETAINED.load(Ordering::Relaxed) > 0 => Ok(()),
        0 | PRIMARY => Err(Failure::INVALID_CONTEXT),
        other => OTHERS.find(other).map(drop).map_err(|_| Failure::INVALID_CONTEXT),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRetain(context: Out<usize>, device: i32) -> i32 {
    driver("cuDevicePrimaryCtxRetain", || {
        device::require(device)?;
        super::launch::supply_memory_check();
        RETAINED.fetch_add(1, Ordering::Relaxed);
        context.set(PRIMARY)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(device: i32) -> i32 {
    driver("cuDevicePrimaryCtxRelease_v2", || {
        device::require(device)?;
        let released =
            RETAINED.try_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        released.map(drop).map_err(|_| Failure::INVALID_CONTEXT)
    })
}

/// Ends all that the context has, the fault of a kernel too.
#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxReset_v2(device: i32) -> i32 {
    driver("cuDevicePrimaryCtxReset_v2", || {
        device::require(device)?;
        stream::forget();
        super::event::forget();
        super::graph::forget();
        super::module::forget();
        memory::free_all();
        super::pool::forget();
        task::forget_fault();
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxGetState(device: i32, flags: Out<u32>, active: Out<i32>) -> i32 {
    driver("cuDevicePrimaryCtxGetState", || {
        device::require(device)?;
        flags.set(0)?;
        active.set(i32::from(RETAINED.load(Ordering::Relaxed) > 0))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxSetFlags_v2(device: i32, _flags: u32) -> i32 {
    driver("cuDevicePrimaryCtxSetFlags_v2", || device::require(device))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxCreate_v4(context: Out<usize>, _parameters: In<u8>, _flags: u32, device: i32) -> i32 {
    driver("cuCtxCreate_v4", || {
        device::require(device)?;
        super::launch::supply_memory_check();
        let created = OTHERS.insert(());
        STACK.with_borrow_mut(|stack| stack.push(created));
        context.set(created)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxDestroy_v2(context: usize) -> i32 {
    driver("cuCtxDestroy_v2", || {
        OTHERS.remove(context).map_err(|_| Failure::INVALID_CONTEXT)?;
        STACK.with_borrow_mut(|stack| stack.retain(|other| *other != context));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: usize) -> i32 {
    driver("cuCtxSetCurrent", || {
        STACK.with_borrow_mut(|stack| {
            stack.pop();
            if context != 0 {
                stack.push(context);
            }
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetCurrent(context: Out<usize>) -> i32 {
    driver("cuCtxGetCurrent", || context.set(current()))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxPushCurrent_v2(context: usize) -> i32 {
    driver("cuCtxPushCurrent_v2", || {
        STACK.with_borrow_mut(|stack| stack.push(context));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxPopCurrent_v2(context: Out<usize>) -> i32 {
    driver("cuCtxPopCurrent_v2", || {
        let popped = STACK.with_borrow_mut(Vec::pop).ok_or(Failure::INVALID_CONTEXT)?;
        context.set_if_wanted(popped);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetDevice(device: Out<i32>) -> i32 {
    in_context("cuCtxGetDevice", || device.set(0))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSynchronize() -> i32 {
    in_context("cuCtxSynchronize", stream::synchronize_all)
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetFlags(_flags: u32) -> i32 {
    in_context("cuCtxSetFlags", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetFlags(flags: Out<u32>) -> i32 {
    in_context("cuCtxGetFlags", || flags.set(0))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetApiVersion(_context: usize, version: Out<u32>) -> i32 {
    in_context("cuCtxGetApiVersion", || version.set(3020))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetLimit(_limit: i32, _value: usize) -> i32 {
    in_context("cuCtxSetLimit", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetLimit(value: Out<usize>, limit: i32) -> i32 {
    in_context("cuCtxGetLimit", || match limit {
        0 => value.set(1024),    // stack
        1 => value.set(1 << 20), // buffer of printf
        2 => value.set(8 << 20), // heap of malloc
        _ => Err(Failure(215)),
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCacheConfig(_configuration: i32) -> i32 {
    in_context("cuCtxSetCacheConfig", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetCacheConfig(configuration: Out<i32>) -> i32 {
    in_context("cuCtxGetCacheConfig", || configuration.set(0))
}

/// Priorities are remembered and change nothing.
#[unsafe(no_mangle)]
extern "C" fn cuCtxGetStreamPriorityRange(least: Out<i32>, greatest: Out<i32>) -> i32 {
    in_context("cuCtxGetStreamPriorityRange", || {
        least.set_if_wanted(0);
        greatest.set_if_wanted(-5);
        Ok(())
    })
}
