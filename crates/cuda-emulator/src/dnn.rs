//! libcudnn: convolutions with their gradients, and the elementwise operations beside them.

mod algorithms;
mod compute;
mod convolution;
mod descriptors;
mod elementwise;
mod handle;
mod problem;
mod tensor;

use crate::driver::trace;
use crate::failure::{Failure, Outcome};
use crate::report;

const NOT_INITIALIZED: i32 = 1001;
const BAD_PARAM: i32 = 2000;
const NOT_SUPPORTED: i32 = 3000;
const EXECUTION_FAILED: i32 = 5000;

/// A call, with what went wrong in the codes of cuDNN.
fn dnn(name: &'static str, body: impl FnOnce() -> Outcome) -> i32 {
    report::called(name);
    let code = match body() {
        Ok(()) => 0,
        Err(Failure::INVALID_VALUE | Failure::INVALID_HANDLE) => BAD_PARAM,
        Err(Failure::NOT_SUPPORTED) => NOT_SUPPORTED,
        Err(_) => EXECUTION_FAILED,
    };
    trace(name, code);
    code
}
