//! What a generator adds its output to: nothing, the input, or the input through a tone curve.
//!
//! T1- and T2-weighted images of one head differ first of all by a curve from intensity to intensity. A
//! generator that starts at a plausible curve learns what the curve cannot say, instead of learning the
//! anatomy anew.

use candle_core::{Device, Result, Tensor};
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
    /// The curve as it starts, where there is one.
    start: Option<Tensor>,
    /// What training has added to it.
    moved: Option<Tensor>,
}

impl Tone {
    pub(crate) fn new(skip: Skip, vb: VarBuilder) -> Result<Self> {
        let start = match skip {
            Skip::None => None,
            Skip::Input => Some(Tensor::new(&[-1f32, 1.], vb.device())?),
            Skip::Inverse | Skip::Tone => Some(Tensor::new(&inversion(), vb.device())?),
        };
        let moved = match skip {
            Skip::Tone => Some(vb.pp("tone").get_with_hints(TONE_KNOTS, "knots", Init::Const(0.))?),
            _ => None,
        };
        Ok(Self { start, moved })
    }

    /// # Shapes
    /// x, logits: (N, C, H, W) -> (N, C, H, W) in (-1, 1)
    pub(crate) fn join(&self, x: &Tensor, logits: &Tensor) -> Result<Tensor> {
        match (&self.start, &self.moved) {
            (None, _) => mri_kernels::tanh(logits),
            (Some(start), None) => mri_kernels::curve_skip(x, start, logits),
            (Some(start), Some(moved)) => {
                mri_kernels::curve_skip(x, &mri_kernels::add(moved, start)?, logits)
            }
        }
    }
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
        let start = Some(Tensor::new(&inversion(), &Device::Cpu)?);
        let tone = Tone { start, moved: Some(moved.as_tensor().clone()) };
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
