//! What can be chosen about a generator.

use crate::error::{NetworkError, Result};
use crate::layers::{Norm, Upsample};
use crate::tone::Skip;
use serde::{Deserialize, Serialize};

/// The architecture of a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratorKind {
    /// [`crate::UNet`].
    #[default]
    UNet,
    /// [`crate::ResNet`].
    ResNet,
}

/// The shape of a [`crate::Generator`]. The default is the TensorFlow tutorial's U-Net without its dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorConfig {
    /// U-Net or ResNet.
    #[serde(rename = "generator")]
    pub kind: GeneratorKind,
    /// Channels of the first layer.
    pub width: usize,
    /// Halvings of a U-Net, 1 to 12; a ResNet has two.
    pub depth: usize,
    /// Residual blocks of a ResNet.
    pub blocks: usize,
    /// Normalization of the hidden layers.
    pub norm: Norm,
    /// Probability in [0, 1) of dropping an activation in training: in the three deepest layers on a U-Net's
    /// way up (0.5 in the tutorial), or inside each block of a ResNet.
    pub dropout: f64,
    /// How the resolution is doubled.
    pub upsample: Upsample,
    /// What the output is added to.
    pub skip: Skip,
    /// Channels of the input image.
    pub in_channels: usize,
    /// Channels of the output image; with a skip, as many as the input's.
    pub out_channels: usize,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            kind: GeneratorKind::UNet,
            width: 64,
            depth: 8,
            blocks: 6,
            norm: Norm::default(),
            dropout: 0.,
            upsample: Upsample::default(),
            skip: Skip::default(),
            in_channels: 1,
            out_channels: 1,
        }
    }
}

impl GeneratorConfig {
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |key, expected, found: String| Err(NetworkError::Config { key, expected, found });
        for (key, value, allowed, expected) in [
            ("model.width", self.width, 1..=4096, "1 to 4096"),
            ("model.depth", self.depth, 1..=12, "1 to 12"),
            ("model.blocks", self.blocks, 0..=256, "0 to 256"),
            ("model.in_channels", self.in_channels, 1..=4096, "1 to 4096"),
            ("model.out_channels", self.out_channels, 1..=4096, "1 to 4096"),
        ] {
            if !allowed.contains(&value) {
                return wrong(key, expected, value.to_string());
            }
        }
        if !(0. ..1.).contains(&self.dropout) {
            return wrong("model.dropout", "0 or more and less than 1", self.dropout.to_string());
        }
        if self.skip != Skip::None && self.in_channels != self.out_channels {
            let found = format!("{} for {} input channels", self.out_channels, self.in_channels);
            return wrong("model.out_channels", "as many as in_channels with a skip", found);
        }
        Ok(())
    }
}
