//! The structure of a module: its variables, and where its functions stand in the text.

use super::decode;
use super::entry::Entry;
use super::error::Error;
use super::function::{Function, Signature};
use super::parse::Reader;
use super::storage::Storage;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Addresses of functions: no pointer has this bit.
pub(super) const FUNCTION_ADDRESS: u64 = 1 << 60;

/// What a name of module scope stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// in global or constant memory: address and size
    Global(u64, usize),
    /// an offset in shared memory
    Shared(u64),
    /// `extern .shared`: behind the static shared memory of the kernel
    DynamicShared,
}

/// A module after its structure is known.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) text: String,
    pub(super) functions: Vec<Signature>,
    pub(super) code: Vec<OnceLock<Result<Function, Error>>>,
    pub(super) function_by_name: HashMap<String, usize>,
    pub(super) places: HashMap<String, Place>,
    pub(super) storage: Storage,
    /// static shared memory of module scope
    pub(super) shared_bytes: usize,
}

impl Program {
    /// Decodes the function at first use.
    pub(super) fn function(&self, index: usize) -> Result<&Function, &Error> {
        self.code[index].get_or_init(|| decode::function(self, index)).as_ref()
    }

    /// the text of a line, counted from 1
    pub(super) fn line(&self, line: usize) -> String {
        self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim().to_owned()
    }
}

/// PTX that kernels can be launched from.
#[derive(Debug)]
pub struct Module {
    program: Arc<Program>,
    entries: HashMap<String, Entry>,
}

impl Module {
    /// Reads PTX text and allocates its variables. Kernels are decoded when they are first used.
    pub fn parse(text: &str) -> Result<Module, Error> {
        let mut reader = Reader::default();
        // cuModuleLoadData may hand over the terminating zero
        reader.read(text.trim_end_matches('\0'))?;
        let program = Arc::new(reader.into_program(text)?);
        let entries = program.functions.iter().enumerate().filter(|(_, f)| f.is_entry && f.body.is_some());
        let entries =
            entries.map(|(index, f)| (f.name.clone(), Entry::new(Arc::clone(&program), index))).collect();
        Ok(Module { program, entries })
    }

    /// The kernel of this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All kernels, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Address and size of a variable in `.global` or `.const` memory.
    pub fn global(&self, name: &str) -> Option<(u64, usize)> {
        match self.program.places.get(name) {
            Some(&Place::Global(address, size)) => Some((address, size)),
            _ => None,
        }
    }
}
