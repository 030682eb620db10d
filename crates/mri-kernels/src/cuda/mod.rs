//! The operations on CUDA, for f32 and bf16 tensors: kernels of ours, compiled by NVRTC when first used, and products by
//! cuDNN (feature `cudnn`) or cuBLAS. Nothing here waits for the device, and no sum depends on an order of threads.

mod arithmetic;
#[cfg(not(feature = "cudnn"))]
mod columns;
mod concat;
mod convolution;
#[cfg(feature = "cudnn")]
mod cudnn;
mod curve;
mod doubled_kernel;
mod instance_norm;
mod launch;
mod losses;
mod memory;
mod normal_noise;
mod operand;
mod optimizer;
mod pointwise;
mod reflection_pad2d;
mod source;

pub(crate) use arithmetic::set_arithmetic;
pub(crate) use concat::concat_channels;
pub(crate) use convolution::{RoundedWeights, convolution};
pub(crate) use curve::curve_skip;
pub(crate) use doubled_kernel::doubled_kernel;
pub(crate) use instance_norm::instance_norm_leaky_relu;
pub(crate) use losses::{against_target, l1};
pub(crate) use memory::{forget_peak, has_bf16, memory, open, upload};
pub(crate) use normal_noise::normal_noise;
pub(crate) use operand::unwritten_gradient;
pub(crate) use optimizer::{adam_update, move_toward};
pub(crate) use pointwise::{dropout, leaky_relu, tanh};
pub(crate) use reflection_pad2d::reflection_pad2d;
