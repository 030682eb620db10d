//! Two-dimensional transposed convolution.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use crate::backward::weight_gradient;
use crate::conv::{Geometry, forward, input_grad, weight_grad};
use crate::conv2d::bias_gradient;
use crate::floats::{has_kernel, slice, tensor, with_floats};

/// Two-dimensional transposed convolution, the adjoint of [`conv2d`](crate::conv2d) in `x`:
/// `y[n,o, i·stride+u-padding, j·stride+v-padding] += weight[c,o,u,v] · x[n,c,i,j]`, plus `bias[o]`.
///
/// # Shapes
/// - `x`: (N, Cin, H, W)
/// - `weight`: (Cin, Cout, kh, kw); `bias`: (Cout)
/// - result: (N, Cout, (H - 1)·stride - 2·padding + kh + output_padding, and the same of W)
///
/// Backward computes the gradients of those operands only that are variables or depend on one.
///
/// # Errors
/// When the shapes do not match, the output would be empty, or `output_padding >= stride`.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
    output_padding: usize,
) -> Result<Tensor> {
    let geometry = Geometry::of_transpose(x.dims(), weight.dims(), stride, padding, output_padding)?;
    match bias {
        _ if !has_kernel(&[x, weight]) => {
            crate::composed::conv_transpose2d(x, weight, bias, stride, padding, output_padding)
        }
        None => x.contiguous()?.apply_op2(&weight.contiguous()?, ConvTranspose2d(geometry)),
        Some(b) => {
            let b = b.reshape(geometry.ci)?.contiguous()?;
            x.contiguous()?.apply_op3(&weight.contiguous()?, &b, ConvTranspose2d(geometry))
        }
    }
}

/// Holds the convolution whose input gradient this is: its output is our input.
struct ConvTranspose2d(Geometry);

impl ConvTranspose2d {
    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (CpuStorage, Shape) {
        let g = &self.0;
        let mut y = vec![0.; g.n * g.ci * g.area()];
        input_grad(g, x, weight, bias, &mut y);
        (CpuStorage::F32(y), (g.n, g.ci, g.h, g.w).into())
    }

    fn grads(&self, x: &Tensor, weight: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = &self.0;
        with_floats(dy, |dy| {
            let dx = x.track_op().then(|| {
                let mut dx = vec![0.; x.elem_count()];
                with_floats(weight, |weight| {
                    forward(g, dy, weight, None, &mut dx);
                    Ok(())
                })?;
                tensor(dx, x.shape())
            });
            let dw = weight_gradient(weight, |destination, dw| {
                with_floats(x, |x| {
                    weight_grad(g, dy, x, destination, dw);
                    Ok(())
                })
            })?;
            Ok((dx.transpose()?, dw))
        })
    }
}

impl CustomOp2 for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv-transpose2d"
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

impl CustomOp3 for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv-transpose2d-bias"
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
