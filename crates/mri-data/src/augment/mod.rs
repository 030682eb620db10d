//! Augmentation of network images: parameters are drawn by [`sample`], and [`apply`] is a pure function of an image and
//! its parameters.
//!
//! Images are in [-1, 1], where -1 is air; what comes from outside the frame is [`FILL`]. Flip, rotation, scale, shift
//! and elastic deformation are one single resampling, so the image is blurred once. Then come gamma, the sensitivity
//! field and noise, in this order.
//!
//! ```
//! use mri_data::augment::{AugmentConfig, Augmentation, apply, sample};
//! use mri_data::random::stream;
//!
//! let image = ndarray::Array2::from_shape_fn((8, 8), |(row, column)| (row * column) as f32 / 49.0 - 0.5);
//! let parameters = sample(&AugmentConfig::affine(), &mut stream(1, "augment", 0));
//! assert_eq!(apply(&image, &parameters).dim(), (8, 8));
//! assert_eq!(apply(&image, &Augmentation::default()), image);
//! ```

mod config;
mod elastic;
mod intensity;
mod resample;

pub use config::AugmentConfig;
pub use elastic::Elastic;
pub use intensity::{Noise, SensitivityField};
pub use resample::{Affine, Flip};

use ndarray::Array2;
use rand::{Rng, RngExt};

/// The value of what lies outside the image: air.
pub const FILL: f32 = -1.0;

/// Parameters of one augmentation. The default is the identity.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Augmentation {
    /// Flip, rotation, scale and shift.
    pub affine: Affine,
    /// Smooth deformation, added to the affine one.
    pub elastic: Option<Elastic>,
    /// Natural logarithm of the exponent of the grey values: 0 leaves them.
    pub log_gamma: f32,
    /// Smooth gain.
    pub field: Option<SensitivityField>,
    /// Additive noise.
    pub noise: Option<Noise>,
}

/// Draws parameters. As many numbers are drawn for any configuration, so switching one augmentation on or off leaves the
/// parameters of the others as they were.
pub fn sample(config: &AugmentConfig, rng: &mut impl Rng) -> Augmentation {
    let flip = if rng.random::<f32>() < config.flip_probability { Flip::LeftRight } else { Flip::None };
    let mut within = |limit: f32| limit * rng.random_range(-1.0..=1.0f32);
    let affine = Affine {
        flip,
        rotation_rad: within(config.rotation_rad),
        scale: 1.0 + within(config.scale),
        aspect: 1.0 + within(config.aspect),
        shift: [within(config.shift), within(config.shift)],
    };
    let log_gamma = within(config.log_gamma);
    let elastic = Elastic::sample(config.elastic, rng);
    let field = SensitivityField::sample(config.field, rng);
    let noise = Noise { sd: config.noise_sd, seed: rng.next_u64() };
    Augmentation {
        affine,
        elastic: (config.elastic > 0.0).then_some(elastic),
        log_gamma,
        field: (config.field > 0.0).then_some(field),
        noise: (config.noise_sd > 0.0).then_some(noise),
    }
}

/// The augmented image, of the same size, in [-1, 1]. With the identity it is exactly `image`.
pub fn apply(image: &Array2<f32>, augmentation: &Augmentation) -> Array2<f32> {
    let Augmentation { affine, elastic, log_gamma, field, noise } = augmentation;
    let mut augmented = resample::deformed(image, affine, elastic.as_ref());
    if *log_gamma != 0.0 {
        intensity::apply_gamma(&mut augmented, log_gamma.exp());
    }
    if let Some(field) = field {
        field.apply(&mut augmented);
    }
    if let Some(noise) = noise {
        noise.apply(&mut augmented);
    }
    augmented
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    fn everything() -> AugmentConfig {
        AugmentConfig { elastic: 0.02, log_gamma: 0.3, field: 0.2, noise_sd: 0.05, ..AugmentConfig::affine() }
    }

    fn ramp() -> Array2<f32> {
        Array2::from_shape_fn((20, 17), |(row, column)| (row as f32 * 0.09 + column as f32 * 0.01) - 0.95)
    }

    #[test]
    fn what_is_off_changes_nothing() {
        for index in 0..20 {
            let parameters = sample(&AugmentConfig::default(), &mut stream(0, "test", index));
            assert_eq!(apply(&ramp(), &parameters), ramp());
        }
    }

    #[test]
    fn the_same_stream_gives_the_same_image_and_another_gives_another() {
        let augmented = |index| apply(&ramp(), &sample(&everything(), &mut stream(0, "test", index)));
        assert_eq!(augmented(0), augmented(0));
        assert_ne!(augmented(0), augmented(1));
    }

    #[test]
    fn images_stay_in_the_range_of_the_network() {
        for index in 0..20 {
            let augmented = apply(&ramp(), &sample(&everything(), &mut stream(1, "test", index)));
            assert!(augmented.iter().all(|v| (-1.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn switching_one_augmentation_on_leaves_the_parameters_of_the_others() {
        let drawn = |config: &AugmentConfig| sample(config, &mut stream(2, "test", 0));
        let all = drawn(&everything());
        let affine = drawn(&AugmentConfig::affine());
        assert_eq!(affine.affine, all.affine);
        let noise = drawn(&AugmentConfig { noise_sd: 0.05, ..AugmentConfig::default() });
        assert_eq!(noise.noise, all.noise);
    }

    #[test]
    fn parameters_stay_within_the_limits_and_reach_towards_them() {
        let config = AugmentConfig::affine();
        let drawn: Vec<Affine> =
            (0..500).map(|index| sample(&config, &mut stream(3, "test", index)).affine).collect();
        let reach = |limit: f32, of: fn(&Affine) -> f32| {
            let widest = drawn.iter().map(|affine| of(affine).abs()).fold(0.0, f32::max);
            assert!(widest <= limit * 1.0001 && widest > 0.95 * limit, "{widest} of {limit}");
        };
        reach(config.rotation_rad, |affine| affine.rotation_rad);
        reach(config.scale, |affine| affine.scale - 1.0);
        reach(config.aspect, |affine| affine.aspect - 1.0);
        reach(config.shift, |affine| affine.shift[1]);
        let flips = drawn.iter().filter(|affine| affine.flip == Flip::LeftRight).count();
        assert!((200..300).contains(&flips), "{flips} of 500");
    }
}
