//! Planes of images to tiles at the 36 places and back.
//!
//! The tiles of a plane are taken row by row as one list, and 16 of the list at a time.

use super::points::{collect, evaluate, of_input};
use super::stride;
use crate::conv::lanes::{LANES, Tile, load, store, transform};
use crate::parallel::{Shared, for_each_task, with_scratch};
use crate::vectorized::vectorized;
use std::ops::Range;

/// A plane of pixels with zeros around it: row 0 of the padded plane is `pad` rows above the first.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) pad: usize,
}

impl Planes {
    pub(super) fn area(&self) -> usize {
        self.h * self.w
    }
}

/// An image of outputs, cut in tiles of M x M.
#[derive(Clone, Copy)]
pub(super) struct Tiling<const M: usize> {
    rows: usize,
    columns: usize,
}

impl<const M: usize> Tiling<M> {
    pub(super) fn over(height: usize, width: usize) -> Self {
        Self { rows: height.div_ceil(M), columns: width.div_ceil(M) }
    }

    pub(super) fn tiles(&self) -> usize {
        self.rows * self.columns
    }
}

/// The tiles of N x N pixels, M apart, of a plane with zeros around it.
///
/// The padded plane is kept as M lines, one for each residue of the column, so that a row of tiles finds what its j-th
/// column needs side by side.
struct Cutter<const N: usize, const M: usize> {
    tiling: Tiling<M>,
    planes: Planes,
}

impl<const N: usize, const M: usize> Cutter<N, M> {
    fn rows(&self) -> usize {
        M * self.tiling.rows + N - M
    }

    /// Elements of a row of a line.
    fn line(&self) -> usize {
        self.tiling.columns + (N - M).div_ceil(M)
    }

    fn sizes(&self) -> [usize; 3] {
        let line = self.rows() * self.line();
        [M * line, M * (line + LANES), N * N * (self.tiling.tiles() + LANES)]
    }

    fn scratch_len(&self) -> usize {
        self.sizes().iter().sum()
    }

    /// Element (i, j) of all tiles at `result[(i * N + j) * (tiles + LANES)..]`.
    #[inline(always)]
    fn cut<'a>(&self, plane: &[f32], scratch: &'a mut [f32]) -> &'a [f32] {
        let (padded, rest) = scratch.split_at_mut(self.sizes()[0]);
        let (lines, parts) = rest.split_at_mut(self.sizes()[1]);
        self.pad(plane, padded);
        let padded = padded.as_chunks::<M>().0;
        let line_len = padded.len() + LANES;
        for (j, line) in lines.chunks_exact_mut(line_len).enumerate() {
            line.iter_mut().zip(padded).for_each(|(to, from)| *to = from[j]);
        }
        let (tiles, columns) = (self.tiling.tiles(), self.tiling.columns);
        for (place, part) in parts.chunks_exact_mut(tiles + LANES).enumerate() {
            let (i, j) = (place / N, place % N);
            let line = &lines[j % M * line_len..][..line_len];
            for row in 0..self.tiling.rows {
                let from = &line[(M * row + i) * self.line() + j / M..];
                let to = &mut part[row * columns..];
                // What is written beyond the row is overwritten by the next.
                for (to, from) in
                    to.chunks_exact_mut(LANES).zip(from.chunks_exact(LANES)).take(columns.div_ceil(LANES))
                {
                    to.copy_from_slice(from);
                }
            }
        }
        parts
    }

    fn pad(&self, plane: &[f32], padded: &mut [f32]) {
        let Planes { w, pad, .. } = self.planes;
        padded.fill(0.);
        for (from, to) in plane.chunks_exact(w).zip(padded.chunks_exact_mut(M * self.line()).skip(pad)) {
            let to = &mut to[pad..];
            let width = w.min(to.len());
            to[..width].copy_from_slice(&from[..width]);
        }
    }
}

/// Bᵀ D B: `x` (n, channels, h, w) -> (36, channels, n and tiles).
pub(super) fn transform_input<const M: usize>(
    tiling: Tiling<M>,
    planes: Planes,
    channels: usize,
    x: &[f32],
    out: &mut [f32],
) {
    transform_planes(Cutter::<6, M> { tiling, planes }, channels, x, out, of_input);
}

/// A dY Aᵀ: `dy` (n, channels, h, w) -> (36, channels, n and tiles).
pub(super) fn transform_gradient<const M: usize>(
    tiling: Tiling<M>,
    (h, w): (usize, usize),
    channels: usize,
    dy: &[f32],
    out: &mut [f32],
) {
    let planes = Planes { h, w, pad: 0 };
    transform_planes(Cutter::<M, M> { tiling, planes }, channels, dy, out, evaluate);
}

fn transform_planes<const N: usize, const M: usize>(
    cutter: Cutter<N, M>,
    channels: usize,
    x: &[f32],
    out: &mut [f32],
    f: impl Fn([f32; N]) -> [f32; 6] + Sync + Send + Copy,
) {
    let area = cutter.planes.area();
    let (n, tiles) = (x.len() / (channels * area), cutter.tiling.tiles());
    let out = Shared::new(out);
    for_each_task(n * channels, |task| {
        let (image, c) = (task / channels, task % channels);
        let plane = &x[task * area..][..area];
        with_scratch(cutter.scratch_len(), |scratch| {
            vectorized(
                #[inline(always)]
                || {
                    let parts = cutter.cut(plane, scratch);
                    for first in (0..tiles).step_by(LANES) {
                        let d: Tile<N> = load(parts, tiles + LANES, first, LANES);
                        let v = transform(&d, f);
                        let at = (c * n + image) * tiles + first;
                        let count = LANES.min(tiles - first);
                        // SAFETY: each task has its own channel of its own image.
                        unsafe { store(&v, &out, stride(channels * n * tiles), at, count) };
                    }
                },
            );
        });
    });
}

/// Aᵀ M A plus bias: `products` (36, channels, n and tiles) -> `y` (n, channels, h, w).
pub(super) fn transform_output<const M: usize>(
    tiling: Tiling<M>,
    (h, w): (usize, usize),
    channels: usize,
    products: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let (n, tiles) = (y.len() / (channels * h * w), tiling.tiles());
    let y = Shared::new(y);
    for_each_task(n * channels, |task| {
        let (image, c) = (task / channels, task % channels);
        // SAFETY: each task has its own plane.
        let plane = unsafe { y.slice(task * h * w, h * w) };
        let b = bias.map_or(0., |bias| bias[c]);
        with_scratch(M * M * tiles, |pixels| {
            vectorized(
                #[inline(always)]
                || {
                    for first in (0..tiles).step_by(LANES) {
                        let count = LANES.min(tiles - first);
                        let at = (c * n + image) * tiles + first;
                        let m: Tile<6> = load(products, stride(channels * n * tiles), at, count);
                        let found: Tile<M> = transform(&m, collect);
                        write_tiles(tiling, &found, first..first + count, pixels);
                    }
                    for (to, from) in plane.chunks_exact_mut(w).zip(pixels.chunks_exact(M * tiling.columns)) {
                        to.iter_mut().zip(from).for_each(|(to, v)| *to = v + b);
                    }
                },
            );
        });
    });
}

/// Tiles as rows of `pixels`, M times as many as there are tiles along each axis.
#[inline(always)]
fn write_tiles<const M: usize>(tiling: Tiling<M>, tiles: &Tile<M>, which: Range<usize>, pixels: &mut [f32]) {
    for (lane, tile) in which.enumerate() {
        let (row, column) = (tile / tiling.columns, tile % tiling.columns);
        for (i, lanes) in tiles.iter().enumerate() {
            let to = &mut pixels[(M * row + i) * M * tiling.columns + M * column..][..M];
            for (to, lanes) in to.iter_mut().zip(lanes) {
                *to = lanes[lane];
            }
        }
    }
}
