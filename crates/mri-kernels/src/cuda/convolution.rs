//! Both convolutions as one operation of Candle's graph.
//!
//! Weights and biases are f32 whatever the type of the images; where that is bf16 the weight is rounded for the product,
//! and its gradient is summed in f32.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

#[cfg(not(feature = "cudnn"))]
use super::columns as products;
#[cfg(feature = "cudnn")]
use super::cudnn as products;
use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{count, pointer, tensor_pointer, u32_argument, uninitialized, uninitialized_tensor};
use crate::backward::add_gradient;
use crate::conv::{Convolution, Geometry, Sense};
use crate::matmul::Destination;
use crate::recording::{apply2, apply3, contiguous, needs_gradient, vector};

pub(crate) fn convolution(
    convolution: Convolution,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (x, weight, op) = (contiguous(x)?, contiguous(weight)?, OnCuda(convolution));
    match bias {
        None => apply2(&x, &weight, op),
        Some(bias) => apply3(&x, &weight, &vector(bias, convolution.output_dims()[1])?, op),
    }
}

/// The operands of a product: their device, the type of the images, and their sizes.
pub(super) struct Problem<'a> {
    pub(super) device: &'a CudaDevice,
    pub(super) dtype: DType,
    pub(super) geometry: &'a Geometry,
}

/// A weight in the type of the images, and what keeps it in memory until the product is launched.
fn rounded(
    device: &CudaDevice,
    weight: Argument,
    shape: &Shape,
    dtype: DType,
) -> Result<(Argument, Option<CudaStorage>)> {
    if dtype == DType::F32 {
        return Ok((weight, None));
    }
    let copy = uninitialized(device, dtype, shape)?;
    let to = pointer(&copy, &Layout::contiguous(shape))?;
    let count = count(shape.elem_count())?;
    let arguments = [weight, pointer(&copy, &Layout::contiguous(shape))?, Argument::U32(count)];
    // SAFETY: both have as many elements as the shape.
    unsafe { launch(device, Kernel::Named("narrow_to_bf16"), Grid::over_elements(count), &arguments)? };
    Ok((to, Some(copy)))
}

struct OnCuda(Convolution);

impl OnCuda {
    fn run(
        &self,
        (x, xl): (&CudaStorage, &Layout),
        (weight, wl): (&CudaStorage, &Layout),
        bias: Option<Argument>,
    ) -> Result<(CudaStorage, Shape)> {
        let (device, dtype) = (&x.device, x.dtype());
        let shape = Shape::from(self.0.output_dims().as_slice());
        let y = uninitialized(device, dtype, &shape)?;
        let to = || pointer(&y, &Layout::contiguous(&shape));
        let (weight, _kept) = rounded(device, pointer(weight, wl)?, wl.shape(), dtype)?;
        let problem = Problem { device, dtype, geometry: &self.0.geometry };
        match self.0.sense {
            Sense::Plain => products::forward(&problem, pointer(x, xl)?, weight, to()?)?,
            Sense::Transposed => products::input_grad(&problem, pointer(x, xl)?, weight, to()?)?,
        }
        if let Some(bias) = bias {
            let (_, channels, h, w) = shape.dims4()?;
            let count = count(shape.elem_count())?;
            let arguments =
                [to()?, bias, u32_argument(channels)?, u32_argument(h * w)?, Argument::U32(count)];
            // SAFETY: y has the shape and the bias one number a channel.
            unsafe {
                launch(device, Kernel::OfType("add_bias", dtype), Grid::over_elements(count), &arguments)?
            };
        }
        Ok((y, shape))
    }

    fn grads(&self, x: &Tensor, weight: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let device = x.device().as_cuda_device()?;
        let problem = Problem { device, dtype: x.dtype(), geometry: &self.0.geometry };
        let dx = needs_gradient(x).then(|| {
            let dx = uninitialized_tensor(device, x.dtype(), x.shape())?;
            let (weight, _kept) = rounded(device, tensor_pointer(weight)?, weight.shape(), x.dtype())?;
            let (from, to) = (tensor_pointer(dy)?, tensor_pointer(&dx)?);
            match self.0.sense {
                Sense::Plain => products::input_grad(&problem, from, weight, to)?,
                Sense::Transposed => products::forward(&problem, from, weight, to)?,
            }
            Ok::<_, candle_core::Error>(dx)
        });
        let dw = add_gradient(weight, |destination, dw| {
            let (x, dy, dw) = (tensor_pointer(x)?, tensor_pointer(dy)?, tensor_pointer(dw)?);
            match self.0.sense {
                Sense::Plain => products::weight_grad(&problem, x, dy, destination, dw),
                Sense::Transposed => products::weight_grad(&problem, dy, x, destination, dw),
            }
        })?;
        Ok((dx.transpose()?, dw))
    }
}

/// The sum of `dy` (N, C, H, W) over everything but the channels.
fn bias_gradient(bias: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
    add_gradient(bias, |destination, gradient| {
        let (images, channels, h, w) = dy.dims4()?;
        let arguments = [
            tensor_pointer(dy)?,
            tensor_pointer(gradient)?,
            Argument::U32(u32::from(destination == Destination::Add)),
            u32_argument(images)?,
            u32_argument(channels)?,
            u32_argument(h * w)?,
        ];
        let grid = Grid::of_blocks(count(channels)?, count(h * w)?);
        let (device, kernel) = (dy.device().as_cuda_device()?, Kernel::OfType("bias_gradient", dy.dtype()));
        // SAFETY: one number a channel.
        unsafe { launch(device, kernel, grid, &arguments) }
    })
}

impl CustomOp2 for OnCuda {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        xl: &Layout,
        w: &CudaStorage,
        wl: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run((x, xl), (w, wl), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.grads(x, w, &dy.contiguous()?)
    }
}

impl CustomOp3 for OnCuda {
    fn name(&self) -> &'static str {
        "convolution-bias"
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
        w: &CudaStorage,
        wl: &Layout,
        b: &CudaStorage,
        bl: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run((x, xl), (w, wl), Some(pointer(b, bl)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dx, dw) = self.grads(x, w, &dy)?;
        Ok((dx, dw, bias_gradient(b, &dy)?))
    }
}
