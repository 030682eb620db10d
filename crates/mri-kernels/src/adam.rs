//! One step of Adam, in one pass over the memory of each tensor.

use candle_core::{Result, Tensor, Var, bail};

use crate::composed;
use crate::floats::{with_floats, with_floats_mut};
use crate::parallel::{CHUNK, Shared, for_each_task};
use crate::route::{self, Route};
use crate::vectorized::vectorized;

/// What a step of Adam needs to know besides the tensors (Kingma & Ba, 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate α of this step.
    pub learning_rate: f64,
    /// Decay β₁ of the mean of the gradient.
    pub beta1: f64,
    /// Decay β₂ of the mean of its square.
    pub beta2: f64,
    /// ε, added to the root of the second moment.
    pub eps: f64,
    /// Number t of this step, from 1.
    pub step: u64,
}

/// One variable of a step of Adam, with all that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct AdamSlot<'a> {
    /// θ, any shape; the others have the same.
    pub parameter: &'a Var,
    /// g.
    pub gradient: &'a Tensor,
    /// m, zero before the first step.
    pub first_moment: &'a Var,
    /// v, zero before the first step.
    pub second_moment: &'a Var,
    /// Factor on the learning rate.
    pub rate_factor: f64,
}

/// Updates all parameters and their moments in place by one step of Adam (Kingma & Ba, 2015, algorithm 1):
///
/// ```text
/// m ← β₁ m + (1 - β₁) g          v ← β₂ v + (1 - β₂) g²
/// θ ← θ - α · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)
/// ```
///
/// Nothing changes where `loss` (a scalar) is not finite. On CUDA this is one launch for all slots, and the host does
/// not learn which it was.
///
/// # Errors
/// When shapes differ, the step is 0, or two tensors of a slot share their memory.
pub fn adam_update(slots: &[AdamSlot], adam: &Adam, loss: &Tensor) -> Result<()> {
    slots.iter().try_for_each(|slot| slot.check(adam))?;
    #[cfg(feature = "cuda")]
    if let Some(first) = slots.first()
        && first.parameter.device().is_cuda()
    {
        return crate::cuda::adam_update(slots, adam, loss);
    }
    if !composed::is_finite(loss)? {
        return Ok(());
    }
    for slot in slots {
        let tensors = slot.tensors();
        if matches!(route::of_floats(&tensors), Route::Cpu)
            && tensors.iter().skip(1).all(|t| t.is_contiguous())
        {
            slot.update(adam)?;
        } else {
            composed::adam_update_slot(slot, adam)?;
        }
    }
    Ok(())
}

impl AdamSlot<'_> {
    pub(crate) fn tensors(&self) -> [&Tensor; 4] {
        [self.gradient, self.parameter, self.first_moment, self.second_moment]
    }

    fn check(&self, adam: &Adam) -> Result<()> {
        let shape = self.parameter.dims();
        if self.tensors().iter().any(|t| t.dims() != shape) || adam.step == 0 {
            bail!(
                "adam: step {} of {shape:?} with gradient {:?} and moments {:?}, {:?}",
                adam.step,
                self.gradient.shape(),
                self.first_moment.shape(),
                self.second_moment.shape()
            )
        }
        let mut storages = self.tensors().map(storage_address);
        storages.sort_unstable();
        if storages.windows(2).any(|pair| pair[0] == pair[1]) {
            bail!("adam: the parameter, its gradient and its moments must not share memory")
        }
        Ok(())
    }

    fn update(&self, adam: &Adam) -> Result<()> {
        let adam = Adam { learning_rate: adam.learning_rate * self.rate_factor, ..*adam };
        with_floats(self.gradient, |g| {
            with_floats_mut(self.parameter, |p| {
                with_floats_mut(self.first_moment, |m| {
                    with_floats_mut(self.second_moment, |v| {
                        update(p, g, m, v, &adam);
                        Ok(())
                    })
                })
            })
        })
    }
}

fn storage_address(tensor: &Tensor) -> usize {
    std::ptr::from_ref(&*tensor.storage_and_layout().0).addr()
}

fn update(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], adam: &Adam) {
    let step = adam.step as f64;
    let first_correction = 1. - adam.beta1.powf(step);
    let second_correction = 1. - adam.beta2.powf(step);
    let (b1, b2) = (adam.beta1 as f32, adam.beta2 as f32);
    let (rest1, rest2) = ((1. - adam.beta1) as f32, (1. - adam.beta2) as f32);
    let rate = (adam.learning_rate / first_correction) as f32;
    let root = (1. / second_correction.sqrt()) as f32;
    let eps = adam.eps as f32;
    let len = p.len();
    let (p, m, v) = (Shared::new(p), Shared::new(m), Shared::new(v));
    for_each_task(len.div_ceil(CHUNK), |task| {
        let (start, len) = (task * CHUNK, CHUNK.min(len - task * CHUNK));
        // SAFETY: chunks do not overlap.
        let (p, m, v) = unsafe { (p.slice(start, len), m.slice(start, len), v.slice(start, len)) };
        let g = &g[start..start + len];
        vectorized(
            #[inline(always)]
            || {
                for (((p, m), v), &g) in p.iter_mut().zip(m.iter_mut()).zip(v.iter_mut()).zip(g) {
                    *m = b1 * *m + rest1 * g;
                    *v = b2 * *v + rest2 * (g * g);
                    *p -= rate * *m / (v.sqrt() * root + eps);
                }
            },
        );
    });
}
