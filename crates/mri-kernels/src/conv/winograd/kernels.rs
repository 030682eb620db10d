//! Kernels to the 36 places and back.

use super::points::{collect, evaluate, scaled};
use super::stride;
use crate::conv::geometry::Geometry;
use crate::conv::lanes::{LANES, Tile, load, store, transform};
use crate::matmul::Destination;
use crate::parallel::{Shared, for_each_task};
use crate::vectorized::vectorized;

/// Which way a kernel is laid over the image.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Turn {
    Straight,
    /// By 180 degrees.
    Turned,
}

/// G W Gᵀ of every pair of channels: `weight` (co, ci, r, r) -> (36, co, ci).
pub(super) fn transform_kernel<const R: usize>(g: &Geometry, weight: &[f32], turn: Turn, out: &mut [f32]) {
    let out = Shared::new(out);
    for_each_task(g.co, |o| {
        let kernels = &weight[o * g.ci * g.taps()..][..g.ci * g.taps()];
        vectorized(
            #[inline(always)]
            || {
                for first in (0..g.ci).step_by(LANES) {
                    let count = LANES.min(g.ci - first);
                    let mut taps: Tile<R> = [[[0.; LANES]; R]; R];
                    for (tap, lanes) in taps.as_flattened_mut().iter_mut().enumerate() {
                        let tap = if turn == Turn::Turned { R * R - 1 - tap } else { tap };
                        for (lane, kernel) in
                            lanes.iter_mut().zip(kernels[first * R * R..].chunks_exact(R * R))
                        {
                            *lane = kernel[tap];
                        }
                    }
                    let u = transform(&taps, |w| scaled(evaluate(w)));
                    // SAFETY: each task has its own output channel.
                    unsafe { store(&u, &out, stride(g.co * g.ci), o * g.ci + first, count) };
                }
            },
        );
    });
}

/// Gᵀ P G of every pair of channels: `products` (36, co, ci) -> `dw` (co, ci, r, r).
pub(super) fn gradient_from_products<const R: usize>(
    g: &Geometry,
    products: &[f32],
    destination: Destination,
    dw: &mut [f32],
) {
    let dw = Shared::new(dw);
    for_each_task(g.co, |o| {
        // SAFETY: each task has its own output channel.
        let dw = unsafe { dw.slice(o * g.ci * g.taps(), g.ci * g.taps()) };
        vectorized(
            #[inline(always)]
            || {
                for first in (0..g.ci).step_by(LANES) {
                    let count = LANES.min(g.ci - first);
                    let p = load(products, stride(g.co * g.ci), o * g.ci + first, count);
                    let taps: Tile<R> = transform(&p, |p| collect(scaled(p)));
                    for (tap, lanes) in taps.as_flattened().iter().enumerate() {
                        for (kernel, &v) in dw[first * R * R..].chunks_exact_mut(R * R).zip(lanes) {
                            kernel[tap] = match destination {
                                Destination::Replace => v,
                                Destination::Add => kernel[tap] + v,
                            };
                        }
                    }
                }
            },
        );
    });
}
