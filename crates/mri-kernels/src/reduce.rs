//! Sums that stay accurate and do not depend on the number of threads: f64 lanes inside fixed chunks, chunks in order.

use crate::parallel::{CHUNK, for_each_task};
use crate::vectorized::vectorized;
use std::sync::atomic::{AtomicU64, Ordering};

const LANES: usize = 16;

/// The sum in double precision.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f64 {
    sum_of(values, values, |v, _| v as f64)
}

/// The sum of `term(a, b)` over two slices of one length, on the calling thread. Call it under `pulp`'s dispatch.
#[inline(always)]
pub(crate) fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f64) -> f64 {
    let mut lanes = [0f64; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += term(a[i], b[i]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    lanes.iter().sum::<f64>() + rest
}

/// The mean of `term(a, b)` over two slices of one length, shared out among the threads.
pub(crate) fn mean_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f64 + Sync) -> f64 {
    let parts: Vec<AtomicU64> = (0..a.len().div_ceil(CHUNK)).map(|_| AtomicU64::new(0)).collect();
    for_each_task(parts.len(), |task| {
        let range = task * CHUNK..((task + 1) * CHUNK).min(a.len());
        let (a, b) = (&a[range.clone()], &b[range]);
        let part = vectorized(
            #[inline(always)]
            || sum_of(a, b, &term),
        );
        parts[task].store(part.to_bits(), Ordering::Relaxed);
    });
    parts.into_iter().map(|p| f64::from_bits(p.into_inner())).sum::<f64>() / a.len() as f64
}
