//! The input gradient of maps of a few pixels (the deep end of a U-Net), bound by reading the weights once: the weight
//! matrix is streamed row by row, in place, and added to columns that stay in the cache.
//!
//! Here the columns are transposed: row (n, oy, ox), element (c, ky, kx), so that they lie as the weights do.

use super::geometry::{Geometry, piece};
use crate::parallel::{Shared, for_each_task, with_scratch};
use crate::vectorized::vectorized;

/// Output pixels of the batch up to which the weights are what costs.
const PIXELS: usize = 8;
/// Weight elements of a row that a task handles at a time.
const SPAN: usize = 2048;

/// Whether there are few enough pixels, and rows of weights worth streaming.
pub(crate) fn applies(g: &Geometry) -> bool {
    g.n * g.pixels() <= PIXELS && g.ci * g.taps() >= 1024
}

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w), plus `bias` (ci).
pub(crate) fn input_grad(g: &Geometry, dy: &[f32], weight: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    let (depth, width) = (g.ci * g.taps(), g.n * g.pixels());
    let block = (SPAN / g.taps()).clamp(1, g.ci);
    let dx = Shared::new(dx);
    for_each_task(g.ci.div_ceil(block), |task| {
        let channels = piece(g.ci, block, task);
        let (start, span) = (channels.start * g.taps(), channels.len() * g.taps());
        with_scratch(width * span, |columns| {
            columns.fill(0.);
            vectorized(
                #[inline(always)]
                || {
                    for first in (0..g.co).step_by(4) {
                        // A missing row counts nothing: any row stands in for it, times 0.
                        let row = |i: usize| &weight[(first + i).min(g.co - 1) * depth + start..][..span];
                        let rows = std::array::from_fn(row);
                        for (position, line) in columns.chunks_exact_mut(span).enumerate() {
                            let (n, pixel) = (position / g.pixels(), position % g.pixels());
                            let factors = std::array::from_fn(|i| match first + i {
                                o if o < g.co => dy[(n * g.co + o) * g.pixels() + pixel],
                                _ => 0.,
                            });
                            add_rows(line, rows, factors);
                        }
                    }
                },
            );
            for n in 0..g.n {
                let lines = &columns[n * g.pixels() * span..][..g.pixels() * span];
                for c in channels.clone() {
                    // SAFETY: each task has its own channels.
                    let plane = unsafe { dx.slice((n * g.ci + c) * g.area(), g.area()) };
                    plane.fill(bias.map_or(0., |b| b[c]));
                    let at = (c - channels.start) * g.taps();
                    for_each_tap(g, |pixel, tap, position| plane[position] += lines[pixel * span + at + tap]);
                }
            }
        });
    });
}

/// `line += Σ factors[i] · rows[i]`
#[inline(always)]
fn add_rows(line: &mut [f32], [a, b, c, d]: [&[f32]; 4], [fa, fb, fc, fd]: [f32; 4]) {
    for ((((v, a), b), c), d) in line.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *v = d.mul_add(fd, c.mul_add(fc, b.mul_add(fb, a.mul_add(fa, *v))));
    }
}

/// Calls `f(output pixel, tap, input pixel)` wherever a tap falls inside the input.
#[inline(always)]
fn for_each_tap(g: &Geometry, mut f: impl FnMut(usize, usize, usize)) {
    for oy in 0..g.oh {
        for ky in 0..g.kh {
            let Some(iy) = g.input_row(oy, ky) else { continue };
            for kx in 0..g.kw {
                for ox in g.columns_inside(kx) {
                    f(oy * g.ow + ox, ky * g.kw + kx, iy * g.w + ox * g.stride + kx - g.pad);
                }
            }
        }
    }
}
