#![doc = include_str!("../README.md")]

pub mod composed;

mod adam;
mod backward;
mod concat_channels;
mod conv;
mod conv2d;
mod conv_transpose2d;
#[cfg(feature = "cuda")]
mod cuda;
mod curve_skip;
mod device;
mod doubled_kernel;
mod dropout;
mod floats;
mod instance_norm;
mod leaky_relu;
mod losses;
mod matmul;
mod moving_average;
mod normal_noise;
mod parallel;
mod recording;
mod reduce;
mod reflection_pad2d;
mod route;
mod tanh;
mod vectorized;

pub use adam::{Adam, AdamSlot, adam_update};
pub use backward::{Backward, Gradients};
pub use concat_channels::concat_channels;
pub use conv_transpose2d::conv_transpose2d;
pub use conv2d::conv2d;
pub use curve_skip::curve_skip;
pub use device::{
    Arithmetic, DeviceMemory, device_memory, forget_peak_memory, has_bf16, open_cuda, set_arithmetic, upload,
};
pub use doubled_kernel::doubled_kernel;
pub use dropout::dropout;
pub use instance_norm::{instance_norm, instance_norm_leaky_relu};
pub use leaky_relu::leaky_relu;
pub use losses::{bce_with_logits, l1, mse};
pub use moving_average::move_toward;
pub use normal_noise::{normal_noise, standard_normals};
pub use recording::{add, by_candle, cast, narrow, weighted_sum};
pub use reflection_pad2d::reflection_pad2d;
pub use tanh::tanh;
