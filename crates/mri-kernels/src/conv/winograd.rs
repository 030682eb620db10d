//! 3x3 convolutions of stride 1 by minimal filtering, F(4x4, 3x3) of Lavin & Gray (2016): 36 products for 4x4 outputs of
//! each pair of channels instead of 144.
//!
//! ```text
//! Y  = Aᵀ [ (G W Gᵀ) ⊙ (Bᵀ D B) ] A         D: 6x6 input tile, Y: 4x4 output tile, products summed over channels
//! dW = Gᵀ [ (A dY Aᵀ) ⊙ (Bᵀ D B) ] G        products summed over tiles
//! ```
//!
//! The products of all pairs of channels (tiles) at one of the 36 places are one matrix product. The rounding error is a
//! few times that of the direct sum, about 1e-5 of the largest output.

use super::geometry::Geometry;
use super::lanes::{LANES, Lane, Tile, transform};
use crate::matmul::{Destination, Matrix, matmul};
use crate::parallel::{Shared, for_each_task, with_scratch};
use crate::vectorized::vectorized;

const PLACES: usize = 36;

/// Whether the tiles fill the vectors and the matrices are large enough to pay for the transforms.
pub(crate) fn applies(g: &Geometry) -> bool {
    (g.kh, g.kw, g.stride) == (3, 3, 1) && g.pad <= 2 && g.ci.min(g.co) >= 32 && g.ow >= 32 && g.oh >= 8
}

/// Planes of one image and how they are cut in tiles of 4x4 outputs.
#[derive(Clone, Copy)]
struct Tiling {
    h: usize,
    w: usize,
    oh: usize,
    ow: usize,
    pad: usize,
}

impl Tiling {
    fn rows(&self) -> usize {
        self.oh.div_ceil(4)
    }

    fn columns(&self) -> usize {
        self.ow.div_ceil(4)
    }

    fn tiles(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Calls `f(row, first, count)` for each run of at most `LANES` tiles.
    #[inline(always)]
    fn for_each_run(&self, mut f: impl FnMut(usize, usize, usize)) {
        for row in 0..self.rows() {
            for first in (0..self.columns()).step_by(LANES) {
                f(row, first, LANES.min(self.columns() - first));
            }
        }
    }
}

/// Y = W * X: `x` (n, ci, h, w), `weight` (co, ci, 3, 3) -> `y` (n, co, oh, ow).
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let t = Tiling { h: g.h, w: g.w, oh: g.oh, ow: g.ow, pad: g.pad };
    let kernel = |o: usize, i: usize, tap: usize| weight[(o * g.ci + i) * 9 + tap];
    convolve(t, g.n, g.ci, g.co, x, kernel, bias, y);
}

/// dX is dY convolved with the kernel turned by 180 degrees, its channels exchanged.
pub(crate) fn input_grad(g: &Geometry, dy: &[f32], weight: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    let t = Tiling { h: g.oh, w: g.ow, oh: g.h, ow: g.w, pad: 2 - g.pad };
    let kernel = |o: usize, i: usize, tap: usize| weight[(i * g.ci + o) * 9 + 8 - tap];
    convolve(t, g.n, g.co, g.ci, dy, kernel, bias, dx);
}

#[allow(clippy::too_many_arguments)]
fn convolve(
    t: Tiling,
    n: usize,
    inputs: usize,
    outputs: usize,
    x: &[f32],
    kernel: impl Fn(usize, usize, usize) -> f32 + Sync + Send,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let tiles = t.tiles();
    let sizes = [outputs * inputs, inputs * tiles, outputs * tiles].map(|len| PLACES * len);
    with_scratch(sizes.iter().sum(), |scratch| {
        let (weights, scratch) = scratch.split_at_mut(sizes[0]);
        let (spectrum, products) = scratch.split_at_mut(sizes[1]);
        transform_kernel(inputs, outputs, kernel, weights);
        for (x, y) in
            x.chunks_exact(inputs * t.h * t.w).zip(y.chunks_exact_mut(outputs * t.oh * t.ow)).take(n)
        {
            transform_input(t, inputs, x, spectrum);
            let shared = Shared::new(products);
            for_each_task(PLACES, |place| {
                // SAFETY: each task has its own place.
                let product = unsafe { shared.slice(place * outputs * tiles, outputs * tiles) };
                let u = &weights[place * outputs * inputs..];
                let v = &spectrum[place * inputs * tiles..];
                let (u, v) =
                    (Matrix::rows(u, outputs, inputs, inputs), Matrix::rows(v, inputs, tiles, tiles));
                matmul(product, tiles, Destination::Replace, u, v);
            });
            transform_output(t, outputs, products, bias, y);
        }
    });
}

/// dW = dY * X: `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, 3, 3), in place of or added to what it holds.
pub(crate) fn weight_grad(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    let t = Tiling { h: g.h, w: g.w, oh: g.oh, ow: g.ow, pad: g.pad };
    let tiles = t.tiles();
    let pairs = g.co * g.ci;
    let sizes = [pairs, g.ci * tiles, g.co * tiles].map(|len| PLACES * len);
    with_scratch(sizes.iter().sum(), |scratch| {
        let (products, scratch) = scratch.split_at_mut(sizes[0]);
        let (spectrum, gradient) = scratch.split_at_mut(sizes[1]);
        let images = x.chunks_exact(g.ci * g.area()).zip(dy.chunks_exact(g.co * g.pixels()));
        for (n, (x, dy)) in images.enumerate() {
            transform_input(t, g.ci, x, spectrum);
            transform_gradient(t, g.co, dy, gradient);
            let sum = if n == 0 { Destination::Replace } else { Destination::Add };
            let shared = Shared::new(products);
            for_each_task(PLACES, |place| {
                // SAFETY: each task has its own place.
                let product = unsafe { shared.slice(place * pairs, pairs) };
                let d = Matrix::rows(&gradient[place * g.co * tiles..], g.co, tiles, tiles);
                let v = Matrix::rows(&spectrum[place * g.ci * tiles..], g.ci, tiles, tiles);
                matmul(product, g.ci, sum, d, v.transposed());
            });
        }
        let dw = Shared::new(dw);
        for_each_task(g.co, |o| {
            // SAFETY: each task has its own output channel.
            let dw = unsafe { dw.slice(o * g.ci * 9, g.ci * 9) };
            vectorized(
                #[inline(always)]
                || kernel_from_products(&products[o * g.ci..], pairs, g.ci, destination, dw),
            );
        });
    });
}

/// G W Gᵀ of every pair of channels, (36, outputs, inputs).
fn transform_kernel(
    inputs: usize,
    outputs: usize,
    kernel: impl Fn(usize, usize, usize) -> f32 + Sync + Send,
    out: &mut [f32],
) {
    let out = Shared::new(out);
    for_each_task(outputs, |o| {
        vectorized(
            #[inline(always)]
            || {
                for first in (0..inputs).step_by(LANES) {
                    let count = LANES.min(inputs - first);
                    let mut taps: Tile<3> = [[[0.; LANES]; 3]; 3];
                    for (tap, lanes) in taps.as_flattened_mut().iter_mut().enumerate() {
                        for (lane, value) in lanes[..count].iter_mut().enumerate() {
                            *value = kernel(o, first + lane, tap);
                        }
                    }
                    let u = transform(&taps, |[a, b, c]| {
                        let (sum, half) = (a + c, a * (1. / 24.) + c * (1. / 6.));
                        [
                            a * 0.25,
                            (sum + b) * (-1. / 6.),
                            (sum - b) * (-1. / 6.),
                            half + b * (1. / 12.),
                            half - b * (1. / 12.),
                            c,
                        ]
                    });
                    for (place, lanes) in u.as_flattened().iter().enumerate() {
                        // SAFETY: each task has its own output channel.
                        let to = unsafe { out.slice((place * outputs + o) * inputs + first, count) };
                        to.copy_from_slice(&lanes[..count]);
                    }
                }
            },
        );
    });
}

/// Gᵀ P G of each input channel, where place p of channel c is at `products[p * stride + c]`.
#[inline(always)]
fn kernel_from_products(
    products: &[f32],
    stride: usize,
    inputs: usize,
    destination: Destination,
    dw: &mut [f32],
) {
    for first in (0..inputs).step_by(LANES) {
        let count = LANES.min(inputs - first);
        let mut p: Tile<6> = [[[0.; LANES]; 6]; 6];
        for (place, lanes) in p.as_flattened_mut().iter_mut().enumerate() {
            lanes[..count].copy_from_slice(&products[place * stride + first..][..count]);
        }
        let taps = transform(&p, |[a, b, c, d, e, f]| {
            let (low, high) = ((b + c) * (1. / 6.), d + e);
            [
                a * 0.25 - low + high * (1. / 24.),
                (c - b) * (1. / 6.) + (d - e) * (1. / 12.),
                high * (1. / 6.) - low + f,
            ]
        });
        for (lane, dw) in dw[first * 9..].chunks_exact_mut(9).take(count).enumerate() {
            for (tap, dw) in dw.iter_mut().enumerate() {
                let value = taps[tap / 3][tap % 3][lane];
                *dw = if destination == Destination::Add { *dw + value } else { value };
            }
        }
    }
}

/// Bᵀ D B of every channel and tile, (36, channels, tiles).
fn transform_input(t: Tiling, channels: usize, x: &[f32], out: &mut [f32]) {
    // A padded row is kept as four lines, one for each residue of the column, so that lanes are contiguous.
    let (rows, line) = (4 * t.rows() + 2, t.columns() + 1);
    let out = Shared::new(out);
    for_each_task(channels, |c| {
        let plane = &x[c * t.h * t.w..][..t.h * t.w];
        with_scratch(rows * 4 * line + LANES, |lines| {
            vectorized(
                #[inline(always)]
                || {
                    lines.fill(0.);
                    for (y, row) in plane.chunks_exact(t.w).enumerate().take(rows.saturating_sub(t.pad)) {
                        split_by_residue(row, t.pad, line, &mut lines[(y + t.pad) * 4 * line..][..4 * line]);
                    }
                    t.for_each_run(|row, first, count| {
                        let mut d: Tile<6> = [[[0.; LANES]; 6]; 6];
                        for (place, lanes) in d.as_flattened_mut().iter_mut().enumerate() {
                            let (i, j) = (place / 6, place % 6);
                            let at = ((4 * row + i) * 4 + j % 4) * line + j / 4 + first;
                            lanes.copy_from_slice(&lines[at..at + LANES]);
                        }
                        let v = transform(&d, |[a, b, c, d, e, f]| {
                            let (even, odd) = (e - 4. * c, d - 4. * b);
                            let (near, far) = (e - c, 2. * (d - b));
                            [
                                4. * a - 5. * c + e,
                                even + odd,
                                even - odd,
                                near + far,
                                near - far,
                                4. * b - 5. * d + f,
                            ]
                        });
                        store_places(&v, &out, channels, t.tiles(), c, row * t.columns() + first, count);
                    });
                },
            );
        });
    });
}

#[inline(always)]
fn split_by_residue(row: &[f32], pad: usize, line: usize, lines: &mut [f32]) {
    for (x, &v) in row.iter().enumerate().take((4 * line).saturating_sub(pad)) {
        let at = x + pad;
        lines[at % 4 * line + at / 4] = v;
    }
}

/// A dY Aᵀ of every channel and tile, (36, channels, tiles).
fn transform_gradient(t: Tiling, channels: usize, dy: &[f32], out: &mut [f32]) {
    let out = Shared::new(out);
    for_each_task(channels, |c| {
        let plane = &dy[c * t.oh * t.ow..][..t.oh * t.ow];
        vectorized(
            #[inline(always)]
            || {
                t.for_each_run(|row, first, count| {
                    let mut d: Tile<4> = [[[0.; LANES]; 4]; 4];
                    for (d, line) in d.iter_mut().zip(plane.chunks_exact(t.ow).skip(4 * row)) {
                        for (x, &v) in line[4 * first..].iter().enumerate().take(4 * count) {
                            d[x % 4][x / 4] = v;
                        }
                    }
                    let v = transform(&d, |[a, b, c, d]| {
                        let (even, odd, even2, odd2) = (a + c, b + d, a + 4. * c, 2. * b + 8. * d);
                        [a, even + odd, even - odd, even2 + odd2, even2 - odd2, d]
                    });
                    store_places(&v, &out, channels, t.tiles(), c, row * t.columns() + first, count);
                });
            },
        );
    });
}

#[inline(always)]
fn store_places(
    v: &Tile<6>,
    out: &Shared,
    channels: usize,
    tiles: usize,
    channel: usize,
    tile: usize,
    count: usize,
) {
    for (place, lanes) in v.as_flattened().iter().enumerate() {
        // SAFETY: each task has its own channel.
        let to = unsafe { out.slice((place * channels + channel) * tiles + tile, count) };
        to.copy_from_slice(&lanes[..count]);
    }
}

/// Aᵀ M A of every channel and tile, plus bias, written as rows of pixels.
fn transform_output(t: Tiling, channels: usize, products: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let (tiles, area) = (t.tiles(), t.oh * t.ow);
    let y = Shared::new(y);
    for_each_task(channels, |c| {
        // SAFETY: each task has its own channel.
        let plane = unsafe { y.slice(c * area, area) };
        let b = bias.map_or(0., |bias| bias[c]);
        vectorized(
            #[inline(always)]
            || {
                t.for_each_run(|row, first, count| {
                    let mut m: Tile<6> = [[[0.; LANES]; 6]; 6];
                    for (place, lanes) in m.as_flattened_mut().iter_mut().enumerate() {
                        let at = (place * channels + c) * tiles + row * t.columns() + first;
                        lanes[..count].copy_from_slice(&products[at..at + count]);
                    }
                    let out = transform(&m, |[a, b, c, d, e, f]| {
                        let (s, d1, s2, d2) = (b + c, b - c, d + e, d - e);
                        [a + s + s2, d1 + 2. * d2, s + 4. * s2, d1 + 8. * d2 + f]
                    });
                    let width = (4 * count).min(t.ow - 4 * first);
                    for (lanes, line) in out.iter().zip(plane.chunks_exact_mut(t.ow).skip(4 * row)) {
                        let mut pixels: [Lane; 4] = [[0.; LANES]; 4];
                        for (i, p) in pixels.as_flattened_mut().iter_mut().enumerate() {
                            *p = lanes[i % 4][i / 4] + b;
                        }
                        line[4 * first..][..width].copy_from_slice(&pixels.as_flattened()[..width]);
                    }
                });
            },
        );
    });
}
