//! The type in which a network computes.

use candle_core::{DType, Result, Tensor};
use mri_kernels::cast;
use serde::{Deserialize, Serialize};

/// The type of the maps inside a network. Parameters, statistics, the image that goes in and what comes out are f32
/// whatever it is (Micikevicius et al. 2018, "Mixed Precision Training").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16, the range of f32 with 8 bits of mantissa. CUDA only.
    Bf16,
}

impl Precision {
    /// What `network` makes of `x`, computed in this type.
    pub(crate) fn within(
        self,
        x: &Tensor,
        network: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match self {
            Self::F32 => network(x),
            Self::Bf16 => cast(&network(&cast(x, DType::BF16)?)?, DType::F32),
        }
    }
}
