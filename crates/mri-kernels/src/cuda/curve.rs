//! The skip connection through a curve, with its tanh.

use candle_core::cuda_backend::CudaStorage;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{
    NONE, count, pointer, tensor_pointer, u32_argument, uninitialized, uninitialized_tensor,
};
use crate::backward::add_gradient;
use crate::matmul::Destination;
use crate::recording::{apply3, contiguous, needs_gradient};

pub(crate) fn curve_skip(x: &Tensor, knots: &Tensor, logits: &Tensor) -> Result<Tensor> {
    apply3(&contiguous(x)?, &contiguous(knots)?, &contiguous(logits)?, CurveSkip)
}

/// Threads of a block that gathers a knot's gradient.
const THREADS: u32 = 256;

struct CurveSkip;

impl CustomOp3 for CurveSkip {
    fn name(&self) -> &'static str {
        "curve-skip"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        xl: &Layout,
        knots: &CudaStorage,
        kl: &Layout,
        logits: &CudaStorage,
        ll: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let shape = xl.shape();
        let y = uninitialized(&x.device, DType::F32, shape)?;
        let count = count(shape.elem_count())?;
        let arguments = [
            pointer(x, xl)?,
            pointer(knots, kl)?,
            pointer(logits, ll)?,
            pointer(&y, &Layout::contiguous(shape))?,
            u32_argument(kl.shape().elem_count())?,
            Argument::U32(count),
        ];
        // SAFETY: x, the logits and y have as many elements as the shape.
        unsafe { launch(&x.device, Kernel::Named("curve_skip"), Grid::over_elements(count), &arguments)? };
        Ok((y, shape.clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        knots: &Tensor,
        logits: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let device = x.device().as_cuda_device()?;
        let gradient = || uninitialized_tensor(device, DType::F32, x.shape());
        let dx = needs_gradient(x).then(gradient).transpose()?;
        let dlogits = needs_gradient(logits).then(gradient).transpose()?;
        let dcurve = gradient()?;
        let (knot_count, elements) = (count(knots.elem_count())?, count(x.elem_count())?);
        let pointer_or_none = |t: &Option<Tensor>| t.as_ref().map_or(Ok(NONE), tensor_pointer);
        let arguments = [
            tensor_pointer(x)?,
            tensor_pointer(knots)?,
            tensor_pointer(y)?,
            tensor_pointer(&dy)?,
            pointer_or_none(&dx)?,
            pointer_or_none(&dlogits)?,
            tensor_pointer(&dcurve)?,
            Argument::U32(knot_count),
            Argument::U32(elements),
        ];
        let grid = Grid::over_elements(elements);
        // SAFETY: all but the knots are shaped like x.
        unsafe { launch(device, Kernel::Named("curve_skip_backward"), grid, &arguments)? };
        let dknots = add_gradient(knots, |destination, dknots| {
            let slices = elements.div_ceil(16 * THREADS).clamp(1, 64);
            let shape = Shape::from((knot_count as usize, slices as usize));
            let parts = uninitialized_tensor(device, DType::F32, &shape)?;
            let arguments = [
                tensor_pointer(x)?,
                tensor_pointer(&dcurve)?,
                tensor_pointer(&parts)?,
                Argument::U32(knot_count),
                Argument::U32(slices),
                Argument::U32(elements),
            ];
            let grid = Grid { blocks: knot_count * slices, threads: THREADS };
            // SAFETY: one part a block; the rest as above.
            unsafe { launch(device, Kernel::Named("knot_parts"), grid, &arguments)? };
            let arguments = [
                tensor_pointer(&parts)?,
                tensor_pointer(dknots)?,
                Argument::U32(u32::from(destination == Destination::Add)),
                Argument::U32(slices),
                Argument::U32(knot_count),
            ];
            // SAFETY: as above.
            unsafe {
                launch(device, Kernel::Named("knot_gradients"), Grid::over_elements(knot_count), &arguments)
            }
        })?;
        Ok((dx, dknots, dlogits))
    }
}
