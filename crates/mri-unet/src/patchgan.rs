//! The PatchGAN discriminator (Isola 2017).

use crate::error::{NetworkError, Result};
use crate::layers::{Conv, LEAKY, Norm, NormLayer, conv, norm};
use crate::precision::Precision;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

/// The shape of a [`PatchGan`]; the default judges patches of 70x70 px.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatchGanConfig {
    /// Channels of the first layer; they double with each of the next three.
    pub width: usize,
    /// Convolutions of stride 2, 1 to 8: see [`receptive_field_px`].
    pub layers: usize,
    /// Normalization of all layers but the first and the last.
    pub norm: Norm,
    /// Channels of the image.
    pub in_channels: usize,
}

impl Default for PatchGanConfig {
    fn default() -> Self {
        Self { width: 64, layers: 3, norm: Norm::default(), in_channels: 1 }
    }
}

/// Side of the image patch that one output of a [`PatchGan`] sees: 16, 34, 70, 142 px for 1, 2, 3, 4 layers.
pub fn receptive_field_px(layers: usize) -> usize {
    // 4x4 convolutions, from the output back: two of stride 1, then `layers` of stride 2.
    (0..layers).fold(7, |field, _| 2 * (field - 1) + 4)
}

/// Judges each patch of an image as real or made, by 4x4 convolutions and leaky ReLUs of slope 0.2.
#[derive(Debug, Clone)]
pub struct PatchGan {
    layers: Vec<(Conv, NormLayer)>,
    last: Conv,
    precision: Precision,
}

impl PatchGan {
    /// Tensors: `layer.I.conv`, `layer.I.norm` and `last.conv`, each `.weight` and `.bias`.
    ///
    /// # Errors
    /// A configuration out of range, or a builder without one of the tensors.
    pub fn new(config: &PatchGanConfig, vb: VarBuilder) -> Result<Self> {
        let PatchGanConfig { width, layers, norm: kind, in_channels } = *config;
        for (key, value, allowed, expected) in [
            ("discriminator.width", width, 1..=4096, "1 to 4096"),
            ("discriminator.layers", layers, 1..=8, "1 to 8"),
            ("discriminator.in_channels", in_channels, 1..=4096, "1 to 4096"),
        ] {
            if !allowed.contains(&value) {
                return Err(NetworkError::Config { key, expected, found: value.to_string() });
            }
        }
        let channels = |i: usize| width << i.min(3);
        let hidden = (0..=layers)
            .map(|i| {
                let at = vb.pp("layer").pp(i);
                let c_in = if i == 0 { in_channels } else { channels(i - 1) };
                let stride = if i < layers { 2 } else { 1 };
                let conv = conv((c_in, channels(i)), [4, stride, 1], at.pp("conv"))?;
                let kind = if i == 0 { Norm::None } else { kind };
                Ok((conv, norm(kind, channels(i), at.pp("norm"))?))
            })
            .collect::<Result<_>>()?;
        let last = conv((channels(layers), 1), [4, 1, 1], vb.pp("last").pp("conv"))?;
        Ok(Self { layers: hidden, last, precision: Precision::F32 })
    }

    /// The same network, computing in `precision`.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// One logit a patch; higher is more real.
    ///
    /// # Shapes
    /// (N, C, H, W) -> (N, 1, H', W'), H' = floor(H / 2^layers) - 2: 256 px give 30 patches a side with 3 layers.
    ///
    /// # Errors
    /// An image that leaves no patch, or a last map of 1x1, whose instance norm would be zero:
    /// each side needs 3 * 2^layers px.
    pub fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height_px, width_px) = x.dims4()?;
        let minimum_px = 3 << (self.layers.len() - 1);
        if height_px.min(width_px) < minimum_px {
            return Err(NetworkError::ImageTooSmall { minimum_px, height_px, width_px }.into());
        }
        self.precision.within(x, |x| {
            let mut x = x.clone();
            for (conv, norm) in &self.layers {
                x = norm.activated(&conv.forward(&x)?, LEAKY)?;
            }
            self.last.forward(&x)
        })
    }
}
