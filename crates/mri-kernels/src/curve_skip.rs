//! The skip connection of a translating network through a curve from intensity to intensity.

use candle_core::{Result, Tensor, bail};

use crate::recording::by_candle;
use crate::route::{self, Route};

/// `tanh(atanh(0.98 · curve(x)) + logits)`: an image through a curve, and what the network adds to it. The curve is
/// piecewise linear between `knots`, its values at evenly spaced places from -1 to 1, and constant outside. What leaves
/// it at 1 or -1 has no gradient there, nor has `x` outside (-1, 1).
///
/// # Shapes
/// - `x`, `logits` and result: (N, C, H, W)
/// - `knots`: (K), at least 2
///
/// # Errors
/// When the shapes do not match.
pub fn curve_skip(x: &Tensor, knots: &Tensor, logits: &Tensor) -> Result<Tensor> {
    if x.dims() != logits.dims() || knots.rank() != 1 || knots.elem_count() < 2 {
        bail!(
            "curve_skip: expected an image and logits of one shape and two knots or more, found {:?}, {:?} and {:?}",
            x.shape(),
            logits.shape(),
            knots.shape()
        )
    }
    match route::of_floats(&[x, knots, logits]) {
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::curve_skip(x, knots, logits),
        Route::Cpu | Route::Composed => {
            by_candle(&[x, knots, logits], |t| crate::composed::curve_skip(&t[0], &t[1], &t[2]))
        }
    }
}
