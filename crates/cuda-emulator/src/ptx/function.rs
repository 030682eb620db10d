//! Functions: what callers must know of one, and its decoded instructions.

use super::entry::Parameter;
use super::instruction::Instruction;
use std::ops::Range;

/// What stands before the body. The results and parameters of a `.func` open its frame in local memory.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) is_entry: bool,
    /// of the results, then of the parameters
    pub(super) parameter_names: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) result: Vec<Parameter>,
    pub(super) parameter_bytes: usize,
    /// `.maxntid`
    pub(super) max_threads: Option<u32>,
    /// `.reqntid`
    pub(super) required_block: Option<[u32; 3]>,
    /// Where the shared variables of a `.func` begin.
    pub(super) shared_from: usize,
    /// Bytes and first line of the text between the braces; `None` for what is only declared.
    pub(super) body: Option<(Range<usize>, usize)>,
}

/// A decoded function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) code: Vec<Instruction>,
    /// of each instruction, counted from 1
    pub(super) lines: Vec<u32>,
    /// The registers of a new frame: constants in place, the rest zero.
    pub(super) registers: Vec<u64>,
    /// of its frame in local memory
    pub(super) local_bytes: usize,
    /// the end of its static shared variables, module scope included
    pub(super) shared_bytes: usize,
}

/// Slots that every frame has.
pub(super) mod special {
    /// where the frame begins in local memory
    pub(in super::super) const FRAME: u32 = 0;
    pub(in super::super) const ZERO: u32 = 1;
    /// the carry flag
    pub(in super::super) const CARRY: u32 = 2;
    pub(in super::super) const FIRST_TEMPORARY: u32 = 3;
    pub(in super::super) const SECOND_TEMPORARY: u32 = 4;
    /// Those from here are the same in all frames of a thread.
    pub(in super::super) const DYNAMIC_SHARED: u32 = 5;
    pub(in super::super) const THREAD: u32 = 6;
    pub(in super::super) const BLOCK_SIZE: u32 = 9;
    pub(in super::super) const BLOCK: u32 = 12;
    pub(in super::super) const GRID_SIZE: u32 = 15;
    pub(in super::super) const LANE: u32 = 18;
    pub(in super::super) const WARP: u32 = 19;
    pub(in super::super) const WARPS: u32 = 20;
    /// equal, less or equal, less, greater or equal, greater
    pub(in super::super) const LANE_MASKS: u32 = 21;
    pub(in super::super) const DYNAMIC_SHARED_BYTES: u32 = 26;
    pub(in super::super) const SHARED_BYTES: u32 = 27;
    pub(in super::super) const COUNT: u32 = 28;

    /// The slot of a special register that differs between threads, blocks or launches.
    pub(in super::super) fn slot(name: &str) -> Option<u32> {
        let axis =
            |first: u32, axis: &str| Some(first + ["x", "y", "z"].iter().position(|&a| a == axis)? as u32);
        if let Some((register, suffix)) = name.split_once('.') {
            return match register {
                "%tid" => axis(THREAD, suffix),
                "%ntid" => axis(BLOCK_SIZE, suffix),
                "%ctaid" => axis(BLOCK, suffix),
                "%nctaid" => axis(GRID_SIZE, suffix),
                _ => None,
            };
        }
        Some(match name {
            "%laneid" => LANE,
            "%warpid" => WARP,
            "%nwarpid" => WARPS,
            "%lanemask_eq" => LANE_MASKS,
            "%lanemask_le" => LANE_MASKS + 1,
            "%lanemask_lt" => LANE_MASKS + 2,
            "%lanemask_ge" => LANE_MASKS + 3,
            "%lanemask_gt" => LANE_MASKS + 4,
            "%dynamic_smem_size" => DYNAMIC_SHARED_BYTES,
            "%total_smem_size" => SHARED_BYTES,
            _ => return None,
        })
    }

    /// Special registers that are the same everywhere: one multiprocessor whose clock stands still.
    pub(in super::super) fn constant(name: &str) -> Option<u64> {
        Some(match name {
            "WARP_SZ" => 32,
            "%nsmid" | "%cluster_nctarank" => 1,
            "%smid" | "%gridid" | "%clock" | "%clock_hi" | "%clock64" | "%globaltimer"
            | "%globaltimer_lo" | "%globaltimer_hi" | "%cluster_ctarank" => 0,
            _ => return None,
        })
    }
}
