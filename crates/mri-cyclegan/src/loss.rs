//! The adversarial losses.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// Which adversarial loss the generators and discriminators play with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Adversarial {
    /// Least squares on the raw scores: mean((d - target)^2) (Mao et al. 2017).
    #[default]
    Lsgan,
    /// Binary cross entropy with logits (Goodfellow et al. 2014), as in the TensorFlow tutorial.
    Bce,
}

impl Adversarial {
    /// Loss of the patch scores `prediction` (any shape) against "all real".
    pub fn real(self, prediction: &Tensor) -> Result<Tensor> {
        self.against(prediction, 1.)
    }

    /// Loss of the patch scores `prediction` (any shape) against "all fake".
    pub fn fake(self, prediction: &Tensor) -> Result<Tensor> {
        self.against(prediction, 0.)
    }

    fn against(self, prediction: &Tensor, target: f64) -> Result<Tensor> {
        match self {
            Adversarial::Lsgan => mri_kernels::mse(prediction, target),
            Adversarial::Bce => mri_kernels::bce_with_logits(prediction, target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    // import torch, torch.nn.functional as F
    // x, ones, zeros = torch.tensor([-2., -.5, 0., 3.]), torch.ones(4), torch.zeros(4)
    // [f(x, t).item() for f in (F.mse_loss, F.binary_cross_entropy_with_logits) for t in (ones, zeros)]
    #[test]
    fn equals_pytorch() -> Result<()> {
        let x = Tensor::new(&[-2f32, -0.5, 0., 3.], &Device::Cpu)?;
        let close = |t: Tensor, v: f32| -> Result<()> {
            let got = t.to_scalar::<f32>()?;
            assert!((got - v).abs() < 1e-6, "{got} {v}");
            Ok(())
        };
        close(Adversarial::Lsgan.real(&x)?, 4.0625)?;
        close(Adversarial::Lsgan.fake(&x)?, 3.3125)?;
        close(Adversarial::Bce.real(&x)?, 0.960_684_9)?;
        close(Adversarial::Bce.fake(&x)?, 1.085_684_9)
    }

    #[test]
    fn bce_survives_extreme_logits() -> Result<()> {
        let x = Var::new(&[-1e4f32, 1e4], &Device::Cpu)?;
        let loss = Adversarial::Bce.real(&x)?;
        assert_eq!(loss.to_scalar::<f32>()?, 5e3);
        let grads = loss.backward()?;
        let g = grads.get(&x).map(|g| g.to_vec1::<f32>()).transpose()?;
        assert_eq!(g, Some(vec![-0.5, 0.]));
        Ok(())
    }
}
