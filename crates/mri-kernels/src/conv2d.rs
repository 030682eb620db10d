//! Two-dimensional convolution.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use crate::backward::weight_gradient;
use crate::conv::{Geometry, bias_grad, forward, input_grad, weight_grad};
use crate::floats::{has_kernel, slice, tensor, with_floats};

/// Two-dimensional convolution (cross-correlation) with zero padding:
/// `y[n,o,i,j] = bias[o] + Σ_{c,u,v} weight[o,c,u,v] · x[n,c, i·stride+u-padding, j·stride+v-padding]`.
///
/// # Shapes
/// - `x`: (N, Cin, H, W)
/// - `weight`: (Cout, Cin, kh, kw); `bias`: (Cout)
/// - result: (N, Cout, (H + 2·padding - kh) / stride + 1, (W + 2·padding - kw) / stride + 1), rounded down
///
/// Backward computes the gradients of those operands only that are variables or depend on one.
///
/// # Errors
/// When the shapes do not match or the kernel does not fit in the padded input.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let geometry = Geometry::of_conv(x.dims(), weight.dims(), stride, padding)?;
    match bias {
        _ if !has_kernel(&[x, weight]) => crate::composed::conv2d(x, weight, bias, stride, padding),
        None => x.contiguous()?.apply_op2(&weight.contiguous()?, Conv2d(geometry)),
        Some(b) => {
            let b = b.reshape(geometry.co)?.contiguous()?;
            x.contiguous()?.apply_op3(&weight.contiguous()?, &b, Conv2d(geometry))
        }
    }
}

struct Conv2d(Geometry);

impl Conv2d {
    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (CpuStorage, Shape) {
        let g = &self.0;
        let mut y = vec![0.; g.n * g.co * g.pixels()];
        forward(g, x, weight, bias, &mut y);
        (CpuStorage::F32(y), (g.n, g.co, g.oh, g.ow).into())
    }

    fn grads(&self, x: &Tensor, weight: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = &self.0;
        with_floats(dy, |dy| {
            let dx = x.track_op().then(|| {
                let mut dx = vec![0.; x.elem_count()];
                with_floats(weight, |weight| {
                    input_grad(g, dy, weight, None, &mut dx);
                    Ok(())
                })?;
                tensor(dx, x.shape())
            });
            let dw = weight_gradient(weight, |destination, dw| {
                with_floats(x, |x| {
                    weight_grad(g, x, dy, destination, dw);
                    Ok(())
                })
            })?;
            Ok((dx.transpose()?, dw))
        })
    }
}

/// The gradient of a bias of `channels`: the sum of `dy` (N, C, H, W) over everything else.
pub(crate) fn bias_gradient(bias: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
    if !bias.track_op() {
        return Ok(None);
    }
    let (_, channels, h, w) = dy.dims4()?;
    let mut db = vec![0.; channels];
    with_floats(dy, |dy| {
        bias_grad(dy, channels, h * w, &mut db);
        Ok(())
    })?;
    tensor(db, channels).map(Some)
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(self.run(slice(x, xl)?, slice(w, wl)?, None))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.grads(x, w, dy)
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d-bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(self.run(slice(x, xl)?, slice(w, wl)?, Some(slice(b, bl)?)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = self.grads(x, w, dy)?;
        Ok((dx, dw, bias_gradient(b, dy)?))
    }
}
