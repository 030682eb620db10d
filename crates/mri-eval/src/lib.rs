#![doc = include_str!("../README.md")]

pub mod baselines;
pub mod calibration;
pub mod collapse;
mod components;
mod error;
pub mod evaluation;
pub mod flicker;
pub mod foreground;
pub mod lesions;
pub mod metrics;
pub mod monitoring;
pub mod probes;
mod range;
pub mod report;
pub mod scores;
pub mod tissues;

pub use error::EvalError;
pub use range::Range;
