#![doc = include_str!("../README.md")]

pub mod composed;

mod adam;
mod backward;
mod conv;
mod conv2d;
mod conv_transpose2d;
mod device;
mod dropout;
mod floats;
mod instance_norm;
mod leaky_relu;
mod losses;
mod matmul;
mod moving_average;
mod parallel;
mod reduce;
mod reflection_pad2d;
mod tanh;
mod vectorized;

pub use adam::{Adam, AdamSlot, adam_update};
pub use backward::Backward;
pub use conv_transpose2d::conv_transpose2d;
pub use conv2d::conv2d;
pub use device::{DeviceMemory, device_memory, forget_peak_memory, open_cuda, upload};
pub use dropout::dropout;
pub use instance_norm::{instance_norm, instance_norm_leaky_relu};
pub use leaky_relu::leaky_relu;
pub use losses::{bce_with_logits, l1, mse};
pub use moving_average::move_toward;
pub use reflection_pad2d::reflection_pad2d;
pub use tanh::tanh;
