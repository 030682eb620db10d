use super::head::depth;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use mri_unet::TONE_KNOTS;

/// Lower bounds of the bins of depth, in radii: finer where the layers of scalp, skull and fluid lie.
const DEPTHS: [f32; 27] = {
    let mut bounds = [0.; 27];
    let mut i = 1;
    while i < bounds.len() {
        bounds[i] = if i <= 20 { 0.02 * i as f32 } else { 0.4 + 0.1 * (i - 20) as f32 };
        i += 1;
    }
    bounds
};
/// Distances of two pixels that are looked at side by side.
const DISTANCES_PX: [usize; 6] = [1, 2, 3, 5, 8, 13];

/// Which grey levels the images of a domain have how deep in the head, and which ones beside which.
#[derive(Debug, Clone)]
pub struct ToneStatistics {
    /// Air first, then one row a bin of depth; a column a level.
    by_depth: Vec<f64>,
    /// For each distance, levels by levels.
    beside: Vec<f64>,
}

impl Default for ToneStatistics {
    fn default() -> Self {
        Self {
            by_depth: vec![0.; (1 + DEPTHS.len()) * TONE_KNOTS],
            beside: vec![0.; DISTANCES_PX.len() * TONE_KNOTS * TONE_KNOTS],
        }
    }
}

/// The two levels that a value lies between, with its nearness to each.
fn levels(value: f32) -> [(usize, f64); 2] {
    let u = (f64::from(value.clamp(-1., 1.)) + 1.) / 2. * (TONE_KNOTS - 1) as f64;
    let low = (u as usize).min(TONE_KNOTS - 2);
    let share = u - low as f64;
    [(low, 1. - share), (low + 1, share)]
}

impl ToneStatistics {
    /// Counts one image in.
    ///
    /// # Shapes
    /// (H, W), values in [-1,1], air at -1.
    ///
    /// # Errors
    /// Another rank, no pixels, or values that are not finite.
    pub fn add(&mut self, image: &Tensor) -> Result<()> {
        let (height, width) = image.dims2()?;
        let pixels: Vec<f32> = image.flatten_all()?.to_vec1()?;
        if pixels.is_empty() || pixels.iter().any(|value| !value.is_finite()) {
            return Err(Error::Data(format!("an image of {height}x{width} px without finite values")));
        }
        let depth = depth(&pixels, width);
        let levels: Vec<_> = pixels.iter().map(|&value| levels(value)).collect();
        for (&depth, of_pixel) in depth.iter().zip(&levels) {
            let row = if depth > 0. { DEPTHS.partition_point(|&bound| bound <= depth) } else { 0 };
            for &(level, share) in of_pixel {
                self.by_depth[row * TONE_KNOTS + level] += share;
            }
        }
        for (table, distance) in self.beside.chunks_exact_mut(TONE_KNOTS * TONE_KNOTS).zip(DISTANCES_PX) {
            for (down, right) in [(0, distance), (distance, 0)] {
                for row in 0..height.saturating_sub(down) {
                    for column in 0..width.saturating_sub(right) {
                        let here = row * width + column;
                        let there = here + down * width + right;
                        if depth[here] == 0. && depth[there] == 0. {
                            continue;
                        }
                        for (level, share) in levels[here] {
                            for (other, share_of_other) in levels[there] {
                                table[level * TONE_KNOTS + other] += share * share_of_other;
                                table[other * TONE_KNOTS + level] += share * share_of_other;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Chances of each level by depth, (1 + depths, levels): air's sum to 1, and those of the head.
    pub(super) fn by_depth(&self, device: &Device) -> Result<Tensor> {
        let (air, head) = self.by_depth.split_at(TONE_KNOTS);
        let chances = [normalized(air), normalized(head)].concat();
        Ok(Tensor::from_vec(chances, (1 + DEPTHS.len(), TONE_KNOTS), device)?)
    }

    /// Chances of two levels side by side, (distances, levels, levels): those of each distance sum to 1.
    pub(super) fn beside(&self, device: &Device) -> Result<Tensor> {
        let chances: Vec<f64> =
            self.beside.chunks_exact(TONE_KNOTS * TONE_KNOTS).flat_map(normalized).collect();
        Ok(Tensor::from_vec(chances, (DISTANCES_PX.len(), TONE_KNOTS, TONE_KNOTS), device)?)
    }
}

/// Counts as shares of their sum; all 0 where nothing was counted.
fn normalized(counts: &[f64]) -> Vec<f64> {
    let total = counts.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    counts.iter().map(|count| count / total).collect()
}
