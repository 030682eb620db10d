#![doc = include_str!("../README.md")]

pub mod atomic_file;
pub mod augment;
pub mod bids;
pub mod describe;
pub mod dicom;
mod error;
pub mod geometry;
pub mod image;
pub mod loader;
pub mod manifest;
pub mod naming;
pub mod nifti;
pub mod normalize;
mod one_each;
pub mod pairing;
pub mod phantom;
pub mod random;
pub mod scratch;
pub mod slices;
pub mod source;
pub mod split;
pub mod study;
pub mod volume;

pub use error::{DataError, ImageError};
