//! Two tensors side by side along the channels, whose gradients come as two tensors of their own.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{count, pointer, tensor_pointer, u32_argument, uninitialized, uninitialized_tensor};
use crate::recording::{apply2, contiguous, needs_gradient};

pub(crate) fn concat_channels(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply2(&contiguous(a)?, &contiguous(b)?, ConcatChannels)
}

struct ConcatChannels;

/// Rows of a tensor: where the first begins, in elements, and how far apart they are.
struct Rows {
    base: Argument,
    offset: usize,
    stride: usize,
}

impl Rows {
    fn start(&self, dtype: DType) -> Result<Argument> {
        let Argument::Pointer(base) = self.base else { bail!("mri-kernels: rows without an address") };
        Ok(Argument::Pointer(base + (self.offset * dtype.size_in_bytes()) as u64))
    }
}

/// # Safety
/// Both ends hold `images` rows of `length` elements.
unsafe fn copy_rows(
    device: &CudaDevice,
    dtype: DType,
    (from, to): (Rows, Rows),
    length: usize,
    images: usize,
) -> Result<()> {
    let count = count(length * images)?;
    let arguments = [
        from.start(dtype)?,
        u32_argument(from.stride)?,
        to.start(dtype)?,
        u32_argument(to.stride)?,
        u32_argument(length)?,
        Argument::U32(count),
    ];
    // SAFETY: the caller's.
    unsafe { launch(device, Kernel::OfType("copy_rows", dtype), Grid::over_elements(count), &arguments) }
}

impl CustomOp2 for ConcatChannels {
    fn name(&self) -> &'static str {
        "concat-channels"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        al: &Layout,
        b: &CudaStorage,
        bl: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let ((n, ca, h, w), (_, cb, ..)) = (al.shape().dims4()?, bl.shape().dims4()?);
        let shape = Shape::from((n, ca + cb, h, w));
        let (of_a, of_b) = (ca * h * w, cb * h * w);
        let y = uninitialized(&a.device, a.dtype(), &shape)?;
        for (part, layout, length, offset) in [(a, al, of_a, 0), (b, bl, of_b, of_a)] {
            let from = Rows { base: pointer(part, layout)?, offset: 0, stride: length };
            let base = pointer(&y, &Layout::contiguous(&shape))?;
            let to = Rows { base, offset, stride: of_a + of_b };
            // SAFETY: the rows of y are those of a and b joined.
            unsafe { copy_rows(&a.device, a.dtype(), (from, to), length, n)? };
        }
        Ok((y, shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let device = dy.device().as_cuda_device()?;
        let (n, row) = (dy.dim(0)?, dy.elem_count() / dy.dim(0)?);
        let part = |operand: &Tensor, offset: usize| -> Result<Option<Tensor>> {
            if !needs_gradient(operand) {
                return Ok(None);
            }
            let gradient = uninitialized_tensor(device, dy.dtype(), operand.shape())?;
            let length = operand.elem_count() / n;
            let from = Rows { base: tensor_pointer(&dy)?, offset, stride: row };
            let to = Rows { base: tensor_pointer(&gradient)?, offset: 0, stride: length };
            // SAFETY: the rows of dy are those of both gradients joined.
            unsafe { copy_rows(device, dy.dtype(), (from, to), length, n)? };
            Ok(Some(gradient))
        };
        Ok((part(a, 0)?, part(b, a.elem_count() / n)?))
    }
}
