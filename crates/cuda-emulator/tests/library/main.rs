//! The libraries as a program sees them: through their C functions.

#![allow(clippy::unwrap_used)] // a test may panic, and so may what it calls

mod capture;
mod convolution;
mod counters;
mod device;
mod elementwise;
mod gemm;
mod kernels;
mod memory;
mod random;

use cuda_emulator as _;
