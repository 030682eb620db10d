//! Losses: two launches forward, one backward; the gradient's scale is read on the device.

use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{NONE, count, pointer, tensor_pointer, uninitialized, uninitialized_tensor};
use crate::losses::Kind;
use crate::recording::{apply1, apply2, contiguous, needs_gradient};

pub(crate) fn against_target(x: &Tensor, target: f32, kind: Kind) -> Result<Tensor> {
    // The kernels' numbers.
    let kind = match kind {
        Kind::Squared => 0,
        Kind::CrossEntropy => 1,
    };
    apply1(&contiguous(x)?, Loss { kind, target })
}

pub(crate) fn l1(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    const ABSOLUTE: u32 = 2;
    apply2(&contiguous(a)?, &contiguous(b)?, Loss { kind: ABSOLUTE, target: 0. })
}

struct Loss {
    kind: u32,
    target: f32,
}

impl Loss {
    /// # Safety
    /// `a`, and `b` where it is not none, hold `elements` f32.
    unsafe fn mean(
        &self,
        device: &CudaDevice,
        [a, b]: [Argument; 2],
        elements: usize,
    ) -> Result<(CudaStorage, Shape)> {
        let count = count(elements)?;
        let grid = Grid { blocks: count.div_ceil(256).clamp(1, 256), threads: 256 };
        let (parts_shape, shape) = (Shape::from(grid.blocks as usize), Shape::from(()));
        let parts = uninitialized(device, DType::F32, &parts_shape)?;
        let mean = uninitialized(device, DType::F32, &shape)?;
        let parts_pointer = || pointer(&parts, &Layout::contiguous(&parts_shape));
        let (kind, target) = (Argument::U32(self.kind), Argument::F32(self.target));
        let arguments = [a, b, parts_pointer()?, kind, target, Argument::U32(count)];
        // SAFETY: one part a block, and the caller's.
        unsafe { launch(device, Kernel::Named("loss_parts"), grid, &arguments)? };
        let arguments = [
            parts_pointer()?,
            pointer(&mean, &Layout::contiguous(&shape))?,
            Argument::U32(grid.blocks),
            Argument::U32(count),
        ];
        // SAFETY: as above.
        unsafe { launch(device, Kernel::Named("mean_of_parts"), Grid { blocks: 1, ..grid }, &arguments)? };
        Ok((mean, shape))
    }

    fn gradients(&self, a: &Tensor, b: Option<&Tensor>, dy: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let device = a.device().as_cuda_device()?;
        let gradient_of = |operand: &Tensor| {
            needs_gradient(operand)
                .then(|| uninitialized_tensor(device, DType::F32, operand.shape()))
                .transpose()
        };
        let (da, db) = (gradient_of(a)?, b.map(gradient_of).transpose()?.flatten());
        let pointer_or_none = |t: Option<&Tensor>| t.map_or(Ok(NONE), tensor_pointer);
        let count = count(a.elem_count())?;
        let arguments = [
            tensor_pointer(a)?,
            pointer_or_none(b)?,
            tensor_pointer(dy)?,
            pointer_or_none(da.as_ref())?,
            pointer_or_none(db.as_ref())?,
            Argument::U32(self.kind),
            Argument::F32(self.target),
            Argument::U32(count),
        ];
        // SAFETY: all but dy, a scalar, have as many elements as a.
        unsafe {
            launch(device, Kernel::Named("loss_backward"), Grid::over_elements(count), &arguments)?;
        }
        Ok([da, db])
    }
}

impl CustomOp1 for Loss {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        // SAFETY: x has as many elements as its shape.
        unsafe { self.mean(&x.device, [pointer(x, layout)?, NONE], layout.shape().elem_count()) }
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [dx, _] = self.gradients(x, None, dy)?;
        Ok(dx)
    }
}

impl CustomOp2 for Loss {
    fn name(&self) -> &'static str {
        "l1"
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
        // SAFETY: both have the same shape, checked by the caller of `l1`.
        unsafe { self.mean(&a.device, [pointer(a, al)?, pointer(b, bl)?], al.shape().elem_count()) }
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients(a, Some(b), dy)?;
        Ok((da, db))
    }
}
