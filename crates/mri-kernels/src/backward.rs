//! Backpropagation that adds the weight gradients of several passes in place.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Shape, Tensor, TensorId};

use crate::floats::tensor;
use crate::matmul::Destination;

type Gradients = HashMap<TensorId, (Shape, Vec<f32>)>;

thread_local! {
    /// Gradients of convolution weights, while `backward` runs on this thread.
    static GRADIENTS: RefCell<Option<Gradients>> = const { RefCell::new(None) };
}

/// The gradients of `loss`, as `loss.backward()` gives them, with less traffic to memory.
///
/// Candle adds each gradient to a tensor of zeros, and each sum is a new tensor. A network with 54 million weights
/// that is run three times in a step would spend much of that step on this. Here the convolutions add to one buffer a
/// weight.
///
/// # Errors
/// Those of the operations' backward passes.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    let outer = GRADIENTS.replace(Some(HashMap::new()));
    let gradients = loss.backward();
    let kept = GRADIENTS.replace(outer);
    let mut gradients = gradients?;
    for (id, (shape, values)) in kept.unwrap_or_default() {
        let mut gradient = tensor(values, shape)?;
        if let Some(other) = gradients.get_id(id) {
            gradient = (gradient + other)?;
        }
        gradients.insert_id(id, gradient);
    }
    Ok(gradients)
}

/// The gradient that `compute` writes for `weight`: into the buffer of the running [`backward`], or else as a tensor.
pub(crate) fn weight_gradient(
    weight: &Tensor,
    compute: impl FnOnce(Destination, &mut [f32]) -> Result<()>,
) -> Result<Option<Tensor>> {
    if !weight.track_op() {
        return Ok(None);
    }
    // Taken out of the map, so that the cell is not borrowed while the gradient is computed.
    let buffer = GRADIENTS.with_borrow_mut(|map| {
        map.as_mut().filter(|_| weight.is_variable()).map(|map| map.remove(&weight.id()))
    });
    let zeros = || vec![0.; weight.elem_count()];
    match buffer {
        None => {
            let mut dw = zeros();
            compute(Destination::Replace, &mut dw)?;
            tensor(dw, weight.shape()).map(Some)
        }
        Some(kept) => {
            let destination = if kept.is_some() { Destination::Add } else { Destination::Replace };
            let (shape, mut dw) = kept.unwrap_or_else(|| (weight.shape().clone(), zeros()));
            compute(destination, &mut dw)?;
            GRADIENTS.with_borrow_mut(|map| map.as_mut().map(|map| map.insert(weight.id(), (shape, dw))));
            Ok(None)
        }
    }
}
