#![doc = include_str!("../README.md")]

mod composed;

pub use composed::{
    bce_with_logits, conv_transpose2d, conv2d, dropout, instance_norm, l1, leaky_relu, mse, reflection_pad2d,
};
