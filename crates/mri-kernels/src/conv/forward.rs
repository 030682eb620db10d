//! Y = W · columns(X) + bias: the forward pass of a convolution and the input gradient of a transposed one.

use super::columns::gather;
use super::geometry::{Geometry, piece};
use super::{BATCHED_PIXELS, TILE_FLOATS, TILE_PIXELS};
use crate::matmul::{Destination, Matrix, matmul, matmul_to};
use crate::parallel::{Shared, for_each_task, with_scratch};

/// `x` (n, ci, h, w), `weight` (co, ci, kh, kw), `bias` (co) -> `y` (n, co, oh, ow).
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    if g.n * g.pixels() <= BATCHED_PIXELS {
        forward_batched(g, x, weight, bias, y);
    } else {
        forward_tiled(g, x, weight, bias, y);
    }
}

/// Large maps: each task makes the columns of a band of output rows, a block of channels at a time, and multiplies.
fn forward_tiled(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let (depth, pixels) = (g.ci * g.taps(), g.pixels());
    let band = TILE_PIXELS.div_ceil(g.ow).min(g.oh);
    let bands = g.oh.div_ceil(band);
    let block = (TILE_FLOATS / (g.taps() * band * g.ow)).clamp(1, g.ci);
    let y = Shared::new(y);
    for_each_task(g.n * bands, |task| {
        let (n, rows) = (task / bands, piece(g.oh, band, task % bands));
        let image = &x[n * g.ci * g.area()..][..g.ci * g.area()];
        let width = rows.len() * g.ow;
        let start = n * g.co * pixels + rows.start * g.ow;
        if let Some(bias) = bias {
            for (c, &b) in bias.iter().enumerate() {
                // SAFETY: each task has its own rows of each output channel.
                unsafe { y.slice(start + c * pixels, width) }.fill(b);
            }
        }
        with_scratch(block * g.taps() * width, |columns| {
            for index in 0..g.ci.div_ceil(block) {
                let channels = piece(g.ci, block, index);
                let taps = channels.len() * g.taps();
                gather(g, image, channels.clone(), rows.clone(), columns, width);
                let destination =
                    if index == 0 && bias.is_none() { Destination::Replace } else { Destination::Add };
                // SAFETY: as above; `pointer` checks the extent.
                unsafe {
                    matmul_to(
                        y.pointer(start, start + (g.co - 1) * pixels + width - 1),
                        pixels,
                        1,
                        destination,
                        Matrix::rows(&weight[channels.start * g.taps()..], g.co, taps, depth),
                        Matrix::rows(columns, taps, width, width),
                    );
                }
            }
        });
    });
}

/// Small maps are bound by reading the weights: the columns of the whole batch are made once, and each task reads
/// its rows of the weight matrix a single time.
fn forward_batched(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let (depth, pixels) = (g.ci * g.taps(), g.pixels());
    let width = g.n * pixels;
    let block = (8192 / width).clamp(16, 128).min(g.co);
    with_scratch(depth * width, |columns| {
        let shared = Shared::new(columns);
        let channels_a_task = g.ci.div_ceil(16);
        for_each_task(g.ci.div_ceil(channels_a_task), |task| {
            let channels = piece(g.ci, channels_a_task, task);
            // SAFETY: each task has its own channels, which are rows of the column matrix.
            let lines =
                unsafe { shared.slice(channels.start * g.taps() * width, channels.len() * g.taps() * width) };
            for n in 0..g.n {
                let image = &x[n * g.ci * g.area()..][..g.ci * g.area()];
                gather(g, image, channels.clone(), 0..g.oh, &mut lines[n * pixels..], width);
            }
        });
        let y = Shared::new(y);
        for_each_task(g.co.div_ceil(block), |task| {
            let outputs = piece(g.co, block, task);
            with_scratch(outputs.len() * width, |product| {
                matmul(
                    product,
                    width,
                    Destination::Replace,
                    Matrix::rows(&weight[outputs.start * depth..], outputs.len(), depth, depth),
                    Matrix::rows(columns, depth, width, width),
                );
                for (c, line) in outputs.clone().zip(product.chunks_exact(width)) {
                    let b = bias.map_or(0., |bias| bias[c]);
                    for (n, from) in line.chunks_exact(pixels).enumerate() {
                        // SAFETY: each task has its own output channels.
                        let to = unsafe { y.slice((n * g.co + c) * pixels, pixels) };
                        to.iter_mut().zip(from).for_each(|(t, f)| *t = f + b);
                    }
                }
            });
        });
    });
}
