//! Backpropagation that computes weight gradients with as little traffic to memory as it can.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Shape, Tensor, TensorId};

use crate::conv::Convolution;
use crate::floats::{take_floats, tensor};
use crate::matmul::Destination;
use crate::parallel::zeros;

/// Sums of weight gradients, by weight.
type Sums = HashMap<TensorId, (Shape, Vec<f32>)>;

/// What the convolutions have said of their weights while [`Backward::run`] runs.
#[derive(Default)]
struct Running {
    sums: Sums,
    /// Passes over small maps, whose weight gradients wait until all are known.
    waiting: Vec<(Tensor, Vec<Pass>)>,
    /// Memory of former gradients, to be overwritten.
    spare: Sums,
}

impl Running {
    /// The sum so far, or memory for one, and what the next gradient does to it.
    fn take_sum(&mut self, weight: &Tensor) -> (Destination, Shape, Vec<f32>) {
        let id = weight.id();
        if let Some((shape, values)) = self.sums.remove(&id) {
            return (Destination::Add, shape, values);
        }
        let (shape, values) =
            self.spare.remove(&id).unwrap_or_else(|| (weight.shape().clone(), zeros(weight.elem_count())));
        (Destination::Replace, shape, values)
    }
}

/// One use of a weight: the convolution, its input and the gradient of its output.
struct Pass {
    convolution: Convolution,
    x: Tensor,
    dy: Tensor,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Backpropagation with less traffic to memory than `Tensor::backward`, which it stands in for.
///
/// Candle adds each gradient to a tensor of zeros, and each sum is a new tensor. A network with 54 million weights
/// that is run three times in a step would spend much of that step on this. Here the convolutions add to one buffer a
/// weight; where the maps are so small that writing the gradient is what costs, the passes of a weight are kept and
/// computed as one batch at the end; and the buffers can be used again.
#[derive(Default)]
pub struct Backward {
    spare: Sums,
    /// Weights whose gradients the last run gave away.
    lent: Vec<TensorId>,
}

impl Backward {
    /// The gradients of `loss`.
    ///
    /// # Errors
    /// Those of the operations' backward passes.
    pub fn run(&mut self, loss: &Tensor) -> Result<GradStore> {
        let spare = std::mem::take(&mut self.spare);
        self.lent.clear();
        let outer = RUNNING.replace(Some(Running { spare, ..Running::default() }));
        let gradients = loss.backward();
        let mut running = RUNNING.replace(outer).unwrap_or_default();
        let mut gradients = gradients?;
        for (weight, passes) in std::mem::take(&mut running.waiting) {
            let (mut destination, shape, mut sum) = running.take_sum(&weight);
            add_passes(passes, &mut destination, &mut sum)?;
            running.sums.insert(weight.id(), (shape, sum));
        }
        for (id, (shape, values)) in running.sums {
            let mut gradient = tensor(values, shape)?;
            if let Some(other) = gradients.get_id(id) {
                gradient = (gradient + other)?;
            }
            gradients.insert_id(id, gradient);
            self.lent.push(id);
        }
        self.spare = running.spare;
        Ok(gradients)
    }

    /// Takes the memory of the gradients of the last [`Self::run`] back for the next, which saves the operating system
    /// from handing out as many pages anew. A tensor that was cloned from `gradients` is empty afterwards.
    ///
    /// # Errors
    /// Those of Candle's access to storage.
    pub fn reuse(&mut self, gradients: GradStore) -> Result<()> {
        for id in self.lent.drain(..) {
            let Some(gradient) = gradients.get_id(id) else { continue };
            self.spare.insert(id, (gradient.shape().clone(), take_floats(gradient)?));
        }
        Ok(())
    }
}

/// Adds the gradients of all passes, those over maps of one size as one batch.
fn add_passes(mut passes: Vec<Pass>, destination: &mut Destination, sum: &mut [f32]) -> Result<()> {
    while let Some(first) = passes.first() {
        let size = first.convolution.of_images(1);
        let (alike, rest): (Vec<_>, Vec<_>) =
            passes.into_iter().partition(|pass| pass.convolution.of_images(1) == size);
        let joined = |part: fn(&Pass) -> &Tensor| Tensor::cat(&alike.iter().map(part).collect::<Vec<_>>(), 0);
        let (x, dy) = (joined(|pass| &pass.x)?, joined(|pass| &pass.dy)?);
        size.of_images(x.dim(0)?).weight_grad(&x, &dy, *destination, sum)?;
        *destination = Destination::Add;
        passes = rest;
    }
    Ok(())
}

/// The gradient of `weight` by one pass: as a tensor, or, while [`Backward::run`] runs, left to it.
pub(crate) fn weight_gradient(
    weight: &Tensor,
    convolution: Convolution,
    x: &Tensor,
    dy: &Tensor,
) -> Result<Option<Tensor>> {
    if !weight.track_op() {
        return Ok(None);
    }
    let pass = || Pass { convolution, x: x.detach(), dy: dy.detach() };
    let sum = RUNNING.with_borrow_mut(|running| {
        let running = running.as_mut().filter(|_| weight.is_variable())?;
        if !convolution.maps_are_small() {
            return Some(Some(running.take_sum(weight)));
        }
        match running.waiting.iter_mut().find(|(of, _)| of.id() == weight.id()) {
            Some((_, passes)) => passes.push(pass()),
            None => running.waiting.push((weight.clone(), vec![pass()])),
        }
        Some(None)
    });
    match sum {
        None => {
            let mut dw = zeros(weight.elem_count());
            convolution.weight_grad(x, dy, Destination::Replace, &mut dw)?;
            tensor(dw, weight.shape()).map(Some)
        }
        Some(None) => Ok(None),
        // Computed outside of the cell's borrow.
        Some(Some((mut destination, shape, mut sum))) => {
            add_passes(vec![pass()], &mut destination, &mut sum)?;
            RUNNING.with_borrow_mut(|running| {
                running.as_mut().map(|running| running.sums.insert(weight.id(), (shape, sum)))
            });
            Ok(None)
        }
    }
}
