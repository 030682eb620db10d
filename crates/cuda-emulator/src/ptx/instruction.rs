//! Decoded instructions. Numbers `d`, `a`, `b`, ... are indices of register slots.

use super::convert::Conversion;
use super::{Binary, Quaternary, Ternary, Unary};

/// Where an access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// an address that says itself where it points
    Generic,
    /// global and constant memory
    Global,
    Shared,
    Local,
    /// the parameters of the kernel
    Parameter,
}

/// `[register + offset]`
#[derive(Debug, Clone, Copy)]
pub(super) struct Address {
    pub(super) space: Space,
    pub(super) base: u32,
    pub(super) offset: i64,
}

/// How a loaded number fills its register.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension {
    /// bytes in memory
    pub(super) bytes: u8,
    pub(super) signed: bool,
    /// of the register
    pub(super) bits: u8,
}

#[derive(Debug)]
pub(super) enum Instruction {
    Move {
        d: u32,
        a: u32,
    },
    Unary {
        f: Unary,
        d: u32,
        a: u32,
    },
    Binary {
        f: Binary,
        d: u32,
        a: u32,
        b: u32,
    },
    Ternary {
        f: Ternary,
        d: u32,
        a: u32,
        b: u32,
        c: u32,
    },
    Quaternary {
        f: Quaternary,
        d: u32,
        inputs: [u32; 4],
    },
    Convert {
        conversion: Box<Conversion>,
        d: u32,
        a: u32,
    },
    /// a + b, or a - b, with the carry in or out
    Carry {
        d: u32,
        a: u32,
        b: u32,
        mode: CarryMode,
    },
    Load {
        d: u32,
        extension: Extension,
        address: Address,
    },
    Store {
        a: u32,
        bytes: u8,
        address: Address,
    },
    LoadVector(Box<LoadVector>),
    StoreVector(Box<StoreVector>),
    AsyncCopy(Box<AsyncCopy>),
    Atomic(Box<Atomic>),
    /// whether a generic address lies in a space
    IsSpace {
        d: u32,
        a: u32,
        space: Space,
    },
    Fence,
    Jump {
        target: u32,
    },
    JumpIf {
        p: u32,
        target: u32,
    },
    JumpUnless {
        p: u32,
        target: u32,
    },
    JumpTable {
        index: u32,
        targets: Box<[u32]>,
    },
    Call(Box<Call>),
    Return,
    Exit,
    Trap,
    Barrier {
        id: u32,
        threads: Option<u32>,
        arrival: Arrival,
    },
    Warp(Box<Collective>),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CarryMode {
    pub(super) subtract: bool,
    pub(super) carry_in: bool,
    pub(super) carry_out: bool,
    pub(super) bits: u32,
}

#[derive(Debug)]
pub(super) struct LoadVector {
    pub(super) destinations: Vec<u32>,
    pub(super) extension: Extension,
    pub(super) address: Address,
}

#[derive(Debug)]
pub(super) struct StoreVector {
    pub(super) sources: Vec<u32>,
    pub(super) bytes: u8,
    pub(super) address: Address,
}

/// `cp.async`, done at once: zeros fill what the source leaves over.
#[derive(Debug)]
pub(super) struct AsyncCopy {
    pub(super) to: Address,
    pub(super) from: Address,
    pub(super) bytes: u32,
    pub(super) source_bytes: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Atomic {
    /// takes the old value; `None` for `red`
    pub(super) d: Option<u32>,
    pub(super) address: Address,
    pub(super) bytes: u8,
    pub(super) change: Change,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// of the old value and the operand
    Apply { f: Binary, b: u32 },
    /// compare and swap
    Swap { expected: u32, new: u32 },
}

#[derive(Debug)]
pub(super) enum Target {
    Function(usize),
    /// an address in a register
    Register(u32),
    /// prints, which nobody reads here
    Print,
    AssertFail,
}

/// Where in the caller's frame the arguments and results lie.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) target: Target,
    pub(super) arguments: Vec<usize>,
    pub(super) results: Vec<usize>,
}

/// What a thread does at a barrier of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    Wait,
    /// `bar.arrive`: goes on at once
    Pass,
    /// waits, and learns about the predicate `p` of all threads
    Reduce {
        d: u32,
        p: u32,
        reduction: Reduction,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Count,
    All,
    Any,
}

/// An instruction that the lanes of a warp run together. Slots that the action has no use for are those of zero.
#[derive(Debug)]
pub(super) struct Collective {
    /// `None` for `activemask`, which takes whoever comes
    pub(super) members: Option<u32>,
    pub(super) action: Action,
    /// the result, and a predicate with it
    pub(super) d: Option<u32>,
    pub(super) p: Option<u32>,
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) c: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    Sync,
    ActiveMask,
    Shuffle(Shuffle),
    Ballot,
    All,
    Any,
    Uniform,
    MatchAny,
    MatchAll,
    Reduce(Binary),
    /// one lane, the lowest
    Elect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shuffle {
    Up,
    Down,
    Butterfly,
    Index,
}
