//! An interpreter for PTX, the assembly text that nvcc and NVRTC emit.
//!
//! [`Module::parse`] reads the structure of a module and allocates its variables; a kernel is decoded when it is first
//! asked about, so an instruction that the interpreter does not know fails the kernels that use it and no others.
//! [`Entry::launch`] runs a grid: every thread by itself until it waits for others (a barrier, a shuffle) or exits.
//!
//! A register is a slot of 64 bits. Instructions on registers are functions from slots to a slot, chosen once by name,
//! modifiers and type. Constants and special registers are slots too, so operands are always indices.

mod bits;
mod block;
mod call;
mod compare;
mod compute;
mod control;
mod convert;
mod decode;
mod entry;
mod error;
mod float;
mod format;
mod function;
mod instruction;
mod integer;
mod kind;
mod launch;
mod lexer;

mod memory;
mod module;
mod operands;
mod parse;
mod predicates;
mod slot;
mod storage;
mod thread;
mod transfer;
mod warp;

pub use entry::{Entry, Parameter};
pub use error::{Error, FaultKind};
pub use memory::{MEMORY_CHECK, MemoryCheck};
pub use module::Module;

type Unary = fn(u64) -> u64;
type Binary = fn(u64, u64) -> u64;
type Ternary = fn(u64, u64, u64) -> u64;
type Quaternary = fn(u64, u64, u64, u64) -> u64;
