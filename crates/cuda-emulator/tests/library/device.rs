//! The C functions, and one device for all tests: they take turns, as they share its memory and counters.

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use half::{bf16, f16};
use serde_json::Value;

pub(crate) const MEMORY_MIB: usize = 64;
pub(crate) const PER_THREAD_STREAM: usize = 2;

unsafe extern "C" {
    pub(crate) fn cuInit(flags: u32) -> i32;
    pub(crate) fn cuDevicePrimaryCtxRetain(context: *mut usize, device: i32) -> i32;
    pub(crate) fn cuDevicePrimaryCtxReset_v2(device: i32) -> i32;
    pub(crate) fn cuCtxSetCurrent(context: usize) -> i32;
    pub(crate) fn cuCtxSynchronize() -> i32;
    pub(crate) fn cuGetErrorName(code: i32, name: *mut *const c_char) -> i32;
    pub(crate) fn cuDeviceGetAttribute(value: *mut i32, attribute: i32, device: i32) -> i32;
    pub(crate) fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> i32;
    pub(crate) fn cuMemFree_v2(address: u64) -> i32;
    pub(crate) fn cuMemAllocAsync(address: *mut u64, bytes: usize, stream: usize) -> i32;
    pub(crate) fn cuMemFreeAsync(address: u64, stream: usize) -> i32;
    pub(crate) fn cuMemHostAlloc(address: *mut u64, bytes: usize, flags: u32) -> i32;
    pub(crate) fn cuMemFreeHost(address: u64) -> i32;
    pub(crate) fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> i32;
    pub(crate) fn cuDeviceGetDefaultMemPool(pool: *mut usize, device: i32) -> i32;
    pub(crate) fn cuMemPoolGetAttribute(pool: usize, attribute: i32, value: *mut c_void) -> i32;
    pub(crate) fn cuMemPoolSetAttribute(pool: usize, attribute: i32, value: *mut c_void) -> i32;
    pub(crate) fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) -> i32;
    pub(crate) fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> i32;
    pub(crate) fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: usize) -> i32;
    pub(crate) fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: usize) -> i32;
    pub(crate) fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) -> i32;
    pub(crate) fn cuMemcpy2D_v2(copy: *const Copy2d) -> i32;
    pub(crate) fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: usize) -> i32;
    pub(crate) fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: usize) -> i32;
    pub(crate) fn cuModuleLoadData(module: *mut usize, image: *const c_char) -> i32;
    pub(crate) fn cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) -> i32;
    pub(crate) fn cuModuleGetGlobal_v2(
        address: *mut u64,
        bytes: *mut usize,
        module: usize,
        name: *const c_char,
    ) -> i32;
    pub(crate) fn cuFuncSetAttribute(function: usize, attribute: i32, value: i32) -> i32;
    pub(crate) fn cuLaunchKernel(
        function: usize,
        grid_x: u32,
        grid_y: u32,
        grid_z: u32,
        block_x: u32,
        block_y: u32,
        block_z: u32,
        shared_bytes: u32,
        stream: usize,
        parameters: *mut *mut c_void,
        extra: *mut *mut c_void,
    ) -> i32;
    pub(crate) fn cuStreamCreate(stream: *mut usize, flags: u32) -> i32;
    pub(crate) fn cuStreamDestroy_v2(stream: usize) -> i32;
    pub(crate) fn cuStreamSynchronize(stream: usize) -> i32;
    pub(crate) fn cuStreamBeginCapture_v2(stream: usize, mode: i32) -> i32;
    pub(crate) fn cuStreamEndCapture(stream: usize, graph: *mut usize) -> i32;
    pub(crate) fn cuStreamIsCapturing(stream: usize, status: *mut i32) -> i32;
    pub(crate) fn cuStreamWaitEvent(stream: usize, event: usize, flags: u32) -> i32;
    pub(crate) fn cuEventCreate(event: *mut usize, flags: u32) -> i32;
    pub(crate) fn cuEventRecord(event: usize, stream: usize) -> i32;
    pub(crate) fn cuEventSynchronize(event: usize) -> i32;
    pub(crate) fn cuEventElapsedTime_v2(milliseconds: *mut f32, start: usize, end: usize) -> i32;
    pub(crate) fn cuGraphInstantiateWithFlags(executable: *mut usize, graph: usize, flags: u64) -> i32;
    pub(crate) fn cuGraphLaunch(executable: usize, stream: usize) -> i32;
    pub(crate) fn cuGraphGetNodes(graph: usize, nodes: *mut usize, count: *mut usize) -> i32;
    pub(crate) fn cuGraphExecDestroy(executable: usize) -> i32;
    pub(crate) fn cuGraphDestroy(graph: usize) -> i32;
    pub(crate) fn cuTexRefCreate(reference: *mut usize) -> i32;
    pub(crate) fn cuda_emulator_reset();
    pub(crate) fn cuda_emulator_report(buffer: *mut u8, length: usize) -> usize;
}

#[repr(C)]
pub(crate) struct Plane {
    pub(crate) x_bytes: usize,
    pub(crate) y: usize,
    pub(crate) memory_type: u32,
    pub(crate) host: u64,
    pub(crate) device: u64,
    pub(crate) array: usize,
    pub(crate) pitch: usize,
}

#[repr(C)]
pub(crate) struct Copy2d {
    pub(crate) from: Plane,
    pub(crate) to: Plane,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Calls a C function.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: the arguments are what the function's documentation asks for, or the test is that they are not.
        unsafe { $crate::device::$function($($argument),*) }
    };
}
pub(crate) use call;

/// The device, empty, for one test at a time.
pub(crate) struct Device(#[expect(dead_code, reason = "held until the test ends")] MutexGuard<'static, ()>);

pub(crate) fn device() -> Device {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the tests take turns, and the emulator reads its settings only after this.
    unsafe { std::env::set_var("CUDA_EMULATOR_MEMORY_MIB", MEMORY_MIB.to_string()) };
    let mut context = 0;
    assert_eq!(call!(cuInit(0)), 0);
    assert_eq!(call!(cuDevicePrimaryCtxRetain(&mut context, 0)), 0);
    assert_eq!(call!(cuCtxSetCurrent(context)), 0);
    assert_eq!(call!(cuDevicePrimaryCtxReset_v2(0)), 0);
    call!(cuda_emulator_reset());
    Device(turn)
}

impl Device {
    pub(crate) fn allocate(&self, bytes: usize) -> u64 {
        let mut address = 0;
        assert_eq!(call!(cuMemAlloc_v2(&mut address, bytes)), 0);
        address
    }

    pub(crate) fn upload<T: Number>(&self, values: &[f64]) -> u64 {
        let bytes: Vec<u8> = values.iter().flat_map(|value| T::bytes(*value)).collect();
        let address = self.allocate(bytes.len());
        assert_eq!(call!(cuMemcpyHtoD_v2(address, bytes.as_ptr().cast(), bytes.len())), 0);
        address
    }

    pub(crate) fn download<T: Number>(&self, address: u64, count: usize) -> Vec<f64> {
        let mut bytes = vec![0u8; count * size_of::<T>()];
        assert_eq!(call!(cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), address, bytes.len())), 0);
        bytes.chunks_exact(size_of::<T>()).map(T::value).collect()
    }

    pub(crate) fn free_and_total(&self) -> (usize, usize) {
        let (mut free, mut total) = (0, 0);
        assert_eq!(call!(cuMemGetInfo_v2(&mut free, &mut total)), 0);
        (free, total)
    }

    pub(crate) fn report(&self) -> Value {
        let mut buffer = vec![0u8; call!(cuda_emulator_report(std::ptr::null_mut(), 0))];
        call!(cuda_emulator_report(buffer.as_mut_ptr(), buffer.len()));
        serde_json::from_slice(CStr::from_bytes_until_nul(&buffer).unwrap().to_bytes()).unwrap()
    }

    pub(crate) fn function(&self, ptx: &CStr, name: &CStr) -> usize {
        let (mut module, mut function) = (0, 0);
        assert_eq!(call!(cuModuleLoadData(&mut module, ptx.as_ptr())), 0);
        assert_eq!(call!(cuModuleGetFunction(&mut function, module, name.as_ptr())), 0);
        function
    }
}

/// A number of device memory.
pub(crate) trait Number {
    fn bytes(value: f64) -> Vec<u8>;
    fn value(bytes: &[u8]) -> f64;
}

impl Number for f32 {
    fn bytes(value: f64) -> Vec<u8> {
        (value as Self).to_ne_bytes().to_vec()
    }

    fn value(bytes: &[u8]) -> f64 {
        Self::from_ne_bytes(bytes.try_into().unwrap()).into()
    }
}

impl Number for f64 {
    fn bytes(value: f64) -> Vec<u8> {
        value.to_ne_bytes().to_vec()
    }

    fn value(bytes: &[u8]) -> f64 {
        Self::from_ne_bytes(bytes.try_into().unwrap())
    }
}

impl Number for f16 {
    fn bytes(value: f64) -> Vec<u8> {
        Self::from_f64(value).to_ne_bytes().to_vec()
    }

    fn value(bytes: &[u8]) -> f64 {
        Self::from_ne_bytes(bytes.try_into().unwrap()).to_f64()
    }
}

impl Number for bf16 {
    fn bytes(value: f64) -> Vec<u8> {
        Self::from_f64(value).to_ne_bytes().to_vec()
    }

    fn value(bytes: &[u8]) -> f64 {
        Self::from_ne_bytes(bytes.try_into().unwrap()).to_f64()
    }
}

/// Multiples of 1/8 in [-2, 2] that any of the types holds exactly.
pub(crate) fn values(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) % 33
    };
    (0..count).map(|_| next() as f64 / 8.0 - 2.0).collect()
}

#[track_caller]
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= tolerance * expected.abs().max(1.0), "at {index}: {found} instead of {expected}");
    }
}
