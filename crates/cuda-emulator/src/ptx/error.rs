//! What can go wrong, from the text to the last thread.

use std::fmt;

/// What a thread did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// outside every allocation, or outside shared, local or parameter memory
    IllegalAddress,
    /// an address that is no multiple of the access's size
    MisalignedAddress,
    /// `assert` in the kernel failed
    Assert,
    /// `trap`
    Trap,
    /// threads wait for others that will never come
    Deadlock,
    /// something that the interpreter cannot do
    Unsupported,
}

/// Why a module could not be read or a kernel not be run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// the text is no PTX
    Parse {
        /// counted from 1
        line: usize,
        /// what was found or missed
        message: String,
    },
    /// an instruction or operand that the interpreter does not know
    Unsupported {
        /// the kernel or function
        function: String,
        /// counted from 1
        line: usize,
        /// its text
        instruction: String,
        /// what about it
        message: String,
    },
    /// a launch that no device would accept
    Launch {
        /// the kernel
        kernel: String,
        /// what is wrong with it
        message: String,
    },
    /// a thread failed
    Fault {
        /// its kind
        kind: FaultKind,
        /// the kernel
        kernel: String,
        /// counted from 1
        line: usize,
        /// its text
        instruction: String,
        /// the block's index in the grid
        block: [u32; 3],
        /// the thread's index in the block
        thread: [u32; 3],
        /// addresses and values
        message: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Parse { line, message } => write!(f, "PTX line {line}: {message}"),
            Error::Unsupported { function, line, instruction, message } => {
                write!(f, "PTX line {line} in {function}: {message}: `{instruction}`")
            }
            Error::Launch { kernel, message } => write!(f, "launch of {kernel}: {message}"),
            Error::Fault { kind: _, kernel, line, instruction, block, thread, message } => write!(
                f,
                "{kernel}, block ({}, {}, {}), thread ({}, {}, {}), PTX line {line}: {message}: `{instruction}`",
                block[0], block[1], block[2], thread[0], thread[1], thread[2]
            ),
        }
    }
}

impl std::error::Error for Error {}

/// A fault before it is known where.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, message: impl Into<String>) -> Box<Fault> {
        Box::new(Fault { kind, message: message.into() })
    }
}
