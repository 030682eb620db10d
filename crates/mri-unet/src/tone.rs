//! What a generator adds its output to: nothing, the input, or the input through a tone curve.
//!
//! T1- and T2-weighted images of one head differ first of all by a curve from intensity to intensity. A
//! generator that starts at a plausible curve learns what the curve cannot say, instead of learning the
//! anatomy anew.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

/// What the network's logits are added to: `output = tanh(atanh(0.98 * curve(x)) + logits)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// Nothing: `output = tanh(logits)`.
    #[default]
    None,
    /// The input itself: `curve(x) = x`.
    Input,
    /// The inversion, air kept black: the curve that `Tone` is counted from. It stays there.
    Inverse,
    /// A learned piecewise-linear curve of [`TONE_KNOTS`] knots.
    Tone,
}

/// Knots of a tone curve, evenly spaced on [-1, 1].
pub const TONE_KNOTS: usize = 33;

/// Whether a variable is a tone curve's, which learns at ten times the rate of the others.
///
/// It holds how far each knot lies from the inversion (air kept black), and is zero until something else is set.
pub fn is_tone_curve(tensor_name: &str) -> bool {
    tensor_name == "tone.knots" || tensor_name.ends_with(".tone.knots")
}

/// The variable of a tone curve that runs through `knots`, which has one value in [-1,1] for each of [`TONE_KNOTS`].
///
/// # Errors
/// Another number of knots.
pub fn tone_curve(knots: &[f32], device: &Device) -> Result<Tensor> {
    Tensor::new(knots, device)? - Tensor::new(&inversion(), device)?
}

/// What a tone curve is counted from: the inversion -0.9 x, but air (below -0.94) stays as black as it is.
fn inversion() -> [f32; TONE_KNOTS] {
    std::array::from_fn(|i| {
        let x = i as f32 / (TONE_KNOTS - 1) as f32 * 2. - 1.;
        if x > -0.94 { -0.9 * x } else { x }
    })
}

/// The tone skip of a generator.
#[derive(Debug, Clone)]
pub(crate) struct Tone {
    skip: Skip,
    moved: Option<Tensor>,
}

impl Tone {
    pub(crate) fn new(skip: Skip, vb: VarBuilder) -> Result<Self> {
        let moved = match skip {
            Skip::Tone => Some(vb.pp("tone").get_with_hints(TONE_KNOTS, "knots", Init::Const(0.))?),
            _ => None,
        };
        Ok(Self { skip, moved })
    }

    /// The knots as they are now, where there is a curve.
    pub(crate) fn knots(&self, device: &Device) -> Result<Option<Tensor>> {
        if !matches!(self.skip, Skip::Inverse | Skip::Tone) {
            return Ok(None);
        }
        let start = Tensor::new(&inversion(), device)?;
        self.moved.as_ref().map_or(Ok(start.clone()), |moved| moved + &start).map(Some)
    }

    /// # Shapes
    /// x, logits: (N, C, H, W) -> (N, C, H, W) in (-1, 1)
    pub(crate) fn join(&self, x: &Tensor, logits: &Tensor) -> Result<Tensor> {
        let base = match self.knots(x.device())? {
            Some(knots) => interpolate(x, &knots)?,
            None if self.skip == Skip::Input => x.clone(),
            None => return mri_kernels::tanh(logits),
        };
        let base = clamp(&(base * 0.98)?, -0.98, 0.98)?;
        mri_kernels::tanh(&(atanh(&base)? + logits)?)
    }
}

/// Piecewise-linear interpolation between knots on [-1, 1], constant outside; differentiable in both
/// arguments.
///
/// # Shapes
/// x: (N, C, H, W), knots: (K) -> (N, C, H, W)
fn interpolate(x: &Tensor, knots: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let intervals = knots.dim(0)? - 1;
    let half = intervals as f64 / 2.;
    let u = clamp(x, -1., 1.)?.reshape((n * c * h, w))?.affine(half, half)?;
    let i = u.detach().floor()?.minimum((intervals - 1) as f64)?;
    let index = i.to_dtype(DType::U32)?;
    // A row of knots for each row of pixels: the gradient's scatter then runs over rows at once, not over all
    // pixels in turn.
    let knot = |first: usize| {
        let row = knots.narrow(0, first, intervals)?.reshape((1, intervals))?;
        row.broadcast_as((n * c * h, intervals))?.contiguous()?.gather(&index, 1)
    };
    let (left, right) = (knot(0)?, knot(1)?);
    (&left + ((right - &left)? * (u - i)?)?)?.reshape((n, c, h, w))
}

/// Clamp without a gradient on the bounds themselves, as in PyTorch; Candle's own passes half of it there.
///
/// Air lies exactly on a bound: the knot that maps it to black gets no gradient until something moves it, and
/// stays black.
fn clamp(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    let inside = (x.gt(low)? * x.lt(high)?)?;
    inside.where_cond(x, &x.detach().clamp(low, high)?)
}

/// Inverse hyperbolic tangent of values inside (-1, 1).
fn atanh(x: &Tensor) -> Result<Tensor> {
    ((x + 1.)? / x.affine(-1., 1.)?)?.log()? * 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    /// Central differences of a smooth function of the output, away from knots and bounds.
    #[test]
    fn gradients_equal_finite_differences() -> Result<()> {
        let x = Var::new(&[[[[-0.97f32, -0.6, -0.21], [0.05, 0.33, 0.88]]]], &Device::Cpu)?;
        let logits = Tensor::new(&[[[[0.1f32, -0.2, 0.3], [0.4, 0., -0.5]]]], &Device::Cpu)?;
        let moved = Var::from_tensor(&(Tensor::arange(0f32, 33., &Device::Cpu)?.sin()? * 0.05)?)?;
        let tone = Tone { skip: Skip::Tone, moved: Some(moved.as_tensor().clone()) };
        let objective = || {
            tone.join(&x, &logits)?
                .flatten_all()?
                .mul(&Tensor::new(&[1f32, 2., -1., 0.5, -2., 3.], &Device::Cpu)?)?
                .sum_all()
        };
        let gradients = objective()?.backward()?;
        const STEP: f64 = 1e-3;
        for var in [&x, &moved] {
            let analytic = gradients
                .get(var)
                .map(|g| g.flatten_all()?.to_vec1::<f32>())
                .transpose()?
                .unwrap_or_default();
            let start: Vec<f32> = var.flatten_all()?.to_vec1()?;
            for (i, expected) in analytic.iter().enumerate() {
                let at = |step: f64| -> Result<f64> {
                    let mut values = start.clone();
                    values[i] += step as f32;
                    var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
                    Ok(f64::from(objective()?.to_scalar::<f32>()?))
                };
                let numeric = (at(STEP)? - at(-STEP)?) / (2. * STEP);
                var.set(&Tensor::from_vec(start.clone(), var.shape(), &Device::Cpu)?)?;
                let error = (numeric - f64::from(*expected)).abs();
                assert!(error < 0.01 * (1. + numeric.abs()), "{i}: {expected} against {numeric}");
            }
            assert_eq!(analytic.len(), var.elem_count());
        }
        Ok(())
    }
}
