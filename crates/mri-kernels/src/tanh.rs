//! Hyperbolic tangent, the output activation of the generators.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::floats::{slice, tensor, with_floats};
use crate::parallel::{for_each_chunk, zeros};
use crate::recording::{apply1, by_candle, contiguous};
use crate::route::{self, Route};

/// Hyperbolic tangent; backward is `dy · (1 - y²)`.
///
/// # Shapes
/// Any; the result has that of `x`.
///
/// # Errors
/// None on the CPU; on other devices those of the device.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    match route::of_images(x, &[]) {
        Route::Cpu => apply1(&contiguous(x)?, Tanh),
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::tanh(x),
        Route::Composed => by_candle(&[x], |t| t[0].tanh()),
    }
}

struct Tanh;

impl CustomOp1 for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, xl)?;
        let mut y = zeros(x.len());
        for_each_chunk(
            &mut y,
            #[inline(always)]
            |start, y| {
                y.iter_mut().zip(&x[start..]).for_each(|(y, x)| *y = x.tanh());
            },
        );
        Ok((CpuStorage::F32(y), xl.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = zeros(y.elem_count());
        with_floats(y, |y| {
            with_floats(dy, |dy| {
                for_each_chunk(
                    &mut dx,
                    #[inline(always)]
                    |start, dx| {
                        let range = start..start + dx.len();
                        for ((dx, &y), &d) in dx.iter_mut().zip(&y[range.clone()]).zip(&dy[range]) {
                            *dx = d * (1. - y * y);
                        }
                    },
                );
                Ok(())
            })
        })?;
        tensor(dx, y.shape()).map(Some)
    }
}
