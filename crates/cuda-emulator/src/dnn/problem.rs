//! A convolution with all its shapes, checked to fit one another.

use super::descriptors::{self, Convolution};
use super::tensor::Tensor;
use crate::failure::Failure;
use crate::numbers::Element;
use crate::settings::settings;

/// Input, filter and output, or the gradients with respect to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub(super) x: Tensor,
    pub(super) w: Tensor,
    pub(super) y: Tensor,
    pub(super) convolution: Convolution,
}

const FMA_MATH: i32 = 3;

/// Dimensions of the output.
pub(super) fn output(x: Tensor, w: Tensor, convolution: Convolution) -> Result<[usize; 4], Failure> {
    let side = |axis: usize| {
        let padded = x.dimensions[axis + 2] + 2 * convolution.padding[axis];
        let reach = (w.dimensions[axis + 2] - 1) * convolution.dilation[axis] + 1;
        let room = padded.checked_sub(reach).ok_or(Failure::INVALID_VALUE)?;
        Ok(room / convolution.stride[axis] + 1)
    };
    Ok([x.dimensions[0], w.dimensions[0], side(0)?, side(1)?])
}

impl Problem {
    pub(super) fn new(x: usize, w: usize, convolution: usize, y: usize) -> Result<Self, Failure> {
        let (x, w, y) = (descriptors::tensor(x)?, descriptors::filter(w)?, descriptors::tensor(y)?);
        let convolution = descriptors::convolution(convolution)?;
        let groups = convolution.groups;
        let fits = x.element == w.element
            && x.element == y.element
            && x.dimensions[1] == w.dimensions[1] * groups
            && w.dimensions[0].is_multiple_of(groups)
            && y.dimensions == output(x, w, convolution)?;
        if !fits {
            return Err(Failure::INVALID_VALUE);
        }
        let computes = match x.element {
            Element::F16 => matches!(convolution.compute, Element::F16 | Element::F32),
            Element::F32 | Element::Bf16 => convolution.compute == Element::F32,
            Element::F64 => convolution.compute == Element::F64,
        };
        if !computes {
            return Err(Failure::NOT_SUPPORTED);
        }
        Ok(Self { x, w, y, convolution })
    }

    pub(super) fn rounds_to_tf32(&self) -> bool {
        settings().tf32 && self.x.element == Element::F32 && self.convolution.math != FMA_MATH
    }

    /// Input channels of a group, by the filter's height and width.
    pub(super) fn taps(&self) -> usize {
        self.w.dimensions[1..].iter().product()
    }

    pub(super) fn output_pixels(&self) -> usize {
        self.y.dimensions[2] * self.y.dimensions[3]
    }
}
