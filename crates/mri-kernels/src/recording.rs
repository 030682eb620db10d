//! A record of operations for backpropagation, which stands in for Candle's graph while [`Backward::run`](crate::Backward::run)
//! computes a loss.

use std::cell::RefCell;
use std::collections::HashSet;

use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor, TensorId, Var};

use crate::backward;

/// From the gradient of an output to those of its inputs.
type Backward = Box<dyn FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>>>;

/// One operation.
pub(crate) struct Node {
    pub(crate) output: TensorId,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) backward: Backward,
}

/// Operations in the order in which they were computed.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) nodes: Vec<Node>,
    /// Their outputs.
    pub(crate) depends: HashSet<TensorId>,
}

thread_local! {
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// Runs `f` with this record, or none, and gives back what then is the record.
pub(crate) fn with_record<R>(record: Option<Record>, f: impl FnOnce() -> R) -> (Option<Record>, R) {
    /// Puts the outer record back, also when `f` panics.
    struct Restore(Option<Record>);

    impl Drop for Restore {
        fn drop(&mut self) {
            RECORD.replace(self.0.take());
        }
    }

    let _outer = Restore(RECORD.replace(record));
    let result = f();
    (RECORD.take(), result)
}

fn is_recording() -> bool {
    RECORD.with_borrow(Option::is_some)
}

/// Whether backpropagation, of either kind, asks for the gradient of `x`.
pub(crate) fn needs_gradient(x: &Tensor) -> bool {
    x.track_op()
        || RECORD.with_borrow(|record| record.as_ref().is_some_and(|r| r.depends.contains(&x.id())))
        || backward::depends(x)
}

fn record(
    output: &Tensor,
    inputs: &[&Tensor],
    backward: impl FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>> + 'static,
) {
    if !inputs.iter().any(|input| needs_gradient(input)) {
        return;
    }
    RECORD.with_borrow_mut(|record| {
        if let Some(record) = record {
            record.depends.insert(output.id());
            let inputs = inputs.iter().map(|&input| input.clone()).collect();
            record.nodes.push(Node { output: output.id(), inputs, backward: Box::new(backward) });
        }
    });
}

pub(crate) fn apply1(x: &Tensor, op: impl CustomOp1 + Send + Sync + 'static) -> Result<Tensor> {
    if !is_recording() {
        return x.apply_op1(op);
    }
    let y = x.apply_op1_no_bwd(&op)?;
    let (kept_x, kept_y) = (x.clone(), y.clone());
    record(&y, &[x], move |dy| Ok(vec![op.bwd(&kept_x, &kept_y, dy)?]));
    Ok(y)
}

pub(crate) fn apply2(a: &Tensor, b: &Tensor, op: impl CustomOp2 + Send + Sync + 'static) -> Result<Tensor> {
    if !is_recording() {
        return a.apply_op2(b, op);
    }
    let y = a.apply_op2_no_bwd(b, &op)?;
    let (kept_a, kept_b, kept_y) = (a.clone(), b.clone(), y.clone());
    record(&y, &[a, b], move |dy| {
        let (da, db) = op.bwd(&kept_a, &kept_b, &kept_y, dy)?;
        Ok(vec![da, db])
    });
    Ok(y)
}

pub(crate) fn apply3(
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    op: impl CustomOp3 + Send + Sync + 'static,
) -> Result<Tensor> {
    if !is_recording() {
        return a.apply_op3(b, c, op);
    }
    let y = a.apply_op3_no_bwd(b, c, &op)?;
    let (kept_a, kept_b, kept_c, kept_y) = (a.clone(), b.clone(), c.clone(), y.clone());
    record(&y, &[a, b, c], move |dy| {
        let (da, db, dc) = op.bwd(&kept_a, &kept_b, &kept_c, &kept_y, dy)?;
        Ok(vec![da, db, dc])
    });
    Ok(y)
}

/// A function made of Candle's own operations, as one operation that [`Backward::run`](crate::Backward::run) can
/// differentiate: without this, what Candle's operations do with the results of this crate's is lost to it. Whatever
/// needs a gradient must be among the inputs: what `f` captures is a constant to it. Elsewhere it is `f(inputs)`.
///
/// # Errors
/// Those of `f`.
pub fn by_candle(inputs: &[&Tensor], f: impl FnOnce(&[Tensor]) -> Result<Tensor>) -> Result<Tensor> {
    let needed: Vec<bool> = inputs.iter().map(|input| needs_gradient(input)).collect();
    if !is_recording() || !needed.contains(&true) {
        return f(&inputs.iter().map(|&input| input.clone()).collect::<Vec<_>>());
    }
    // The leaves of a graph of Candle's.
    let leaf = |(&input, &needed): (&&Tensor, &bool)| match needed {
        true => Ok(Var::from_tensor(&input.detach())?.into_inner()),
        false => Ok(input.clone()),
    };
    let leaves: Vec<Tensor> = inputs.iter().zip(&needed).map(leaf).collect::<Result<_>>()?;
    let (_, y) = with_record(None, || f(&leaves));
    let y = y?;
    let detached = y.detach();
    record(&detached, inputs, move |dy| {
        let gradients = backward::apart(|| (&y * dy)?.sum_all()?.backward())?;
        Ok(leaves.iter().map(|leaf| gradients.get(leaf).cloned()).collect())
    });
    Ok(detached)
}

/// `x` itself, or a copy in the order of its elements.
pub(crate) fn contiguous(x: &Tensor) -> Result<Tensor> {
    match x.is_contiguous() {
        true => Ok(x.clone()),
        false => by_candle(&[x], |t| t[0].contiguous()),
    }
}

/// A parameter with one number a channel, in whatever shape it comes.
pub(crate) fn vector(parameter: &Tensor, channels: usize) -> Result<Tensor> {
    match parameter.dims() == [channels] {
        true => contiguous(parameter),
        false => by_candle(&[parameter], |t| t[0].reshape(channels)?.contiguous()),
    }
}

/// The sum of two tensors of one shape.
///
/// # Errors
/// When the shapes or types differ.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !is_recording() {
        return a + b;
    }
    let y = (a.detach() + b.detach())?;
    record(&y, &[a, b], |dy| Ok(vec![Some(dy.clone()), Some(dy.clone())]));
    Ok(y)
}

/// `length` places of dimension `dim` from `start` on, as `Tensor::narrow` gives them.
///
/// # Errors
/// When `x` has fewer.
pub fn narrow(x: &Tensor, dim: usize, start: usize, length: usize) -> Result<Tensor> {
    if !is_recording() {
        return x.narrow(dim, start, length);
    }
    let (y, rest) = (x.detach().narrow(dim, start, length)?, x.dim(dim)? - start - length);
    record(&y, &[x], move |dy| Ok(vec![Some(dy.pad_with_zeros(dim, start, rest)?)]));
    Ok(y)
}

/// Two tensors joined along `dim`.
pub(crate) fn concat(a: &Tensor, b: &Tensor, dim: usize) -> Result<Tensor> {
    if !is_recording() {
        return Tensor::cat(&[a, b], dim);
    }
    let y = Tensor::cat(&[a.detach(), b.detach()], dim)?;
    let (of_a, of_b) = (a.dim(dim)?, b.dim(dim)?);
    let needed = [needs_gradient(a), needs_gradient(b)];
    record(&y, &[a, b], move |dy| {
        let part = |needed: bool, start: usize, length: usize| {
            needed.then(|| dy.narrow(dim, start, length)?.contiguous()).transpose()
        };
        Ok(vec![part(needed[0], 0, of_a)?, part(needed[1], of_a, of_b)?])
    });
    Ok(y)
}

/// The values in another type; the gradient comes back in the type of `x`.
///
/// # Errors
/// Where the device cannot convert between the two.
pub fn cast(x: &Tensor, dtype: candle_core::DType) -> Result<Tensor> {
    if !is_recording() || x.dtype() == dtype {
        return x.to_dtype(dtype);
    }
    let (y, from) = (x.detach().to_dtype(dtype)?, x.dtype());
    record(&y, &[x], move |dy| Ok(vec![Some(dy.to_dtype(from)?)]));
    Ok(y)
}

/// The sum of `weight · term`.
///
/// # Shapes
/// Terms and result: any, all the same
///
/// # Errors
/// When there is no term, or the shapes differ.
pub fn weighted_sum(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let sum = |terms: &[(f64, Tensor)]| -> Result<Tensor> {
        let mut weighted = terms.iter().map(|(weight, term)| term * *weight);
        let Some(first) = weighted.next() else { candle_core::bail!("weighted_sum: no term") };
        weighted.try_fold(first?, |sum, term| sum + term?)
    };
    let weights: Vec<f64> = terms.iter().map(|(weight, _)| *weight).collect();
    let of = |terms: Vec<Tensor>| weights.iter().copied().zip(terms).collect::<Vec<_>>();
    if !is_recording() {
        return sum(&of(terms.iter().map(|&(_, term)| term.clone()).collect()));
    }
    let y = sum(&of(terms.iter().map(|(_, term)| term.detach()).collect()))?;
    let inputs: Vec<&Tensor> = terms.iter().map(|(_, term)| *term).collect();
    record(&y, &inputs, move |dy| weights.iter().map(|weight| (dy * *weight).map(Some)).collect());
    Ok(y)
}
