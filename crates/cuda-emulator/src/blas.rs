//! libcublas: products of matrices.

mod exports;
mod gemm;
mod gemv;
mod handle;
mod matrix;

use crate::driver::trace;
use crate::failure::{Failure, Outcome};
use crate::report;

/// A call, with what went wrong in the codes of cuBLAS.
fn blas(name: &'static str, body: impl FnOnce() -> Outcome) -> i32 {
    const NOT_INITIALIZED: i32 = 1;
    const ALLOC_FAILED: i32 = 3;
    const INVALID_VALUE: i32 = 7;
    const EXECUTION_FAILED: i32 = 13;
    const NOT_SUPPORTED: i32 = 15;
    report::called(name);
    let code = match body() {
        Ok(()) => 0,
        Err(Failure::INVALID_HANDLE) => NOT_INITIALIZED,
        Err(Failure::OUT_OF_MEMORY) => ALLOC_FAILED,
        Err(Failure::INVALID_VALUE) => INVALID_VALUE,
        Err(Failure::NOT_SUPPORTED) => NOT_SUPPORTED,
        Err(_) => EXECUTION_FAILED,
    };
    trace(name, code);
    code
}
