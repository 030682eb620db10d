//! Reading and making contiguous f32 tensors on the CPU as slices.

use std::cell::RefCell;
use std::ops::Deref;

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor, bail};

/// The elements of a contiguous operand of a custom op.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("mri-kernels: expected a contiguous operand, found {layout:?}"),
    }
}

/// Calls `f` with the elements of `tensor`, copied first if they are not contiguous.
pub(crate) fn with_floats<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match storage.deref() {
        Storage::Cpu(storage) => f(slice(storage, layout)?),
        _ => bail!("mri-kernels: expected a tensor on the CPU"),
    }
}

/// A tensor without history.
pub(crate) fn tensor(data: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(data, shape.into(), &Device::Cpu)
}

/// Calls `f` with the elements of a contiguous tensor, to be changed in place.
pub(crate) fn with_floats_mut(tensor: &Tensor, f: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
    /// Candle hands out mutable storage to in-place operations only, so the closure becomes one.
    struct Once<F>(RefCell<Option<F>>);

    impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Once<F> {
        fn name(&self) -> &'static str {
            "in-place"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            match (storage, layout.contiguous_offsets(), self.0.take()) {
                (CpuStorage::F32(data), Some((start, end)), Some(f)) => f(&mut data[start..end]),
                _ => bail!("mri-kernels: expected a contiguous f32 tensor"),
            }
        }
    }

    tensor.inplace_op1(&Once(RefCell::new(Some(f))))
}
