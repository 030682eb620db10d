//! Sizes of one convolution and the index arithmetic between its input and output.

use std::ops::Range;

use candle_core::{Result, bail};

/// A convolution from (n, ci, h, w) to (n, co, oh, ow) with a (co, ci, kh, kw) kernel.
///
/// A transposed convolution is described by the convolution whose input gradient it is: its input is that
/// convolution's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub(crate) n: usize,
    pub(crate) ci: usize,
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) co: usize,
    pub(crate) oh: usize,
    pub(crate) ow: usize,
    pub(crate) kh: usize,
    pub(crate) kw: usize,
    pub(crate) stride: usize,
    pub(crate) pad: usize,
}

impl Geometry {
    /// The geometry of a convolution of `x` (n, ci, h, w) with `weight` (co, ci, kh, kw).
    pub(crate) fn of_conv(x: &[usize], weight: &[usize], stride: usize, pad: usize) -> Result<Self> {
        let (&[n, ci, h, w], &[co, weight_ci, kh, kw]) = (x, weight) else {
            bail!(
                "conv2d: expected an input (N,C,H,W) and a weight (Cout,Cin,kh,kw), found {x:?} and {weight:?}"
            )
        };
        if ci != weight_ci {
            bail!("conv2d: the weight expects {weight_ci} channels, the input has {ci}")
        }
        if stride == 0 || kh == 0 || kw == 0 || h + 2 * pad < kh || w + 2 * pad < kw {
            bail!("conv2d: a {kh}x{kw} kernel, stride {stride}, does not fit in {h}x{w} padded by {pad}")
        }
        if n * ci * co == 0 {
            bail!("conv2d: empty input {x:?} or weight {weight:?}")
        }
        let (oh, ow) = ((h + 2 * pad - kh) / stride + 1, (w + 2 * pad - kw) / stride + 1);
        Ok(Self { n, ci, h, w, co, oh, ow, kh, kw, stride, pad })
    }

    /// The convolution whose input gradient is the transposed convolution of `x` (n, cin, h, w) with `weight`
    /// (cin, cout, kh, kw).
    pub(crate) fn of_transpose(
        x: &[usize],
        weight: &[usize],
        stride: usize,
        pad: usize,
        output_padding: usize,
    ) -> Result<Self> {
        let (&[n, co, oh, ow], &[weight_co, ci, kh, kw]) = (x, weight) else {
            bail!(
                "conv_transpose2d: expected an input (N,C,H,W) and a weight (Cin,Cout,kh,kw), found {x:?} and {weight:?}"
            )
        };
        if co != weight_co {
            bail!("conv_transpose2d: the weight expects {weight_co} channels, the input has {co}")
        }
        if n * ci * co * oh * ow * kh * kw * stride == 0 {
            bail!("conv_transpose2d: empty input {x:?}, weight {weight:?} or stride {stride}")
        }
        if output_padding >= stride {
            bail!("conv_transpose2d: output padding {output_padding} must be less than the stride {stride}")
        }
        let side = |o: usize, k: usize| ((o - 1) * stride + k + output_padding).checked_sub(2 * pad);
        match (side(oh, kh), side(ow, kw)) {
            (Some(h @ 1..), Some(w @ 1..)) => Ok(Self { n, ci, h, w, co, oh, ow, kh, kw, stride, pad }),
            _ => bail!("conv_transpose2d: padding {pad} leaves nothing of a {oh}x{ow} input"),
        }
    }

    /// Elements of one kernel plane.
    pub(crate) fn taps(&self) -> usize {
        self.kh * self.kw
    }

    /// Output pixels of one image.
    pub(crate) fn pixels(&self) -> usize {
        self.oh * self.ow
    }

    /// Elements of one input plane.
    pub(crate) fn area(&self) -> usize {
        self.h * self.w
    }

    /// Output columns whose tap `kx` falls inside the input: `0 <= ox * stride + kx - pad < w`.
    pub(crate) fn columns_inside(&self, kx: usize) -> Range<usize> {
        inside(self.ow, self.w, kx, self.stride, self.pad)
    }

    /// The input row under output row `oy` at tap `ky`, where there is one.
    pub(crate) fn input_row(&self, oy: usize, ky: usize) -> Option<usize> {
        (oy * self.stride + ky).checked_sub(self.pad).filter(|&iy| iy < self.h)
    }

    /// Output rows that touch any of the input rows `rows`.
    pub(crate) fn output_rows(&self, rows: &Range<usize>) -> Range<usize> {
        let first = (rows.start + self.pad + 1).saturating_sub(self.kh).div_ceil(self.stride);
        let end = ((rows.end + self.pad - 1) / self.stride + 1).min(self.oh);
        first.min(end)..end
    }
}

fn inside(outputs: usize, inputs: usize, tap: usize, stride: usize, pad: usize) -> Range<usize> {
    let end = (inputs + pad).saturating_sub(tap).div_ceil(stride).min(outputs);
    let start = pad.saturating_sub(tap).div_ceil(stride).min(end);
    start..end
}

/// `start..end` of part `index` when `total` is cut in pieces of `size`.
pub(crate) fn piece(total: usize, size: usize, index: usize) -> Range<usize> {
    let start = (index * size).min(total);
    start..(start + size).min(total)
}
