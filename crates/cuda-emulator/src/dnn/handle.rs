//! Handles of cuDNN, versions and names of errors.

use std::ffi::{CStr, c_char};
use std::sync::Mutex;

use super::dnn;
use crate::boundary::Out;
use crate::failure::Outcome;
use crate::handles::{Handles, lock};
use crate::report;
use crate::stream;
use crate::task::{Task, Work, fault};

/// Each with the stream that it works on.
static HANDLES: Handles<Mutex<usize>> = Handles::new();

const VERSION: usize = 91_300;
const CUDART_VERSION: usize = 13_000;

pub(super) fn submit(
    handle: usize,
    name: &'static str,
    run: impl Fn() -> Outcome + Send + Sync + 'static,
) -> Outcome {
    fault()?;
    let stream = *lock(&*HANDLES.find(handle)?);
    stream::submit(stream, Task::new(Work::Library(name), run))
}

pub(super) fn require(handle: usize) -> Outcome {
    HANDLES.find(handle).map(drop)
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCreate(handle: Out<usize>) -> i32 {
    dnn("cudnnCreate", || handle.set(HANDLES.insert(Mutex::default())))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroy(handle: usize) -> i32 {
    dnn("cudnnDestroy", || HANDLES.remove(handle))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetStream(handle: usize, stream: usize) -> i32 {
    dnn("cudnnSetStream", || {
        *lock(&*HANDLES.find(handle)?) = stream;
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetStream(handle: usize, stream: Out<usize>) -> i32 {
    dnn("cudnnGetStream", || stream.set(*lock(&*HANDLES.find(handle)?)))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetVersion() -> usize {
    report::called("cudnnGetVersion");
    VERSION
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetCudartVersion() -> usize {
    report::called("cudnnGetCudartVersion");
    CUDART_VERSION
}

#[unsafe(no_mangle)]
extern "C" fn cudnnAdvVersionCheck() -> i32 {
    dnn("cudnnAdvVersionCheck", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCnnVersionCheck() -> i32 {
    dnn("cudnnCnnVersionCheck", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnOpsVersionCheck() -> i32 {
    dnn("cudnnOpsVersionCheck", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGraphVersionCheck() -> i32 {
    dnn("cudnnGraphVersionCheck", || Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetErrorString(status: i32) -> *const c_char {
    let name: &CStr = match status {
        0 => c"CUDNN_STATUS_SUCCESS",
        super::NOT_INITIALIZED => c"CUDNN_STATUS_NOT_INITIALIZED",
        super::BAD_PARAM => c"CUDNN_STATUS_BAD_PARAM",
        super::NOT_SUPPORTED => c"CUDNN_STATUS_NOT_SUPPORTED",
        super::EXECUTION_FAILED => c"CUDNN_STATUS_EXECUTION_FAILED",
        _ => c"an unknown status of cuDNN",
    };
    name.as_ptr()
}
