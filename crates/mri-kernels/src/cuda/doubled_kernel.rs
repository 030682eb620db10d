//! The kernel of a resize convolution as that of a transposed convolution.

use candle_core::cuda_backend::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{count, pointer, tensor_pointer, u32_argument, uninitialized};
use crate::backward::add_gradient;
use crate::matmul::Destination;
use crate::recording::{apply1, contiguous};

pub(crate) fn doubled_kernel(weight: &Tensor) -> Result<Tensor> {
    apply1(&contiguous(weight)?, DoubledKernel)
}

struct DoubledKernel;

impl CustomOp1 for DoubledKernel {
    fn name(&self) -> &'static str {
        "doubled-kernel"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(&self, weight: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (co, ci, ..) = layout.shape().dims4()?;
        let shape = Shape::from((ci, co, 4, 4));
        let doubled = uninitialized(&weight.device, DType::F32, &shape)?;
        let count = count(shape.elem_count())?;
        let arguments = [
            pointer(weight, layout)?,
            pointer(&doubled, &Layout::contiguous(&shape))?,
            u32_argument(co)?,
            u32_argument(ci)?,
            Argument::U32(count),
        ];
        let grid = Grid::over_elements(count);
        // SAFETY: the shapes are those of the kernel.
        unsafe { launch(&weight.device, Kernel::Named("doubled_kernel"), grid, &arguments)? };
        Ok((doubled, shape))
    }

    fn bwd(&self, weight: &Tensor, _: &Tensor, doubled_gradient: &Tensor) -> Result<Option<Tensor>> {
        let from = doubled_gradient.contiguous()?;
        let (co, ci, ..) = weight.dims4()?;
        add_gradient(weight, |destination, gradient| {
            let count = count(weight.elem_count())?;
            let arguments = [
                tensor_pointer(&from)?,
                tensor_pointer(gradient)?,
                Argument::U32(u32::from(destination == Destination::Add)),
                u32_argument(co)?,
                u32_argument(ci)?,
                Argument::U32(count),
            ];
            let (device, grid) = (weight.device().as_cuda_device()?, Grid::over_elements(count));
            // SAFETY: as forward.
            unsafe { launch(device, Kernel::Named("doubled_kernel_backward"), grid, &arguments) }
        })
    }
}
