//! Two-dimensional transposed convolution.

use candle_core::{Result, Tensor};

use crate::conv::{Convolution, Geometry, Sense};
use crate::recording::by_candle;
use crate::route::{self, Route};

/// Two-dimensional transposed convolution, the adjoint of [`conv2d`](crate::conv2d) in `x`:
/// `y[n,o, i·stride+u-padding, j·stride+v-padding] += weight[c,o,u,v] · x[n,c,i,j]`, plus `bias[o]`.
///
/// # Shapes
/// - `x`: (N, Cin, H, W)
/// - `weight`: (Cin, Cout, kh, kw); `bias`: (Cout)
/// - result: (N, Cout, (H - 1)·stride - 2·padding + kh + output_padding, and the same of W)
///
/// Backward computes the gradients of those operands only that are variables or depend on one.
///
/// # Errors
/// When the shapes do not match, the output would be empty, or `output_padding >= stride`.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
    output_padding: usize,
) -> Result<Tensor> {
    let geometry = Geometry::of_transpose(x.dims(), weight.dims(), stride, padding, output_padding)?;
    let convolution = Convolution { geometry, sense: Sense::Transposed };
    match route::of_images(x, &[weight]) {
        Route::Cpu => convolution.apply(x, weight, bias),
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::convolution(convolution, x, weight, bias),
        Route::Composed => {
            let operands = [&[x, weight], bias.as_slice()].concat();
            by_candle(&operands, |t| {
                crate::composed::conv_transpose2d(&t[0], &t[1], t.get(2), stride, padding, output_padding)
            })
        }
    }
}
