//! The ResNet generator (Johnson 2016, as in CycleGAN: Zhu 2017).

use crate::config::GeneratorConfig;
use crate::error::Result;
use crate::layers::{Conv, NormLayer, RELU, UpConv, conv, norm, up_conv};
use crate::mode::Mode;
use crate::padding::with_fitting_sides;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use mri_kernels::{add, reflection_pad2d};

/// Two halvings, residual blocks at a quarter of the resolution, two doublings.
///
/// 7x7 convolutions at both ends and 3x3 in the blocks, all padded by reflection; ReLU; normalization
/// everywhere but at the output. With dropout, it falls between the two convolutions of each block.
#[derive(Debug, Clone)]
pub struct ResNet {
    first: (Conv, NormLayer),
    down: Vec<(Conv, NormLayer)>,
    blocks: Vec<[(Conv, NormLayer); 2]>,
    up: Vec<(UpConv, NormLayer)>,
    last: Conv,
    dropout: f64,
}

impl ResNet {
    /// Tensors: `first.conv`, `first.norm`, `down.I.conv`, `down.I.norm`, `block.I.conv1`, `block.I.norm1`,
    /// `block.I.conv2`, `block.I.norm2`, `up.I.conv`, `up.I.norm` and `last.conv`, each `.weight` and
    /// `.bias`.
    ///
    /// # Errors
    /// A configuration out of range, or a builder without one of the tensors.
    pub fn new(config: &GeneratorConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let width = config.width;
        let normalized =
            |conv: Conv, channels: usize, vb: VarBuilder| Ok((conv, norm(config.norm, channels, vb)?));
        let at = vb.pp("first");
        let first = conv((config.in_channels, width), [7, 1, 0], at.pp("conv"))?;
        let first = normalized(first, width, at.pp("norm"))?;
        let down = (0..2)
            .map(|i| {
                let (at, c) = (vb.pp("down").pp(i), width << i);
                normalized(conv((c, 2 * c), [3, 2, 1], at.pp("conv"))?, 2 * c, at.pp("norm"))
            })
            .collect::<Result<_>>()?;
        let trunk = 4 * width;
        let half = |at: &VarBuilder, i: usize| {
            let conv = conv((trunk, trunk), [3, 1, 0], at.pp(format!("conv{i}")))?;
            normalized(conv, trunk, at.pp(format!("norm{i}")))
        };
        let blocks = (0..config.blocks)
            .map(|i| {
                let at = vb.pp("block").pp(i);
                Ok([half(&at, 1)?, half(&at, 2)?])
            })
            .collect::<Result<_>>()?;
        let up = (0..2)
            .map(|i| {
                let (at, c) = (vb.pp("up").pp(i), trunk >> i);
                let conv = up_conv((c, c / 2), 3, config.upsample, at.pp("conv"))?;
                Ok((conv, norm(config.norm, c / 2, at.pp("norm"))?))
            })
            .collect::<Result<_>>()?;
        let last = conv((width, config.out_channels), [7, 1, 0], vb.pp("last").pp("conv"))?;
        Ok(Self { first, down, blocks, up, last, dropout: config.dropout })
    }

    /// The image before its final tanh.
    ///
    /// # Shapes
    /// (N, Cin, H, W) -> (N, Cout, H, W), any H and W: sides are padded by reflection to multiples of 4, and to 8 at
    /// least, where the blocks see 2x2 and not the 1x1 whose instance norm is zero.
    pub fn logits(&self, x: &Tensor, mode: Mode) -> candle_core::Result<Tensor> {
        with_fitting_sides(x, 4, 8, |x| self.on_fitting_sides(x, mode))
    }

    fn on_fitting_sides(&self, x: &Tensor, mode: Mode) -> candle_core::Result<Tensor> {
        let (conv, norm) = &self.first;
        let mut x = norm.activated(&conv.forward(&reflection_pad2d(x, [3; 4])?)?, RELU)?;
        for (conv, norm) in &self.down {
            x = norm.activated(&conv.forward(&x)?, RELU)?;
        }
        for (i, [(conv1, norm1), (conv2, norm2)]) in self.blocks.iter().enumerate() {
            let y = norm1.activated(&conv1.forward(&reflection_pad2d(&x, [1; 4])?)?, RELU)?;
            let y = mode.dropout(&y, self.dropout, i)?;
            x = add(&x, &norm2.forward(&conv2.forward(&reflection_pad2d(&y, [1; 4])?)?)?)?;
        }
        for (conv, norm) in &self.up {
            x = norm.activated(&conv.forward(&x)?, RELU)?;
        }
        self.last.forward(&reflection_pad2d(&x, [3; 4])?)
    }
}
