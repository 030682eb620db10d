//! The three primitives that every convolution here is made of, on slices: `forward`, `input_grad` and
//! `weight_grad`. A transposed convolution's forward pass is a convolution's input gradient, and the other way round.
//!
//! Each is a matrix product with the column matrix (one row a kernel tap and input channel, one column an output
//! pixel), which is made tile by tile in scratch memory that stays in the cache.

mod columns;
mod forward;
mod geometry;
mod input_grad;
mod lanes;
mod mirror;
mod op;
mod rows;
mod small;
mod weight_grad;
mod winograd;

pub(crate) use geometry::Geometry;
pub(crate) use op::{Convolution, Sense};
pub(crate) use weight_grad::bias_grad;

use crate::matmul::Destination;
use crate::parallel::with_scratch;

/// `x` (n, ci, h, w), `weight` (co, ci, kh, kw), `bias` (co) -> `y` (n, co, oh, ow).
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    if winograd::applies(g) {
        winograd::forward(g, x, weight, bias, y);
    } else if mirror::applies(g) {
        let mirrored = mirror::kernel(weight, g.co, g.ci, g.taps());
        input_grad::input_grad(&mirror::geometry(g), x, &mirrored, bias, y);
    } else if small::applies_forward(g) {
        small::forward(g, x, weight, bias, y);
    } else {
        forward::forward(g, x, weight, bias, y);
    }
}

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w); `bias` (ci) is added to it when the
/// caller is a transposed convolution.
pub(crate) fn input_grad(g: &Geometry, dy: &[f32], weight: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    if winograd::applies(g) {
        winograd::input_grad(g, dy, weight, bias, dx);
    } else if mirror::applies(g) {
        let mirrored = mirror::kernel(weight, g.co, g.ci, g.taps());
        forward::forward(&mirror::geometry(g), dy, &mirrored, bias, dx);
    } else if small::applies(g) {
        small::input_grad(g, dy, weight, bias, dx);
    } else {
        input_grad::input_grad(g, dy, weight, bias, dx);
    }
}

/// `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, kh, kw), in place of or added to what it holds.
pub(crate) fn weight_grad(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    if winograd::applies(g) {
        winograd::weight_grad(g, x, dy, destination, dw);
    } else if mirror::applies(g) {
        let mut mirrored = vec![0.; dw.len()];
        weight_grad::weight_grad(&mirror::geometry(g), dy, x, Destination::Replace, &mut mirrored);
        let found = mirror::kernel(&mirrored, g.ci, g.co, g.taps());
        match destination {
            Destination::Replace => dw.copy_from_slice(&found),
            Destination::Add => dw.iter_mut().zip(found).for_each(|(d, f)| *d += f),
        }
    } else if small::applies(g) {
        small::weight_grad(g, x, dy, destination, dw);
    } else {
        weight_grad::weight_grad(g, x, dy, destination, dw);
    }
}

/// Floats of a column tile: 1 MiB, half of a common second-level cache.
const TILE_FLOATS: usize = 256 * 1024;
/// Pixels of a column tile where the channels are many.
const TILE_PIXELS: usize = 256;
/// Up to this many output pixels of an image, the passes of a weight wait to be one batch.
const SMALL_PIXELS: usize = 64;
/// Up to this many output pixels in the batch, the whole batch is one product.
const BATCHED_PIXELS: usize = 256;

/// Lends `data` (n, c, pixels) as (c, n * pixels).
fn batch_as_columns<R>(data: &[f32], n: usize, c: usize, pixels: usize, f: impl FnOnce(&[f32]) -> R) -> R {
    if n == 1 {
        return f(data);
    }
    with_scratch(data.len(), |matrix| {
        for (i, image) in data.chunks_exact(c * pixels).enumerate() {
            for (line, from) in matrix.chunks_exact_mut(n * pixels).zip(image.chunks_exact(pixels)) {
                line[i * pixels..][..pixels].copy_from_slice(from);
            }
        }
        f(matrix)
    })
}
