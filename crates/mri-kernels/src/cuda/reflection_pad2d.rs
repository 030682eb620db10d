//! Padding by reflection.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{count, pointer, tensor_pointer, u32_argument, uninitialized, uninitialized_tensor};
use crate::recording::{apply1, contiguous};

pub(crate) fn reflection_pad2d(x: &Tensor, pad: [usize; 4]) -> Result<Tensor> {
    apply1(&contiguous(x)?, ReflectionPad2d { pad })
}

struct ReflectionPad2d {
    pad: [usize; 4],
}

impl ReflectionPad2d {
    /// # Safety
    /// `from` and `to` are the two sides of the kernel, `to` of `elements`, and the unpadded one of planes `h` x `w`.
    unsafe fn launch(
        &self,
        device: &CudaDevice,
        (kernel, dtype): (&'static str, DType),
        [from, to]: [Argument; 2],
        (h, w): (usize, usize),
        elements: usize,
    ) -> Result<()> {
        let mut arguments = vec![from, to, u32_argument(h)?, u32_argument(w)?];
        for pad in self.pad {
            arguments.push(u32_argument(pad)?);
        }
        let count = count(elements)?;
        arguments.push(Argument::U32(count));
        // SAFETY: the caller's.
        unsafe { launch(device, Kernel::OfType(kernel, dtype), Grid::over_elements(count), &arguments) }
    }
}

impl CustomOp1 for ReflectionPad2d {
    fn name(&self) -> &'static str {
        "reflection-pad2d"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        let [left, right, top, bottom] = self.pad;
        let shape = Shape::from((n, c, top + h + bottom, left + w + right));
        let y = uninitialized(&x.device, x.dtype(), &shape)?;
        let ends = [pointer(x, layout)?, pointer(&y, &Layout::contiguous(&shape))?];
        // SAFETY: y has the padded shape.
        unsafe {
            self.launch(&x.device, ("reflection_pad2d", x.dtype()), ends, (h, w), shape.elem_count())?;
        }
        Ok((y, shape))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        let (_, _, h, w) = x.dims4()?;
        let device = x.device().as_cuda_device()?;
        let dx = uninitialized_tensor(device, x.dtype(), x.shape())?;
        let (ends, kernel) = ([tensor_pointer(&dy)?, tensor_pointer(&dx)?], "reflection_pad2d_backward");
        // SAFETY: dy has the padded shape and dx that of x.
        unsafe { self.launch(device, (kernel, x.dtype()), ends, (h, w), x.elem_count())? };
        Ok(Some(dx))
    }
}
