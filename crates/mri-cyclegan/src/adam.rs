//! Adam (Kingma & Ba 2015), owning its state so that training can resume exactly.

use candle_core::{Result, Tensor, Var};
use mri_kernels::Gradients;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Adam's constants; the rate is an argument of each step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

impl Default for AdamConfig {
    /// CycleGAN's: 0.5, 0.999, 1e-8.
    fn default() -> Self {
        Self { beta1: 0.5, beta2: 0.999, eps: 1e-8 }
    }
}

/// One optimized variable with its moments.
#[derive(Debug, Clone)]
struct Slot {
    variable: Var,
    mean: Var,
    mean_square: Var,
    rate_factor: f64,
}

/// The optimizer of a set of named variables.
#[derive(Debug, Clone)]
pub struct Adam {
    config: AdamConfig,
    steps: u64,
    slots: BTreeMap<String, Slot>,
}

impl Adam {
    /// Zero moments for `variables`, each with a factor on the rate.
    pub fn new(config: AdamConfig, variables: impl IntoIterator<Item = (String, Var, f64)>) -> Result<Self> {
        let slots = variables
            .into_iter()
            .map(|(name, variable, rate_factor)| {
                let zeros = || Var::from_tensor(&variable.zeros_like()?);
                Ok((name, Slot { mean: zeros()?, mean_square: zeros()?, variable, rate_factor }))
            })
            .collect::<Result<_>>()?;
        Ok(Self { config, steps: 0, slots })
    }

    /// Applies one update at rate `lr`. Variables without a gradient keep their value and moments.
    /// Nothing moves where `loss` is not finite.
    pub fn step(&mut self, grads: &Gradients, lr: f64, loss: &Tensor) -> Result<()> {
        self.steps += 1;
        let AdamConfig { beta1, beta2, eps } = self.config;
        let adam = mri_kernels::Adam { learning_rate: lr, beta1, beta2, eps, step: self.steps };
        let slots: Vec<_> = self
            .slots
            .values()
            .filter_map(|slot| {
                Some(mri_kernels::AdamSlot {
                    parameter: &slot.variable,
                    gradient: grads.get(&slot.variable)?,
                    first_moment: &slot.mean,
                    second_moment: &slot.mean_square,
                    rate_factor: slot.rate_factor,
                })
            })
            .collect();
        mri_kernels::adam_update(&slots, &adam, loss)
    }

    /// Updates done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The moments by name: `m.NAME` and `v.NAME`, views of the live state.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        self.slots
            .iter()
            .flat_map(|(name, slot)| {
                [
                    (format!("m.{name}"), slot.mean.as_detached_tensor()),
                    (format!("v.{name}"), slot.mean_square.as_detached_tensor()),
                ]
            })
            .collect()
    }

    /// Takes over what [`Adam::state`] gave after `steps` updates; `state` answers a name with its tensor.
    ///
    /// # Errors
    /// Whatever `state` fails with, and a shape other than the variable's.
    pub fn restore<E: From<candle_core::Error>>(
        &mut self,
        steps: u64,
        mut state: impl FnMut(&str) -> std::result::Result<Tensor, E>,
    ) -> std::result::Result<(), E> {
        for (name, slot) in &self.slots {
            slot.mean.set(&state(&format!("m.{name}"))?)?;
            slot.mean_square.set(&state(&format!("v.{name}"))?)?;
        }
        self.steps = steps;
        Ok(())
    }
}
