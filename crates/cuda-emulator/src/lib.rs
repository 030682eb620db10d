#![doc = include_str!("../README.md")]
#![allow(non_snake_case)] // the exported functions have the names that CUDA gave them

pub mod ptx;

mod absent;
mod blas;
mod boundary;
mod dnn;
mod driver;
mod failure;
mod handles;
mod memory;
mod numbers;
mod rand;
mod report;
mod settings;
mod stream;
mod task;
