//! Every operation composed from Candle's own: the path of devices and dtypes without a kernel of ours, and the
//! reference that the kernels are tested against. The functions here have the signatures and meanings of those of
//! the same name in the crate root.

use candle_core::{DType, Result, Tensor, Var};

use crate::dropout::{bits, threshold};
use crate::normal_noise::deviates;
use crate::reflection_pad2d::reflected;
use crate::{Adam, AdamSlot};

/// See [`crate::conv2d`].
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    // Candle's backward takes the part of the width that the last step leaves over to be that of the height. Where
    // they differ, pad (or cut) to exactly what the kernel visits, so that nothing is left over.
    let (_, _, kh, kw) = weight.dims4()?;
    let left_over = |side: usize, k: usize| (side + 2 * padding).saturating_sub(k) % stride.max(1);
    let y = if left_over(x.dim(2)?, kh) == left_over(x.dim(3)?, kw) {
        by_sample(x, |x| x.conv2d(weight, padding, stride, 1, 1))?
    } else {
        let x = fit(&fit(x, 2, padding, left_over(x.dim(2)?, kh))?, 3, padding, left_over(x.dim(3)?, kw))?;
        by_sample(&x, |x| x.conv2d(weight, 0, stride, 1, 1))?
    };
    add_bias(y, bias)
}

/// Zero padding on both sides of `dim`, less `left_over` at its end.
fn fit(x: &Tensor, dim: usize, padding: usize, left_over: usize) -> Result<Tensor> {
    let padded = x.pad_with_zeros(dim, padding, padding)?;
    padded.narrow(dim, 0, padded.dim(dim)? - left_over)
}

/// See [`crate::conv_transpose2d`].
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
    output_padding: usize,
) -> Result<Tensor> {
    let y = by_sample(x, |x| x.conv_transpose2d(weight, padding, output_padding, stride, 1))?;
    add_bias(y, bias)
}

/// Candle computes a weight gradient as a convolution whose kernel is a transposed view of the whole batch, and its
/// Metal backend ignores that view's strides. A batch of one has none to ignore.
fn by_sample(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let x = x.contiguous()?;
    let n = x.dim(0)?;
    if n == 1 || !x.device().is_metal() {
        return f(&x);
    }
    let samples: Result<Vec<_>> = (0..n).map(|i| f(&x.narrow(0, i, 1)?.contiguous()?)).collect();
    Tensor::cat(&samples?, 0)
}

fn add_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(b) => y.broadcast_add(&b.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// See [`crate::instance_norm`].
pub fn instance_norm(x: &Tensor, affine: Option<(&Tensor, &Tensor)>, eps: f64) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let x = x.reshape((n, c, h * w))?;
    let centered = x.broadcast_sub(&x.mean_keepdim(2)?)?;
    let var = centered.sqr()?.mean_keepdim(2)?;
    let y = centered.broadcast_div(&(var + eps)?.sqrt()?)?;
    let y = match affine {
        Some((gamma, beta)) => {
            y.broadcast_mul(&gamma.reshape((1, c, 1))?)?.broadcast_add(&beta.reshape((1, c, 1))?)?
        }
        None => y,
    };
    y.reshape((n, c, h, w))
}

/// See [`crate::instance_norm_leaky_relu`].
pub fn instance_norm_leaky_relu(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    eps: f64,
    slope: f64,
) -> Result<Tensor> {
    let y = instance_norm(x, affine, eps)?;
    if slope == 1. { Ok(y) } else { leaky_relu(&y, slope) }
}

/// See [`crate::leaky_relu`].
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    if slope == 0. { x.relu() } else { x.relu()? - (x.neg()?.relu()? * slope)? }
}

/// See [`crate::reflection_pad2d`].
pub fn reflection_pad2d(x: &Tensor, pad: [usize; 4]) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let index = |n: usize, before: usize, after: usize| -> Result<Tensor> {
        let i: Vec<u32> = (0..before + n + after).map(|i| reflected(i, before, n) as u32).collect();
        Tensor::new(i, x.device())
    };
    let [l, r, t, b] = pad;
    let x = if l + r > 0 { x.index_select(&index(w, l, r)?, 3)? } else { x.clone() };
    if t + b > 0 { x.index_select(&index(h, t, b)?, 2) } else { Ok(x) }
}

/// See [`crate::dropout`].
pub fn dropout(x: &Tensor, p: f64, key: u64) -> Result<Tensor> {
    let (threshold, scale) = (threshold(p), (1. / (1. - p)) as f32);
    let kept = |i: u64| if bits(key, i) < threshold { 0. } else { scale };
    let mask: Vec<f32> = (0..x.elem_count() as u64).map(kept).collect();
    x.mul(&Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

/// See [`crate::normal_noise`].
pub fn normal_noise(x: &Tensor, deviation: f64, key: [u8; 32]) -> Result<Tensor> {
    x + deviates(x, deviation, key)?
}

/// See [`crate::mse`].
pub fn mse(x: &Tensor, target: f64) -> Result<Tensor> {
    (x - target)?.sqr()?.mean_all()
}

/// See [`crate::bce_with_logits`].
pub fn bce_with_logits(x: &Tensor, target: f64) -> Result<Tensor> {
    ((x.relu()? - (x * target)?)? + (x.abs()?.neg()?.exp()? + 1.)?.log()?)?.mean_all()
}

/// See [`crate::l1`].
pub fn l1(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a - b)?.abs()?.mean_all()
}

/// See [`crate::curve_skip`].
pub fn curve_skip(x: &Tensor, knots: &Tensor, logits: &Tensor) -> Result<Tensor> {
    let base = clamp(&(interpolate(x, knots)? * 0.98)?, -0.98, 0.98)?;
    crate::tanh(&(atanh(&base)? + logits)?)
}

/// Piecewise-linear interpolation between knots on [-1, 1], constant outside; differentiable in both
/// arguments.
fn interpolate(x: &Tensor, knots: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let intervals = knots.dim(0)? - 1;
    let half = intervals as f64 / 2.;
    let u = clamp(x, -1., 1.)?.reshape((n * c * h, w))?.affine(half, half)?;
    let i = u.detach().floor()?.minimum((intervals - 1) as f64)?;
    let index = i.to_dtype(DType::U32)?;
    // A row of knots for each row of pixels: the gradient's scatter then runs over rows at once, not over all
    // pixels in turn.
    let knot = |first: usize| {
        let row = knots.narrow(0, first, intervals)?.reshape((1, intervals))?;
        row.broadcast_as((n * c * h, intervals))?.contiguous()?.gather(&index, 1)
    };
    let (left, right) = (knot(0)?, knot(1)?);
    (&left + ((right - &left)? * (u - i)?)?)?.reshape((n, c, h, w))
}

/// Clamp without a gradient on the bounds themselves, as in PyTorch; Candle's own passes half of it there.
fn clamp(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    let inside = (x.gt(low)? * x.lt(high)?)?;
    inside.where_cond(x, &x.detach().clamp(low, high)?)
}

/// Inverse hyperbolic tangent of values inside (-1, 1).
fn atanh(x: &Tensor) -> Result<Tensor> {
    ((x + 1.)? / x.affine(-1., 1.)?)?.log()? * 0.5
}

/// See [`crate::doubled_kernel`].
pub fn doubled_kernel(weight: &Tensor) -> Result<Tensor> {
    // Along one axis: each input pixel covers two columns, so a transposed tap sums the kernel taps that
    // reach it.
    const SPREAD: [[f32; 4]; 3] = [[0., 0., 1., 1.], [0., 1., 1., 0.], [1., 1., 0., 0.]];
    let (c_out, c_in, ..) = weight.dims4()?;
    let mut spread = Vec::with_capacity(9 * 16);
    for row in SPREAD {
        for column in SPREAD {
            spread.extend(row.iter().flat_map(|r| column.map(|c| r * c)));
        }
    }
    let spread = Tensor::from_vec(spread, (9, 16), weight.device())?;
    weight
        .reshape((c_out * c_in, 9))?
        .matmul(&spread)?
        .reshape((c_out, c_in, 4, 4))?
        .transpose(0, 1)?
        .contiguous()
}

/// See [`crate::adam_update`].
pub fn adam_update(slots: &[AdamSlot], adam: &Adam, loss: &Tensor) -> Result<()> {
    if !is_finite(loss)? {
        return Ok(());
    }
    slots.iter().try_for_each(|slot| adam_update_slot(slot, adam))
}

pub(crate) fn is_finite(scalar: &Tensor) -> Result<bool> {
    Ok(scalar.to_dtype(DType::F64)?.to_scalar::<f64>()?.is_finite())
}

pub(crate) fn adam_update_slot(slot: &AdamSlot, adam: &Adam) -> Result<()> {
    let AdamSlot { parameter, gradient, first_moment, second_moment, rate_factor } = *slot;
    let m = ((first_moment.as_tensor() * adam.beta1)? + (gradient * (1. - adam.beta1))?)?.detach();
    let v = ((second_moment.as_tensor() * adam.beta2)? + (gradient.sqr()? * (1. - adam.beta2))?)?.detach();
    let step = adam.step as f64;
    let m_hat = (&m / (1. - adam.beta1.powf(step)))?;
    let v_hat = (&v / (1. - adam.beta2.powf(step)))?;
    let change = ((m_hat * (adam.learning_rate * rate_factor))? / (v_hat.sqrt()? + adam.eps)?)?;
    parameter.set(&(parameter.as_tensor() - change)?.detach())?;
    first_moment.set(&m)?;
    second_moment.set(&v)
}

/// See [`crate::move_toward`].
pub fn move_toward(pairs: &[(&Var, &Var)], share: f64) -> Result<()> {
    for (average, target) in pairs {
        let now = average.as_detached_tensor();
        average.set(&(&now + ((target.as_detached_tensor() - &now)? * share)?)?)?;
    }
    Ok(())
}
