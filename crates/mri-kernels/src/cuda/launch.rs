//! Compiling the kernels and launching them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{CudaFunction, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{DType, Error, Result, bail};

use super::source::SOURCES;

/// One argument of a kernel.
#[derive(Clone, Copy)]
pub(super) enum Argument {
    /// An address on the device; 0 is none.
    Pointer(u64),
    U32(u32),
    U64(u64),
    F32(f32),
    #[cfg(not(feature = "cudnn"))]
    Window(Window),
}

/// The sizes of a convolution as the kernels take them.
#[cfg(not(feature = "cudnn"))]
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Window {
    pub(super) channels: u32,
    pub(super) h: u32,
    pub(super) w: u32,
    pub(super) oh: u32,
    pub(super) ow: u32,
    pub(super) kh: u32,
    pub(super) kw: u32,
    pub(super) stride: u32,
    pub(super) pad: u32,
}

// SAFETY: nine numbers, laid out as the kernels' struct is.
#[cfg(not(feature = "cudnn"))]
unsafe impl candle_core::cuda_backend::cudarc::driver::DeviceRepr for Window {}

/// How many blocks of how many threads.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) blocks: u32,
    pub(super) threads: u32,
}

impl Grid {
    /// For kernels whose threads share `count` elements among them all.
    pub(super) fn over_elements(count: u32) -> Self {
        const THREADS: u32 = 256;
        Self { blocks: count.div_ceil(THREADS).clamp(1, 8192), threads: THREADS }
    }

    /// For kernels whose every block visits `elements` of its own.
    pub(super) fn of_blocks(blocks: u32, elements: u32) -> Self {
        Self { blocks, threads: elements.div_ceil(4).next_multiple_of(32).clamp(32, 1024) }
    }
}

/// A kernel by its name, or by that of its version for a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    Named(&'static str),
    OfType(&'static str, DType),
}

impl Kernel {
    fn symbol(self) -> Result<String> {
        match self {
            Self::Named(name) => Ok(name.into()),
            Self::OfType(name, DType::F32) => Ok(format!("{name}_f32")),
            Self::OfType(name, DType::BF16) => Ok(format!("{name}_bf16")),
            Self::OfType(name, other) => bail!("mri-kernels: no CUDA kernel {name} for {other:?}"),
        }
    }
}

thread_local! {
    static FUNCTIONS: RefCell<HashMap<(DeviceId, Kernel), CudaFunction>> = RefCell::default();
}

/// Launches a kernel on the device's stream.
///
/// # Safety
/// The arguments must be those of the kernel, and the memory that they point to large enough and still allocated.
pub(super) unsafe fn launch(
    device: &CudaDevice,
    kernel: Kernel,
    grid: Grid,
    arguments: &[Argument],
) -> Result<()> {
    let stream = device.cuda_stream();
    let function = function(device, kernel)?;
    let mut builder = stream.launch_builder(&function);
    for argument in arguments {
        match argument {
            Argument::Pointer(v) | Argument::U64(v) => builder.arg(v),
            Argument::U32(v) => builder.arg(v),
            Argument::F32(v) => builder.arg(v),
            #[cfg(not(feature = "cudnn"))]
            Argument::Window(v) => builder.arg(v),
        };
    }
    let config =
        LaunchConfig { grid_dim: (grid.blocks, 1, 1), block_dim: (grid.threads, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the caller's.
    unsafe { builder.launch(config) }.map_err(Error::wrap)?;
    Ok(())
}

fn function(device: &CudaDevice, kernel: Kernel) -> Result<CudaFunction> {
    let key = (device.id(), kernel);
    if let Some(function) = FUNCTIONS.with_borrow(|functions| functions.get(&key).cloned()) {
        return Ok(function);
    }
    let found = device.get_or_load_custom_func(&kernel.symbol()?, "mri-kernels", ptx()?).map_err(
        |error| match error.to_string().contains("UNSUPPORTED_PTX_VERSION") {
            true => error.context("this NVRTC is newer than the driver: install the driver's version of it"),
            false => error,
        },
    )?;
    let function = found.into_cuda_function();
    FUNCTIONS.with_borrow_mut(|functions| functions.insert(key, function.clone()));
    Ok(function)
}

/// All kernels for the oldest GPUs that this NVRTC knows; the driver compiles them for the one at hand, and keeps that.
fn ptx() -> Result<&'static str> {
    static PTX: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let compiled = PTX.get_or_init(|| {
        let program: String =
            SOURCES.iter().map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n")).collect();
        // No kernel is given one tensor to read and to write by two names.
        let options = CompileOptions { options: vec!["--restrict".into()], ..CompileOptions::default() };
        compile_ptx_with_opts(program, options).map(|ptx| ptx.to_src()).map_err(|error| match error {
            CompileError::CompileError { log, .. } => log.to_string_lossy().into_owned(),
            other => other.to_string(),
        })
    });
    match compiled {
        Ok(ptx) => Ok(ptx),
        Err(message) => bail!("mri-kernels: NVRTC refused the kernels: {message}"),
    }
}
