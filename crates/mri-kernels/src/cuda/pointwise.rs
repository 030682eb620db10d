//! Activations and dropout: one thread an element each way.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{count, pointer, tensor_pointer, uninitialized, uninitialized_tensor};
use crate::recording::{apply1, contiguous};

pub(crate) fn leaky_relu(x: &Tensor, slope: f32) -> Result<Tensor> {
    apply1(&contiguous(x)?, Pointwise::LeakyRelu { slope })
}

pub(crate) fn tanh(x: &Tensor) -> Result<Tensor> {
    apply1(&contiguous(x)?, Pointwise::Tanh)
}

pub(crate) fn dropout(x: &Tensor, threshold: u32, scale: f32, key: u64) -> Result<Tensor> {
    apply1(&contiguous(x)?, Pointwise::Dropout { threshold, scale, key })
}

enum Pointwise {
    LeakyRelu { slope: f32 },
    Tanh,
    Dropout { threshold: u32, scale: f32, key: u64 },
}

impl Pointwise {
    /// Kernels of the two directions.
    fn kernels(&self) -> [&'static str; 2] {
        match self {
            Self::LeakyRelu { .. } => ["leaky_relu", "leaky_relu_backward"],
            Self::Tanh => ["tanh_forward", "tanh_backward"],
            // Backward is the same mask on the gradient.
            Self::Dropout { .. } => ["dropout", "dropout"],
        }
    }

    /// # Safety
    /// The tensors are those of the kernel, of `elements` each.
    unsafe fn launch(
        &self,
        device: &CudaDevice,
        kernel: Kernel,
        mut arguments: Vec<Argument>,
        elements: usize,
    ) -> Result<()> {
        match *self {
            Self::LeakyRelu { slope } => arguments.push(Argument::F32(slope)),
            Self::Tanh => {}
            Self::Dropout { threshold, scale, key } => {
                arguments.extend([Argument::U64(key), Argument::U32(threshold), Argument::F32(scale)]);
            }
        }
        let count = count(elements)?;
        arguments.push(Argument::U32(count));
        // SAFETY: the caller's.
        unsafe { launch(device, kernel, Grid::over_elements(count), &arguments) }
    }
}

impl CustomOp1 for Pointwise {
    fn name(&self) -> &'static str {
        self.kernels()[0]
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (device, dtype, shape) = (&x.device, x.dtype(), layout.shape());
        let y = uninitialized(device, dtype, shape)?;
        let arguments = vec![pointer(x, layout)?, pointer(&y, &Layout::contiguous(shape))?];
        let kernel = Kernel::OfType(self.kernels()[0], dtype);
        // SAFETY: x and y have as many elements as the shape.
        unsafe { self.launch(device, kernel, arguments, shape.elem_count())? };
        Ok((y, shape.clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (x, dy) = (x.contiguous()?, dy.contiguous()?);
        let device = x.device().as_cuda_device()?;
        let dx = uninitialized_tensor(device, x.dtype(), x.shape())?;
        let mut arguments = match self {
            Self::LeakyRelu { .. } => vec![tensor_pointer(&x)?],
            Self::Tanh => vec![tensor_pointer(y)?],
            Self::Dropout { .. } => vec![],
        };
        arguments.extend([tensor_pointer(&dy)?, tensor_pointer(&dx)?]);
        let kernel = Kernel::OfType(self.kernels()[1], x.dtype());
        // SAFETY: all have as many elements as x.
        unsafe { self.launch(device, kernel, arguments, x.elem_count())? };
        Ok(Some(dx))
    }
}
