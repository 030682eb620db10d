//! Inference or training, and the dropout that sets them apart.

use candle_core::Tensor;

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Dropout is off.
    Inference,
    /// Dropout is on: in training, and for a sample of Monte-Carlo dropout (Gal and Ghahramani 2016).
    Train {
        /// Decides what is dropped: the same key drops the same activations. Take another one for each pass.
        dropout_key: u64,
    },
}

impl Mode {
    /// Dropout in the layer of this number.
    pub(crate) fn dropout(self, x: &Tensor, p: f64, layer: usize) -> candle_core::Result<Tensor> {
        match self {
            Self::Train { dropout_key } if p > 0. => {
                mri_kernels::dropout(x, p, mixed(dropout_key ^ mixed(layer as u64 + 1)))
            }
            _ => Ok(x.clone()),
        }
    }
}

/// SplitMix64's finalizer: keys of neighbouring layers and steps have nothing in common.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
