//! What a scanner adds: a smooth sensitivity field and noise.

use ndarray::Array2;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{
    slice::{PhantomSlice, SliceGrid},
    subject::Subject,
    tissue::Tissue,
    waves::Waves,
};
use crate::random::stream;

/// Imperfections of an acquisition, in BrainWeb's terms. The default is a perfect scanner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acquisition {
    /// Standard deviation of the Gaussian noise in each of the two channels of the receiver, in percent of the signal
    /// of white matter (T1-weighted) or of CSF (T2-weighted). Magnitudes are then Rician.
    pub noise_percent: f32,
    /// Range of the multiplicative sensitivity field in percent: 20 varies it between 0.9 and 1.1.
    pub bias_percent: f32,
}

impl Subject {
    /// [`Subject::slice`] as an imperfect scanner sees it. The sensitivity field is one smooth field in space for each
    /// contrast of a subject; the noise differs in every slice and contrast. The same call gives the same slice.
    pub fn scan(&self, level_mm: f32, grid: &SliceGrid, acquisition: &Acquisition) -> PhantomSlice {
        let mut slice = self.slice(level_mm, grid);
        let grey = super::signal::grey_values();
        let contrasts = [
            ("t1", &mut slice.t1, grey[usize::from(Tissue::WhiteMatter.label())][0]),
            ("t2", &mut slice.t2, grey[usize::from(Tissue::Csf.label())][1]),
        ];
        for (name, image, reference) in contrasts {
            if acquisition.bias_percent > 0.0 {
                let mut rng = stream(self.seed, &format!("phantom bias {name}"), 0);
                let field = Waves::new(&mut rng, 4, 260.0, 0.3);
                multiply_by_field(image, &field, acquisition.bias_percent / 200.0, level_mm, grid.spacing_mm);
            }
            if acquisition.noise_percent > 0.0 {
                let mut rng =
                    stream(self.seed, &format!("phantom noise {name}"), u64::from(level_mm.to_bits()));
                add_rician_noise(image, acquisition.noise_percent / 100.0 * reference, &mut rng);
            }
        }
        slice
    }
}

fn multiply_by_field(image: &mut Array2<f32>, field: &Waves, amplitude: f32, level_mm: f32, spacing_mm: f32) {
    for ((row, column), value) in image.indexed_iter_mut() {
        let at = field.at([spacing_mm * column as f32, spacing_mm * row as f32, level_mm]);
        *value *= 1.0 + amplitude * (0.7 * at).clamp(-1.0, 1.0);
    }
}

/// Replaces every value by the magnitude of itself plus complex Gaussian noise.
fn add_rician_noise(image: &mut Array2<f32>, sigma: f32, rng: &mut impl Rng) {
    for value in image.iter_mut() {
        let [real, imaginary] = gaussian_pair(rng);
        *value = (*value + sigma * real).hypot(sigma * imaginary);
    }
}

/// Two independent standard normal numbers (Box and Muller 1958).
fn gaussian_pair(rng: &mut impl Rng) -> [f32; 2] {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    let (sin, cos) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    // Moments of the Rician distribution: in air (Rayleigh) the mean is sigma sqrt(pi / 2); at high signal the mean is
    // about A + sigma^2 / 2A and the standard deviation sigma.
    #[test]
    fn noise_is_rayleigh_in_air_and_nearly_normal_in_tissue() {
        let sigma = 0.02;
        for (signal, mean, sd) in
            [(0.0, sigma * 1.2533, sigma * 0.6551), (0.6, 0.6 + sigma * sigma / 1.2, sigma)]
        {
            let mut image = Array2::from_elem((200, 200), signal);
            add_rician_noise(&mut image, sigma, &mut stream(3, "test", 0));
            let found = image.mean().unwrap();
            assert!((found - mean).abs() < 0.02 * sigma, "{found} {mean}");
            assert!((image.std(0.0) - sd).abs() < 0.02 * sigma, "{} {sd}", image.std(0.0));
        }
    }

    #[test]
    fn a_perfect_scanner_changes_nothing_and_bias_stays_within_its_range() {
        let subject = Subject::new(5);
        let grid = SliceGrid::square(48);
        let clean = subject.slice(20.0, &grid);
        assert_eq!(subject.scan(20.0, &grid, &Acquisition::default()), clean);

        let biased = subject.scan(20.0, &grid, &Acquisition { bias_percent: 40.0, ..Default::default() });
        let gains = |a: &Array2<f32>, b: &Array2<f32>| -> Vec<f32> {
            a.iter().zip(b).filter(|(_, b)| **b > 0.05).map(|(a, b)| a / b).collect()
        };
        let (t1, t2) = (gains(&biased.t1, &clean.t1), gains(&biased.t2, &clean.t2));
        assert!(t1.iter().chain(&t2).all(|g| (0.7999..1.2001).contains(g)));
        let spread = t1.iter().copied().fold(0.0, f32::max) - t1.iter().copied().fold(2.0, f32::min);
        assert!(spread > 0.1, "the field varies over the head: {spread}");
        assert_eq!(biased.labels, clean.labels);
    }

    #[test]
    fn noise_differs_between_slices_and_repeats_with_the_seed() {
        let acquisition = Acquisition { noise_percent: 3.0, bias_percent: 0.0 };
        let grid = SliceGrid::square(32);
        let corner = |seed, level_mm| Subject::new(seed).scan(level_mm, &grid, &acquisition).t1[(0, 0)];
        assert_eq!(corner(1, 20.0), corner(1, 20.0));
        assert_ne!(corner(1, 20.0), corner(1, 21.0));
        assert_ne!(corner(1, 20.0), corner(2, 20.0));
    }
}
