//! Small square matrices of vectors, for transforms that run over several tiles at once.

/// Tiles handled at once: one AVX-512 vector, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;
/// One value of each of `LANES` tiles.
pub(crate) type Lane = [f32; LANES];
/// An N x N matrix of each of `LANES` tiles.
pub(crate) type Tile<const N: usize> = [[Lane; N]; N];

/// `T d Tᵀ`, where `f` multiplies a vector by T.
#[inline(always)]
pub(crate) fn transform<const N: usize, const M: usize>(
    d: &Tile<N>,
    f: impl Fn([f32; N]) -> [f32; M],
) -> Tile<M> {
    let mut half = [[[0.; LANES]; N]; M];
    for j in 0..N {
        for lane in 0..LANES {
            let column = f(std::array::from_fn(|i| d[i][j][lane]));
            for i in 0..M {
                half[i][j][lane] = column[i];
            }
        }
    }
    let mut whole = [[[0.; LANES]; M]; M];
    for i in 0..M {
        for lane in 0..LANES {
            let row = f(std::array::from_fn(|j| half[i][j][lane]));
            for j in 0..M {
                whole[i][j][lane] = row[j];
            }
        }
    }
    whole
}
