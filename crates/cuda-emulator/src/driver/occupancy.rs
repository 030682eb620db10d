//! How many blocks would run at once on a multiprocessor, by threads and shared memory alone.

use super::device::{
    MAX_BLOCK_THREADS, MAX_MULTIPROCESSOR_BLOCKS, MAX_MULTIPROCESSOR_SHARED_BYTES,
    MAX_MULTIPROCESSOR_THREADS, MULTIPROCESSORS, RESERVED_BLOCK_SHARED_BYTES, WARP_THREADS,
};
use super::in_context;
use super::module::{FUNCTIONS, Function};
use crate::boundary::Out;
use crate::failure::{Failure, Outcome};

pub(super) fn blocks_per_multiprocessor(
    function: &Function,
    threads: i32,
    dynamic_bytes: usize,
) -> Result<i32, Failure> {
    if !(1..=MAX_BLOCK_THREADS).contains(&threads) {
        return Err(Failure::INVALID_VALUE);
    }
    let shared_bytes =
        function.entry()?.static_shared_bytes() + dynamic_bytes + RESERVED_BLOCK_SHARED_BYTES as usize;
    let by_threads =
        MAX_MULTIPROCESSOR_THREADS / (threads as u32).next_multiple_of(WARP_THREADS as u32) as i32;
    let by_shared_memory = MAX_MULTIPROCESSOR_SHARED_BYTES as usize / shared_bytes;
    Ok(by_threads.min(MAX_MULTIPROCESSOR_BLOCKS).min(by_shared_memory as i32))
}

fn active_blocks(blocks: Out<i32>, function: usize, threads: i32, dynamic_bytes: usize) -> Outcome {
    blocks.set(blocks_per_multiprocessor(&*FUNCTIONS.find(function)?, threads, dynamic_bytes)?)
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    blocks: Out<i32>,
    function: usize,
    threads: i32,
    dynamic_bytes: usize,
) -> i32 {
    in_context("cuOccupancyMaxActiveBlocksPerMultiprocessor", || {
        active_blocks(blocks, function, threads, dynamic_bytes)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    blocks: Out<i32>,
    function: usize,
    threads: i32,
    dynamic_bytes: usize,
    _flags: u32,
) -> i32 {
    in_context("cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags", || {
        active_blocks(blocks, function, threads, dynamic_bytes)
    })
}

type SharedBytesOfThreads = Option<extern "C" fn(i32) -> usize>;

/// The block with the most threads at once on a multiprocessor, and of those the largest.
fn best_block(
    blocks: Out<i32>,
    threads: Out<i32>,
    function: usize,
    shared_bytes: SharedBytesOfThreads,
    dynamic_bytes: usize,
    limit: i32,
) -> Outcome {
    let function = FUNCTIONS.find(function)?;
    let largest = if limit > 0 { limit.min(MAX_BLOCK_THREADS) } else { MAX_BLOCK_THREADS };
    let mut best = (0, 0, 0);
    for size in (WARP_THREADS..=largest).step_by(WARP_THREADS as usize) {
        let bytes = shared_bytes.map_or(dynamic_bytes, |shared_bytes| shared_bytes(size));
        let at_once = blocks_per_multiprocessor(&function, size, bytes)?;
        best = best.max((at_once * size, size, at_once));
    }
    blocks.set(best.2 * MULTIPROCESSORS)?;
    threads.set(best.1)
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxPotentialBlockSize(
    blocks: Out<i32>,
    threads: Out<i32>,
    function: usize,
    shared_bytes: SharedBytesOfThreads,
    dynamic_bytes: usize,
    limit: i32,
) -> i32 {
    in_context("cuOccupancyMaxPotentialBlockSize", || {
        best_block(blocks, threads, function, shared_bytes, dynamic_bytes, limit)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxPotentialBlockSizeWithFlags(
    blocks: Out<i32>,
    threads: Out<i32>,
    function: usize,
    shared_bytes: SharedBytesOfThreads,
    dynamic_bytes: usize,
    limit: i32,
    _flags: u32,
) -> i32 {
    in_context("cuOccupancyMaxPotentialBlockSizeWithFlags", || {
        best_block(blocks, threads, function, shared_bytes, dynamic_bytes, limit)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyAvailableDynamicSMemPerBlock(
    bytes: Out<usize>,
    function: usize,
    blocks: i32,
    _threads: i32,
) -> i32 {
    in_context("cuOccupancyAvailableDynamicSMemPerBlock", || {
        if blocks < 1 {
            return Err(Failure::INVALID_VALUE);
        }
        let taken =
            FUNCTIONS.find(function)?.entry()?.static_shared_bytes() + RESERVED_BLOCK_SHARED_BYTES as usize;
        bytes.set((MAX_MULTIPROCESSOR_SHARED_BYTES as usize / blocks as usize).saturating_sub(taken))
    })
}
