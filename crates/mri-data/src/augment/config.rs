use serde::{Deserialize, Serialize};

use crate::DataError;

/// How far augmentation may go. Everything is off by default.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Probability of exchanging left and right, 0 to 1.
    pub flip_probability: f32,
    /// Largest rotation to either side, in radians.
    pub rotation_rad: f32,
    /// Largest enlargement or reduction, as a fraction: 0.12 scales by 0.88 to 1.12.
    pub scale: f32,
    /// Largest further widening or narrowing of the columns alone, as a fraction.
    pub aspect: f32,
    /// Largest shift along each axis, as a fraction of the side.
    pub shift: f32,
    /// Largest elastic displacement, as a fraction of the side; at most 0.05, which cannot fold the image.
    pub elastic: f32,
    /// Largest natural logarithm of the exponent gamma: 0.3 gives exponents of 0.74 to 1.35.
    pub log_gamma: f32,
    /// Largest gain or loss of the smooth sensitivity field, as a fraction.
    pub field: f32,
    /// Standard deviation of additive Gaussian noise, in network units (the full range is 2).
    pub noise_sd: f32,
}

impl AugmentConfig {
    /// The geometric part of the published training recipe: flips, rotation by 0.2 rad, scale by 12 %, aspect by 6 % and
    /// shift by 3 % of the side.
    pub fn affine() -> Self {
        Self {
            flip_probability: 0.5,
            rotation_rad: 0.2,
            scale: 0.12,
            aspect: 0.06,
            shift: 0.03,
            ..Self::default()
        }
    }

    /// Refuses limits that make no sense.
    ///
    /// # Errors
    /// [`DataError::Setting`] with the name of the first limit out of its range.
    pub fn check(&self) -> Result<(), DataError> {
        let limits = [
            ("augment.flip_probability", self.flip_probability, 1.0),
            ("augment.rotation_rad", self.rotation_rad, std::f32::consts::PI),
            ("augment.scale", self.scale, 0.9),
            ("augment.aspect", self.aspect, 0.9),
            ("augment.shift", self.shift, 1.0),
            ("augment.elastic", self.elastic, 0.05),
            ("augment.log_gamma", self.log_gamma, 3.0),
            ("augment.field", self.field, 0.9),
            ("augment.noise_sd", self.noise_sd, 2.0),
        ];
        match limits.iter().find(|(_, value, most)| !(0.0..=*most).contains(value)) {
            None => Ok(()),
            Some((setting, value, most)) => {
                Err(DataError::Setting { setting, reason: format!("{value} is not between 0 and {most}") })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_range_are_named() {
        assert!(AugmentConfig::affine().check().is_ok());
        for (config, name) in [
            (AugmentConfig { scale: 1.2, ..Default::default() }, "augment.scale: 1.2"),
            (AugmentConfig { noise_sd: f32::NAN, ..Default::default() }, "augment.noise_sd: NaN"),
            (AugmentConfig { shift: -0.1, ..Default::default() }, "augment.shift: -0.1"),
        ] {
            let message = config.check().unwrap_err().to_string();
            assert!(message.starts_with(name), "{message}");
        }
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let message = serde_json::from_str::<AugmentConfig>(r#"{"rotation": 0.2}"#).unwrap_err().to_string();
        assert!(message.contains("unknown field `rotation`"), "{message}");
    }
}
