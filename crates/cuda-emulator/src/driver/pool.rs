//! The device's memory pool. It keeps what was freed, up to its release threshold, until the next synchronization.

use std::sync::Mutex;

use super::{device, driver, in_context};
use crate::boundary::{In, Out};
use crate::failure::{Failure, Outcome};
use crate::handles::lock;
use crate::memory::{self, Kind};
use crate::report;
use crate::stream;
use crate::task::Work;

const DEFAULT_POOL: usize = 0xD0;
const GRANULARITY: u64 = 512;

struct Pool {
    used: u64,
    used_high: u64,
    reserved: u64,
    reserved_high: u64,
    release_threshold: u64,
    /// Three switches about reuse across streams, which change nothing here.
    reuse: [i32; 3],
}

impl Pool {
    const fn new() -> Self {
        Self { used: 0, used_high: 0, reserved: 0, reserved_high: 0, release_threshold: 0, reuse: [1; 3] }
    }
}

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

pub(super) fn forget() {
    *lock(&POOL) = Pool::new();
}

/// Bytes that the pool holds beyond what is allocated from it.
pub(super) fn spare_bytes() -> usize {
    let pool = lock(&POOL);
    (pool.reserved - pool.used) as usize
}

/// What a synchronization does: give back what is above the threshold.
pub(crate) fn trim_pool() {
    let mut pool = lock(&POOL);
    pool.reserved = pool.used.max(pool.reserved.min(pool.release_threshold));
}

pub(super) fn allocate(size: usize, stream: usize) -> Result<u64, Failure> {
    let key = stream::key(stream)?;
    if size == 0 {
        return Ok(0);
    }
    if let Some(address) = stream::allocate(key, size)? {
        return Ok(address);
    }
    let address = memory::allocate(size, Kind::Pool)?;
    report::worked(&Work::Allocate);
    let mut pool = lock(&POOL);
    pool.used += (size as u64).next_multiple_of(GRANULARITY);
    pool.used_high = pool.used_high.max(pool.used);
    pool.reserved = pool.reserved.max(pool.used);
    pool.reserved_high = pool.reserved_high.max(pool.reserved);
    Ok(address)
}

/// Frees memory of any kind that is on the device.
pub(super) fn free(address: u64) -> Outcome {
    if address == 0 {
        return Ok(());
    }
    let size = memory::containing(address, 1).map_or(0, |(_, size, _)| size);
    if memory::free(address)? == Kind::Pool {
        lock(&POOL).used -= (size as u64).next_multiple_of(GRANULARITY);
    }
    report::worked(&Work::Free);
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocAsync(address: Out<u64>, size: usize, stream: usize) -> i32 {
    in_context("cuMemAllocAsync", || address.set(allocate(size, stream)?))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocFromPoolAsync(address: Out<u64>, size: usize, pool: usize, stream: usize) -> i32 {
    in_context("cuMemAllocFromPoolAsync", || {
        require(pool)?;
        address.set(allocate(size, stream)?)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeAsync(address: u64, stream: usize) -> i32 {
    in_context("cuMemFreeAsync", || {
        let key = stream::key(stream)?;
        if address != 0 && stream::free(key, address)?.is_some() {
            return Ok(());
        }
        free(address)
    })
}

fn require(pool: usize) -> Outcome {
    if pool == DEFAULT_POOL { Ok(()) } else { Err(Failure::INVALID_VALUE) }
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetDefaultMemPool(pool: Out<usize>, device: i32) -> i32 {
    driver("cuDeviceGetDefaultMemPool", || {
        device::require(device)?;
        pool.set(DEFAULT_POOL)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetMemPool(pool: Out<usize>, device: i32) -> i32 {
    driver("cuDeviceGetMemPool", || {
        device::require(device)?;
        pool.set(DEFAULT_POOL)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceSetMemPool(device: i32, pool: usize) -> i32 {
    driver("cuDeviceSetMemPool", || {
        device::require(device)?;
        require(pool)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolTrimTo(pool: usize, keep: usize) -> i32 {
    driver("cuMemPoolTrimTo", || {
        require(pool)?;
        let mut pool = lock(&POOL);
        pool.reserved = pool.used.max(pool.reserved.min(keep as u64));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolGetAttribute(pool: usize, attribute: i32, value: Out<u64>) -> i32 {
    driver("cuMemPoolGetAttribute", || {
        require(pool)?;
        let pool = lock(&POOL);
        match attribute {
            1..=3 => value.cast::<i32>().set(pool.reuse[attribute as usize - 1]),
            4 => value.set(pool.release_threshold),
            5 => value.set(pool.reserved),
            6 => value.set(pool.reserved_high),
            7 => value.set(pool.used),
            8 => value.set(pool.used_high),
            _ => Err(Failure::INVALID_VALUE),
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolSetAttribute(pool: usize, attribute: i32, value: In<u64>) -> i32 {
    driver("cuMemPoolSetAttribute", || {
        require(pool)?;
        let mut pool = lock(&POOL);
        match attribute {
            1..=3 => pool.reuse[attribute as usize - 1] = value.cast::<i32>().get()?,
            4 => pool.release_threshold = value.get()?,
            // The high-water marks can only be set back.
            6 if value.get()? == 0 => pool.reserved_high = pool.reserved,
            8 if value.get()? == 0 => pool.used_high = pool.used,
            _ => return Err(Failure::INVALID_VALUE),
        }
        Ok(())
    })
}
