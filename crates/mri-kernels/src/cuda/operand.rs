//! Tensors as addresses on the device, and the memory of results.

use std::ops::Deref;

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, CudaStorageSlice};
use candle_core::op::BackpropOp;
use candle_core::{DType, Layout, Result, Shape, Storage, Tensor, bail};

use super::launch::Argument;

/// The address of the first element of a contiguous operand.
pub(super) fn pointer(storage: &CudaStorage, layout: &Layout) -> Result<Argument> {
    let Some((start, _)) = layout.contiguous_offsets() else {
        bail!("mri-kernels: expected a contiguous operand, found {layout:?}")
    };
    let (base, size) = match &storage.slice {
        CudaStorageSlice::F32(slice) => (address(slice), 4),
        CudaStorageSlice::BF16(slice) => (address(slice), 2),
        _ => bail!("mri-kernels: expected f32 or bf16 on CUDA, found {:?}", storage.dtype()),
    };
    Ok(Argument::Pointer(base + (start * size) as u64))
}

/// The same of a tensor, which must stay alive until what uses it is launched.
pub(super) fn tensor_pointer(tensor: &Tensor) -> Result<Argument> {
    let (storage, layout) = tensor.storage_and_layout();
    match storage.deref() {
        Storage::Cuda(storage) => pointer(storage, layout),
        _ => bail!("mri-kernels: expected a tensor on CUDA"),
    }
}

pub(super) fn address<T>(slice: &CudaSlice<T>) -> u64 {
    slice.device_ptr(slice.stream()).0
}

/// Memory for a result, not yet written.
pub(super) fn uninitialized(device: &CudaDevice, dtype: DType, shape: &Shape) -> Result<CudaStorage> {
    // SAFETY: every caller launches a kernel that writes all of it before anything can read it.
    unsafe { device.alloc_uninit(shape, dtype) }
}

/// A tensor without history, not yet written.
pub(super) fn uninitialized_tensor(device: &CudaDevice, dtype: DType, shape: &Shape) -> Result<Tensor> {
    let storage = uninitialized(device, dtype, shape)?;
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape.clone(), BackpropOp::none(), false))
}

/// Memory for the gradient of a variable.
pub(crate) fn unwritten_gradient(variable: &Tensor) -> Result<Tensor> {
    uninitialized_tensor(variable.device().as_cuda_device()?, DType::F32, variable.shape())
}

/// A number of elements as the kernels count them.
pub(super) fn count(elements: usize) -> Result<u32> {
    match u32::try_from(elements) {
        Ok(count) if count <= i32::MAX as u32 => Ok(count),
        _ => bail!("mri-kernels: {elements} elements are more than a CUDA kernel of ours can count"),
    }
}

/// An operand for which there is nothing.
pub(super) const NONE: Argument = Argument::Pointer(0);

pub(super) fn u32_argument(number: usize) -> Result<Argument> {
    count(number).map(Argument::U32)
}
