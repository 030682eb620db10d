//! One step of Adam for one tensor, in one pass over its memory.

use candle_core::{Result, Tensor, Var, bail};

use crate::floats::{has_kernel, with_floats, with_floats_mut};
use crate::parallel::{CHUNK, Shared, for_each_task};
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

/// Updates a parameter and its moments in place by one step of Adam (Kingma & Ba, 2015, algorithm 1):
///
/// ```text
/// m ← β₁ m + (1 - β₁) g          v ← β₂ v + (1 - β₂) g²
/// θ ← θ - α · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)
/// ```
///
/// # Shapes
/// `parameter`, `gradient`, `first_moment` and `second_moment`: any, all the same. The moments start at zero.
///
/// # Errors
/// When the shapes differ, the step is 0, or two of the variables share their memory.
pub fn adam_update(
    parameter: &Var,
    gradient: &Tensor,
    first_moment: &Var,
    second_moment: &Var,
    adam: &Adam,
) -> Result<()> {
    let shape = parameter.dims();
    if [gradient, first_moment, second_moment].iter().any(|t| t.dims() != shape) || adam.step == 0 {
        bail!(
            "adam: step {} of {shape:?} with gradient {:?} and moments {:?}, {:?}",
            adam.step,
            gradient.shape(),
            first_moment.shape(),
            second_moment.shape()
        )
    }
    let variables: [&Tensor; 3] = [parameter, first_moment, second_moment];
    if !has_kernel(&[&variables[..], &[gradient]].concat()) || variables.iter().any(|t| !t.is_contiguous()) {
        return crate::composed::adam_update(parameter, gradient, first_moment, second_moment, adam);
    }
    let mut storages = [gradient, variables[0], variables[1], variables[2]].map(storage_address);
    storages.sort_unstable();
    if storages.windows(2).any(|pair| pair[0] == pair[1]) {
        bail!("adam: the parameter, its gradient and its moments must not share memory")
    }
    with_floats(gradient, |g| {
        with_floats_mut(parameter, |p| {
            with_floats_mut(first_moment, |m| {
                with_floats_mut(second_moment, |v| {
                    update(p, g, m, v, adam);
                    Ok(())
                })
            })
        })
    })
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
