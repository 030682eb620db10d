//! Opening a GPU as these kernels want it, its memory, and the way onto it.

use candle_core::{Device, Result, Tensor};

/// Opens the CUDA device of this number: all work goes on one stream of its own, with no event for each tensor, and the
/// memory pool keeps what it has.
///
/// # Errors
/// Without the feature `cuda`, and those of the driver.
pub fn open_cuda(ordinal: usize) -> Result<Device> {
    #[cfg(feature = "cuda")]
    return crate::cuda::open(ordinal).map(Device::Cuda);
    #[cfg(not(feature = "cuda"))]
    Device::new_cuda(ordinal)
}

/// What the libraries of a GPU may do for speed; it holds for all that is computed afterwards in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    /// f32 products may round their factors to TF32, 10 bits of mantissa, on devices that are faster at that.
    pub tf32: bool,
    /// The same inputs give the same bits on the same device, at the price of speed.
    pub deterministic: bool,
}

/// Sets the arithmetic. Only CUDA has a choice.
pub fn set_arithmetic(arithmetic: Arithmetic) {
    #[cfg(feature = "cuda")]
    crate::cuda::set_arithmetic(arithmetic);
    #[cfg(not(feature = "cuda"))]
    let _ = arithmetic;
}

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// All that the device has.
    pub total: usize,
    /// The most that tensors took at once since the device was opened or [`forget_peak_memory`] was called.
    pub peak: usize,
}

/// What is known of the device's memory; `None` for devices other than CUDA's, and for those without memory pools.
///
/// # Errors
/// Those of the driver.
pub fn device_memory(device: &Device) -> Result<Option<DeviceMemory>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::memory(device),
        _ => Ok(None),
    }
}

/// Whether networks can compute in bf16 on `device`: on CUDA devices from compute capability 8.0 on.
///
/// # Errors
/// Those of the driver.
pub fn has_bf16(device: &Device) -> Result<bool> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::has_bf16(device),
        _ => Ok(false),
    }
}

/// Lets [`DeviceMemory::peak`] start anew from what is taken now.
///
/// # Errors
/// Those of the driver.
pub fn forget_peak_memory(device: &Device) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::forget_peak(device),
        _ => Ok(()),
    }
}

/// A copy of `tensor` (f32 on the CPU) on `device`. On CUDA it goes through page-locked memory, so that the host need not
/// wait until the device has come so far.
///
/// # Errors
/// Those of the driver.
pub fn upload(tensor: &Tensor, device: &Device) -> Result<Tensor> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => crate::cuda::upload(tensor, device),
        _ => tensor.to_device(device),
    }
}
