//! Resize convolutions as transposed convolutions.

use candle_core::{Result, Tensor, bail};

use crate::recording::by_candle;
use crate::route::{self, Route};

/// The 4x4 kernel of the transposed convolution (stride 2, padding 1) that equals doubling by nearest neighbour followed
/// by the convolution of this 3x3 kernel (padding 1): 16 instead of 36 products a pixel.
///
/// # Shapes
/// (Cout, Cin, 3, 3) -> (Cin, Cout, 4, 4)
///
/// # Errors
/// When the kernel is not 3x3.
pub fn doubled_kernel(weight: &Tensor) -> Result<Tensor> {
    let (_, _, 3, 3) = weight.dims4()? else {
        bail!("doubled_kernel: expected a 3x3 kernel, found {:?}", weight.shape())
    };
    match route::of_floats(&[weight]) {
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::doubled_kernel(weight),
        Route::Cpu | Route::Composed => by_candle(&[weight], |t| crate::composed::doubled_kernel(&t[0])),
    }
}
