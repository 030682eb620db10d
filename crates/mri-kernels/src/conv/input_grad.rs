//! dX = scatter(Wᵀ · dY): the input gradient of a convolution and the forward pass of a transposed one.

use super::columns::{interleave, planes_len, scatter_add};
use super::geometry::{Geometry, piece};
use super::{BATCHED_PIXELS, TILE_FLOATS, TILE_PIXELS, batch_as_columns};
use crate::matmul::{Destination, Matrix, matmul};
use crate::parallel::{Shared, for_each_task, with_scratch};

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w); `bias` (ci) is added to it when the
/// caller is a transposed convolution.
pub(crate) fn input_grad(g: &Geometry, dy: &[f32], weight: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    if g.n > 1 && g.n * g.pixels() <= BATCHED_PIXELS {
        batch_as_columns(dy, g.n, g.co, g.pixels(), |dy| input_grad_tiled(g, dy, g.n, weight, bias, dx));
    } else {
        input_grad_tiled(g, dy, 1, weight, bias, dx);
    }
}

/// `dy` is (n / together, co, together * oh * ow): `together` images share each matrix product.
fn input_grad_tiled(
    g: &Geometry,
    dy: &[f32],
    together: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
    dx: &mut [f32],
) {
    let (depth, pixels, area) = (g.ci * g.taps(), g.pixels(), g.area());
    let width = together * pixels;
    // Blocks of channels for the tasks; bands of input rows as well where the channels are too few to share out.
    let block = 256usize.div_ceil(g.taps()).min(g.ci);
    let blocks = g.ci.div_ceil(block);
    let groups = g.n / together;
    let wanted = 8usize.div_ceil(groups * blocks);
    let band = if together > 1 { g.h } else { g.h.div_ceil(wanted).max(4 * g.kh).min(g.h) };
    let bands = g.h.div_ceil(band);
    let dx = Shared::new(dx);
    for_each_task(groups * blocks * bands, |task| {
        let (group, rest) = (task / (blocks * bands), task % (blocks * bands));
        let (channels, input_rows) = (piece(g.ci, block, rest / bands), piece(g.h, band, rest % bands));
        let rows = g.output_rows(&input_rows);
        let taps = channels.len() * g.taps();
        let tile_rows = if together > 1 {
            g.oh
        } else {
            (TILE_FLOATS / (taps * g.ow)).min(4 * TILE_PIXELS / g.ow).clamp(1, rows.len().max(1))
        };
        let tile = together * tile_rows * g.ow;
        let plane = planes_len(g, input_rows.len());
        let sizes = [g.co * taps, taps * tile, together * channels.len() * plane];
        with_scratch(sizes.iter().sum(), |scratch| {
            let (kernel, scratch) = scratch.split_at_mut(sizes[0]);
            let (columns, planes) = scratch.split_at_mut(sizes[1]);
            // Rows of the weight matrix lie a power of two apart: read in place they fall on the same cache lines.
            for (line, from) in kernel.chunks_exact_mut(taps).zip(weight.chunks_exact(depth)) {
                line.copy_from_slice(&from[channels.start * g.taps()..][..taps]);
            }
            planes.fill(0.);
            for index in 0..rows.len().div_ceil(tile_rows) {
                let part = piece(rows.len(), tile_rows, index);
                let part = rows.start + part.start..rows.start + part.end;
                let columns_width = if together > 1 { width } else { part.len() * g.ow };
                matmul(
                    columns,
                    columns_width,
                    Destination::Replace,
                    Matrix::rows(kernel, g.co, taps, taps).transposed(),
                    Matrix::rows(&dy[group * g.co * width + part.start * g.ow..], g.co, columns_width, width),
                );
                for (i, planes) in planes.chunks_exact_mut(channels.len() * plane).enumerate() {
                    let columns = &columns[i * pixels..];
                    scatter_add(g, columns, columns_width, part.clone(), planes, input_rows.clone());
                }
            }
            for (i, planes) in planes.chunks_exact(channels.len() * plane).enumerate() {
                let n = group * together + i;
                for (c, plane) in channels.clone().zip(planes.chunks_exact(plane)) {
                    let offset = (n * g.ci + c) * area + input_rows.start * g.w;
                    // SAFETY: each task has its own rows of its own channels.
                    let out = unsafe { dx.slice(offset, input_rows.len() * g.w) };
                    interleave(g, plane, bias.map_or(0., |b| b[c]), out);
                }
            }
        });
    });
}
