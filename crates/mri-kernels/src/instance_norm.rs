//! Instance normalization, alone or with the leaky rectifier that follows it.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};

use crate::floats::{slice, tensor, with_floats};
use crate::parallel::{CHUNK, Shared, for_each_task, zeros};
use crate::recording::{apply1, apply3, by_candle, contiguous, needs_gradient, vector};
use crate::reduce::sum_of;
use crate::route::{self, Route};
use crate::vectorized::vectorized;

/// Instance normalization (Ulyanov et al., 2016): each plane is shifted and scaled to mean 0 and variance 1,
/// `y = (x - mean) / sqrt(var + eps) · gamma + beta`, with the biased variance.
///
/// # Shapes
/// - `x` and result: (N, C, H, W)
/// - `affine`: gamma and beta, (C) each
///
/// # Errors
/// When the shapes do not match.
pub fn instance_norm(x: &Tensor, affine: Option<(&Tensor, &Tensor)>, eps: f64) -> Result<Tensor> {
    instance_norm_leaky_relu(x, affine, eps, 1.)
}

/// [`instance_norm`] followed by [`leaky_relu`](crate::leaky_relu) in one pass over the data.
///
/// A slope of 0 is the plain rectifier and a slope of 1 no activation at all.
///
/// # Shapes
/// As for [`instance_norm`].
///
/// # Errors
/// When the shapes do not match.
pub fn instance_norm_leaky_relu(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    eps: f64,
    slope: f64,
) -> Result<Tensor> {
    let (_, c, _, _) = x.dims4()?;
    if let Some((gamma, beta)) = affine.filter(|(g, b)| g.elem_count() != c || b.elem_count() != c) {
        bail!("instance_norm: {c} channels, but gamma is {:?} and beta {:?}", gamma.shape(), beta.shape())
    }
    let parameters = affine.map_or(vec![], |(gamma, beta)| vec![gamma, beta]);
    match route::of_images(x, &parameters) {
        Route::Cpu if x.elem_count() > 0 => {}
        #[cfg(feature = "cuda")]
        Route::Cuda if x.elem_count() > 0 => {
            return crate::cuda::instance_norm_leaky_relu(x, affine, eps as f32, slope as f32);
        }
        _ => {
            let operands = [&[x], &parameters[..]].concat();
            return by_candle(&operands, |t| {
                let affine = affine.map(|_| (&t[1], &t[2]));
                crate::composed::instance_norm_leaky_relu(&t[0], affine, eps, slope)
            });
        }
    }
    let op = InstanceNorm { eps, slope: slope as f32, statistics: OnceLock::new() };
    let x = contiguous(x)?;
    match affine {
        None => apply1(&x, op),
        Some((gamma, beta)) => apply3(&x, &vector(gamma, c)?, &vector(beta, c)?, op),
    }
}

/// Mean and 1 / sqrt(var + eps) of a plane.
#[derive(Clone, Copy, Default)]
struct Statistics {
    mean: f32,
    inverse_sd: f32,
}

struct InstanceNorm {
    eps: f64,
    slope: f32,
    /// Of each plane, kept from the forward for the backward pass.
    statistics: OnceLock<Vec<Statistics>>,
}

/// Gamma and beta, or nothing for 1 and 0.
#[derive(Clone, Copy)]
struct Affine<'a>(Option<(&'a [f32], &'a [f32])>);

impl Affine<'_> {
    fn of_channel(&self, c: usize) -> (f32, f32) {
        self.0.map_or((1., 0.), |(gamma, beta)| (gamma[c], beta[c]))
    }
}

#[inline(always)]
fn statistics(plane: &[f32], eps: f64) -> Statistics {
    let count = plane.len() as f64;
    let mean = sum_of(plane, plane, |v, _| v as f64) / count;
    let variance = sum_of(plane, plane, |v, _| (v as f64 - mean).powi(2)) / count;
    Statistics { mean: mean as f32, inverse_sd: (1. / (variance + eps).sqrt()) as f32 }
}

/// The value before the activation. Forward and backward must agree on its sign, so both call this.
#[inline(always)]
fn normalized(v: f32, s: Statistics, gamma: f32, beta: f32) -> f32 {
    (v - s.mean) * s.inverse_sd * gamma + beta
}

#[inline(always)]
fn forward_plane(x: &[f32], s: Statistics, (gamma, beta): (f32, f32), slope: f32, y: &mut [f32]) {
    for (y, &v) in y.iter_mut().zip(x) {
        let z = normalized(v, s, gamma, beta);
        *y = if z > 0. { z } else { slope * z };
    }
}

/// Sums of dz and of dz · (x - mean) / sd over a plane, where dz is the gradient before the activation.
#[inline(always)]
fn gradient_sums(x: &[f32], dy: &[f32], s: Statistics, (gamma, beta): (f32, f32), slope: f32) -> (f64, f64) {
    let dz = |v: f32, d: f32| if normalized(v, s, gamma, beta) > 0. { d } else { slope * d };
    let total = sum_of(x, dy, |v, d| dz(v, d) as f64);
    let projected = sum_of(x, dy, |v, d| (dz(v, d) * ((v - s.mean) * s.inverse_sd)) as f64);
    (total, projected)
}

/// `dx = gamma / sd · (dz - mean(dz) - xhat · mean(dz · xhat))`
#[inline(always)]
fn backward_plane(
    x: &[f32],
    dy: &[f32],
    s: Statistics,
    (gamma, beta): (f32, f32),
    slope: f32,
    sums: (f64, f64),
    dx: &mut [f32],
) {
    let (mean_dz, mean_projected) = ((sums.0 / x.len() as f64) as f32, (sums.1 / x.len() as f64) as f32);
    let scale = gamma * s.inverse_sd;
    for ((dx, &v), &d) in dx.iter_mut().zip(x).zip(dy) {
        let dz = if normalized(v, s, gamma, beta) > 0. { d } else { slope * d };
        *dx = scale * (dz - mean_dz - (v - s.mean) * s.inverse_sd * mean_projected);
    }
}

/// Calls `f` for each of `planes` planes of `area` elements, several small ones in one task.
fn for_each_plane(planes: usize, area: usize, f: impl Fn(usize) + Sync + Send) {
    let group = (CHUNK / area).clamp(1, planes);
    for_each_task(planes.div_ceil(group), |task| {
        for plane in task * group..((task + 1) * group).min(planes) {
            vectorized(
                #[inline(always)]
                || f(plane),
            );
        }
    });
}

impl InstanceNorm {
    fn run(&self, x: &[f32], layout: &Layout, affine: Affine) -> Result<(CpuStorage, Shape)> {
        let (n, channels, h, w) = layout.shape().dims4()?;
        let (planes, area) = (n * channels, h * w);
        let mut y = zeros(x.len());
        // Mean and inverse deviation as plain floats, so that the tasks can share the list.
        let mut found = vec![0.; 2 * planes];
        let (out, shared) = (Shared::new(&mut y), Shared::new(&mut found));
        for_each_plane(
            planes,
            area,
            #[inline(always)]
            |p| {
                // SAFETY: each plane is visited once and writes its own places.
                let (y, kept) = unsafe { (out.slice(p * area, area), shared.slice(2 * p, 2)) };
                let x = &x[p * area..][..area];
                let s = statistics(x, self.eps);
                (kept[0], kept[1]) = (s.mean, s.inverse_sd);
                forward_plane(x, s, affine.of_channel(p % channels), self.slope, y);
            },
        );
        let kept = found.as_chunks::<2>().0.iter().map(|&[mean, inverse_sd]| Statistics { mean, inverse_sd });
        // Applied twice, the op would see the same input: the first statistics stand.
        let _ = self.statistics.set(kept.collect());
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    /// Gradients of x, gamma and beta; of x only when it is wanted.
    fn grads(&self, x: &Tensor, dy: &Tensor, affine: Affine) -> Result<(Option<Tensor>, Tensor, Tensor)> {
        let (n, channels, h, w) = x.dims4()?;
        let (planes, area) = (n * channels, h * w);
        let Some(kept) = self.statistics.get() else { bail!("instance_norm: backward before forward") };
        let mut dx = if needs_gradient(x) { zeros(x.elem_count()) } else { vec![] };
        let wanted = !dx.is_empty();
        let mut sums = vec![0.; 2 * planes];
        with_floats(x, |x| {
            with_floats(dy, |dy| {
                let (out, shared) = (Shared::new(&mut dx), Shared::new(&mut sums));
                for_each_plane(
                    planes,
                    area,
                    #[inline(always)]
                    |p| {
                        let (x, dy) = (&x[p * area..][..area], &dy[p * area..][..area]);
                        let (s, affine) = (kept[p], affine.of_channel(p % channels));
                        let found = gradient_sums(x, dy, s, affine, self.slope);
                        // SAFETY: each plane is visited once and writes its own places.
                        let parts = unsafe { shared.slice(2 * p, 2) };
                        (parts[0], parts[1]) = (found.0 as f32, found.1 as f32);
                        if wanted {
                            // SAFETY: as above.
                            let dx = unsafe { out.slice(p * area, area) };
                            backward_plane(x, dy, s, affine, self.slope, found, dx);
                        }
                    },
                );
                Ok(())
            })
        })?;
        let over_batch = |part: usize| -> Vec<f32> {
            let of_image = |c: usize| move |n: usize| 2 * (n * channels + c) + part;
            (0..channels)
                .map(|c| (0..n).map(of_image(c)).map(|i| sums[i] as f64).sum::<f64>() as f32)
                .collect()
        };
        let (dbeta, dgamma) = (tensor(over_batch(0), channels)?, tensor(over_batch(1), channels)?);
        Ok((wanted.then(|| tensor(dx, x.shape())).transpose()?, dgamma, dbeta))
    }
}

impl CustomOp1 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(slice(x, xl)?, xl, Affine(None))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.grads(x, dy, Affine(None))?.0)
    }
}

impl CustomOp3 for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance-norm-affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        gamma: &CpuStorage,
        gl: &Layout,
        beta: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(slice(x, xl)?, xl, Affine(Some((slice(gamma, gl)?, slice(beta, bl)?))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dgamma, dbeta) =
            with_floats(gamma, |g| with_floats(beta, |b| self.grads(x, dy, Affine(Some((g, b))))))?;
        Ok((dx, needs_gradient(gamma).then_some(dgamma), needs_gradient(beta).then_some(dbeta)))
    }
}
