//! Smooth random fields in space: sums of plane waves with random directions and phases.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

/// A random field of zero mean and unit variance whose features have about one size.
///
/// Its zero set is a labyrinth of evenly spaced sheets, as the sulci of a brain are.
#[derive(Clone, Debug)]
pub(crate) struct Waves {
    waves: Vec<Wave>,
}

#[derive(Clone, Debug)]
struct Wave {
    turns_per_mm: [f32; 3],
    phase_turns: f32,
    side_turns: f32,
    amplitude: f32,
}

impl Waves {
    /// `count` waves of lengths around `wavelength_mm` (within `spread`, a fraction of it).
    pub(crate) fn new(rng: &mut impl Rng, count: usize, wavelength_mm: f32, spread: f32) -> Self {
        let amplitude = (2.0 / count as f32).sqrt();
        let waves = (0..count).map(|_| {
            let z = rng.random_range(-1.0..1.0f32);
            let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
            let planar = (1.0 - z * z).sqrt();
            let frequency = 1.0 / (wavelength_mm * (1.0 + spread * rng.random_range(-1.0..1.0f32)));
            Wave {
                turns_per_mm: [frequency * planar * cos, frequency * planar * sin, frequency * z],
                phase_turns: rng.random_range(0.0..1.0),
                side_turns: rng.random_range(-0.5..0.5),
                amplitude,
            }
        });
        Self { waves: waves.collect() }
    }

    /// The field at a point (mm).
    pub(crate) fn at(&self, p: [f32; 3]) -> f32 {
        self.at_side(p, 0.0)
    }

    /// The field with its phases moved by `side`: -1 and 1 give two fields that resemble each other, and values
    /// between lead smoothly from one to the other.
    pub(crate) fn at_side(&self, p: [f32; 3], side: f32) -> f32 {
        let turns = |w: &Wave| {
            let [x, y, z] = w.turns_per_mm;
            x * p[0] + y * p[1] + z * p[2] + w.phase_turns + side * w.side_turns
        };
        self.waves.iter().map(|w| w.amplitude * cosine_of_turns(turns(w))).sum()
    }
}

/// cos(2 pi `turns`) to 1e-4, the same on every platform (the standard library's cosine is not).
fn cosine_of_turns(turns: f32) -> f32 {
    // Casting rounds faster than `round`, which is a call where SSE 4.1 is not assumed.
    let whole = (turns + 0.5f32.copysign(turns)) as i32 as f32;
    let u = 0.25 - (turns - whole).abs();
    let v = u * u;
    u * (TAU - v * (41.341_7 - v * (81.605_25 - v * (76.705_86 - v * 42.058_69))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_cosine_is_a_cosine() {
        for i in -1000..1000 {
            let turns = i as f32 * 0.00371;
            let exact = (f64::from(turns) * std::f64::consts::TAU).cos() as f32;
            assert!((cosine_of_turns(turns) - exact).abs() < 1e-4, "{turns}");
        }
    }

    #[test]
    fn a_field_has_zero_mean_and_unit_variance() {
        let waves = Waves::new(&mut ChaCha8Rng::seed_from_u64(1), 24, 20.0, 0.1);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let values: Vec<f32> =
            (0..20_000).map(|_| waves.at([0; 3].map(|_| rng.random_range(-500.0..500.0)))).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.1, "{mean} {variance}");
    }
}
