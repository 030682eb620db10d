//! Joining maps along the channels, as the skip connections of a U-Net do.

use candle_core::{Result, Tensor, bail};

use crate::recording::concat;
#[cfg(feature = "cuda")]
use crate::route::{self, Route};

/// `a` and `b` joined along the channels.
///
/// # Shapes
/// (N, C1, H, W), (N, C2, H, W) -> (N, C1 + C2, H, W)
///
/// # Errors
/// When the shapes or types do not match.
pub fn concat_channels(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((n, _, h, w), (bn, _, bh, bw)) = (a.dims4()?, b.dims4()?);
    if (n, h, w) != (bn, bh, bw) || a.dtype() != b.dtype() {
        bail!(
            "concat_channels: {:?} {:?} does not go beside {:?} {:?}",
            a.shape(),
            a.dtype(),
            b.shape(),
            b.dtype()
        )
    }
    #[cfg(feature = "cuda")]
    if matches!((route::of_images(a, &[]), route::of_images(b, &[])), (Route::Cuda, Route::Cuda)) {
        return crate::cuda::concat_channels(a, b);
    }
    concat(a, b, 1)
}
