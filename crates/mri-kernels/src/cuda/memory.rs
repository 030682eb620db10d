//! Opening a device, its memory pool, and uploads through page-locked memory.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, PinnedHostSlice, result, sys};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, DeviceId};
use candle_core::op::BackpropOp;
use candle_core::{Error, Result, Storage, Tensor};

use super::operand::address;
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

/// `None` where the driver has no memory pools.
pub(crate) fn memory(device: &CudaDevice) -> Result<Option<DeviceMemory>> {
    if !has_pool(device) {
        return Ok(None);
    }
    // SAFETY: only asks.
    let total = unsafe { result::device::total_mem(cu_device(device)) }.map_err(Error::wrap)?;
    let mut peak = 0u64;
    // SAFETY: this attribute is a 64-bit number.
    unsafe {
        let pool = result::device::get_default_mem_pool(cu_device(device)).map_err(Error::wrap)?;
        let used = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
        result::mem_pool::get_attribute(pool, used, (&raw mut peak).cast::<c_void>()).map_err(Error::wrap)?;
    }
    Ok(Some(DeviceMemory { total, peak: usize::try_from(peak).unwrap_or(usize::MAX) }))
}

fn has_pool(device: &CudaDevice) -> bool {
    device.cuda_stream().context().has_async_alloc()
}

/// Whether the device has products of bf16: from compute capability 8.0 on.
pub(crate) fn has_bf16(device: &CudaDevice) -> Result<bool> {
    let (major, _) = device.cuda_stream().context().compute_capability().map_err(Error::wrap)?;
    Ok(major >= 8)
}

pub(crate) fn forget_peak(device: &CudaDevice) -> Result<()> {
    device.synchronize()?;
    set_attribute(device, sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0)
}

fn set_attribute(device: &CudaDevice, attribute: sys::CUmemPool_attribute, mut value: u64) -> Result<()> {
    if !has_pool(device) {
        return Ok(());
    }
    // SAFETY: the attributes set here are 64-bit numbers.
    unsafe {
        let pool = result::device::get_default_mem_pool(cu_device(device)).map_err(Error::wrap)?;
        result::mem_pool::set_attribute(pool, attribute, (&raw mut value).cast::<c_void>())
            .map_err(Error::wrap)
    }
}

fn cu_device(device: &CudaDevice) -> sys::CUdevice {
    device.cuda_stream().context().cu_device()
}

/// Page-locked buffers that uploads take in turn: the host waits for the one of four uploads ago at most.
const BUFFERS: usize = 4;

/// Page-locked memory, and what happens when the device has copied it.
struct Buffer {
    memory: PinnedHostSlice<f32>,
    /// The slice's own event is not recorded on a device without event tracking.
    copied: Option<CudaEvent>,
}

impl Buffer {
    fn of(stream: &CudaStream, count: usize) -> Result<Self> {
        // SAFETY: written before it is read.
        let memory = unsafe { stream.context().alloc_pinned_with_flags(count.next_power_of_two(), 0) }
            .map_err(Error::wrap)?;
        Ok(Self { memory, copied: None })
    }

    fn wait(&self) -> Result<()> {
        self.copied.as_ref().map_or(Ok(()), CudaEvent::synchronize).map_err(Error::wrap)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A failure here is the device's, which tells the next who asks it.
        let _ = self.wait();
    }
}

thread_local! {
    static RINGS: RefCell<HashMap<DeviceId, VecDeque<Buffer>>> = RefCell::default();
}

pub(crate) fn upload(tensor: &Tensor, device: &CudaDevice) -> Result<Tensor> {
    let stream = device.cuda_stream();
    let count = tensor.elem_count();
    let mut ring = RINGS.with_borrow_mut(|rings| rings.remove(&device.id())).unwrap_or_default();
    let former = if ring.len() < BUFFERS { None } else { ring.pop_front() };
    let mut buffer = match former.filter(|buffer| buffer.memory.len() >= count) {
        Some(buffer) => buffer,
        None => Buffer::of(&stream, count)?,
    };
    buffer.wait()?;
    // SAFETY: the copy writes all of it.
    let copy = unsafe { device.alloc::<f32>(count)? };
    with_floats(tensor, |values| {
        let memory = &mut buffer.memory.as_mut_slice().map_err(Error::wrap)?[..count];
        memory.copy_from_slice(values);
        // SAFETY: both have `count` elements, and `copied` tells when the memory may be touched again.
        unsafe { result::memcpy_htod_async(address(&copy), memory, stream.cu_stream()) }.map_err(Error::wrap)
    })?;
    let when_copied = stream.record_event(Some(sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC));
    buffer.copied = Some(when_copied.map_err(Error::wrap)?);
    ring.push_back(buffer);
    RINGS.with_borrow_mut(|rings| rings.insert(device.id(), ring));
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(copy, device.clone()));
    Ok(Tensor::from_storage(storage, tensor.shape().clone(), BackpropOp::none(), false))
}
