//! Changes of grey values. Air (-1) stays air but for noise, and nothing leaves [-1, 1].

use ndarray::Array2;
use rand::{Rng, RngExt};

use crate::random::stream;

/// Raises grey values, as 0 for air to 1 for white, to the power `gamma`.
pub(super) fn apply_gamma(image: &mut Array2<f32>, gamma: f32) {
    image.mapv_inplace(|value| network_value(grey(value).powf(gamma)));
}

/// A smooth gain over the image, as the sensitivity of a receiver coil.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SensitivityField {
    /// Amplitudes of half cosine waves: across, along, both, and two half waves across and along.
    pub amplitudes: [f32; 5],
}

impl SensitivityField {
    /// A field that nowhere departs from 1 by more than `limit`.
    pub(super) fn sample(limit: f32, rng: &mut impl Rng) -> Self {
        let strength = limit * rng.random_range(0.0..=1.0f32);
        let parts: [f32; 5] = std::array::from_fn(|_| rng.random_range(-1.0..=1.0f32));
        let total = parts.iter().map(|part| part.abs()).sum::<f32>().max(f32::MIN_POSITIVE);
        Self { amplitudes: parts.map(|part| strength * part / total) }
    }

    /// Factor of the grey values at a place given as fractions of height and width.
    pub fn gain(&self, [along, across]: [f32; 2]) -> f32 {
        let [a, b, c, d, e] = self.amplitudes;
        let wave = |fraction: f32, half_waves: f32| (std::f32::consts::PI * half_waves * fraction).cos();
        1.0 + a * wave(across, 1.0)
            + b * wave(along, 1.0)
            + c * wave(across, 1.0) * wave(along, 1.0)
            + d * wave(across, 2.0)
            + e * wave(along, 2.0)
    }

    pub(super) fn apply(&self, image: &mut Array2<f32>) {
        let (height, width) = image.dim();
        for ((row, column), value) in image.indexed_iter_mut() {
            let place = [(row as f32 + 0.5) / height as f32, (column as f32 + 0.5) / width as f32];
            *value = network_value(grey(*value) * self.gain(place));
        }
    }
}

/// Independent Gaussian noise in every pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation, in network units.
    pub sd: f32,
    /// The same seed gives the same noise.
    pub seed: u64,
}

impl Noise {
    pub(super) fn apply(&self, image: &mut Array2<f32>) {
        let mut rng = stream(self.seed, "augment noise", 0);
        image.mapv_inplace(|value| (value + self.sd * gaussian(&mut rng)).clamp(-1.0, 1.0));
    }
}

/// A standard normal number (Box and Muller 1958).
fn gaussian(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// From [-1, 1] to [0, 1].
fn grey(value: f32) -> f32 {
    (0.5 * (value + 1.0)).clamp(0.0, 1.0)
}

/// From [0, 1] to [-1, 1].
fn network_value(grey: f32) -> f32 {
    (2.0 * grey - 1.0).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn gamma_keeps_black_and_white_and_bends_what_is_between() {
        let mut image = array![[-1.0, 0.0, 1.0]];
        apply_gamma(&mut image, 2.0);
        assert_eq!(image, array![[-1.0, -0.5, 1.0]]);
    }

    #[test]
    fn a_sensitivity_field_is_bounded_smooth_and_leaves_air_alone() {
        for index in 0..50 {
            let field = SensitivityField::sample(0.3, &mut stream(0, "test", index));
            let mut gains = Array2::from_elem((40, 40), 0.0f32);
            for ((row, column), gain) in gains.indexed_iter_mut() {
                *gain = field.gain([row as f32 / 39.0, column as f32 / 39.0]);
            }
            assert!(gains.iter().all(|gain| (0.6999..=1.3001).contains(gain)));
            let steps = gains
                .rows()
                .into_iter()
                .flat_map(|row| row.to_vec().windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>());
            assert!(steps.map(f32::abs).fold(0.0, f32::max) < 0.06);
            let mut air = Array2::from_elem((3, 3), -1.0);
            field.apply(&mut air);
            assert!(air.iter().all(|value| *value == -1.0));
        }
    }

    #[test]
    fn noise_has_its_standard_deviation_and_no_mean() {
        let mut image = Array2::zeros((200, 200));
        Noise { sd: 0.1, seed: 1 }.apply(&mut image);
        assert!((image.std(0.0) - 0.1).abs() < 2e-3, "{}", image.std(0.0));
        assert!(image.mean().unwrap().abs() < 2e-3);
    }
}
