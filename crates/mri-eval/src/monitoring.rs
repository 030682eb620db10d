//! Distances between *sets* of images, for training without any truth: translated images against real ones of the
//! target domain. A small distance is necessary, not sufficient: a model that ignores its input can reach zero.

use crate::baselines::{LEVELS, LevelCounts};
use crate::{EvalError, Range};
use ndarray::{ArrayView2, s};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 1-Wasserstein distance between the pooled intensity histograms of two sets, in the units of the images: how far the
/// average pixel must move in grey level. Pixels count at the nearest of 256 levels over the range.
///
/// Equals SciPy's `wasserstein_distance` for 8-bit images.
///
/// # Errors
/// An empty set, or a pixel that is not finite.
pub fn histogram_distance<'a>(
    images: impl IntoIterator<Item = ArrayView2<'a, f32>>,
    references: impl IntoIterator<Item = ArrayView2<'a, f32>>,
    range: Range,
) -> Result<f64, EvalError> {
    let (mut a, mut b) = (LevelCounts::new(range), LevelCounts::new(range));
    images.into_iter().try_for_each(|image| a.add(image))?;
    references.into_iter().try_for_each(|image| b.add(image))?;
    let step = range.width() / (LEVELS - 1) as f64;
    Ok(a.cumulative()?.iter().zip(b.cumulative()?).map(|(a, b)| (a - b).abs()).sum::<f64>() * step)
}

/// How [`sliced_wasserstein`] samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlicedWasserstein {
    /// Side of the square patches.
    pub patch_px: usize,
    /// Patches drawn from each set.
    pub patches: usize,
    /// Random directions on which the patches are projected.
    pub directions: usize,
    /// Seed of positions and directions: the same seed gives the same number.
    pub seed: u64,
}

impl Default for SlicedWasserstein {
    /// 2048 patches of 7x7 px on 128 directions, seed 0.
    fn default() -> Self {
        SlicedWasserstein { patch_px: 7, patches: 2048, directions: 128, seed: 0 }
    }
}

/// Sliced 1-Wasserstein distance between the patches of two sets (Rabin 2011; on image patches: Karras 2018), as a
/// fraction of the declared range: it sees texture and edges, where [`histogram_distance`] sees grey levels alone.
///
/// Patches are drawn uniformly over images and positions, projected on random unit directions, sorted, and compared
/// rank by rank; the mean over directions is the result. Two samples of one set score above zero: compare with that.
///
/// # Errors
/// An empty set, an image smaller than a patch, no patches or directions asked for, a pixel that is not finite.
pub fn sliced_wasserstein(
    images: &[ArrayView2<'_, f32>],
    references: &[ArrayView2<'_, f32>],
    range: Range,
    sampling: SlicedWasserstein,
) -> Result<f64, EvalError> {
    if sampling.patches == 0 || sampling.directions == 0 || sampling.patch_px == 0 {
        return Err(EvalError::Empty { what: "the sample of patches" });
    }
    let mut random = ChaCha8Rng::seed_from_u64(sampling.seed);
    let a = draw_patches(images, sampling, &mut random)?;
    let b = draw_patches(references, sampling, &mut random)?;
    let length = sampling.patch_px * sampling.patch_px;
    let mut total = 0.0;
    for _ in 0..sampling.directions {
        let direction = unit_vector(length, &mut random);
        let (a, b) = (project_sorted(&a, &direction), project_sorted(&b, &direction));
        total += a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64;
    }
    Ok(total / sampling.directions as f64 / range.width())
}

/// Patches as rows of `patch_px²` values, one after the other.
fn draw_patches(
    images: &[ArrayView2<'_, f32>],
    sampling: SlicedWasserstein,
    random: &mut ChaCha8Rng,
) -> Result<Vec<f64>, EvalError> {
    let side = sampling.patch_px;
    if images.is_empty() {
        return Err(EvalError::Empty { what: "the set of images" });
    }
    for image in images {
        crate::metrics::check_image("an image", image)?;
        let (height_px, width_px) = image.dim();
        if height_px.min(width_px) < side {
            return Err(EvalError::TooSmall {
                metric: "sliced Wasserstein distance",
                minimum_px: side,
                height_px,
                width_px,
            });
        }
    }
    let mut values = Vec::with_capacity(sampling.patches * side * side);
    for _ in 0..sampling.patches {
        let image = &images[random.random_range(0..images.len())];
        let row = random.random_range(0..=image.nrows() - side);
        let column = random.random_range(0..=image.ncols() - side);
        values.extend(image.slice(s![row..row + side, column..column + side]).iter().map(|&v| f64::from(v)));
    }
    Ok(values)
}

/// A normal deviate of mean 0 and variance 1 (Box and Muller 1958).
pub(crate) fn standard_normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Uniform on the sphere: normal deviates over their norm.
fn unit_vector(length: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let normals: Vec<f64> = (0..length).map(|_| standard_normal(random)).collect();
    let norm = normals.iter().map(|x| x * x).sum::<f64>().sqrt();
    normals.into_iter().map(|x| x / norm).collect()
}

fn project_sorted(patches: &[f64], direction: &[f64]) -> Vec<f64> {
    let mut projections: Vec<f64> = patches
        .chunks_exact(direction.len())
        .map(|patch| patch.iter().zip(direction).map(|(value, weight)| value * weight).sum())
        .collect();
    projections.sort_by(f64::total_cmp);
    projections
}
