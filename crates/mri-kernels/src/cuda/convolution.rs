//! Both convolutions as one operation.
//!
//! Weights and biases are f32 whatever the type of the images; where that is bf16 the weight is rounded for the product,
//! and its gradient is summed in f32.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, TensorId, bail};

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
    let (x, weight) = (contiguous(x)?, contiguous(weight)?);
    let op = OnCuda { convolution, weight: weight.id() };
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

thread_local! {
    /// Weights in bf16, while somebody keeps them.
    static ROUNDED: RefCell<Option<HashMap<TensorId, Rc<CudaStorage>>>> = const { RefCell::new(None) };
}

/// As long as this lives, a weight is rounded once: it must not change meanwhile.
pub(crate) struct RoundedWeights {
    outer: Option<HashMap<TensorId, Rc<CudaStorage>>>,
}

impl RoundedWeights {
    pub(crate) fn keep() -> Self {
        Self { outer: ROUNDED.replace(Some(HashMap::new())) }
    }
}

impl Drop for RoundedWeights {
    fn drop(&mut self) {
        ROUNDED.replace(self.outer.take());
    }
}

/// A weight as the products take it, and what keeps it in memory until they are launched.
struct Rounded {
    pointer: Argument,
    _memory: Option<Rc<CudaStorage>>,
}

fn rounded(
    device: &CudaDevice,
    (weight, id): (Argument, TensorId),
    shape: &Shape,
    dtype: DType,
) -> Result<Rounded> {
    if dtype == DType::F32 {
        return Ok(Rounded { pointer: weight, _memory: None });
    }
    let kept = |kept: &Option<HashMap<_, Rc<CudaStorage>>>| kept.as_ref()?.get(&id).cloned();
    if let Some(memory) = ROUNDED.with_borrow(kept) {
        let pointer = pointer(&memory, &Layout::contiguous(shape))?;
        return Ok(Rounded { pointer, _memory: Some(memory) });
    }
    let memory = Rc::new(uninitialized(device, dtype, shape)?);
    let pointer = pointer(&memory, &Layout::contiguous(shape))?;
    let count = count(shape.elem_count())?;
    let arguments = [weight, pointer, Argument::U32(count)];
    // SAFETY: both have as many elements as the shape.
    unsafe { launch(device, Kernel::Named("narrow_to_bf16"), Grid::over_elements(count), &arguments)? };
    ROUNDED.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.insert(id, memory.clone())));
    Ok(Rounded { pointer, _memory: Some(memory) })
}

struct OnCuda {
    convolution: Convolution,
    weight: TensorId,
}

impl OnCuda {
    fn run(
        &self,
        (x, xl): (&CudaStorage, &Layout),
        (weight, wl): (&CudaStorage, &Layout),
        bias: Option<Argument>,
    ) -> Result<(CudaStorage, Shape)> {
        let (device, dtype) = (&x.device, x.dtype());
        let shape = Shape::from(self.convolution.output_dims().as_slice());
        let y = uninitialized(device, dtype, &shape)?;
        let to = || pointer(&y, &Layout::contiguous(&shape));
        let weight = rounded(device, (pointer(weight, wl)?, self.weight), wl.shape(), dtype)?;
        let problem = Problem { device, dtype, geometry: &self.convolution.geometry };
        match self.convolution.sense {
            Sense::Plain => products::forward(&problem, pointer(x, xl)?, weight.pointer, to()?)?,
            Sense::Transposed => products::input_grad(&problem, pointer(x, xl)?, weight.pointer, to()?)?,
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
        let problem = Problem { device, dtype: x.dtype(), geometry: &self.convolution.geometry };
        let shape = weight.shape();
        let dx = needs_gradient(x).then(|| {
            let dx = uninitialized_tensor(device, x.dtype(), x.shape())?;
            let weight = (tensor_pointer(weight)?, self.weight);
            let weight = rounded(device, weight, shape, x.dtype())?;
            let (from, to) = (tensor_pointer(dy)?, tensor_pointer(&dx)?);
            match self.convolution.sense {
                Sense::Plain => products::input_grad(&problem, from, weight.pointer, to)?,
                Sense::Transposed => products::forward(&problem, from, weight.pointer, to)?,
            }
            Ok::<_, candle_core::Error>(dx)
        });
        let dw = add_gradient(weight, |destination, dw| {
            let (x, dy, dw) = (tensor_pointer(x)?, tensor_pointer(dy)?, tensor_pointer(dw)?);
            match self.convolution.sense {
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
