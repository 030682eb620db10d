//! Descriptors of tensors, filters, convolutions and activations.

use std::sync::Mutex;

use super::dnn;
use super::tensor::{Format, Tensor};
use crate::boundary::{In, Out};
use crate::failure::{Failure, Outcome};
use crate::handles::{Handles, lock};
use crate::numbers::Element;

/// A descriptor is made empty and filled later.
type Slot<T> = Mutex<Option<T>>;

static TENSORS: Handles<Slot<Tensor>> = Handles::new();
static FILTERS: Handles<Slot<Tensor>> = Handles::new();
static CONVOLUTIONS: Handles<Slot<Convolution>> = Handles::new();
static ACTIVATIONS: Handles<Slot<Activation>> = Handles::new();

/// Pairs are for height and width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    pub(super) padding: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    /// A convolution in the sense of mathematics, and not the cross-correlation that networks use.
    pub(super) flips_filter: bool,
    pub(super) compute: Element,
    pub(super) math: i32,
    pub(super) groups: usize,
    reorder: i32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Activation {
    pub(super) mode: i32,
    pub(super) coefficient: f64,
}

fn filled<T: Copy>(table: &Handles<Slot<T>>, descriptor: usize) -> Result<T, Failure> {
    lock(&*table.find(descriptor)?).ok_or(Failure::INVALID_VALUE)
}

fn fill<T>(table: &Handles<Slot<T>>, descriptor: usize, content: T) -> Outcome {
    *lock(&*table.find(descriptor)?) = Some(content);
    Ok(())
}

pub(super) fn tensor(descriptor: usize) -> Result<Tensor, Failure> {
    filled(&TENSORS, descriptor)
}

pub(super) fn filter(descriptor: usize) -> Result<Tensor, Failure> {
    filled(&FILTERS, descriptor)
}

pub(super) fn convolution(descriptor: usize) -> Result<Convolution, Failure> {
    filled(&CONVOLUTIONS, descriptor)
}

pub(super) fn activation(descriptor: usize) -> Result<Activation, Failure> {
    filled(&ACTIVATIONS, descriptor)
}

fn format(code: i32) -> Result<Format, Failure> {
    match code {
        0 => Ok(Format::Nchw),
        1 => Ok(Format::Nhwc),
        _ => Err(Failure::NOT_SUPPORTED),
    }
}

fn positive<const N: usize>(values: [i32; N]) -> Result<[usize; N], Failure> {
    if values.iter().any(|value| *value < 1) {
        return Err(Failure::INVALID_VALUE);
    }
    Ok(values.map(|value| value as usize))
}

/// Four dimensions from an array of as many or, with one of size 1 behind them, of three.
fn dimensions(count: i32, values: In<i32>) -> Result<[i32; 4], Failure> {
    match count {
        4 => Ok([values.at(0)?, values.at(1)?, values.at(2)?, values.at(3)?]),
        3 => Ok([values.at(0)?, values.at(1)?, values.at(2)?, 1]),
        _ => Err(Failure::NOT_SUPPORTED),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCreateTensorDescriptor(descriptor: Out<usize>) -> i32 {
    dnn("cudnnCreateTensorDescriptor", || descriptor.set(TENSORS.insert(Mutex::default())))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroyTensorDescriptor(descriptor: usize) -> i32 {
    dnn("cudnnDestroyTensorDescriptor", || TENSORS.remove(descriptor))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetTensor4dDescriptor(
    descriptor: usize,
    layout: i32,
    element: i32,
    n: i32,
    c: i32,
    h: i32,
    w: i32,
) -> i32 {
    dnn("cudnnSetTensor4dDescriptor", || {
        let dimensions = positive([n, c, h, w])?;
        fill(&TENSORS, descriptor, Tensor::packed(Element::of_cudnn(element)?, format(layout)?, dimensions))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetTensor4dDescriptorEx(
    descriptor: usize,
    element: i32,
    n: i32,
    c: i32,
    h: i32,
    w: i32,
    n_stride: i32,
    c_stride: i32,
    h_stride: i32,
    w_stride: i32,
) -> i32 {
    dnn("cudnnSetTensor4dDescriptorEx", || {
        let tensor = Tensor {
            element: Element::of_cudnn(element)?,
            dimensions: positive([n, c, h, w])?,
            strides: positive([n_stride, c_stride, h_stride, w_stride])?,
        };
        fill(&TENSORS, descriptor, tensor)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetTensorNdDescriptor(
    descriptor: usize,
    element: i32,
    count: i32,
    sizes: In<i32>,
    strides: In<i32>,
) -> i32 {
    dnn("cudnnSetTensorNdDescriptor", || {
        let tensor = Tensor {
            element: Element::of_cudnn(element)?,
            dimensions: positive(dimensions(count, sizes)?)?,
            strides: positive(dimensions(count, strides)?)?,
        };
        fill(&TENSORS, descriptor, tensor)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetTensorNdDescriptorEx(
    descriptor: usize,
    layout: i32,
    element: i32,
    count: i32,
    sizes: In<i32>,
) -> i32 {
    dnn("cudnnSetTensorNdDescriptorEx", || {
        let dimensions = positive(dimensions(count, sizes)?)?;
        fill(&TENSORS, descriptor, Tensor::packed(Element::of_cudnn(element)?, format(layout)?, dimensions))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetTensorSizeInBytes(descriptor: usize, bytes: Out<usize>) -> i32 {
    dnn("cudnnGetTensorSizeInBytes", || bytes.set(tensor(descriptor)?.bytes()))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCreateFilterDescriptor(descriptor: Out<usize>) -> i32 {
    dnn("cudnnCreateFilterDescriptor", || descriptor.set(FILTERS.insert(Mutex::default())))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroyFilterDescriptor(descriptor: usize) -> i32 {
    dnn("cudnnDestroyFilterDescriptor", || FILTERS.remove(descriptor))
}

fn fill_filter(descriptor: usize, element: i32, layout: i32, dimensions: [i32; 4]) -> Outcome {
    fill(
        &FILTERS,
        descriptor,
        Tensor::packed(Element::of_cudnn(element)?, format(layout)?, positive(dimensions)?),
    )
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetFilter4dDescriptor(
    descriptor: usize,
    element: i32,
    layout: i32,
    k: i32,
    c: i32,
    r: i32,
    s: i32,
) -> i32 {
    dnn("cudnnSetFilter4dDescriptor", || fill_filter(descriptor, element, layout, [k, c, r, s]))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetFilterNdDescriptor(
    descriptor: usize,
    element: i32,
    layout: i32,
    count: i32,
    sizes: In<i32>,
) -> i32 {
    dnn("cudnnSetFilterNdDescriptor", || fill_filter(descriptor, element, layout, dimensions(count, sizes)?))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetFilterSizeInBytes(descriptor: usize, bytes: Out<usize>) -> i32 {
    dnn("cudnnGetFilterSizeInBytes", || bytes.set(filter(descriptor)?.bytes()))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCreateConvolutionDescriptor(descriptor: Out<usize>) -> i32 {
    dnn("cudnnCreateConvolutionDescriptor", || descriptor.set(CONVOLUTIONS.insert(Mutex::default())))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroyConvolutionDescriptor(descriptor: usize) -> i32 {
    dnn("cudnnDestroyConvolutionDescriptor", || CONVOLUTIONS.remove(descriptor))
}

fn fill_convolution(
    descriptor: usize,
    padding: [i32; 2],
    stride: [i32; 2],
    dilation: [i32; 2],
    mode: i32,
    compute: i32,
) -> Outcome {
    if padding.iter().any(|padding| *padding < 0) || !(0..=1).contains(&mode) {
        return Err(Failure::INVALID_VALUE);
    }
    let convolution = Convolution {
        padding: padding.map(|padding| padding as usize),
        stride: positive(stride)?,
        dilation: positive(dilation)?,
        flips_filter: mode == 0,
        compute: Element::of_cudnn(compute)?,
        math: 0,
        groups: 1,
        reorder: 0,
    };
    fill(&CONVOLUTIONS, descriptor, convolution)
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolution2dDescriptor(
    descriptor: usize,
    pad_h: i32,
    pad_w: i32,
    stride_h: i32,
    stride_w: i32,
    dilation_h: i32,
    dilation_w: i32,
    mode: i32,
    compute: i32,
) -> i32 {
    dnn("cudnnSetConvolution2dDescriptor", || {
        let (padding, stride, dilation) = ([pad_h, pad_w], [stride_h, stride_w], [dilation_h, dilation_w]);
        fill_convolution(descriptor, padding, stride, dilation, mode, compute)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolutionNdDescriptor(
    descriptor: usize,
    count: i32,
    padding: In<i32>,
    stride: In<i32>,
    dilation: In<i32>,
    mode: i32,
    compute: i32,
) -> i32 {
    dnn("cudnnSetConvolutionNdDescriptor", || {
        let pair = |values: In<i32>, missing: i32| match count {
            1 => Ok([values.at(0)?, missing]),
            2 => Ok([values.at(0)?, values.at(1)?]),
            _ => Err(Failure::NOT_SUPPORTED),
        };
        fill_convolution(descriptor, pair(padding, 0)?, pair(stride, 1)?, pair(dilation, 1)?, mode, compute)
    })
}

/// Changes a convolution that was set before.
fn change(descriptor: usize, change: impl FnOnce(&mut Convolution)) -> Outcome {
    match &mut *lock(&*CONVOLUTIONS.find(descriptor)?) {
        Some(convolution) => change(convolution),
        None => return Err(Failure::INVALID_VALUE),
    }
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolutionMathType(descriptor: usize, math: i32) -> i32 {
    dnn("cudnnSetConvolutionMathType", || match math {
        0..=3 => change(descriptor, |convolution| convolution.math = math),
        _ => Err(Failure::INVALID_VALUE),
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionMathType(descriptor: usize, math: Out<i32>) -> i32 {
    dnn("cudnnGetConvolutionMathType", || math.set(convolution(descriptor)?.math))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolutionGroupCount(descriptor: usize, groups: i32) -> i32 {
    dnn("cudnnSetConvolutionGroupCount", || {
        let [groups] = positive([groups])?;
        change(descriptor, |convolution| convolution.groups = groups)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionGroupCount(descriptor: usize, groups: Out<i32>) -> i32 {
    dnn("cudnnGetConvolutionGroupCount", || groups.set(convolution(descriptor)?.groups as i32))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolutionReorderType(descriptor: usize, reorder: i32) -> i32 {
    dnn("cudnnSetConvolutionReorderType", || change(descriptor, |convolution| convolution.reorder = reorder))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionReorderType(descriptor: usize, reorder: Out<i32>) -> i32 {
    dnn("cudnnGetConvolutionReorderType", || reorder.set(convolution(descriptor)?.reorder))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCreateActivationDescriptor(descriptor: Out<usize>) -> i32 {
    dnn("cudnnCreateActivationDescriptor", || descriptor.set(ACTIVATIONS.insert(Mutex::default())))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroyActivationDescriptor(descriptor: usize) -> i32 {
    dnn("cudnnDestroyActivationDescriptor", || ACTIVATIONS.remove(descriptor))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetActivationDescriptor(descriptor: usize, mode: i32, _nan: i32, coefficient: f64) -> i32 {
    dnn("cudnnSetActivationDescriptor", || match mode {
        0..=6 => fill(&ACTIVATIONS, descriptor, Activation { mode, coefficient }),
        _ => Err(Failure::INVALID_VALUE),
    })
}
