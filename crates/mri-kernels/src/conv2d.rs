//! Two-dimensional convolution.

use candle_core::{Result, Tensor};

use crate::conv::{Convolution, Geometry, Sense};
use crate::recording::by_candle;
use crate::route::{self, Route};

/// Two-dimensional convolution (cross-correlation) with zero padding:
/// `y[n,o,i,j] = bias[o] + Σ_{c,u,v} weight[o,c,u,v] · x[n,c, i·stride+u-padding, j·stride+v-padding]`.
///
/// # Shapes
/// - `x`: (N, Cin, H, W)
/// - `weight`: (Cout, Cin, kh, kw); `bias`: (Cout)
/// - result: (N, Cout, (H + 2·padding - kh) / stride + 1, (W + 2·padding - kw) / stride + 1), rounded down
///
/// Backward computes the gradients of those operands only that are variables or depend on one.
///
/// # Errors
/// When the shapes do not match or the kernel does not fit in the padded input.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let geometry = Geometry::of_conv(x.dims(), weight.dims(), stride, padding)?;
    let convolution = Convolution { geometry, sense: Sense::Plain };
    match route::of_images(x, &[weight]) {
        Route::Cpu => convolution.apply(x, weight, bias),
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::convolution(convolution, x, weight, bias),
        Route::Composed => {
            let operands = [&[x, weight], bias.as_slice()].concat();
            by_candle(&operands, |t| crate::composed::conv2d(&t[0], &t[1], t.get(2), stride, padding))
        }
    }
}
