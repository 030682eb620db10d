//! A whole grid: checks the launch and spreads the blocks over the machine's cores.

use super::block::Worker;
use super::entry::Entry;
use super::error::Error;
use super::module::Program;
use super::storage::aligned;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared memory of a block, static and dynamic together, on compute capability 9.0.
const MOST_SHARED_BYTES: usize = 227 * 1024;
/// A grid of fewer threads runs on one core: starting another takes longer.
const FEW_THREADS: u64 = 512;
const DYNAMIC_SHARED_ALIGN: usize = 16;

/// What all threads of a grid have in common.
pub(super) struct Launch<'l> {
    pub(super) program: &'l Program,
    pub(super) kernel: &'l str,
    /// its number in the program
    pub(super) function: usize,
    pub(super) grid: [u32; 3],
    pub(super) block: [u32; 3],
    pub(super) parameters: &'l [u8],
    pub(super) shared_bytes: usize,
    /// where the dynamic shared memory begins
    pub(super) dynamic_shared: usize,
}

impl Entry {
    /// Runs the whole grid and returns when it is done.
    pub fn launch(
        &self,
        grid: [u32; 3],
        block: [u32; 3],
        dynamic_shared_bytes: usize,
        parameters: &[u8],
    ) -> Result<(), Error> {
        let failed = |message: String| Error::Launch { kernel: self.name().to_owned(), message };
        let threads = block.iter().map(|&n| u64::from(n)).product::<u64>();
        if grid.contains(&0) || grid[1] > 65535 || grid[2] > 65535 || grid[0] > i32::MAX as u32 {
            return Err(failed(format!("no device takes a grid of {grid:?}")));
        }
        if threads == 0 || threads > 1024 || block[2] > 64 {
            return Err(failed(format!("no device takes a block of {block:?}")));
        }
        if threads > u64::from(self.max_threads()) {
            return Err(failed(format!("{threads} threads in a block of at most {}", self.max_threads())));
        }
        if self.signature().required_block.is_some_and(|required| required != block) {
            return Err(failed(format!(
                "the kernel requires a block of {:?}",
                self.signature().required_block
            )));
        }
        if parameters.len() != self.parameter_bytes() {
            return Err(failed(format!(
                "{} bytes of parameters instead of {}",
                parameters.len(),
                self.parameter_bytes()
            )));
        }
        let function = self.program.function(self.index).map_err(Clone::clone)?;
        let dynamic_shared = aligned(function.shared_bytes, DYNAMIC_SHARED_ALIGN);
        let shared_bytes = dynamic_shared + dynamic_shared_bytes;
        if shared_bytes > MOST_SHARED_BYTES {
            return Err(failed(format!("{shared_bytes} bytes of shared memory of {MOST_SHARED_BYTES}")));
        }
        let launch = Launch {
            program: &self.program,
            kernel: self.name(),
            function: self.index,
            grid,
            block,
            parameters,
            shared_bytes,
            dynamic_shared,
        };
        let blocks = grid.iter().map(|&n| u64::from(n)).product::<u64>();
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let workers = if blocks * threads <= FEW_THREADS { 1 } else { cores.min(blocks) };
        let next = AtomicU64::new(0);
        let failure: Mutex<Option<(u64, Error)>> = Mutex::new(None);
        let work = || {
            let mut worker = Worker::new(&launch, function);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= blocks {
                    return;
                }
                if let Err(error) = worker.run(number) {
                    // nobody takes another block; of two failures the first block's counts
                    next.store(blocks, Ordering::Relaxed);
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if failure.as_ref().is_none_or(|&(earlier, _)| number < earlier) {
                        *failure = Some((number, error));
                    }
                    return;
                }
            }
        };
        if workers == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(work);
                }
            });
        }
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}
