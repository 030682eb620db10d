//! The one device, in the likeness of a data-centre GPU of compute capability 9.0.

use std::ffi::c_char;

use super::driver;
use crate::boundary::Out;
use crate::failure::{Failure, Outcome};
use crate::report;
use crate::settings::settings;

pub(super) const MULTIPROCESSORS: i32 = 132;
pub(super) const WARP_THREADS: i32 = 32;
pub(super) const MAX_BLOCK_THREADS: i32 = 1024;
pub(super) const MAX_MULTIPROCESSOR_THREADS: i32 = 2048;
pub(super) const MAX_MULTIPROCESSOR_BLOCKS: i32 = 32;
pub(super) const MAX_MULTIPROCESSOR_SHARED_BYTES: i32 = 233_472;
pub(super) const MAX_BLOCK_SHARED_BYTES: i32 = 49_152;
pub(super) const MAX_BLOCK_SHARED_BYTES_OPT_IN: i32 = 232_448;
pub(super) const RESERVED_BLOCK_SHARED_BYTES: i32 = 1024;
pub(super) const MAX_BLOCK: [u32; 3] = [1024, 1024, 64];
pub(super) const MAX_GRID: [u32; 3] = [i32::MAX as u32, 65_535, 65_535];

const NAME: &[u8] = b"CUDA emulator (no GPU)\0";
const DRIVER_VERSION: i32 = 13_000;

/// `CUdevice_attribute` and its value; an attribute that is not listed is a feature which is not there.
const ATTRIBUTES: &[(i32, i32)] = &[
    (1, MAX_BLOCK_THREADS),
    (2, MAX_BLOCK[0] as i32),
    (3, MAX_BLOCK[1] as i32),
    (4, MAX_BLOCK[2] as i32),
    (5, MAX_GRID[0] as i32),
    (6, MAX_GRID[1] as i32),
    (7, MAX_GRID[2] as i32),
    (8, MAX_BLOCK_SHARED_BYTES),
    (9, 65_536), // constant memory
    (10, WARP_THREADS),
    (11, i32::MAX),  // pitch
    (12, 65_536),    // registers of a block
    (13, 1_980_000), // clock in kHz
    (14, 512),       // texture alignment
    (15, 1),         // copies and kernels overlap
    (16, MULTIPROCESSORS),
    (19, 1),          // maps host memory
    (30, 512),        // surface alignment
    (31, 1),          // concurrent kernels
    (36, 2_619_000),  // memory clock in kHz
    (37, 5120),       // bus width in bits
    (38, 52_428_800), // L2 cache
    (39, MAX_MULTIPROCESSOR_THREADS),
    (40, 3),  // copy engines
    (41, 1),  // unified addressing
    (51, 32), // texture pitch alignment
    (75, 9),  // compute capability, major
    (76, 0),  // and minor
    (78, 1),  // stream priorities
    (79, 1),  // L1 cache for globals
    (80, 1),  // and for locals
    (81, MAX_MULTIPROCESSOR_SHARED_BYTES),
    (82, 65_536), // registers of a multiprocessor
    (87, 2),      // ratio of f32 to f64 throughput
    (95, 1),      // cooperative launch
    (97, MAX_BLOCK_SHARED_BYTES_OPT_IN),
    (99, 1), // host memory can be registered
    (106, MAX_MULTIPROCESSOR_BLOCKS),
    (111, RESERVED_BLOCK_SHARED_BYTES),
    (115, 1), // memory pools
];
const ATTRIBUTE_COUNT: i32 = 150;

pub(super) fn require(device: i32) -> Outcome {
    if device == 0 { Ok(()) } else { Err(Failure::INVALID_DEVICE) }
}

#[unsafe(no_mangle)]
extern "C" fn cuInit(_flags: u32) -> i32 {
    driver("cuInit", || {
        report::write_at_exit();
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDriverGetVersion(version: Out<i32>) -> i32 {
    driver("cuDriverGetVersion", || version.set(DRIVER_VERSION))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetCount(count: Out<i32>) -> i32 {
    driver("cuDeviceGetCount", || count.set(1))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGet(device: Out<i32>, ordinal: i32) -> i32 {
    driver("cuDeviceGet", || {
        require(ordinal)?;
        device.set(ordinal)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetName(name: Out<c_char>, length: i32, device: i32) -> i32 {
    driver("cuDeviceGetName", || {
        require(device)?;
        let room = usize::try_from(length).ok().and_then(|length| length.checked_sub(1));
        let room = room.ok_or(Failure::INVALID_VALUE)?;
        let text = NAME.iter().take(room).chain([&0]);
        text.enumerate().try_for_each(|(index, &byte)| name.set_at(index, byte as c_char))
    })
}

fn set_uuid(uuid: Out<[u8; 16]>, device: i32) -> Outcome {
    require(device)?;
    uuid.set(*b"cuda-emulator-00")
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetUuid(uuid: Out<[u8; 16]>, device: i32) -> i32 {
    driver("cuDeviceGetUuid", || set_uuid(uuid, device))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetUuid_v2(uuid: Out<[u8; 16]>, device: i32) -> i32 {
    driver("cuDeviceGetUuid_v2", || set_uuid(uuid, device))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: i32) -> i32 {
    driver("cuDeviceTotalMem_v2", || {
        require(device)?;
        bytes.set(settings().memory_bytes)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetAttribute(value: Out<i32>, attribute: i32, device: i32) -> i32 {
    driver("cuDeviceGetAttribute", || {
        require(device)?;
        if !(1..ATTRIBUTE_COUNT).contains(&attribute) {
            return Err(Failure::INVALID_VALUE);
        }
        let known = ATTRIBUTES.iter().find(|(known, _)| *known == attribute);
        value.set(known.map_or(0, |(_, value)| *value))
    })
}
