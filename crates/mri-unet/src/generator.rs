//! A generator of either kind with its skip, from one configuration.

use crate::config::{GeneratorConfig, GeneratorKind};
use crate::error::Result;
use crate::mode::Mode;
use crate::precision::Precision;
use crate::resnet::ResNet;
use crate::tone::Tone;
use crate::unet::UNet;
use candle_core::Tensor;
use candle_nn::VarBuilder;

/// Translates images of one domain into another.
#[derive(Debug, Clone)]
pub struct Generator {
    network: Network,
    tone: Tone,
    precision: Precision,
}

#[derive(Debug, Clone)]
enum Network {
    UNet(UNet),
    ResNet(ResNet),
}

impl Generator {
    /// Builds the network that `config` describes from the tensors of `vb`: those of [`UNet`] or [`ResNet`],
    /// and `tone.knots` with [`Skip::Tone`](crate::Skip::Tone).
    ///
    /// # Errors
    /// A configuration out of range, or a builder without one of the tensors.
    pub fn new(config: &GeneratorConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let tone = Tone::new(config.skip, vb.clone())?;
        let network = match config.kind {
            GeneratorKind::UNet => Network::UNet(UNet::new(config, vb)?),
            GeneratorKind::ResNet => Network::ResNet(ResNet::new(config, vb)?),
        };
        Ok(Self { network, tone, precision: Precision::F32 })
    }

    /// The same network, computing in `precision`.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// # Shapes
    /// (N, Cin, H, W) in [-1, 1] -> (N, Cout, H, W) in (-1, 1), for any H and W.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> candle_core::Result<Tensor> {
        let logits = self.precision.within(x, |x| match &self.network {
            Network::UNet(network) => network.logits(x, mode),
            Network::ResNet(network) => network.logits(x, mode),
        })?;
        self.tone.join(x, &logits)
    }
}
