//! The same convolution seen from its output: for stride 1, exchanging channels and turning the kernel by 180 degrees
//! turns the forward pass into the other's input gradient and the other way round.
//!
//! A convolution to one channel (the last layer of a generator or discriminator) would make a column matrix of all its
//! input for a single row of weights. Its mirror image makes one of its output only.

use super::geometry::Geometry;

/// Whether the mirror image is the better way to compute.
pub(crate) fn applies(g: &Geometry) -> bool {
    g.stride == 1 && g.co < 8 && g.co < g.ci && g.pad < g.kh && g.kh == g.kw
}

/// The geometry from the output's side.
pub(crate) fn geometry(g: &Geometry) -> Geometry {
    Geometry { ci: g.co, h: g.oh, w: g.ow, co: g.ci, oh: g.h, ow: g.w, pad: g.kh - 1 - g.pad, ..*g }
}

/// (co, ci, kh, kw) -> (ci, co, kh, kw) turned by 180 degrees.
pub(crate) fn kernel(weight: &[f32], co: usize, ci: usize, taps: usize) -> Vec<f32> {
    let mut mirrored = vec![0.; weight.len()];
    for o in 0..co {
        for i in 0..ci {
            let from = &weight[(o * ci + i) * taps..][..taps];
            let to = &mut mirrored[(i * co + o) * taps..][..taps];
            to.iter_mut().zip(from.iter().rev()).for_each(|(t, f)| *t = *f);
        }
    }
    mirrored
}
