//! Padding by reflection at the border.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::floats::{slice, tensor, with_floats};
use crate::parallel::{CHUNK, Shared, for_each_task, zeros};
use crate::recording::{apply1, by_candle, contiguous};
use crate::route::{self, Route};

/// Padding by reflection, without repeating the border pixel: `c b | a b c | b a`.
///
/// # Shapes
/// - `x`: (N, C, H, W)
/// - `pad`: `[left, right, top, bottom]` in pixels, each less than the side that it reflects
/// - result: (N, C, top + H + bottom, left + W + right)
///
/// # Errors
/// When a pad is not less than its side.
pub fn reflection_pad2d(x: &Tensor, pad: [usize; 4]) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let [left, right, top, bottom] = pad;
    if left.max(right) >= w || top.max(bottom) >= h {
        bail!(
            "reflection_pad2d: {pad:?} [left, right, top, bottom] needs more than the {h}x{w} pixels there are"
        )
    }
    if pad == [0; 4] {
        return Ok(x.clone());
    }
    match route::of_images(x, &[]) {
        Route::Cpu if x.elem_count() > 0 => apply1(&contiguous(x)?, ReflectionPad2d { h, w, pad }),
        #[cfg(feature = "cuda")]
        Route::Cuda if x.elem_count() > 0 => crate::cuda::reflection_pad2d(x, pad),
        _ => by_candle(&[x], |t| crate::composed::reflection_pad2d(&t[0], pad)),
    }
}

/// The source of padded index `i` along a side of `n`, `before` pixels into the pad.
pub(crate) fn reflected(i: usize, before: usize, n: usize) -> usize {
    let p = i.abs_diff(before);
    if i < before || p < n { p } else { 2 * (n - 1) - p }
}

struct ReflectionPad2d {
    h: usize,
    w: usize,
    pad: [usize; 4],
}

impl ReflectionPad2d {
    fn padded(&self) -> (usize, usize) {
        let [left, right, top, bottom] = self.pad;
        (top + self.h + bottom, left + self.w + right)
    }

    fn pad_row(&self, from: &[f32], to: &mut [f32]) {
        let [left, right, _, _] = self.pad;
        to[left..left + self.w].copy_from_slice(from);
        for i in 0..left {
            to[i] = from[left - i];
        }
        for i in 0..right {
            to[left + self.w + i] = from[self.w - 2 - i];
        }
    }

    fn add_row_back(&self, from: &[f32], to: &mut [f32]) {
        let [left, right, _, _] = self.pad;
        to.iter_mut().zip(&from[left..]).for_each(|(t, f)| *t += f);
        for i in 0..left {
            to[left - i] += from[i];
        }
        for i in 0..right {
            to[self.w - 2 - i] += from[left + self.w + i];
        }
    }

    /// Calls `f(from, to)` with each plane of `from_len` and `to_len` elements, several small ones in one task.
    fn for_each_plane(
        from: &[f32],
        from_len: usize,
        to: &mut [f32],
        to_len: usize,
        f: impl Fn(&[f32], &mut [f32]) + Sync + Send,
    ) {
        let planes = from.len() / from_len;
        let group = (CHUNK / to_len).clamp(1, planes);
        let to = Shared::new(to);
        for_each_task(planes.div_ceil(group), |task| {
            for p in task * group..((task + 1) * group).min(planes) {
                // SAFETY: each plane is visited once.
                f(&from[p * from_len..][..from_len], unsafe { to.slice(p * to_len, to_len) });
            }
        });
    }
}

impl CustomOp1 for ReflectionPad2d {
    fn name(&self) -> &'static str {
        "reflection-pad2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = xl.shape().dims4()?;
        let (ph, pw) = self.padded();
        let mut y = zeros(n * c * ph * pw);
        Self::for_each_plane(slice(x, xl)?, h * w, &mut y, ph * pw, |x, y| {
            for (i, to) in y.chunks_exact_mut(pw).enumerate() {
                self.pad_row(&x[reflected(i, self.pad[2], h) * w..][..w], to);
            }
        });
        Ok((CpuStorage::F32(y), (n, c, ph, pw).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (h, w) = (self.h, self.w);
        let (ph, pw) = self.padded();
        let mut dx = zeros(x.elem_count());
        with_floats(dy, |dy| {
            Self::for_each_plane(dy, ph * pw, &mut dx, h * w, |dy, dx| {
                for (i, from) in dy.chunks_exact(pw).enumerate() {
                    self.add_row_back(from, &mut dx[reflected(i, self.pad[2], h) * w..][..w]);
                }
            });
            Ok(())
        })?;
        tensor(dx, x.shape()).map(Some)
    }
}
