//! Opening a device, its memory pool, and uploads through page-locked memory.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{PinnedHostSlice, result, sys};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, DeviceId};
use candle_core::op::BackpropOp;
use candle_core::{Error, Result, Storage, Tensor};

use crate::DeviceMemory;
use crate::floats::with_floats;

pub(crate) fn open(ordinal: usize) -> Result<CudaDevice> {
    let device = CudaDevice::new_with_stream(ordinal)?;
    // SAFETY: all work of the device is on its one stream.
    unsafe { device.disable_event_tracking() };
    // Memory that is free stays in the pool, instead of going back to the driver whenever the host waits.
    set_attribute(&device, sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX)?;
    Ok(device)
}

pub(crate) fn memory(device: &CudaDevice) -> Result<DeviceMemory> {
    // SAFETY: only asks.
    let total = unsafe { result::device::total_mem(cu_device(device)?) }.map_err(Error::wrap)?;
    let mut peak = 0u64;
    // SAFETY: this attribute is a 64-bit number.
    unsafe {
        let pool = result::device::get_default_mem_pool(cu_device(device)?).map_err(Error::wrap)?;
        let used = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
        result::mem_pool::get_attribute(pool, used, (&raw mut peak).cast::<c_void>()).map_err(Error::wrap)?;
    }
    Ok(DeviceMemory { total, peak: usize::try_from(peak).unwrap_or(usize::MAX) })
}

pub(crate) fn forget_peak(device: &CudaDevice) -> Result<()> {
    device.synchronize()?;
    set_attribute(device, sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0)
}

fn set_attribute(device: &CudaDevice, attribute: sys::CUmemPool_attribute, mut value: u64) -> Result<()> {
    // SAFETY: the attributes set here are 64-bit numbers.
    unsafe {
        let pool = result::device::get_default_mem_pool(cu_device(device)?).map_err(Error::wrap)?;
        result::mem_pool::set_attribute(pool, attribute, (&raw mut value).cast::<c_void>())
            .map_err(Error::wrap)
    }
}

fn cu_device(device: &CudaDevice) -> Result<sys::CUdevice> {
    Ok(device.cuda_stream().context().cu_device())
}

/// Page-locked buffers that uploads take in turn: the host waits for the one of four uploads ago at most.
const BUFFERS: usize = 4;

type Ring = VecDeque<PinnedHostSlice<f32>>;

thread_local! {
    static RINGS: RefCell<HashMap<DeviceId, Ring>> = RefCell::default();
}

pub(crate) fn upload(tensor: &Tensor, device: &CudaDevice) -> Result<Tensor> {
    let stream = device.cuda_stream();
    let count = tensor.elem_count();
    let mut ring = RINGS.with_borrow_mut(|rings| rings.remove(&device.id())).unwrap_or_default();
    let former = if ring.len() < BUFFERS { None } else { ring.pop_front() };
    let mut buffer = match former.filter(|buffer| buffer.len() == count) {
        Some(buffer) => buffer,
        // SAFETY: written below before it is read.
        None => unsafe { stream.context().alloc_pinned_with_flags(count, 0) }.map_err(Error::wrap)?,
    };
    with_floats(tensor, |values| {
        buffer.as_mut_slice().map_err(Error::wrap)?.copy_from_slice(values);
        Ok(())
    })?;
    // SAFETY: the copy writes all of it.
    let mut copy = unsafe { device.alloc::<f32>(count)? };
    stream.memcpy_htod(&buffer, &mut copy).map_err(Error::wrap)?;
    ring.push_back(buffer);
    RINGS.with_borrow_mut(|rings| rings.insert(device.id(), ring));
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(copy, device.clone()));
    Ok(Tensor::from_storage(storage, tensor.shape().clone(), BackpropOp::none(), false))
}
