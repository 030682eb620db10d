//! Backpropagation with as little traffic to memory as it can do with.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId, bail};

use crate::conv::Convolution;
use crate::floats::{tensor, with_floats_mut};
use crate::matmul::Destination;
use crate::parallel::zeros;
use crate::recording::{Node, Record, needs_gradient, with_record};

/// The gradients of a loss, by variable.
#[derive(Debug, Default)]
pub struct Gradients(HashMap<TensorId, Tensor>);

impl Gradients {
    /// That of `variable`, where the loss depends on it.
    pub fn get(&self, variable: &Tensor) -> Option<&Tensor> {
        self.0.get(&variable.id())
    }

    /// Adds a gradient to what there is for `id`.
    fn add(&mut self, id: TensorId, gradient: Tensor) -> Result<()> {
        let sum = match self.0.remove(&id) {
            Some(sum) => (sum + gradient)?,
            None => gradient,
        };
        self.0.insert(id, sum);
        Ok(())
    }
}

impl From<GradStore> for Gradients {
    fn from(store: GradStore) -> Self {
        let of = |id: &TensorId| Some((*id, store.get_id(*id)?.clone()));
        Self(store.get_ids().filter_map(of).collect())
    }
}

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
    /// What depends on a variable.
    depends: HashSet<TensorId>,
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
/// that is run three times in a step would spend much of that step on this. Here a gradient is passed on as it is, and
/// what it was made from is freed; the gradients of a variable are added in one buffer, which can be used again;
/// and on the CPU, where the maps are so small that writing the gradient is what costs, the passes of a weight are kept
/// and computed as one batch at the end.
#[derive(Default)]
pub struct Backward {
    spare: Sums,
    /// What the last run gave away.
    lent: Vec<(TensorId, Tensor)>,
}

impl Backward {
    /// Computes a loss, and whatever else `forward` gives, and the gradients of the loss.
    ///
    /// `forward` must be made of operations of this crate, from the first that depends on a variable to the loss.
    /// Operations of Candle's own may come before them; those that come after must go through
    /// [`by_candle`](crate::by_candle), or their gradients are lost.
    ///
    /// # Errors
    /// Those of `forward` and of the backward passes, and a loss that depends on nothing here.
    pub fn run<T>(
        &mut self,
        forward: impl FnOnce() -> Result<(Tensor, T)>,
    ) -> Result<(Tensor, T, Gradients)> {
        #[cfg(feature = "cuda")]
        let _rounded = crate::cuda::RoundedWeights::keep();
        let (record, result) = with_record(Some(Record::default()), forward);
        let (loss, rest) = result?;
        let Record { nodes, depends } = record.unwrap_or_default();
        if !depends.contains(&loss.id()) && !loss.track_op() {
            bail!(
                "the loss depends on no variable, or through operations of Candle's own that nobody recorded"
            )
        }
        let spare = std::mem::take(&mut self.spare);
        self.lent.clear();
        let running = Running { spare, depends, ..Running::default() };
        let (running, found) = with_running(Some(running), || back_through(nodes, &loss));
        let mut running = running.unwrap_or_default();
        let mut gradients = found?;
        for (weight, passes) in std::mem::take(&mut running.waiting) {
            let (destination, sum) = running.take_sum(&weight)?;
            add_passes(passes, destination, &sum)?;
            running.sums.insert(weight.id(), sum);
        }
        for (id, sum) in running.sums {
            gradients.add(id, sum.clone())?;
            self.lent.push((id, sum));
        }
        self.spare = running.spare;
        Ok((loss, rest, gradients))
    }

    /// Takes the memory of the gradients of the last [`Self::run`] back for the next, which saves the operating system
    /// from handing out as many pages anew. A tensor that was cloned from `gradients` is overwritten by the next run.
    pub fn reuse(&mut self, _gradients: Gradients) {
        self.spare.extend(self.lent.drain(..));
    }
}

/// The gradients of what no node of the record made: variables, and what Candle's own graph made of some.
fn back_through(nodes: Vec<Node>, loss: &Tensor) -> Result<Gradients> {
    let mut known = Gradients::default();
    let mut outer: Vec<Tensor> = vec![];
    known.add(loss.id(), loss.ones_like()?)?;
    let made: HashSet<TensorId> = nodes.iter().map(|node| node.output).collect();
    if !made.contains(&loss.id()) {
        outer.push(loss.clone());
    }
    for node in nodes.into_iter().rev() {
        let Some(gradient) = known.0.remove(&node.output) else { continue };
        for (input, found) in node.inputs.iter().zip((node.backward)(&gradient)?) {
            let Some(found) = found else { continue };
            known.add(input.id(), found)?;
            if !made.contains(&input.id()) && !input.is_variable() {
                outer.push(input.clone());
            }
        }
    }
    for tensor in outer {
        let Some(gradient) = known.0.remove(&tensor.id()) else { continue };
        if tensor.track_op() {
            for (id, found) in Gradients::from(apart(|| (&tensor * &gradient)?.sum_all()?.backward())?).0 {
                known.add(id, found)?;
            }
        }
    }
    Ok(known)
}

/// Whether `x` was made, in the run under way, from something that depends on a variable.
pub(crate) fn depends(x: &Tensor) -> bool {
    RUNNING.with_borrow(|running| running.as_ref().is_some_and(|running| running.depends.contains(&x.id())))
}

/// Runs `f`, a backpropagation of Candle's, out of the sight of the run under way.
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    with_running(None, f).1
}

/// Runs `f` within this run, or none, and gives back what then is the run.
fn with_running<R>(running: Option<Running>, f: impl FnOnce() -> R) -> (Option<Running>, R) {
    /// Puts the outer run back, also when `f` panics.
    struct Restore(Option<Running>);

    impl Drop for Restore {
        fn drop(&mut self) {
            RUNNING.replace(self.0.take());
        }
    }

    let _outer = Restore(RUNNING.replace(running));
    let result = f();
    (RUNNING.take(), result)
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

/// The gradients of `operands` that somebody asks for, which `add` writes to or adds to the tensors that it is given:
/// returned, or, for variables while [`Backward::run`] runs, left to that. No variable may come twice.
pub(crate) fn add_gradients<const N: usize>(
    operands: [&Tensor; N],
    add: impl FnOnce([Option<(Destination, &Tensor)>; N]) -> Result<()>,
) -> Result<[Option<Tensor>; N]> {
    let take = |operand: &Tensor| -> Result<Option<(Destination, Tensor)>> {
        if !needs_gradient(operand) {
            return Ok(None);
        }
        let sum = |running: &mut Option<Running>| {
            running.as_mut().filter(|_| operand.is_variable()).map(|running| running.take_sum(operand))
        };
        let taken = RUNNING.with_borrow_mut(sum);
        taken.unwrap_or_else(|| Ok((Destination::Replace, unwritten(operand)?))).map(Some)
    };
    let mut taken = [const { None }; N];
    for (taken, operand) in taken.iter_mut().zip(operands) {
        *taken = take(operand)?;
    }
    // Computed outside of the cell's borrow.
    if taken.iter().any(Option::is_some) {
        add(taken.each_ref().map(|taken| taken.as_ref().map(|(destination, sum)| (*destination, sum))))?;
    }
    let mut operands = operands.into_iter();
    Ok(taken.map(|taken| {
        let operand = operands.next()?;
        let (_, gradient) = taken?;
        RUNNING.with_borrow_mut(|running| match running.as_mut().filter(|_| operand.is_variable()) {
            Some(running) => {
                running.sums.insert(operand.id(), gradient);
                None
            }
            None => Some(gradient),
        })
    }))
}

/// [`add_gradients`] for one operand.
pub(crate) fn add_gradient(
    operand: &Tensor,
    add: impl FnOnce(Destination, &Tensor) -> Result<()>,
) -> Result<Option<Tensor>> {
    let [gradient] = add_gradients([operand], |[taken]| match taken {
        Some((destination, gradient)) => add(destination, gradient),
        None => Ok(()),
    })?;
    Ok(gradient)
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
