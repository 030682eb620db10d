//! Backpropagation that computes weight gradients with as little traffic to memory as it can.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId};

use crate::conv::Convolution;
use crate::floats::{tensor, with_floats_mut};
use crate::matmul::Destination;
use crate::parallel::zeros;

/// Gradients by variable.
type Sums = HashMap<TensorId, Tensor>;

/// What the operations have said of their variables while [`Backward::run`] runs.
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
    fn take_sum(&mut self, variable: &Tensor) -> Result<(Destination, Tensor)> {
        let id = variable.id();
        if let Some(sum) = self.sums.remove(&id) {
            return Ok((Destination::Add, sum));
        }
        let sum = self.spare.remove(&id).map_or_else(|| unwritten(variable), Ok)?;
        Ok((Destination::Replace, sum))
    }
}

/// Memory for the gradient of `variable`.
fn unwritten(variable: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if variable.device().is_cuda() {
        return crate::cuda::unwritten_gradient(variable);
    }
    tensor(zeros(variable.elem_count()), variable.shape())
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
    /// What the last run gave away.
    lent: Vec<(TensorId, Tensor)>,
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
            let (destination, sum) = running.take_sum(&weight)?;
            add_passes(passes, destination, &sum)?;
            running.sums.insert(weight.id(), sum);
        }
        for (id, sum) in running.sums {
            let gradient = match gradients.get_id(id) {
                Some(other) => (&sum + other)?,
                None => sum.clone(),
            };
            gradients.insert_id(id, gradient);
            self.lent.push((id, sum));
        }
        self.spare = running.spare;
        Ok(gradients)
    }

    /// Takes the memory of the gradients of the last [`Self::run`] back for the next, which saves the operating system
    /// from handing out as many pages anew. A tensor that was cloned from `gradients` is overwritten by the next run.
    pub fn reuse(&mut self, _gradients: GradStore) {
        self.spare.extend(self.lent.drain(..));
    }
}

/// Adds the gradients of all passes, those over maps of one size as one batch.
fn add_passes(mut passes: Vec<Pass>, mut destination: Destination, sum: &Tensor) -> Result<()> {
    while let Some(first) = passes.first() {
        let size = first.convolution.of_images(1);
        let (alike, rest): (Vec<_>, Vec<_>) =
            passes.into_iter().partition(|pass| pass.convolution.of_images(1) == size);
        let joined = |part: fn(&Pass) -> &Tensor| Tensor::cat(&alike.iter().map(part).collect::<Vec<_>>(), 0);
        let (x, dy) = (joined(|pass| &pass.x)?, joined(|pass| &pass.dy)?);
        let convolution = size.of_images(x.dim(0)?);
        with_floats_mut(sum, |sum| convolution.weight_grad(&x, &dy, destination, sum))?;
        destination = Destination::Add;
        passes = rest;
    }
    Ok(())
}

/// The gradient of `operand`, which `add` writes to or adds to the tensor that it is given: returned, or, for a variable
/// while [`Backward::run`] runs, left to that.
pub(crate) fn add_gradient(
    operand: &Tensor,
    add: impl FnOnce(Destination, &Tensor) -> Result<()>,
) -> Result<Option<Tensor>> {
    if !operand.track_op() {
        return Ok(None);
    }
    let taken = RUNNING.with_borrow_mut(|running| {
        running.as_mut().filter(|_| operand.is_variable()).map(|running| running.take_sum(operand))
    });
    let Some(taken) = taken else {
        let gradient = unwritten(operand)?;
        add(Destination::Replace, &gradient)?;
        return Ok(Some(gradient));
    };
    // Computed outside of the cell's borrow.
    let (destination, sum) = taken?;
    add(destination, &sum)?;
    RUNNING.with_borrow_mut(|running| running.as_mut().map(|running| running.sums.insert(operand.id(), sum)));
    Ok(None)
}

/// The gradient of `weight` by one pass on the CPU, as [`add_gradient`] gives it; that of a small map waits.
pub(crate) fn weight_gradient(
    weight: &Tensor,
    convolution: Convolution,
    x: &Tensor,
    dy: &Tensor,
) -> Result<Option<Tensor>> {
    let pass = || Pass { convolution, x: x.detach(), dy: dy.detach() };
    if weight.is_variable() && convolution.maps_are_small() {
        let waits = RUNNING.with_borrow_mut(|running| {
            let Some(running) = running else { return false };
            match running.waiting.iter_mut().find(|(of, _)| of.id() == weight.id()) {
                Some((_, passes)) => passes.push(pass()),
                None => running.waiting.push((weight.clone(), vec![pass()])),
            }
            true
        });
        if waits {
            return Ok(None);
        }
    }
    add_gradient(weight, |destination, sum| add_passes(vec![pass()], destination, sum))
}
