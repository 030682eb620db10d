//! Allocation outside of streams.

use super::in_context;
use super::pool::{free, spare_bytes};
use crate::boundary::Out;
use crate::failure::{Failure, Outcome};
use crate::memory::{self, Kind};
use crate::report;
use crate::settings::settings;
use crate::stream;
use crate::task::Work;

const PITCH: usize = 512;

fn allocate(address: Out<u64>, size: usize) -> Outcome {
    if size == 0 {
        return Err(Failure::INVALID_VALUE);
    }
    stream::prohibit()?;
    let allocated = memory::allocate(size, Kind::Device)?;
    report::worked(&Work::Allocate);
    address.set(allocated)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAlloc_v2(address: Out<u64>, size: usize) -> i32 {
    in_context("cuMemAlloc_v2", || allocate(address, size))
}

/// Memory of the device is memory of the host here, so it is managed already.
#[unsafe(no_mangle)]
extern "C" fn cuMemAllocManaged(address: Out<u64>, size: usize, _flags: u32) -> i32 {
    in_context("cuMemAllocManaged", || allocate(address, size))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocPitch_v2(
    address: Out<u64>,
    pitch: Out<usize>,
    width: usize,
    height: usize,
    _element: u32,
) -> i32 {
    in_context("cuMemAllocPitch_v2", || {
        let row = width.next_multiple_of(PITCH);
        allocate(address, row.checked_mul(height).ok_or(Failure::INVALID_VALUE)?)?;
        pitch.set(row)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFree_v2(address: u64) -> i32 {
    in_context("cuMemFree_v2", || {
        stream::prohibit()?;
        free(address)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) -> i32 {
    in_context("cuMemGetInfo_v2", || {
        let bytes = settings().memory_bytes;
        free.set((bytes - memory::usage().used).saturating_sub(spare_bytes()))?;
        total.set(bytes)
    })
}

fn allocate_pinned(address: Out<u64>, size: usize) -> Outcome {
    if size == 0 {
        return address.set(0);
    }
    stream::prohibit()?;
    address.set(memory::allocate(size, Kind::Pinned)?)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemHostAlloc(address: Out<u64>, size: usize, _flags: u32) -> i32 {
    in_context("cuMemHostAlloc", || allocate_pinned(address, size))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocHost_v2(address: Out<u64>, size: usize) -> i32 {
    in_context("cuMemAllocHost_v2", || allocate_pinned(address, size))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeHost(address: u64) -> i32 {
    in_context("cuMemFreeHost", || {
        if address == 0 {
            return Ok(());
        }
        stream::prohibit()?;
        if memory::kind_of(address) != Some(Kind::Pinned) {
            return Err(Failure::INVALID_VALUE);
        }
        memory::free(address).map(drop)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemHostGetDevicePointer_v2(device: Out<u64>, host: u64, _flags: u32) -> i32 {
    in_context("cuMemHostGetDevicePointer_v2", || {
        if memory::kind_of(host) != Some(Kind::Pinned) {
            return Err(Failure::INVALID_VALUE);
        }
        device.set(host)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemGetAddressRange_v2(start: Out<u64>, size: Out<usize>, address: u64) -> i32 {
    in_context("cuMemGetAddressRange_v2", || {
        let (first, bytes, _) = memory::containing(address, 1).ok_or(Failure::NOT_FOUND)?;
        start.set_if_wanted(first);
        size.set_if_wanted(bytes);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuPointerGetAttribute(value: Out<u64>, attribute: i32, address: u64) -> i32 {
    in_context("cuPointerGetAttribute", || {
        let (start, size, kind) = memory::containing(address, 1).ok_or(Failure::INVALID_VALUE)?;
        match attribute {
            2 => value.cast::<u32>().set(if kind == Kind::Pinned { 1 } else { 2 }),
            3 | 4 => value.set(address),
            8 => value.cast::<u32>().set(0),
            9 => value.cast::<i32>().set(0),
            11 => value.set(start),
            12 => value.set(size as u64),
            _ => Err(Failure::NOT_SUPPORTED),
        }
    })
}
