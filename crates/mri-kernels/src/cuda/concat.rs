//! Two tensors side by side along the channels, whose gradients come as two tensors of their own.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{
    NONE, count, pointer, tensor_pointer, u32_argument, uninitialized, uninitialized_tensor,
};
use crate::recording::{apply2, contiguous, needs_gradient};

pub(crate) fn concat_channels(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply2(&contiguous(a)?, &contiguous(b)?, ConcatChannels)
}

struct ConcatChannels;

/// # Safety
/// `y` holds `count` elements, in rows of `in_a + in_b`; a and b hold as many rows, or are none.
unsafe fn launch_rows(
    device: &CudaDevice,
    kernel: Kernel,
    arguments: [Argument; 3],
    [in_a, in_b, elements]: [usize; 3],
) -> Result<()> {
    let count = count(elements)?;
    let mut arguments = arguments.to_vec();
    arguments.extend([u32_argument(in_a)?, u32_argument(in_b)?, Argument::U32(count)]);
    // SAFETY: the caller's.
    unsafe { launch(device, kernel, Grid::over_elements(count), &arguments) }
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
        let y = uninitialized(&a.device, a.dtype(), &shape)?;
        let arguments = [pointer(a, al)?, pointer(b, bl)?, pointer(&y, &Layout::contiguous(&shape))?];
        let sizes = [ca * h * w, cb * h * w, shape.elem_count()];
        // SAFETY: the rows of y are those of a and b joined.
        unsafe { launch_rows(&a.device, Kernel::OfType("join_rows", a.dtype()), arguments, sizes)? };
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
        let gradient = |operand: &Tensor| {
            let gradient = || uninitialized_tensor(device, dy.dtype(), operand.shape());
            needs_gradient(operand).then(gradient).transpose()
        };
        let (da, db) = (gradient(a)?, gradient(b)?);
        let pointer_or_none = |t: &Option<Tensor>| t.as_ref().map_or(Ok(NONE), tensor_pointer);
        let arguments = [tensor_pointer(&dy)?, pointer_or_none(&da)?, pointer_or_none(&db)?];
        let images = dy.dim(0)?;
        let sizes = [a.elem_count() / images, b.elem_count() / images, dy.elem_count()];
        // SAFETY: the rows of dy are those of both gradients joined.
        unsafe { launch_rows(device, Kernel::OfType("split_rows", dy.dtype()), arguments, sizes)? };
        Ok((da, db))
    }
}
