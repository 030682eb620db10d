#![doc = include_str!("../README.md")]

mod config;
mod error;
mod generator;
mod layers;
mod mode;
mod padding;
mod parameters;
mod patchgan;
mod precision;
mod resnet;
mod tone;
mod unet;

pub use config::{GeneratorConfig, GeneratorKind};
pub use error::{NetworkError, Result};
pub use generator::Generator;
pub use layers::{Norm, Upsample};
pub use mode::Mode;
pub use parameters::Parameters;
pub use patchgan::{PatchGan, PatchGanConfig, receptive_field_px};
pub use precision::Precision;
pub use resnet::ResNet;
pub use tone::{Skip, TONE_KNOTS, is_tone_curve, tone_curve};
pub use unet::UNet;
