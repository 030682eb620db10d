//! Moving averages of variables.

use candle_core::{Result, Var, bail};

/// Moves the first variable of each pair toward the second: `average ← average + share · (target - average)`.
///
/// # Shapes
/// Any; the same within a pair.
///
/// # Errors
/// When the shapes of a pair differ.
pub fn move_toward(pairs: &[(&Var, &Var)], share: f64) -> Result<()> {
    if let Some((average, target)) = pairs.iter().find(|(average, target)| average.dims() != target.dims()) {
        bail!("moving average: {:?} cannot follow {:?}", average.shape(), target.shape())
    }
    #[cfg(feature = "cuda")]
    if let Some((first, _)) = pairs.first()
        && first.device().is_cuda()
    {
        return crate::cuda::move_toward(pairs, share);
    }
    crate::composed::move_toward(pairs, share)
}
