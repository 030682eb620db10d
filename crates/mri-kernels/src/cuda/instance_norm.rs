//! Instance normalization with a leaky rectifier: one block a plane, one launch forward and two backward.

use std::sync::OnceLock;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{
    NONE, count, pointer, tensor_pointer, u32_argument, uninitialized, uninitialized_tensor,
};
use crate::backward::add_gradients;
use crate::matmul::Destination;
use crate::recording::{apply1, apply3, contiguous, needs_gradient, vector};

pub(crate) fn instance_norm_leaky_relu(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    eps: f32,
    slope: f32,
) -> Result<Tensor> {
    let (op, x) = (InstanceNorm { eps, slope, statistics: OnceLock::new() }, contiguous(x)?);
    match affine {
        None => apply1(&x, op),
        Some((gamma, beta)) => {
            let channels = x.dim(1)?;
            apply3(&x, &vector(gamma, channels)?, &vector(beta, channels)?, op)
        }
    }
}

struct InstanceNorm {
    eps: f32,
    slope: f32,
    /// Mean and 1 / sd of each plane, kept from the forward for the backward pass.
    statistics: OnceLock<Tensor>,
}

impl InstanceNorm {
    fn run(
        &self,
        x: &CudaStorage,
        layout: &Layout,
        [gamma, beta]: [Argument; 2],
    ) -> Result<(CudaStorage, Shape)> {
        let (n, channels, h, w) = layout.shape().dims4()?;
        let (planes, area) = (count(n * channels)?, count(h * w)?);
        let y = uninitialized(&x.device, x.dtype(), layout.shape())?;
        let statistics = uninitialized_tensor(&x.device, DType::F32, &Shape::from((n * channels, 2)))?;
        let arguments = [
            pointer(x, layout)?,
            gamma,
            beta,
            pointer(&y, &Layout::contiguous(layout.shape()))?,
            tensor_pointer(&statistics)?,
            u32_argument(channels)?,
            Argument::U32(area),
            Argument::F32(self.eps),
            Argument::F32(self.slope),
        ];
        let kernel = Kernel::OfType("instance_norm", x.dtype());
        // SAFETY: x and y have `planes` planes of `area`, gamma and beta are none or one number a channel.
        unsafe { launch(&x.device, kernel, Grid::of_blocks(planes, area), &arguments)? };
        // Applied twice, the op would see the same input: the first statistics stand.
        let _ = self.statistics.set(statistics);
        Ok((y, layout.shape().clone()))
    }

    /// The gradient of x, if it is wanted, and per plane the sums that those of gamma and beta are made of.
    fn grads(
        &self,
        x: &Tensor,
        dy: &Tensor,
        [gamma, beta]: [Argument; 2],
    ) -> Result<(Option<Tensor>, Tensor)> {
        let Some(statistics) = self.statistics.get() else { bail!("instance_norm: backward before forward") };
        let (x, dy) = (x.contiguous()?, dy.contiguous()?);
        let (n, channels, h, w) = x.dims4()?;
        let (planes, area) = (count(n * channels)?, count(h * w)?);
        let device = x.device().as_cuda_device()?;
        let dx =
            needs_gradient(&x).then(|| uninitialized_tensor(device, x.dtype(), x.shape())).transpose()?;
        let sums = uninitialized_tensor(device, DType::F32, &Shape::from((n, channels, 2)))?;
        let arguments = [
            tensor_pointer(&x)?,
            tensor_pointer(&dy)?,
            gamma,
            beta,
            tensor_pointer(statistics)?,
            dx.as_ref().map_or(Ok(NONE), tensor_pointer)?,
            tensor_pointer(&sums)?,
            u32_argument(channels)?,
            Argument::U32(area),
            Argument::F32(self.slope),
        ];
        let kernel = Kernel::OfType("instance_norm_backward", x.dtype());
        // SAFETY: as in `run`; dx and dy are shaped like x.
        unsafe { launch(device, kernel, Grid::of_blocks(planes, area), &arguments)? };
        Ok((dx, sums))
    }
}

/// The gradients of gamma and beta from the sums of the planes (images, channels, 2).
fn affine_gradients(gamma: &Tensor, beta: &Tensor, sums: &Tensor) -> Result<[Option<Tensor>; 2]> {
    add_gradients([gamma, beta], |taken| {
        let (images, channels, _) = sums.dims3()?;
        let count = count(channels)?;
        let pointer_or_none =
            |taken: &Option<(Destination, &Tensor)>| taken.map_or(Ok(NONE), |(_, t)| tensor_pointer(t));
        let adds = |taken: &Option<(Destination, &Tensor)>| {
            Argument::U32(u32::from(taken.is_some_and(|(destination, _)| destination == Destination::Add)))
        };
        let arguments = [
            tensor_pointer(sums)?,
            pointer_or_none(&taken[0])?,
            pointer_or_none(&taken[1])?,
            adds(&taken[0]),
            adds(&taken[1]),
            u32_argument(images)?,
            Argument::U32(count),
        ];
        let (device, grid) = (sums.device().as_cuda_device()?, Grid::over_elements(count));
        // SAFETY: the gradients have one number a channel.
        unsafe { launch(device, Kernel::Named("affine_gradients"), grid, &arguments) }
    })
}

impl CustomOp1 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        self.run(x, layout, [NONE, NONE])
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.grads(x, dy, [NONE, NONE])?.0)
    }
}

impl CustomOp3 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm-affine"
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
        gamma: &CudaStorage,
        gl: &Layout,
        beta: &CudaStorage,
        bl: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run(x, xl, [pointer(gamma, gl)?, pointer(beta, bl)?])
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, sums) = self.grads(x, dy, [tensor_pointer(gamma)?, tensor_pointer(beta)?])?;
        let [dgamma, dbeta] = affine_gradients(gamma, beta, &sums)?;
        Ok((dx, dgamma, dbeta))
    }
}
