//! Both convolutions as one operation: forward, and the gradients that somebody needs.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::{Geometry, SMALL_PIXELS, bias_grad, forward, input_grad, weight_grad};
use crate::backward::weight_gradient;
use crate::floats::{slice, tensor, with_floats};
use crate::matmul::Destination;
use crate::parallel::zeros;
use crate::recording::{apply2, apply3, contiguous, needs_gradient, vector};

/// Which way a [`Convolution`] runs through its geometry.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sense {
    /// From the geometry's input to its output.
    Plain,
    /// From its output to its input: the forward pass is the plain one's input gradient, and the reverse.
    Transposed,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Convolution {
    pub(crate) geometry: Geometry,
    pub(crate) sense: Sense,
}

impl Convolution {
    /// Runs on the CPU, on f32 tensors.
    pub(crate) fn apply(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (x, weight) = (contiguous(x)?, contiguous(weight)?);
        match bias {
            None => apply2(&x, &weight, self),
            Some(bias) => {
                let channels = self.output_dims()[1];
                apply3(&x, &weight, &vector(bias, channels)?, self)
            }
        }
    }

    pub(crate) fn output_dims(&self) -> [usize; 4] {
        let g = &self.geometry;
        match self.sense {
            Sense::Plain => [g.n, g.co, g.oh, g.ow],
            Sense::Transposed => [g.n, g.ci, g.h, g.w],
        }
    }

    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (CpuStorage, Shape) {
        let dims = self.output_dims();
        let mut y = zeros(dims.iter().product());
        match self.sense {
            Sense::Plain => forward(&self.geometry, x, weight, bias, &mut y),
            Sense::Transposed => input_grad(&self.geometry, x, weight, bias, &mut y),
        }
        (CpuStorage::F32(y), dims.as_slice().into())
    }

    fn grads(&self, x: &Tensor, weight: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = needs_gradient(x).then(|| {
            let mut dx = zeros(x.elem_count());
            with_floats(dy, |dy| {
                with_floats(weight, |weight| {
                    match self.sense {
                        Sense::Plain => input_grad(&self.geometry, dy, weight, None, &mut dx),
                        Sense::Transposed => forward(&self.geometry, dy, weight, None, &mut dx),
                    }
                    Ok(())
                })
            })?;
            tensor(dx, x.shape())
        });
        Ok((dx.transpose()?, weight_gradient(weight, *self, x, dy)?))
    }

    /// The gradient of the weight, in place of or added to what `dw` holds.
    pub(crate) fn weight_grad(
        &self,
        x: &Tensor,
        dy: &Tensor,
        destination: Destination,
        dw: &mut [f32],
    ) -> Result<()> {
        with_floats(x, |x| {
            with_floats(dy, |dy| {
                match self.sense {
                    Sense::Plain => weight_grad(&self.geometry, x, dy, destination, dw),
                    Sense::Transposed => weight_grad(&self.geometry, dy, x, destination, dw),
                }
                Ok(())
            })
        })
    }

    /// Whether the weight's gradient takes longer to write than to compute.
    pub(crate) fn maps_are_small(&self) -> bool {
        self.geometry.pixels() <= SMALL_PIXELS
    }

    /// The same for a batch of `n`.
    pub(crate) fn of_images(&self, n: usize) -> Self {
        Self { geometry: Geometry { n, ..self.geometry }, sense: self.sense }
    }
}

/// The sum of `dy` (N, C, H, W) over everything but the channels.
fn bias_gradient(bias: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
    if !needs_gradient(bias) {
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

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
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

impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        "convolution-bias"
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
