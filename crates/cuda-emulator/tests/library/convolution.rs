use std::ffi::c_void;
use std::ptr::{from_mut, from_ref};

use half::{bf16, f16};

use crate::device::{Device, Number, assert_close, call, device, values};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Performance {
    algorithm: i32,
    status: i32,
    milliseconds: f32,
    bytes: usize,
    is_deterministic: i32,
    math: i32,
    reserved: [i32; 3],
}

unsafe extern "C" {
    pub(crate) fn cudnnCreate(handle: *mut usize) -> i32;
    pub(crate) fn cudnnCreateTensorDescriptor(descriptor: *mut usize) -> i32;
    pub(crate) fn cudnnSetTensor4dDescriptor(
        descriptor: usize,
        format: i32,
        data: i32,
        n: i32,
        c: i32,
        h: i32,
        w: i32,
    ) -> i32;
    fn cudnnCreateFilterDescriptor(descriptor: *mut usize) -> i32;
    fn cudnnSetFilter4dDescriptor(
        descriptor: usize,
        data: i32,
        format: i32,
        k: i32,
        c: i32,
        r: i32,
        s: i32,
    ) -> i32;
    fn cudnnCreateConvolutionDescriptor(descriptor: *mut usize) -> i32;
    fn cudnnSetConvolution2dDescriptor(
        descriptor: usize,
        pad_h: i32,
        pad_w: i32,
        stride_h: i32,
        stride_w: i32,
        dilation_h: i32,
        dilation_w: i32,
        mode: i32,
        compute: i32,
    ) -> i32;
    fn cudnnSetConvolutionGroupCount(descriptor: usize, groups: i32) -> i32;
    pub(crate) fn cudnnCreateActivationDescriptor(descriptor: *mut usize) -> i32;
    pub(crate) fn cudnnSetActivationDescriptor(
        descriptor: usize,
        mode: i32,
        nan: i32,
        coefficient: f64,
    ) -> i32;
    fn cudnnGetConvolution2dForwardOutputDim(
        convolution: usize,
        x: usize,
        w: usize,
        n: *mut i32,
        c: *mut i32,
        h: *mut i32,
        w: *mut i32,
    ) -> i32;
    fn cudnnGetConvolutionForwardAlgorithm_v7(
        handle: usize,
        x: usize,
        w: usize,
        convolution: usize,
        y: usize,
        wanted: i32,
        returned: *mut i32,
        results: *mut Performance,
    ) -> i32;
    fn cudnnGetConvolutionBackwardDataAlgorithm_v7(
        handle: usize,
        w: usize,
        dy: usize,
        convolution: usize,
        dx: usize,
        wanted: i32,
        returned: *mut i32,
        results: *mut Performance,
    ) -> i32;
    fn cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        handle: usize,
        x: usize,
        dy: usize,
        convolution: usize,
        dw: usize,
        wanted: i32,
        returned: *mut i32,
        results: *mut Performance,
    ) -> i32;
    fn cudnnConvolutionForward(
        handle: usize,
        alpha: *const c_void,
        x_descriptor: usize,
        x: u64,
        w_descriptor: usize,
        w: u64,
        convolution: usize,
        algorithm: i32,
        workspace: u64,
        bytes: usize,
        beta: *const c_void,
        y_descriptor: usize,
        y: u64,
    ) -> i32;
    fn cudnnConvolutionBackwardData(
        handle: usize,
        alpha: *const c_void,
        w_descriptor: usize,
        w: u64,
        dy_descriptor: usize,
        dy: u64,
        convolution: usize,
        algorithm: i32,
        workspace: u64,
        bytes: usize,
        beta: *const c_void,
        dx_descriptor: usize,
        dx: u64,
    ) -> i32;
    fn cudnnConvolutionBackwardFilter(
        handle: usize,
        alpha: *const c_void,
        x_descriptor: usize,
        x: u64,
        dy_descriptor: usize,
        dy: u64,
        convolution: usize,
        algorithm: i32,
        workspace: u64,
        bytes: usize,
        beta: *const c_void,
        dw_descriptor: usize,
        dw: u64,
    ) -> i32;
    fn cudnnConvolutionBiasActivationForward(
        handle: usize,
        alpha1: *const c_void,
        x_descriptor: usize,
        x: u64,
        w_descriptor: usize,
        w: u64,
        convolution: usize,
        algorithm: i32,
        workspace: u64,
        bytes: usize,
        alpha2: *const c_void,
        z_descriptor: usize,
        z: u64,
        bias_descriptor: usize,
        bias: u64,
        activation: usize,
        y_descriptor: usize,
        y: u64,
    ) -> i32;
}

const BAD_PARAM: i32 = 2000;
const NOT_SUPPORTED: i32 = 3000;
const NCHW: i32 = 0;
const NHWC: i32 = 1;
const FLOAT: i32 = 0;
const DOUBLE: i32 = 1;
const HALF: i32 = 2;
const BFLOAT16: i32 = 9;

/// Makes a descriptor, and a tensor of one with `set`.
macro_rules! descriptor {
    ($create:ident, $set:ident($($argument:expr),*)) => {{
        let mut descriptor = 0;
        // SAFETY: a place for the descriptor, which is then filled.
        unsafe {
            assert_eq!($create(&mut descriptor), 0);
            assert_eq!($set(descriptor, $($argument),*), 0);
        }
        descriptor
    }};
}
pub(crate) use descriptor;

pub(crate) fn tensor(format: i32, data: i32, [n, c, h, w]: [usize; 4]) -> usize {
    descriptor!(
        cudnnCreateTensorDescriptor,
        cudnnSetTensor4dDescriptor(format, data, n as i32, c as i32, h as i32, w as i32)
    )
}

pub(crate) fn handle() -> usize {
    let mut handle = 0;
    // SAFETY: a place for the handle.
    assert_eq!(unsafe { cudnnCreate(&mut handle) }, 0);
    handle
}

#[derive(Clone, Copy)]
struct Shape {
    x: [usize; 4],
    w: [usize; 4],
    pad: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
    is_flipped: bool,
    format: i32,
}

const PLAIN: Shape = Shape {
    x: [2, 3, 7, 6],
    w: [4, 3, 3, 3],
    pad: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    groups: 1,
    is_flipped: false,
    format: NCHW,
};

const SHAPES: [Shape; 6] = [
    PLAIN,
    Shape { w: [4, 3, 4, 4], stride: [2, 2], ..PLAIN },
    Shape { x: [1, 3, 9, 8], w: [2, 3, 3, 2], pad: [2, 0], stride: [2, 1], dilation: [2, 3], ..PLAIN },
    Shape { x: [2, 4, 5, 5], w: [6, 2, 3, 3], groups: 2, ..PLAIN },
    Shape { w: [4, 3, 3, 2], is_flipped: true, ..PLAIN },
    Shape { x: [2, 4, 5, 6], w: [4, 2, 2, 3], groups: 2, format: NHWC, ..PLAIN },
];

impl Shape {
    fn y(&self) -> [usize; 4] {
        let side = |axis: usize| {
            let reach = self.dilation[axis] * (self.w[axis + 2] - 1) + 1;
            (self.x[axis + 2] + 2 * self.pad[axis] - reach) / self.stride[axis] + 1
        };
        [self.x[0], self.w[0], side(0), side(1)]
    }

    fn position(&self, dimensions: [usize; 4], [n, c, h, w]: [usize; 4]) -> usize {
        let [_, channels, height, width] = dimensions;
        match self.format {
            NCHW => ((n * channels + c) * height + h) * width + w,
            _ => ((n * height + h) * width + w) * channels + c,
        }
    }

    /// Every product of the convolution: which element of x, of w and of y.
    fn for_each_product(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (y, [filters, channels, r_side, s_side]) = (self.y(), self.w);
        for index in 0..y.iter().product::<usize>() {
            let (n, k, i, j) = (
                index / (y[3] * y[2] * y[1]),
                index / (y[3] * y[2]) % y[1],
                index / y[3] % y[2],
                index % y[3],
            );
            let group = k / (filters / self.groups);
            for tap in 0..channels * r_side * s_side {
                let (c, r, s) = (tap / (r_side * s_side), tap / s_side % r_side, tap % s_side);
                let h = (i * self.stride[0] + r * self.dilation[0]) as isize - self.pad[0] as isize;
                let w = (j * self.stride[1] + s * self.dilation[1]) as isize - self.pad[1] as isize;
                if !(0..self.x[2] as isize).contains(&h) || !(0..self.x[3] as isize).contains(&w) {
                    continue;
                }
                let (r, s) = if self.is_flipped { (r_side - 1 - r, s_side - 1 - s) } else { (r, s) };
                let pixel = [n, group * channels + c, h as usize, w as usize];
                visit(
                    self.position(self.x, pixel),
                    self.position(self.w, [k, c, r, s]),
                    self.position(y, [n, k, i, j]),
                );
            }
        }
    }
}

struct Descriptors {
    handle: usize,
    x: usize,
    w: usize,
    y: usize,
    convolution: usize,
}

fn descriptors(shape: &Shape, data: i32, compute: i32) -> Descriptors {
    let [k, c, r, s] = shape.w.map(|size| size as i32);
    let [pad, stride, dilation] =
        [shape.pad, shape.stride, shape.dilation].map(|pair| pair.map(|value| value as i32));
    let convolution = descriptor!(
        cudnnCreateConvolutionDescriptor,
        cudnnSetConvolution2dDescriptor(
            pad[0],
            pad[1],
            stride[0],
            stride[1],
            dilation[0],
            dilation[1],
            i32::from(!shape.is_flipped),
            compute
        )
    );
    // SAFETY: the descriptor was just made.
    assert_eq!(unsafe { cudnnSetConvolutionGroupCount(convolution, shape.groups as i32) }, 0);
    Descriptors {
        handle: handle(),
        x: tensor(shape.format, data, shape.x),
        w: descriptor!(
            cudnnCreateFilterDescriptor,
            cudnnSetFilter4dDescriptor(data, shape.format, k, c, r, s)
        ),
        y: tensor(shape.format, data, shape.y()),
        convolution,
    }
}

impl Descriptors {
    /// The algorithms offered for the three passes.
    fn algorithms(&self) -> [Vec<Performance>; 3] {
        let (mut counts, mut results) = ([0; 3], [[Performance::default(); 8]; 3]);
        let Self { handle, x, w, y, convolution } = *self;
        // SAFETY: places for eight results each.
        unsafe {
            let [a, b, c] = &mut counts;
            let [fa, fb, fc] = &mut results;
            assert_eq!(
                cudnnGetConvolutionForwardAlgorithm_v7(handle, x, w, convolution, y, 8, a, fa.as_mut_ptr()),
                0
            );
            assert_eq!(
                cudnnGetConvolutionBackwardDataAlgorithm_v7(
                    handle,
                    w,
                    y,
                    convolution,
                    x,
                    8,
                    b,
                    fb.as_mut_ptr()
                ),
                0
            );
            assert_eq!(
                cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                    handle,
                    x,
                    y,
                    convolution,
                    w,
                    8,
                    c,
                    fc.as_mut_ptr()
                ),
                0
            );
        }
        [0, 1, 2].map(|pass| results[pass][..counts[pass] as usize].to_vec())
    }
}

/// All passes of a shape by all algorithms that can, each with alpha = 1.5 and beta = -0.5, against sums over products.
fn passes<T: Number>(device: &Device, shape: &Shape, data: i32, compute: i32, tolerance: f64) {
    let sizes = [shape.x, shape.w, shape.y()].map(|dimensions| dimensions.iter().product::<usize>());
    let [x, w, y] = [0, 1, 2].map(|index| values(sizes[index], index as u64 + 1));
    let mut sums = sizes.map(|size| vec![0.0; size]);
    shape.for_each_product(|at_x, at_w, at_y| {
        sums[0][at_x] += w[at_w] * y[at_y];
        sums[1][at_w] += x[at_x] * y[at_y];
        sums[2][at_y] += x[at_x] * w[at_w];
    });
    let descriptors = descriptors(shape, data, compute);
    let Descriptors { handle, x: x_descriptor, w: w_descriptor, y: y_descriptor, convolution } = descriptors;
    let (alpha, beta) = ((1.5f32, 1.5f64), (-0.5f32, -0.5f64));
    let scalar =
        |pair: &(f32, f64)| if data == DOUBLE { from_ref(&pair.1).cast() } else { from_ref(&pair.0).cast() };
    for (pass, algorithms) in descriptors.algorithms().iter().enumerate() {
        let able: Vec<_> = algorithms.iter().filter(|performance| performance.status == 0).collect();
        assert!(able.len() >= 2, "one with and one without workspace");
        for performance in able {
            let places = [device.upload::<T>(&x), device.upload::<T>(&w), device.upload::<T>(&y)];
            let [x_place, w_place, y_place] = places;
            let (algorithm, bytes) = (performance.algorithm, performance.bytes);
            let workspace = if bytes == 0 { 0 } else { device.allocate(bytes) };
            let (alpha, beta) = (scalar(&alpha), scalar(&beta));
            // SAFETY: the tensors are on the device, as the descriptors say.
            let run = |workspace, bytes| unsafe {
                match pass {
                    0 => cudnnConvolutionForward(
                        handle,
                        alpha,
                        x_descriptor,
                        x_place,
                        w_descriptor,
                        w_place,
                        convolution,
                        algorithm,
                        workspace,
                        bytes,
                        beta,
                        y_descriptor,
                        y_place,
                    ),
                    1 => cudnnConvolutionBackwardData(
                        handle,
                        alpha,
                        w_descriptor,
                        w_place,
                        y_descriptor,
                        y_place,
                        convolution,
                        algorithm,
                        workspace,
                        bytes,
                        beta,
                        x_descriptor,
                        x_place,
                    ),
                    _ => cudnnConvolutionBackwardFilter(
                        handle,
                        alpha,
                        x_descriptor,
                        x_place,
                        y_descriptor,
                        y_place,
                        convolution,
                        algorithm,
                        workspace,
                        bytes,
                        beta,
                        w_descriptor,
                        w_place,
                    ),
                }
            };
            if bytes > 0 {
                assert_eq!((run(0, bytes), run(workspace, bytes - 1)), (BAD_PARAM, BAD_PARAM));
            }
            assert_eq!(run(workspace, bytes), 0);
            let result = [2, 0, 1][pass];
            let old = [&x, &w, &y][result];
            let expected: Vec<f64> =
                sums[result].iter().zip(old).map(|(sum, old)| 1.5 * sum - 0.5 * old).collect();
            assert_close(&device.download::<T>(places[result], old.len()), &expected, tolerance);
            for address in places.into_iter().chain((bytes > 0).then_some(workspace)) {
                assert_eq!(call!(cuMemFree_v2(address)), 0);
            }
        }
    }
}

#[test]
fn all_passes_are_sums_over_products() {
    let device = device();
    for shape in &SHAPES {
        passes::<f32>(&device, shape, FLOAT, FLOAT, 1e-5);
        passes::<f64>(&device, shape, DOUBLE, DOUBLE, 1e-13);
        passes::<f16>(&device, shape, HALF, FLOAT, 2e-3);
        passes::<bf16>(&device, shape, BFLOAT16, FLOAT, 1e-2);
    }
}

#[test]
fn algorithms_say_whether_they_repeat() {
    let _device = device();
    let [forward, data, filter] = descriptors(&PLAIN, FLOAT, FLOAT).algorithms();
    let repeats = |algorithms: &[Performance], which: i32| {
        algorithms.iter().find(|performance| performance.algorithm == which).unwrap().is_deterministic
    };
    assert!(forward.iter().all(|performance| performance.is_deterministic == 1));
    assert_eq!((repeats(&data, 0), repeats(&data, 1)), (0, 1));
    assert_eq!((repeats(&filter, 0), repeats(&filter, 1), repeats(&filter, 3)), (0, 1, 0));
    let winograd = |shape: &Shape| {
        let [forward, ..] = descriptors(shape, FLOAT, FLOAT).algorithms();
        forward.iter().find(|performance| performance.algorithm == 6).unwrap().status
    };
    assert_eq!((winograd(&PLAIN), winograd(&SHAPES[1])), (0, NOT_SUPPORTED));
}

#[test]
fn descriptors_must_fit_one_another() {
    let _device = device();
    let good = descriptors(&PLAIN, FLOAT, FLOAT);
    let ask = |x, w, y| {
        let (mut count, mut results) = (0, [Performance::default(); 8]);
        // SAFETY: places for eight results.
        unsafe {
            let results = results.as_mut_ptr();
            cudnnGetConvolutionForwardAlgorithm_v7(
                good.handle,
                x,
                w,
                good.convolution,
                y,
                8,
                &mut count,
                results,
            )
        }
    };
    assert_eq!(ask(good.x, good.w, good.y), 0);
    let [n, k, h, w] = PLAIN.y();
    for y in [[n + 1, k, h, w], [n, k + 1, h, w], [n, k, h + 1, w], [n, k, h, w - 1]] {
        assert_eq!(ask(good.x, good.w, tensor(NCHW, FLOAT, y)), BAD_PARAM);
    }
    assert_eq!(ask(good.x, good.w, tensor(NCHW, HALF, [n, k, h, w])), BAD_PARAM);
    assert_eq!(ask(tensor(NCHW, FLOAT, [2, 4, 7, 6]), good.w, good.y), BAD_PARAM);
    assert_eq!(ask(good.x, good.x, good.y), BAD_PARAM, "a tensor is no filter");
    let [mut n, mut c, mut h, mut w] = [0; 4];
    // SAFETY: places for four sizes.
    unsafe {
        let places = [&mut n, &mut c, &mut h, &mut w].map(from_mut);
        let [n, c, h, w] = places;
        assert_eq!(cudnnGetConvolution2dForwardOutputDim(good.convolution, good.x, good.w, n, c, h, w), 0);
    }
    assert_eq!([n, c, h, w].map(|size| size as usize), PLAIN.y());
}

#[test]
fn a_workspace_over_an_input_shows() {
    let device = device();
    let shape = PLAIN;
    let descriptors = descriptors(&shape, FLOAT, FLOAT);
    let [forward, ..] = descriptors.algorithms();
    let bytes = forward.iter().find(|performance| performance.algorithm == 2).unwrap().bytes;
    let x = device.allocate(bytes.max(shape.x.iter().product::<usize>() * 4));
    let (w, y) =
        (device.upload::<f32>(&[1.0; 108]), device.allocate(shape.y().iter().product::<usize>() * 4));
    let (one, zero) = (1f32, 0f32);
    // SAFETY: all is on the device.
    let status = unsafe {
        cudnnConvolutionForward(
            descriptors.handle,
            from_ref(&one).cast(),
            descriptors.x,
            x,
            descriptors.w,
            w,
            descriptors.convolution,
            2,
            x,
            bytes,
            from_ref(&zero).cast(),
            descriptors.y,
            y,
        )
    };
    assert_eq!(status, 0);
    assert!(device.download::<f32>(y, 1)[0].is_nan());
}

#[test]
fn bias_and_activation_follow_a_convolution() {
    let device = device();
    let shape = Shape { x: [1, 1, 2, 2], w: [2, 1, 1, 1], pad: [0, 0], ..PLAIN };
    let descriptors = descriptors(&shape, FLOAT, FLOAT);
    let (x, w) = (device.upload::<f32>(&[1.0, 2.0, 3.0, 4.0]), device.upload::<f32>(&[1.0, -1.0]));
    let bias = device.upload::<f32>(&[-10.0, 1.0]);
    let bias_descriptor = tensor(NCHW, FLOAT, [1, 2, 1, 1]);
    let run = |mode: i32, algorithm: i32| {
        let activation =
            descriptor!(cudnnCreateActivationDescriptor, cudnnSetActivationDescriptor(mode, 0, 0.0));
        let y = device.upload::<f32>(&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]);
        let (two, half) = (2f32, 0.5f32);
        let workspace = device.allocate(4096);
        // SAFETY: all is on the device; the summand is the result's old value.
        let status = unsafe {
            cudnnConvolutionBiasActivationForward(
                descriptors.handle,
                from_ref(&two).cast(),
                descriptors.x,
                x,
                descriptors.w,
                w,
                descriptors.convolution,
                algorithm,
                workspace,
                4096,
                from_ref(&half).cast(),
                descriptors.y,
                y,
                bias_descriptor,
                bias,
                activation,
                descriptors.y,
                y,
            )
        };
        (status, device.download::<f32>(y, 8))
    };
    let (relu, identity, tanh) = (1, 5, 2);
    // 2 w x + z / 2 + bias, with z = 2, 4, ..
    assert_eq!(run(identity, 1), (0, vec![-7.0, -4.0, -1.0, 2.0, 4.0, 3.0, 2.0, 1.0]));
    assert_eq!(run(relu, 0), (0, vec![0.0, 0.0, 0.0, 2.0, 4.0, 3.0, 2.0, 1.0]));
    assert_eq!((run(identity, 0).0, run(tanh, 1).0), (NOT_SUPPORTED, NOT_SUPPORTED));
}
