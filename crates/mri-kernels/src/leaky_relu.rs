//! Leaky rectifier, in one pass each way.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::floats::{slice, tensor, with_floats};
use crate::parallel::{for_each_chunk, zeros};
use crate::recording::{apply1, by_candle, contiguous};
use crate::route::{self, Route};

/// Leaky rectifier: `x` where positive, else `slope · x`. A slope of 0 is the plain rectifier.
///
/// # Shapes
/// Any; the result has that of `x`.
///
/// # Errors
/// None on the CPU; on other devices those of the device.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    match route::of_images(x, &[]) {
        Route::Cpu => apply1(&contiguous(x)?, LeakyRelu { slope: slope as f32 }),
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::leaky_relu(x, slope as f32),
        Route::Composed => by_candle(&[x], |t| crate::composed::leaky_relu(&t[0], slope)),
    }
}

struct LeakyRelu {
    slope: f32,
}

impl CustomOp1 for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky-relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, xl)?;
        let mut y = zeros(x.len());
        for_each_chunk(
            &mut y,
            #[inline(always)]
            |start, y| {
                let x = &x[start..start + y.len()];
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x > 0. { x } else { self.slope * x });
            },
        );
        Ok((CpuStorage::F32(y), xl.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = zeros(x.elem_count());
        with_floats(x, |x| {
            with_floats(dy, |dy| {
                for_each_chunk(
                    &mut dx,
                    #[inline(always)]
                    |start, dx| {
                        let range = start..start + dx.len();
                        for ((dx, &x), &d) in dx.iter_mut().zip(&x[range.clone()]).zip(&dy[range]) {
                            *dx = if x > 0. { d } else { self.slope * d };
                        }
                    },
                );
                Ok(())
            })
        })?;
        tensor(dx, x.shape()).map(Some)
    }
}
