//! Convolutions of stride 1 by minimal filtering, F(m x m, r x r) of Winograd (1980) and of Lavin & Gray (2016), with 6x6
//! products for m x m outputs of an r x r kernel, r = 3 or 4 and m + r = 7: 4 times fewer than the direct sum.
//!
//! ```text
//! Y  = Aᵀ [ (G W Gᵀ) ⊙ (Bᵀ D B) ] A         D: 6x6 input tile, Y: m x m output tile, products summed over channels
//! dW = Gᵀ [ (A dY Aᵀ) ⊙ (Bᵀ D B) ] G        products summed over tiles
//! ```
//!
//! The products of all pairs of channels (tiles) at one of the 36 places are one matrix product. The rounding error is a
//! few times that of the direct sum, about 1e-5 of the largest output.
//!
//! A 4x4 kernel of stride 2 could be taken as a 2x2 kernel over the four phases of the image, F(5x5, 2x2), with 2.8 times
//! fewer products. It was tried: at the sizes of a U-Net its transforms move more memory than the products saved are worth.

mod kernels;
mod planes;
mod points;

use kernels::{Turn, gradient_from_products, transform_kernel};
use planes::{Planes, Tiling, transform_gradient, transform_input, transform_output};

use super::geometry::{Geometry, piece};
use super::lanes::LANES;
use crate::matmul::{Destination, Matrix, matmul};
use crate::parallel::{Shared, for_each_task, with_scratch};

/// Products a tile.
const PLACES: usize = 36;
/// Tiles that share a matrix product, where one image has fewer.
const GROUPED_TILES: usize = 1024;

/// Whether the channels are enough for the matrix products to pay for the transforms of the image, and the pixels for
/// those of the kernel.
pub(crate) fn applies(g: &Geometry) -> bool {
    let (least_channels, least_pixels) = match (g.kh, g.kw, g.stride) {
        (3, 3, 1) => (32, 256),
        (4, 4, 1) => (128, 200),
        _ => return false,
    };
    g.pad < g.kh && g.ci.min(g.co) >= least_channels && g.n * g.pixels() >= least_pixels
}

/// Y = W * X: `x` (n, ci, h, w), `weight` (co, ci, r, r) -> `y` (n, co, oh, ow).
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    match g.kh {
        3 => forward_by::<3, 4>(g, x, weight, bias, y),
        _ => forward_by::<4, 3>(g, x, weight, bias, y),
    }
}

/// dX is dY convolved with the kernel turned by 180 degrees, its channels exchanged.
pub(crate) fn input_grad(g: &Geometry, dy: &[f32], weight: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    match g.kh {
        3 => input_grad_by::<3, 4>(g, dy, weight, bias, dx),
        _ => input_grad_by::<4, 3>(g, dy, weight, bias, dx),
    }
}

/// dW = dY * X: `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, r, r), in place of or added to what it holds.
pub(crate) fn weight_grad(g: &Geometry, x: &[f32], dy: &[f32], destination: Destination, dw: &mut [f32]) {
    match g.kh {
        3 => weight_grad_by::<3, 4>(g, x, dy, destination, dw),
        _ => weight_grad_by::<4, 3>(g, x, dy, destination, dw),
    }
}

/// The input's planes, with zeros around them.
fn image_planes(g: &Geometry) -> Planes {
    Planes { h: g.h, w: g.w, pad: g.pad }
}

fn forward_by<const R: usize, const M: usize>(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let ends = [(image_planes(g), g.ci), (Planes { h: g.oh, w: g.ow, pad: 0 }, g.co)];
    convolve::<R, M>(g, Turn::Straight, ends, x, weight, bias, y);
}

fn input_grad_by<const R: usize, const M: usize>(
    g: &Geometry,
    dy: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    dx: &mut [f32],
) {
    let from = Planes { h: g.oh, w: g.ow, pad: R - 1 - g.pad };
    let ends = [(from, g.co), (Planes { h: g.h, w: g.w, pad: 0 }, g.ci)];
    convolve::<R, M>(g, Turn::Turned, ends, dy, weight, bias, dx);
}

/// Planes and channels of the input and of the output; the others as in [`forward`].
fn convolve<const R: usize, const M: usize>(
    g: &Geometry,
    turn: Turn,
    [(from, k), (to, m)]: [(Planes, usize); 2],
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let tiling = Tiling::<M>::over(to.h, to.w);
    let group = grouped(tiling, g.n);
    let width = group * tiling.tiles();
    let sizes = [m * k, k * width, m * width].map(|len| PLACES * stride(len));
    with_scratch(sizes.iter().sum(), |scratch| {
        let (weights, scratch) = scratch.split_at_mut(sizes[0]);
        let (spectrum, products) = scratch.split_at_mut(sizes[1]);
        transform_kernel::<R>(g, weight, turn, weights);
        for index in 0..g.n.div_ceil(group) {
            let images = piece(g.n, group, index);
            let x = &x[images.start * k * from.area()..][..images.len() * k * from.area()];
            let y = &mut y[images.start * m * to.area()..][..images.len() * m * to.area()];
            let width = images.len() * tiling.tiles();
            transform_input(tiling, from, k, x, spectrum);
            let shared = Shared::new(products);
            for_each_task(PLACES, |place| {
                // SAFETY: each task has its own place.
                let product = unsafe { shared.slice(place * stride(m * width), m * width) };
                let weights = &weights[place * stride(m * k)..];
                let u = match turn {
                    Turn::Straight => Matrix::rows(weights, m, k, k),
                    Turn::Turned => Matrix::rows(weights, k, m, m).transposed(),
                };
                let v = Matrix::rows(&spectrum[place * stride(k * width)..], k, width, width);
                matmul(product, width, Destination::Replace, u, v);
            });
            transform_output(tiling, (to.h, to.w), m, products, bias, y);
        }
    });
}

fn weight_grad_by<const R: usize, const M: usize>(
    g: &Geometry,
    x: &[f32],
    dy: &[f32],
    destination: Destination,
    dw: &mut [f32],
) {
    let tiling = Tiling::<M>::over(g.oh, g.ow);
    let from = image_planes(g);
    let k = g.ci;
    let pairs = g.co * k;
    let group = grouped(tiling, g.n);
    let width = group * tiling.tiles();
    let sizes = [pairs, k * width, g.co * width].map(|len| PLACES * stride(len));
    with_scratch(sizes.iter().sum(), |scratch| {
        let (products, scratch) = scratch.split_at_mut(sizes[0]);
        let (spectrum, gradient) = scratch.split_at_mut(sizes[1]);
        for index in 0..g.n.div_ceil(group) {
            let images = piece(g.n, group, index);
            let x = &x[images.start * g.ci * g.area()..][..images.len() * g.ci * g.area()];
            let dy = &dy[images.start * g.co * g.pixels()..][..images.len() * g.co * g.pixels()];
            let width = images.len() * tiling.tiles();
            transform_input(tiling, from, g.ci, x, spectrum);
            transform_gradient(tiling, (g.oh, g.ow), g.co, dy, gradient);
            let sum = if index == 0 { Destination::Replace } else { Destination::Add };
            let shared = Shared::new(products);
            for_each_task(PLACES, |place| {
                // SAFETY: each task has its own place.
                let product = unsafe { shared.slice(place * stride(pairs), pairs) };
                let d = Matrix::rows(&gradient[place * stride(g.co * width)..], g.co, width, width);
                let v = Matrix::rows(&spectrum[place * stride(k * width)..], k, width, width);
                matmul(product, k, sum, d, v.transposed());
            });
        }
        gradient_from_products::<R>(g, products, destination, dw);
    });
}

/// From one place to the next, for `len` values at each. A power of two would put all places on the same lines of the
/// cache.
fn stride(len: usize) -> usize {
    len.next_multiple_of(LANES) + LANES
}

/// How many images share a matrix product.
fn grouped<const M: usize>(tiling: Tiling<M>, n: usize) -> usize {
    (GROUPED_TILES / tiling.tiles()).clamp(1, n)
}
