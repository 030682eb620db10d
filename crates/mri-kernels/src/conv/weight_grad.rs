//! dW = dY · columns(X)ᵀ and db = Σ dY.

use super::columns::gather;
use super::geometry::{Geometry, piece};
use super::{BATCHED_PIXELS, TILE_FLOATS, batch_as_columns};
use crate::matmul::{Destination, Matrix, matmul, matmul_to};
use crate::parallel::{Shared, for_each_task, with_scratch};
use crate::reduce::sum;
use crate::vectorized::vectorized;

/// `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, kh, kw), in place of or added to what it holds.
pub(crate) fn weight_grad(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    if g.n * g.pixels() <= BATCHED_PIXELS {
        batch_as_columns(dy, g.n, g.co, g.pixels(), |dy| weight_grad_batched(g, x, dy, destination, dw));
    } else if g.ci * g.taps() < 256 {
        weight_grad_shallow(g, x, dy, destination, dw);
    } else {
        weight_grad_tiled(g, x, dy, destination, dw);
    }
}

/// Output rows in one column tile of `taps` rows.
fn tile_rows(g: &Geometry, taps: usize) -> usize {
    (TILE_FLOATS / (taps * g.ow)).clamp(1, g.oh)
}

/// Each task owns a block of channels of dW and adds up all pixels of all images.
fn weight_grad_tiled(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    let depth = g.ci * g.taps();
    let block = 256usize.div_ceil(g.taps()).min(g.ci.div_ceil(4));
    let dw = Shared::new(dw);
    for_each_task(g.ci.div_ceil(block), |task| {
        let channels = piece(g.ci, block, task);
        let taps = channels.len() * g.taps();
        let start = channels.start * g.taps();
        let tile_rows = tile_rows(g, taps);
        with_scratch(taps * tile_rows * g.ow, |columns| {
            let mut destination = destination;
            for n in 0..g.n {
                let image = &x[n * g.ci * g.area()..][..g.ci * g.area()];
                for index in 0..g.oh.div_ceil(tile_rows) {
                    let rows = piece(g.oh, tile_rows, index);
                    let width = rows.len() * g.ow;
                    gather(g, image, channels.clone(), rows.clone(), columns, width);
                    // SAFETY: each task has its own columns of dW; `pointer` checks the extent.
                    unsafe {
                        matmul_to(
                            dw.pointer(start, (g.co - 1) * depth + start + taps - 1),
                            depth,
                            1,
                            destination,
                            Matrix::rows(
                                &dy[n * g.co * g.pixels() + rows.start * g.ow..],
                                g.co,
                                width,
                                g.pixels(),
                            ),
                            Matrix::rows(columns, taps, width, width).transposed(),
                        );
                    }
                    destination = Destination::Add;
                }
            }
        });
    });
}

/// Few channels (the first layer of a network): the pixels are shared out instead, and the parts added in order.
fn weight_grad_shallow(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    let taps = g.ci * g.taps();
    let band = tile_rows(g, taps).min(g.oh.div_ceil(8));
    let bands = g.oh.div_ceil(band);
    let mut parts = vec![0.; g.n * bands * dw.len()];
    let part_len = dw.len();
    let shared = Shared::new(&mut parts);
    for_each_task(g.n * bands, |task| {
        let (n, rows) = (task / bands, piece(g.oh, band, task % bands));
        let image = &x[n * g.ci * g.area()..][..g.ci * g.area()];
        let width = rows.len() * g.ow;
        with_scratch(taps * width, |columns| {
            gather(g, image, 0..g.ci, rows.clone(), columns, width);
            matmul(
                // SAFETY: each task has its own part.
                unsafe { shared.slice(task * part_len, part_len) },
                taps,
                Destination::Replace,
                Matrix::rows(&dy[n * g.co * g.pixels() + rows.start * g.ow..], g.co, width, g.pixels()),
                Matrix::rows(columns, taps, width, width).transposed(),
            );
        });
    });
    if destination == Destination::Replace {
        dw.fill(0.);
    }
    for part in parts.chunks_exact(part_len) {
        dw.iter_mut().zip(part).for_each(|(d, p)| *d += p);
    }
}

/// Small maps are bound by writing dW: the whole batch is one product. `dy` is (co, n * oh * ow).
fn weight_grad_batched(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    let (depth, pixels) = (g.ci * g.taps(), g.pixels());
    let width = g.n * pixels;
    let block = (TILE_FLOATS / (g.taps() * width)).clamp(1, 512usize.div_ceil(g.taps())).min(g.ci);
    let dw = Shared::new(dw);
    for_each_task(g.ci.div_ceil(block), |task| {
        let channels = piece(g.ci, block, task);
        let taps = channels.len() * g.taps();
        let start = channels.start * g.taps();
        with_scratch(taps * width, |columns| {
            for n in 0..g.n {
                let image = &x[n * g.ci * g.area()..][..g.ci * g.area()];
                gather(g, image, channels.clone(), 0..g.oh, &mut columns[n * pixels..], width);
            }
            // SAFETY: each task has its own columns of dW; `pointer` checks the extent.
            unsafe {
                matmul_to(
                    dw.pointer(start, (g.co - 1) * depth + start + taps - 1),
                    depth,
                    1,
                    destination,
                    Matrix::rows(dy, g.co, width, width),
                    Matrix::rows(columns, taps, width, width).transposed(),
                );
            }
        });
    });
}

/// `dy` (n, c, pixels) -> `db` (c).
pub(crate) fn bias_grad(dy: &[f32], channels: usize, pixels: usize, db: &mut [f32]) {
    let db = Shared::new(db);
    let block = channels.div_ceil(16);
    for_each_task(channels.div_ceil(block), |task| {
        for c in piece(channels, block, task) {
            let planes = dy.chunks_exact(pixels).skip(c).step_by(channels);
            let total: f64 = planes
                .map(|plane| {
                    vectorized(
                        #[inline(always)]
                        || sum(plane),
                    )
                })
                .sum();
            // SAFETY: each task has its own channels.
            unsafe { db.slice(c, 1) }.fill(total as f32);
        }
    });
}
