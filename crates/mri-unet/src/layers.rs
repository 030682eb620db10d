//! The few layers that all networks here are made of, initialized as in the CycleGAN paper: weights N(0,
//! 0.02), biases 0.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

/// Normalization after a convolution. Each is over one channel of one image (Ulyanov 2016), eps 1e-5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// No normalization.
    None,
    /// To mean 0 and SD 1.
    Instance,
    /// To a learned mean and SD, starting at 0 and 1.
    #[default]
    InstanceAffine,
}

/// How a generator doubles the resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upsample {
    /// A transposed convolution of stride 2.
    #[default]
    Transposed,
    /// Nearest neighbour, then a 3x3 convolution: no checkerboard (Odena 2016).
    Resize,
}

const WEIGHT_INIT: Init = Init::Randn { mean: 0., stdev: 0.02 };

/// A square convolution with bias.
#[derive(Debug, Clone)]
pub(crate) struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    padding: usize,
}

/// `[kernel side, stride, padding]` of a convolution.
pub(crate) type Geometry = [usize; 3];

pub(crate) fn conv(channels: (usize, usize), geometry: Geometry, vb: VarBuilder) -> Result<Conv> {
    let ((c_in, c_out), [side, stride, padding]) = (channels, geometry);
    Ok(Conv {
        weight: vb.get_with_hints((c_out, c_in, side, side), "weight", WEIGHT_INIT)?,
        bias: vb.get_with_hints(c_out, "bias", Init::Const(0.))?,
        stride,
        padding,
    })
}

impl Conv {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mri_kernels::conv2d(x, &self.weight, Some(&self.bias), self.stride, self.padding)
    }
}

/// A layer that doubles height and width.
#[derive(Debug, Clone)]
pub(crate) struct UpConv {
    weight: Tensor,
    bias: Tensor,
    kind: Upsample,
    output_padding: usize,
}

/// `side` is that of the transposed kernel, 3 or 4; a resize convolution always has 3.
pub(crate) fn up_conv(
    channels: (usize, usize),
    side: usize,
    kind: Upsample,
    vb: VarBuilder,
) -> Result<UpConv> {
    let (c_in, c_out) = channels;
    let shape = match kind {
        Upsample::Transposed => (c_in, c_out, side, side),
        Upsample::Resize => (c_out, c_in, 3, 3),
    };
    Ok(UpConv {
        weight: vb.get_with_hints(shape, "weight", WEIGHT_INIT)?,
        bias: vb.get_with_hints(c_out, "bias", Init::Const(0.))?,
        kind,
        output_padding: 4 - side,
    })
}

impl UpConv {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self.kind {
            Upsample::Transposed => {
                mri_kernels::conv_transpose2d(x, &self.weight, Some(&self.bias), 2, 1, self.output_padding)
            }
            Upsample::Resize => mri_kernels::conv_transpose2d(
                x,
                &mri_kernels::doubled_kernel(&self.weight)?,
                Some(&self.bias),
                2,
                1,
                0,
            ),
        }
    }
}

/// The normalization of one layer.
#[derive(Debug, Clone)]
pub(crate) enum NormLayer {
    Identity,
    Instance { affine: Option<(Tensor, Tensor)> },
}

pub(crate) fn norm(kind: Norm, channels: usize, vb: VarBuilder) -> Result<NormLayer> {
    Ok(match kind {
        Norm::None => NormLayer::Identity,
        Norm::Instance => NormLayer::Instance { affine: None },
        Norm::InstanceAffine => NormLayer::Instance {
            affine: Some((
                vb.get_with_hints(channels, "weight", Init::Const(1.))?,
                vb.get_with_hints(channels, "bias", Init::Const(0.))?,
            )),
        },
    })
}

impl NormLayer {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Instance { affine } => mri_kernels::instance_norm(x, pair(affine), EPS),
        }
    }

    /// The normalization, then a leaky ReLU of this slope, in one pass.
    pub(crate) fn activated(&self, x: &Tensor, slope: f64) -> Result<Tensor> {
        match self {
            Self::Identity => mri_kernels::leaky_relu(x, slope),
            Self::Instance { affine } => mri_kernels::instance_norm_leaky_relu(x, pair(affine), EPS, slope),
        }
    }
}

const EPS: f64 = 1e-5;

fn pair(affine: &Option<(Tensor, Tensor)>) -> Option<(&Tensor, &Tensor)> {
    affine.as_ref().map(|(gamma, beta)| (gamma, beta))
}

/// A plain ReLU's slope.
pub(crate) const RELU: f64 = 0.;

/// The papers' slope; a Keras `LeakyReLU()` has 0.3.
pub(crate) const LEAKY: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;
    use candle_core::Device;

    #[test]
    fn resize_convolution_is_nearest_neighbour_then_convolution() -> Result<()> {
        let parameters = Parameters::seeded(1, &Device::Cpu);
        let layer = up_conv((3, 2), 4, Upsample::Resize, parameters.var_builder())?;
        let x = Tensor::arange(0f32, 3. * 5. * 4., &Device::Cpu)?.sin()?.reshape((1, 3, 5, 4))?;
        let expected = x.upsample_nearest2d(10, 8)?.conv2d(&layer.weight, 1, 1, 1, 1)?;
        let difference = (layer.forward(&x)? - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-7, "{difference}");
        Ok(())
    }
}
