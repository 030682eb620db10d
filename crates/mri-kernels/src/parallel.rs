//! Work sharing: a fixed list of tasks run by Candle's thread pool, and scratch memory that each thread keeps.
//!
//! What a task computes depends on its number only, never on the thread that runs it or on how many there are;
//! tasks never start tasks. Both together make every result the same, bit for bit, for any number of threads.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::vectorized::vectorized;

/// Elements of an elementwise task: 64 KiB.
pub(crate) const CHUNK: usize = 16 * 1024;

/// Runs `task(0)..task(count)`, each once, on Candle's thread pool (as many as
/// `RAYON_NUM_THREADS` says, by default one a core).
pub(crate) fn for_each_task(count: usize, task: impl Fn(usize) + Sync + Send) {
    if count == 1 {
        task(0);
    } else {
        candle_core::utils::barrier_pool().execute_chunked(count, |tasks| tasks.for_each(&task));
    }
}

/// `len` zeros. Fresh memory costs most when it is first touched, which is shared out here.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut zeros = Vec::with_capacity(len);
    let fresh: &mut [MaybeUninit<f32>] = &mut zeros.spare_capacity_mut()[..len];
    let start = Shared { start: fresh.as_mut_ptr().cast::<f32>(), len, borrowed: PhantomData };
    for_each_task(len.div_ceil(ZEROED), |task| {
        let first = task * ZEROED;
        let count = ZEROED.min(len - first);
        // SAFETY: tasks write places of their own, within the capacity; all bits zero is 0.0.
        unsafe { start.pointer(first, first + count - 1).write_bytes(0, count) };
    });
    // SAFETY: the tasks have written all of it.
    unsafe { zeros.set_len(len) };
    zeros
}

/// Elements that one task sets to zero: 512 KiB.
const ZEROED: usize = 128 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Lends `len` floats of unspecified content that the thread keeps for the next call.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken out of the cell, so a nested call works too: it gets (and then leaves behind) memory of its own.
    let mut memory = SCRATCH.take();
    if memory.len() < len {
        memory.resize(len, 0.);
    }
    let result = f(&mut memory[..len]);
    SCRATCH.set(memory);
    result
}

/// An output that several tasks write at once, each in places of its own.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: only `slice` and `pointer` give access, and their callers promise disjoint places.
unsafe impl Send for Shared<'_> {}
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(data: &'a mut [f32]) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len(), borrowed: PhantomData }
    }

    /// The elements `offset..offset + len`.
    ///
    /// # Safety
    /// No two live slices may overlap.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn slice(&self, offset: usize, len: usize) -> &mut [f32] {
        assert!(offset + len <= self.len);
        // SAFETY: inside the borrowed slice; the caller keeps places disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), len) }
    }

    /// The address of element `offset`, for a matrix with rows apart; `last` is the furthest element written.
    pub(crate) fn pointer(&self, offset: usize, last: usize) -> *mut f32 {
        assert!(offset <= last && last < self.len);
        // SAFETY: inside the borrowed slice.
        unsafe { self.start.add(offset) }
    }
}

/// Fills `out` in chunks: `fill(start, chunk)` writes the elements from index `start`, with the best vector
/// instructions of the machine.
pub(crate) fn for_each_chunk(out: &mut [f32], fill: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let len = out.len();
    let out = Shared::new(out);
    for_each_task(len.div_ceil(CHUNK), |task| {
        let start = task * CHUNK;
        // SAFETY: chunks do not overlap.
        let chunk = unsafe { out.slice(start, CHUNK.min(len - start)) };
        vectorized(
            #[inline(always)]
            || fill(start, chunk),
        );
    });
}
