//! The three primitives that every convolution here is made of, on slices: `forward`, `input_grad` and
//! `weight_grad`. A transposed convolution's forward pass is a convolution's input gradient, and the other way round.
//!
//! Each is a matrix product with the column matrix (one row a kernel tap and input channel, one column an output
//! pixel), which is made tile by tile in scratch memory that stays in the cache.

mod columns;
mod forward;
mod geometry;
mod input_grad;
mod weight_grad;

pub(crate) use forward::forward;
pub(crate) use geometry::Geometry;
pub(crate) use input_grad::input_grad;
pub(crate) use weight_grad::{bias_grad, weight_grad};

use crate::parallel::with_scratch;

/// Floats of a column tile: 1 MiB, half of a common second-level cache.
const TILE_FLOATS: usize = 256 * 1024;
/// Pixels of a column tile where the channels are many.
const TILE_PIXELS: usize = 256;
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
