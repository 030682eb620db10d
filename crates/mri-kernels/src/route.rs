//! Which implementation computes: by the device and the types of the operands.

use candle_core::{DType, Tensor};

/// An implementation of the operations.
pub(crate) enum Route {
    /// Ours on the CPU.
    Cpu,
    /// Ours on CUDA.
    #[cfg(feature = "cuda")]
    Cuda,
    /// Candle's own operations.
    Composed,
}

/// The route of an operation whose operands are all f32.
pub(crate) fn of_floats(operands: &[&Tensor]) -> Route {
    let all = |test: fn(&Tensor) -> bool| operands.iter().all(|t| t.dtype() == DType::F32 && test(t));
    if all(|t| t.device().is_cpu()) {
        return Route::Cpu;
    }
    #[cfg(feature = "cuda")]
    if all(|t| t.device().is_cuda()) {
        return Route::Cuda;
    }
    Route::Composed
}

/// The route of an operation on images `x`, which may be bf16 on CUDA, with f32 `parameters`.
pub(crate) fn of_images(x: &Tensor, parameters: &[&Tensor]) -> Route {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() && x.dtype() == DType::BF16 {
        let all_floats = parameters.iter().all(|p| p.device().is_cuda() && p.dtype() == DType::F32);
        return if all_floats { Route::Cuda } else { Route::Composed };
    }
    of_floats(&[&[x], parameters].concat())
}
