//! Maps of a few pixels (the deep end of a U-Net), where reading or writing the weights is what costs: they are streamed
//! once, in place, row by row.
//!
//! The column matrix C is transposed here: one row an output pixel (n, oy, ox), one column a tap (c, ky, kx), so that its
//! rows lie as those of the weights do.
//!
//! ```text
//! Y[o, p]  = Σₖ W[o, k] C[p, k]        dC[p, k] = Σₒ dY[o, p] W[o, k]        dW[o, k] = Σₚ dY[o, p] C[p, k]
//! ```

use super::geometry::{Geometry, piece};
use super::rows::{add_rows, dot_products, weighted_sums};
use crate::matmul::Destination;
use crate::parallel::{Shared, for_each_task, with_scratch};

/// Output pixels of the batch up to which this beats a matrix product.
const PIXELS: usize = 16;
/// The same for the forward pass, whose dot products win by less.
const FORWARD_PIXELS: usize = 8;
/// Taps that are worked on at a time: what belongs to them stays in the first-level cache.
const SPAN: usize = 1024;
/// Floats of a cache line.
const LINE: usize = 16;
/// Output channels of a task.
const CHANNELS: usize = 16;

/// Whether there are few enough pixels, and rows of weights worth streaming.
pub(crate) fn applies(g: &Geometry) -> bool {
    let depth = g.ci * g.taps();
    g.n * g.pixels() <= PIXELS && depth >= SPAN && depth.is_multiple_of(LINE) && g.co.is_multiple_of(4)
}

/// [`applies`], for the forward pass.
pub(crate) fn applies_forward(g: &Geometry) -> bool {
    applies(g) && g.n * g.pixels() <= FORWARD_PIXELS
}

/// From one row of columns to the next. One cache line more than a row, or else the rows, a power of two apart, would
/// share the same lines of the cache.
fn stride(g: &Geometry) -> usize {
    g.ci * g.taps() + LINE
}

/// `x` (n, ci, h, w), `weight` (co, ci, kh, kw), `bias` (co) -> `y` (n, co, oh, ow).
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let (depth, positions) = (g.ci * g.taps(), g.n * g.pixels());
    with_columns(g, x, |columns| {
        let y = Shared::new(y);
        for_each_task(g.co.div_ceil(CHANNELS), |task| {
            let channels = piece(g.co, CHANNELS, task);
            let mut sums = [[0.; PIXELS]; CHANNELS];
            for start in (0..depth).step_by(SPAN) {
                let span = SPAN.min(depth - start);
                for first in (0..channels.len()).step_by(4) {
                    let rows = std::array::from_fn(|i| {
                        &weight[(channels.start + first + i) * depth + start..][..span]
                    });
                    for p in (0..positions).step_by(4) {
                        // A pixel too many is computed again, and left out below.
                        let lines = std::array::from_fn(|j| {
                            &columns[(p + j).min(positions - 1) * stride(g) + start..][..span]
                        });
                        let found = dot_products(rows, lines);
                        for (sums, found) in sums[first..].iter_mut().zip(found) {
                            sums[p..].iter_mut().zip(found).for_each(|(s, f)| *s += f);
                        }
                    }
                }
            }
            for (o, sums) in channels.zip(&sums) {
                let b = bias.map_or(0., |bias| bias[o]);
                for (n, sums) in sums[..positions].chunks_exact(g.pixels()).enumerate() {
                    // SAFETY: each task has its own output channels.
                    let out = unsafe { y.slice((n * g.co + o) * g.pixels(), g.pixels()) };
                    out.iter_mut().zip(sums).for_each(|(y, s)| *y = s + b);
                }
            }
        });
    });
}

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w), plus `bias` (ci).
pub(crate) fn input_grad(g: &Geometry, dy: &[f32], weight: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    let (depth, positions) = (g.ci * g.taps(), g.n * g.pixels());
    let block = (SPAN / g.taps()).clamp(1, g.ci);
    let dx = Shared::new(dx);
    for_each_task(g.ci.div_ceil(block), |task| {
        let channels = piece(g.ci, block, task);
        let (start, span) = (channels.start * g.taps(), channels.len() * g.taps());
        with_scratch((positions + 1) * span, |columns| {
            columns.fill(0.);
            for first in (0..g.co).step_by(8) {
                // A missing row counts nothing: any row stands in for it, times 0.
                let rows =
                    std::array::from_fn(|i| &weight[(first + i).min(g.co - 1) * depth + start..][..span]);
                for (pair, lines) in columns.chunks_exact_mut(2 * span).enumerate() {
                    let (a, b) = lines.split_at_mut(span);
                    let factors = |p: usize| {
                        std::array::from_fn(|i| match first + i {
                            o if o < g.co && p < positions => dy[at(g, o, p)],
                            _ => 0.,
                        })
                    };
                    add_rows([a, b], rows, [factors(2 * pair), factors(2 * pair + 1)]);
                }
            }
            for n in 0..g.n {
                let lines = &columns[n * g.pixels() * span..][..g.pixels() * span];
                for c in channels.clone() {
                    // SAFETY: each task has its own channels.
                    let plane = unsafe { dx.slice((n * g.ci + c) * g.area(), g.area()) };
                    plane.fill(bias.map_or(0., |b| b[c]));
                    let first = (c - channels.start) * g.taps();
                    for_each_tap(g, |pixel, tap, position| {
                        plane[position] += lines[pixel * span + first + tap];
                    });
                }
            }
        });
    });
}

/// `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, kh, kw), in place of or added to what it holds.
pub(crate) fn weight_grad(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    let (depth, positions) = (g.ci * g.taps(), g.n * g.pixels());
    with_columns(g, x, |columns| {
        let dw = Shared::new(dw);
        for_each_task(g.co.div_ceil(CHANNELS), |task| {
            for first in piece(g.co, CHANNELS, task).step_by(4) {
                let factors: Vec<[f32; 4]> =
                    (0..positions).map(|p| std::array::from_fn(|i| dy[at(g, first + i, p)])).collect();
                for start in (0..depth).step_by(SPAN) {
                    let span = SPAN.min(depth - start);
                    // SAFETY: each task has its own rows.
                    let out = std::array::from_fn(|i| unsafe { dw.slice((first + i) * depth + start, span) });
                    weighted_sums(out, destination, &factors, &columns[start..], stride(g));
                }
            }
        });
    });
}

/// Where channel `o` of position `p`, a pixel of the batch, lies in `dy`.
fn at(g: &Geometry, o: usize, p: usize) -> usize {
    (p / g.pixels() * g.co + o) * g.pixels() + p % g.pixels()
}

/// Lends the columns of the whole batch, rows [`stride`] apart.
fn with_columns<R>(g: &Geometry, x: &[f32], f: impl FnOnce(&[f32]) -> R) -> R {
    with_scratch(g.n * g.pixels() * stride(g), |columns| {
        columns.fill(0.);
        for (n, lines) in columns.chunks_exact_mut(g.pixels() * stride(g)).enumerate() {
            for c in 0..g.ci {
                let plane = &x[(n * g.ci + c) * g.area()..][..g.area()];
                let first = c * g.taps();
                for_each_tap(g, |pixel, tap, position| {
                    lines[pixel * stride(g) + first + tap] = plane[position];
                });
            }
        }
        f(columns)
    })
}

/// Calls `f(output pixel, tap, input pixel)` wherever a tap falls inside the input.
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
