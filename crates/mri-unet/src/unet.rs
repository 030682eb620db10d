//! The U-Net generator (Ronneberger 2015, as in pix2pix: Isola 2017).

use crate::config::GeneratorConfig;
use crate::error::Result;
use crate::layers::{Conv, LEAKY, Norm, NormLayer, RELU, UpConv, conv, norm, up_conv};
use crate::mode::Mode;
use crate::padding::with_fitting_sides;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// Halves the image `depth` times and doubles it back, joining what each level saw on the way down.
///
/// Level i has `width * 2^i` channels, at most `8 * width`; depth 8 and width 64 are 64-128-256-512x5, the
/// TensorFlow tutorial's. Every convolution is 4x4 with stride 2 (`Upsample::Resize` goes up by 3x3); leaky
/// ReLU of slope 0.2 follows on the way down, ReLU on the way up. The first and the last layer have no
/// normalization, nor has the deepest: its map may be 1x1, where an instance norm is zero whatever its input,
/// and lets no gradient through.
#[derive(Debug, Clone)]
pub struct UNet {
    down: Vec<(Conv, NormLayer)>,
    up: Vec<(UpConv, NormLayer)>,
    last: UpConv,
    dropout: f64,
}

/// Dropout falls on this many of the deepest layers on the way up.
const DROPOUT_LAYERS: usize = 3;

impl UNet {
    /// Tensors: `down.I.conv`, `down.I.norm`, `up.I.conv`, `up.I.norm` (deepest first) and `last.conv`, each
    /// `.weight` and `.bias`.
    ///
    /// # Errors
    /// A configuration out of range, or a builder without one of the tensors.
    pub fn new(config: &GeneratorConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let depth = config.depth;
        let channels = |level: usize| config.width << level.min(3);
        let down = (0..depth)
            .map(|i| {
                let vb = vb.pp("down").pp(i);
                let c_in = if i == 0 { config.in_channels } else { channels(i - 1) };
                let kind = if i == 0 || i == depth - 1 { Norm::None } else { config.norm };
                let conv = conv((c_in, channels(i)), [4, 2, 1], vb.pp("conv"))?;
                Ok((conv, norm(kind, channels(i), vb.pp("norm"))?))
            })
            .collect::<Result<_>>()?;
        let joined = |level: usize| if level == depth - 1 { channels(level) } else { 2 * channels(level) };
        let up = (0..depth - 1)
            .map(|i| {
                let (vb, level) = (vb.pp("up").pp(i), depth - 2 - i);
                let conv = up_conv((joined(level + 1), channels(level)), 4, config.upsample, vb.pp("conv"))?;
                Ok((conv, norm(config.norm, channels(level), vb.pp("norm"))?))
            })
            .collect::<Result<_>>()?;
        let last = up_conv((joined(0), config.out_channels), 4, config.upsample, vb.pp("last").pp("conv"))?;
        Ok(Self { down, up, last, dropout: config.dropout })
    }

    /// The image before its final tanh.
    ///
    /// # Shapes
    /// (N, Cin, H, W) -> (N, Cout, H, W), any H and W: sides are padded by reflection to multiples of 2^depth.
    pub fn logits(&self, x: &Tensor, mode: Mode) -> candle_core::Result<Tensor> {
        with_fitting_sides(x, 1 << self.down.len(), 0, |x| self.on_fitting_sides(x, mode))
    }

    fn on_fitting_sides(&self, x: &Tensor, mode: Mode) -> candle_core::Result<Tensor> {
        let mut x = x.clone();
        let mut seen = Vec::with_capacity(self.down.len());
        for (conv, norm) in &self.down {
            x = norm.activated(&conv.forward(&x)?, LEAKY)?;
            seen.push(x.clone());
        }
        seen.pop();
        for (i, ((conv, norm), skip)) in self.up.iter().zip(seen.iter().rev()).enumerate() {
            x = norm.activated(&conv.forward(&x)?, RELU)?;
            if i < DROPOUT_LAYERS {
                x = mode.dropout(&x, self.dropout, i)?;
            }
            x = mri_kernels::concat_channels(&x, skip)?;
        }
        self.last.forward(&x)
    }
}
