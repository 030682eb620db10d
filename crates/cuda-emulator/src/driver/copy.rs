//! Copies and fills.

use std::ffi::c_void;

use super::in_context;
use crate::boundary::{In, copy_bytes, fill};
use crate::failure::{Failure, Outcome};
use crate::memory::{self, Kind};
use crate::report;
use crate::stream;
use crate::task::{Direction, Task, Work};

/// Work on the legacy stream that the caller waits for.
const BLOCKING: Option<usize> = None;

/// Rows of bytes, `pitch` bytes from one to the next, on the host or the device.
#[derive(Clone, Copy)]
struct Rows {
    address: u64,
    pitch: u64,
}

impl Rows {
    fn single(address: u64) -> Self {
        Self { address, pitch: 0 }
    }

    fn row(self, index: usize) -> u64 {
        self.address + index as u64 * self.pitch
    }
}

fn submit(stream: Option<usize>, task: Task) -> Outcome {
    match stream {
        Some(stream) => stream::submit(stream, task),
        None => {
            stream::prohibit()?;
            stream::submit(0, task)
        }
    }
}

fn check(address: u64, bytes: usize, what: &'static str) -> Outcome {
    memory::require(address, bytes, what).map_err(|_| Failure::INVALID_VALUE)
}

fn copy_rows(
    stream: Option<usize>,
    direction: Direction,
    to: Rows,
    from: Rows,
    width: usize,
    height: usize,
) -> Outcome {
    if direction == Direction::DeviceToHost && memory::kind_of(to.address) != Some(Kind::Pinned) {
        // A GPU makes the host wait until pageable memory is written, and a graph cannot.
        stream.map_or(Ok(()), stream::refuse_capture)?;
        report::blocked();
    } else if stream.is_none() {
        report::blocked();
    }
    let (writes_device, reads_device) = match direction {
        Direction::HostToDevice => (true, false),
        Direction::DeviceToHost => (false, true),
        Direction::DeviceToDevice => (true, true),
        Direction::HostToHost => (false, false),
    };
    let run = move || {
        for index in 0..height {
            let (to, from) = (to.row(index), from.row(index));
            if writes_device {
                check(to, width, "destination of a copy")?;
            }
            if reads_device {
                check(from, width, "source of a copy")?;
            }
            copy_bytes(to, from, width);
        }
        Ok(())
    };
    submit(stream, Task::new(Work::Copy(direction, width * height), run))
}

fn copy(stream: Option<usize>, direction: Direction, to: u64, from: u64, bytes: usize) -> Outcome {
    if bytes == 0 {
        return Ok(());
    }
    copy_rows(stream, direction, Rows::single(to), Rows::single(from), bytes, 1)
}

/// A copy whose addresses say themselves what they are.
fn copy_unified(stream: Option<usize>, to: u64, from: u64, bytes: usize) -> Outcome {
    let is_host = |address| memory::kind_of(address).is_none_or(|kind| kind == Kind::Pinned);
    let direction = match (is_host(to), is_host(from)) {
        (false, true) => Direction::HostToDevice,
        (true, false) => Direction::DeviceToHost,
        (false, false) => Direction::DeviceToDevice,
        (true, true) => Direction::HostToHost,
    };
    copy(stream, direction, to, from, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyHtoD_v2(to: u64, from: In<c_void>, bytes: usize) -> i32 {
    in_context("cuMemcpyHtoD_v2", || copy(BLOCKING, Direction::HostToDevice, to, from.address(), bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: In<c_void>, bytes: usize, stream: usize) -> i32 {
    in_context("cuMemcpyHtoDAsync_v2", || {
        copy(Some(stream), Direction::HostToDevice, to, from.address(), bytes)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoH_v2(to: In<c_void>, from: u64, bytes: usize) -> i32 {
    in_context("cuMemcpyDtoH_v2", || copy(BLOCKING, Direction::DeviceToHost, to.address(), from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoHAsync_v2(to: In<c_void>, from: u64, bytes: usize, stream: usize) -> i32 {
    in_context("cuMemcpyDtoHAsync_v2", || {
        copy(Some(stream), Direction::DeviceToHost, to.address(), from, bytes)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) -> i32 {
    in_context("cuMemcpyDtoD_v2", || copy(BLOCKING, Direction::DeviceToDevice, to, from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) -> i32 {
    in_context("cuMemcpyDtoDAsync_v2", || copy(Some(stream), Direction::DeviceToDevice, to, from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyPeerAsync(
    to: u64,
    _to_context: usize,
    from: u64,
    _from_context: usize,
    bytes: usize,
    stream: usize,
) -> i32 {
    in_context("cuMemcpyPeerAsync", || copy(Some(stream), Direction::DeviceToDevice, to, from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpy(to: u64, from: u64, bytes: usize) -> i32 {
    in_context("cuMemcpy", || copy_unified(BLOCKING, to, from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyAsync(to: u64, from: u64, bytes: usize, stream: usize) -> i32 {
    in_context("cuMemcpyAsync", || copy_unified(Some(stream), to, from, bytes))
}

/// One side of a `CUDA_MEMCPY2D`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Plane {
    x_bytes: usize,
    y: usize,
    memory_type: u32,
    host: u64,
    device: u64,
    array: usize,
    pitch: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Copy2d {
    from: Plane,
    to: Plane,
    width: usize,
    height: usize,
}

impl Plane {
    /// The rows, and whether they are the host's.
    fn rows(self) -> Result<(Rows, bool), Failure> {
        const HOST: u32 = 1;
        const DEVICE: u32 = 2;
        const UNIFIED: u32 = 4;
        let (start, is_host) = match self.memory_type {
            HOST => (self.host, true),
            DEVICE => (self.device, false),
            UNIFIED => (self.device, memory::kind_of(self.device).is_none()),
            _ => return Err(Failure::NOT_SUPPORTED),
        };
        let address = start + (self.y * self.pitch + self.x_bytes) as u64;
        Ok((Rows { address, pitch: self.pitch as u64 }, is_host))
    }
}

fn copy_2d(stream: Option<usize>, copy: In<Copy2d>) -> Outcome {
    let copy = copy.get()?;
    let ((to, to_host), (from, from_host)) = (copy.to.rows()?, copy.from.rows()?);
    if copy.height > 1 && (copy.width > copy.to.pitch || copy.width > copy.from.pitch) {
        return Err(Failure::INVALID_VALUE);
    }
    let direction = match (to_host, from_host) {
        (false, true) => Direction::HostToDevice,
        (true, false) => Direction::DeviceToHost,
        (false, false) => Direction::DeviceToDevice,
        (true, true) => Direction::HostToHost,
    };
    copy_rows(stream, direction, to, from, copy.width, copy.height)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpy2D_v2(copy: In<Copy2d>) -> i32 {
    in_context("cuMemcpy2D_v2", || copy_2d(BLOCKING, copy))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpy2DUnaligned_v2(copy: In<Copy2d>) -> i32 {
    in_context("cuMemcpy2DUnaligned_v2", || copy_2d(BLOCKING, copy))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpy2DAsync_v2(copy: In<Copy2d>, stream: usize) -> i32 {
    in_context("cuMemcpy2DAsync_v2", || copy_2d(Some(stream), copy))
}

fn set<const BYTES: usize>(stream: Option<usize>, to: u64, value: [u8; BYTES], count: usize) -> Outcome {
    if count == 0 {
        return Ok(());
    }
    let bytes = count.checked_mul(BYTES).ok_or(Failure::INVALID_VALUE)?;
    if !to.is_multiple_of(BYTES as u64) {
        return Err(Failure::INVALID_VALUE);
    }
    let run = move || {
        check(to, bytes, "destination of a fill")?;
        fill(to, bytes, &value);
        Ok(())
    };
    submit(stream, Task::new(Work::Fill(bytes), run))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8_v2(to: u64, value: u8, count: usize) -> i32 {
    in_context("cuMemsetD8_v2", || set(BLOCKING, to, [value], count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: usize) -> i32 {
    in_context("cuMemsetD8Async", || set(Some(stream), to, [value], count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD16_v2(to: u64, value: u16, count: usize) -> i32 {
    in_context("cuMemsetD16_v2", || set(BLOCKING, to, value.to_ne_bytes(), count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD16Async(to: u64, value: u16, count: usize, stream: usize) -> i32 {
    in_context("cuMemsetD16Async", || set(Some(stream), to, value.to_ne_bytes(), count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD32_v2(to: u64, value: u32, count: usize) -> i32 {
    in_context("cuMemsetD32_v2", || set(BLOCKING, to, value.to_ne_bytes(), count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: usize) -> i32 {
    in_context("cuMemsetD32Async", || set(Some(stream), to, value.to_ne_bytes(), count))
}
