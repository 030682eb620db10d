//! Kernels.

use super::error::Error;
use super::function::Signature;
use super::module::Program;
use std::sync::Arc;

/// Where a kernel parameter lies among the bytes of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// of its first byte
    pub offset: usize,
    /// in bytes
    pub size: usize,
}

/// A kernel of a module.
#[derive(Debug)]
pub struct Entry {
    pub(super) program: Arc<Program>,
    pub(super) index: usize,
}

impl Entry {
    pub(super) fn new(program: Arc<Program>, index: usize) -> Entry {
        Entry { program, index }
    }

    pub(super) fn signature(&self) -> &Signature {
        &self.program.functions[self.index]
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        &self.signature().name
    }

    /// Size and place of each parameter, in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.signature().parameters
    }

    /// Bytes that all parameters take together.
    pub fn parameter_bytes(&self) -> usize {
        self.signature().parameter_bytes
    }

    /// Bytes of shared memory without what a launch adds; zero for a kernel that cannot be decoded.
    pub fn static_shared_bytes(&self) -> usize {
        self.program.function(self.index).map_or(0, |function| function.shared_bytes)
    }

    /// The largest number of threads in a block.
    pub fn max_threads(&self) -> u32 {
        let required = self.signature().required_block.map(|block| block.iter().product());
        required.or(self.signature().max_threads).unwrap_or(1024).min(1024)
    }

    /// Decodes the kernel: an error says what in it the interpreter does not know.
    pub fn check(&self) -> Result<(), Error> {
        self.program.function(self.index).map(|_| ()).map_err(Clone::clone)
    }
}
