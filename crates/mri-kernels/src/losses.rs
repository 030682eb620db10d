//! Losses as means over all elements: each one pass over its input forward and one backward, summed in f64 over fixed
//! chunks.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::floats::{slice, tensor, with_floats};
use crate::parallel::{for_each_chunk, zeros};
use crate::recording::{apply1, apply2, by_candle, contiguous, needs_gradient};
use crate::reduce::mean_of;
use crate::route::{self, Route};

/// Mean squared difference from one number, `mean((x - target)²)`: the adversarial loss of least-squares GANs.
///
/// # Shapes
/// - `x`: any, not empty
/// - result: a scalar
///
/// # Errors
/// When `x` is empty.
pub fn mse(x: &Tensor, target: f64) -> Result<Tensor> {
    against_target(x, target, Kind::Squared)
}

/// Mean binary cross entropy of logits with one label, `mean(max(x, 0) - x·target + ln(1 + exp(-|x|)))`: finite for
/// any finite logit.
///
/// # Shapes
/// - `x`: any, not empty
/// - result: a scalar
///
/// # Errors
/// When `x` is empty.
pub fn bce_with_logits(x: &Tensor, target: f64) -> Result<Tensor> {
    against_target(x, target, Kind::CrossEntropy)
}

/// Mean absolute difference, `mean(|a - b|)`, with a gradient of 0 where they are equal.
///
/// # Shapes
/// - `a`, `b`: any, not empty, the same
/// - result: a scalar
///
/// # Errors
/// When the shapes differ or are empty.
pub fn l1(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() || a.elem_count() == 0 {
        bail!("l1: expected two tensors of one shape, not empty; found {:?} and {:?}", a.shape(), b.shape())
    }
    match route::of_floats(&[a, b]) {
        Route::Cpu => apply2(&contiguous(a)?, &contiguous(b)?, L1),
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::l1(a, b),
        Route::Composed => by_candle(&[a, b], |t| crate::composed::l1(&t[0], &t[1])),
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Squared,
    CrossEntropy,
}

struct AgainstTarget {
    target: f32,
    kind: Kind,
}

fn against_target(x: &Tensor, target: f64, kind: Kind) -> Result<Tensor> {
    if x.elem_count() == 0 {
        bail!("loss of an empty tensor {:?}", x.shape())
    }
    match (route::of_floats(&[x]), kind) {
        (Route::Cpu, _) => apply1(&contiguous(x)?, AgainstTarget { target: target as f32, kind }),
        #[cfg(feature = "cuda")]
        (Route::Cuda, _) => crate::cuda::against_target(x, target as f32, kind),
        (Route::Composed, Kind::Squared) => by_candle(&[x], |t| crate::composed::mse(&t[0], target)),
        (Route::Composed, Kind::CrossEntropy) => {
            by_candle(&[x], |t| crate::composed::bce_with_logits(&t[0], target))
        }
    }
}

fn scalar(value: f64) -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![value as f32]), ().into())
}

/// Writes `slope(a, b) * dy / count` for each element.
fn spread(
    a: &[f32],
    b: &[f32],
    dy: &Tensor,
    shape: &Shape,
    slope: impl Fn(f32, f32) -> f32 + Sync + Send,
) -> Result<Tensor> {
    let scale = (dy.to_scalar::<f32>()? as f64 / a.len() as f64) as f32;
    let mut dx = zeros(a.len());
    for_each_chunk(
        &mut dx,
        #[inline(always)]
        |start, dx| {
            let range = start..start + dx.len();
            for ((dx, &a), &b) in dx.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
                *dx = scale * slope(a, b);
            }
        },
    );
    tensor(dx, shape)
}

impl CustomOp1 for AgainstTarget {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, t) = (slice(x, xl)?, self.target as f64);
        Ok(scalar(match self.kind {
            Kind::Squared => mean_of(
                x,
                x,
                #[inline(always)]
                |x, _| (x as f64 - t).powi(2),
            ),
            Kind::CrossEntropy => mean_of(x, x, |x, _| {
                let x = x as f64;
                x.max(0.) - x * t + (-x.abs()).exp().ln_1p()
            }),
        }))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let t = self.target;
        with_floats(x, |v| match self.kind {
            Kind::Squared => spread(
                v,
                v,
                dy,
                x.shape(),
                #[inline(always)]
                |x, _| 2. * (x - t),
            ),
            Kind::CrossEntropy => spread(v, v, dy, x.shape(), |x, _| 1. / (1. + (-x).exp()) - t),
        })
        .map(Some)
    }
}

struct L1;

impl CustomOp2 for L1 {
    fn name(&self) -> &'static str {
        "l1"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        al: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mean = mean_of(
            slice(a, al)?,
            slice(b, bl)?,
            #[inline(always)]
            |a, b| (a as f64 - b as f64).abs(),
        );
        Ok(scalar(mean))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sign = |a: f32, b: f32| (a > b) as i32 as f32 - (a < b) as i32 as f32;
        with_floats(a, |va| {
            with_floats(b, |vb| {
                let da = needs_gradient(a).then(|| spread(va, vb, dy, a.shape(), sign));
                let db = needs_gradient(b).then(|| spread(va, vb, dy, a.shape(), |a, b| sign(b, a)));
                Ok((da.transpose()?, db.transpose()?))
            })
        })
    }
}
