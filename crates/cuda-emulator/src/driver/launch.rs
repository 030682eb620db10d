//! Launches of kernels.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use super::device::{MAX_BLOCK, MAX_BLOCK_THREADS, MAX_GRID, MULTIPROCESSORS};
use super::in_context;
use super::module::{FUNCTIONS, Function};
use super::occupancy::blocks_per_multiprocessor;
use crate::boundary::{In, read_bytes};
use crate::failure::{Failure, Outcome};
use crate::memory;
use crate::ptx::{self, FaultKind};
use crate::stream;
use crate::task::{Task, Work};

/// Tells the interpreter which addresses a kernel may touch.
pub(super) fn supply_memory_check() {
    ptx::MEMORY_CHECK.get_or_init(|| memory::is_live);
}

/// The driver's code for what became of a kernel.
fn failure(error: &ptx::Error) -> Failure {
    match error {
        ptx::Error::Launch { .. } => Failure::INVALID_VALUE,
        ptx::Error::Fault { kind: FaultKind::IllegalAddress, .. } => Failure::ILLEGAL_ADDRESS,
        ptx::Error::Fault { kind: FaultKind::MisalignedAddress, .. } => Failure::MISALIGNED_ADDRESS,
        ptx::Error::Fault { kind: FaultKind::Assert, .. } => Failure::ASSERT,
        ptx::Error::Fault { .. } => Failure::LAUNCH_FAILED,
        _ => Failure::NOT_SUPPORTED,
    }
}

#[derive(Clone, Copy)]
struct Shape {
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared_bytes: usize,
}

impl Shape {
    fn block_threads(self) -> u64 {
        self.block.iter().map(|&side| u64::from(side)).product()
    }

    fn check(self, function: &Function) -> Outcome {
        let fits = |sides: [u32; 3], limits: [u32; 3]| {
            sides.iter().zip(limits).all(|(side, limit)| (1..=limit).contains(side))
        };
        let shared_limit = function.max_dynamic_shared_bytes.load(Ordering::Relaxed);
        if fits(self.grid, MAX_GRID)
            && fits(self.block, MAX_BLOCK)
            && self.block_threads() <= MAX_BLOCK_THREADS as u64
            && self.dynamic_shared_bytes as u64 <= shared_limit as u64
        {
            return Ok(());
        }
        eprintln!(
            "cuda-emulator: {}: no launch of {:?} blocks of {:?} threads with {} bytes of dynamic shared memory of {}",
            function.name, self.grid, self.block, self.dynamic_shared_bytes, shared_limit
        );
        Err(Failure::INVALID_VALUE)
    }
}

fn launch(function: usize, shape: Shape, stream: usize, parameters: In<u64>, extra: In<u64>) -> Outcome {
    let function = FUNCTIONS.find(function)?;
    shape.check(&function)?;
    let bytes = parameter_bytes(function.entry()?.parameters(), parameters, extra)?;
    let name = function.name.clone();
    let run = move || {
        let Shape { grid, block, dynamic_shared_bytes } = shape;
        function.entry()?.launch(grid, block, dynamic_shared_bytes, &bytes).map_err(|error| {
            eprintln!("cuda-emulator: kernel {}: {error}", function.name);
            failure(&error)
        })
    };
    stream::submit(stream, Task::new(Work::Kernel(name), run))
}

/// The parameters as the kernel sees them: one block of bytes.
fn parameter_bytes(
    parameters: &[ptx::Parameter],
    pointers: In<u64>,
    extra: In<u64>,
) -> Result<Vec<u8>, Failure> {
    let length = parameters.iter().map(|parameter| parameter.offset + parameter.size).max().unwrap_or(0);
    let mut bytes = vec![0; length];
    if !pointers.is_null() {
        for (index, parameter) in parameters.iter().enumerate() {
            let range = parameter.offset..parameter.offset + parameter.size;
            let pointer = pointers.at(index)?;
            if pointer == 0 {
                return Err(Failure::INVALID_VALUE);
            }
            read_bytes(pointer, &mut bytes[range]);
        }
    } else if !extra.is_null() {
        let (buffer, given) = packed(extra)?;
        if given < length {
            return Err(Failure::INVALID_VALUE);
        }
        read_bytes(buffer, &mut bytes);
    } else if length > 0 {
        return Err(Failure::INVALID_VALUE);
    }
    Ok(bytes)
}

/// Address and size of parameters that were packed into one buffer.
fn packed(extra: In<u64>) -> Result<(u64, usize), Failure> {
    const END: u64 = 0;
    const BUFFER: u64 = 1;
    const SIZE: u64 = 2;
    let (mut buffer, mut size) = (0, 0);
    for pair in (0..).step_by(2) {
        match extra.at(pair)? {
            END => break,
            BUFFER => buffer = extra.at(pair + 1)?,
            SIZE => {
                let mut bytes = [0; size_of::<usize>()];
                read_bytes(extra.at(pair + 1)?, &mut bytes);
                size = usize::from_ne_bytes(bytes);
            }
            _ => return Err(Failure::INVALID_VALUE),
        }
    }
    if buffer == 0 { Err(Failure::INVALID_VALUE) } else { Ok((buffer, size)) }
}

#[unsafe(no_mangle)]
extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: u32,
    grid_y: u32,
    grid_z: u32,
    block_x: u32,
    block_y: u32,
    block_z: u32,
    dynamic_shared_bytes: u32,
    stream: usize,
    parameters: In<u64>,
    extra: In<u64>,
) -> i32 {
    in_context("cuLaunchKernel", || {
        let shape = Shape {
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            dynamic_shared_bytes: dynamic_shared_bytes as usize,
        };
        launch(function, shape, stream, parameters, extra)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuLaunchCooperativeKernel(
    function: usize,
    grid_x: u32,
    grid_y: u32,
    grid_z: u32,
    block_x: u32,
    block_y: u32,
    block_z: u32,
    dynamic_shared_bytes: u32,
    stream: usize,
    parameters: In<u64>,
) -> i32 {
    in_context("cuLaunchCooperativeKernel", || {
        let shape = Shape {
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            dynamic_shared_bytes: dynamic_shared_bytes as usize,
        };
        let blocks: u64 = shape.grid.iter().map(|&side| u64::from(side)).product();
        let kernel = FUNCTIONS.find(function)?;
        let at_once =
            blocks_per_multiprocessor(&kernel, shape.block_threads() as i32, shape.dynamic_shared_bytes)?
                * MULTIPROCESSORS;
        if blocks > at_once as u64 {
            return Err(Failure::COOPERATIVE_LAUNCH_TOO_LARGE);
        }
        launch(function, shape, stream, parameters, In::null())
    })
}

/// The start of a `CUlaunchConfig`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LaunchConfig {
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared_bytes: u32,
    stream: usize,
    attributes: *const c_void,
    attribute_count: u32,
}

/// Attributes of a launch (clusters, priorities, programmatic order) are not looked at.
#[unsafe(no_mangle)]
extern "C" fn cuLaunchKernelEx(
    configuration: In<LaunchConfig>,
    function: usize,
    parameters: In<u64>,
    extra: In<u64>,
) -> i32 {
    in_context("cuLaunchKernelEx", || {
        let LaunchConfig { grid, block, dynamic_shared_bytes, stream, .. } = configuration.get()?;
        let shape = Shape { grid, block, dynamic_shared_bytes: dynamic_shared_bytes as usize };
        launch(function, shape, stream, parameters, extra)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuLaunchHostFunc(
    stream: usize,
    function: Option<extern "C" fn(usize)>,
    argument: usize,
) -> i32 {
    in_context("cuLaunchHostFunc", || {
        let function = function.ok_or(Failure::INVALID_VALUE)?;
        let run = move || {
            function(argument);
            Ok(())
        };
        stream::submit(stream, Task::new(Work::Host, run))
    })
}
