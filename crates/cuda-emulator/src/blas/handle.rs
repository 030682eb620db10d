//! Handles of cuBLAS and their modes.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;

use super::blas;
use crate::boundary::{In, Out};
use crate::failure::{Failure, Outcome};
use crate::handles::{Handles, lock};
use crate::settings::settings;
use crate::stream;
use crate::task::{Task, Work, fault};

#[derive(Clone, Copy, Default)]
pub(super) struct Modes {
    stream: usize,
    math: i32,
    pub(super) scalars_on_device: bool,
    atomics: i32,
}

static HANDLES: Handles<Mutex<Modes>> = Handles::new();

const VERSION: i32 = 130_000;
const TF32_TENSOR_OP_MATH: i32 = 3;

pub(super) fn modes(handle: usize) -> Result<Modes, Failure> {
    Ok(*lock(&*HANDLES.find(handle)?))
}

impl Modes {
    pub(super) fn rounds_to_tf32(self) -> bool {
        settings().tf32 && self.math & 0xF == TF32_TENSOR_OP_MATH
    }

    pub(super) fn submit(
        self,
        name: &'static str,
        run: impl Fn() -> Outcome + Send + Sync + 'static,
    ) -> Outcome {
        fault()?;
        stream::submit(self.stream, Task::new(Work::Library(name), run))
    }
}

fn change(handle: usize, change: impl FnOnce(&mut Modes)) -> Outcome {
    change(&mut lock(&*HANDLES.find(handle)?));
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn cublasCreate_v2(handle: Out<usize>) -> i32 {
    blas("cublasCreate_v2", || handle.set(HANDLES.insert(Mutex::default())))
}

#[unsafe(no_mangle)]
extern "C" fn cublasDestroy_v2(handle: usize) -> i32 {
    blas("cublasDestroy_v2", || HANDLES.remove(handle))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetStream_v2(handle: usize, stream: usize) -> i32 {
    blas("cublasSetStream_v2", || change(handle, |modes| modes.stream = stream))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetStream_v2(handle: usize, stream: Out<usize>) -> i32 {
    blas("cublasGetStream_v2", || stream.set(modes(handle)?.stream))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetWorkspace_v2(handle: usize, _workspace: In<c_void>, _bytes: usize) -> i32 {
    blas("cublasSetWorkspace_v2", || modes(handle).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetMathMode(handle: usize, mode: i32) -> i32 {
    blas("cublasSetMathMode", || change(handle, |modes| modes.math = mode))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetMathMode(handle: usize, mode: Out<i32>) -> i32 {
    blas("cublasGetMathMode", || mode.set(modes(handle)?.math))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetPointerMode_v2(handle: usize, mode: i32) -> i32 {
    blas("cublasSetPointerMode_v2", || change(handle, |modes| modes.scalars_on_device = mode == 1))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetPointerMode_v2(handle: usize, mode: Out<i32>) -> i32 {
    blas("cublasGetPointerMode_v2", || mode.set(i32::from(modes(handle)?.scalars_on_device)))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetAtomicsMode(handle: usize, mode: i32) -> i32 {
    blas("cublasSetAtomicsMode", || change(handle, |modes| modes.atomics = mode))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetAtomicsMode(handle: usize, mode: Out<i32>) -> i32 {
    blas("cublasGetAtomicsMode", || mode.set(modes(handle)?.atomics))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetVersion_v2(handle: usize, version: Out<i32>) -> i32 {
    blas("cublasGetVersion_v2", || {
        modes(handle)?;
        version.set(VERSION)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetStatusName(status: i32) -> *const c_char {
    status_name(status).as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetStatusString(status: i32) -> *const c_char {
    status_name(status).as_ptr()
}

fn status_name(status: i32) -> &'static CStr {
    match status {
        0 => c"CUBLAS_STATUS_SUCCESS",
        1 => c"CUBLAS_STATUS_NOT_INITIALIZED",
        3 => c"CUBLAS_STATUS_ALLOC_FAILED",
        7 => c"CUBLAS_STATUS_INVALID_VALUE",
        13 => c"CUBLAS_STATUS_EXECUTION_FAILED",
        15 => c"CUBLAS_STATUS_NOT_SUPPORTED",
        _ => c"an unknown status of cuBLAS",
    }
}
