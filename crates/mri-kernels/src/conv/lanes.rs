//! Small square matrices of vectors, for transforms that run over several tiles at once.

use crate::parallel::Shared;

/// Tiles handled at once: one AVX-512 vector, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;
/// One value of each of `LANES` tiles.
pub(crate) type Lane = [f32; LANES];
/// An N x N matrix of each of `LANES` tiles.
pub(crate) type Tile<const N: usize> = [[Lane; N]; N];

/// Element p of each of `count` matrices from `from[p * stride + at..]`, the other lanes 0.
#[inline(always)]
pub(crate) fn load<const N: usize>(from: &[f32], stride: usize, at: usize, count: usize) -> Tile<N> {
    let mut tile: Tile<N> = [[[0.; LANES]; N]; N];
    for (p, lanes) in tile.as_flattened_mut().iter_mut().enumerate() {
        let from = &from[p * stride + at..][..count];
        // A length that is known is one instruction, another is a call.
        match from.try_into() {
            Ok(full) => *lanes = full,
            Err(_) => lanes[..count].copy_from_slice(from),
        }
    }
    tile
}

/// The inverse of [`load`].
///
/// # Safety
/// Nobody else may write these elements.
#[inline(always)]
pub(crate) unsafe fn store<const N: usize>(
    tile: &Tile<N>,
    to: &Shared,
    stride: usize,
    at: usize,
    count: usize,
) {
    for (p, lanes) in tile.as_flattened().iter().enumerate() {
        // SAFETY: promised by the caller.
        let to = unsafe { to.slice(p * stride + at, count) };
        match <&mut Lane>::try_from(&mut *to) {
            Ok(full) => *full = *lanes,
            Err(_) => to.copy_from_slice(&lanes[..count]),
        }
    }
}

/// `T d Tᵀ`, where `f` multiplies a vector by T.
#[inline(always)]
pub(crate) fn transform<const N: usize, const M: usize>(
    d: &Tile<N>,
    f: impl Fn([f32; N]) -> [f32; M],
) -> Tile<M> {
    let mut half = [[[0.; LANES]; N]; M];
    for j in 0..N {
        for lane in 0..LANES {
            let mut column = [0.; N];
            for i in 0..N {
                column[i] = d[i][j][lane];
            }
            let column = f(column);
            for i in 0..M {
                half[i][j][lane] = column[i];
            }
        }
    }
    let mut whole = [[[0.; LANES]; M]; M];
    for i in 0..M {
        for lane in 0..LANES {
            let mut row = [0.; N];
            for j in 0..N {
                row[j] = half[i][j][lane];
            }
            let row = f(row);
            for j in 0..M {
                whole[i][j][lane] = row[j];
            }
        }
    }
    whole
}
