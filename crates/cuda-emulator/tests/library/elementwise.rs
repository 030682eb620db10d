use std::ffi::c_void;
use std::ptr::from_ref;

use crate::convolution::{
    cudnnCreateActivationDescriptor, cudnnSetActivationDescriptor, descriptor, handle, tensor,
};
use crate::device::{assert_close, device};

unsafe extern "C" {
    fn cudnnAddTensor(
        handle: usize,
        alpha: *const c_void,
        a_descriptor: usize,
        a: u64,
        beta: *const c_void,
        c_descriptor: usize,
        c: u64,
    ) -> i32;
    fn cudnnTransformTensor(
        handle: usize,
        alpha: *const c_void,
        x_descriptor: usize,
        x: u64,
        beta: *const c_void,
        y_descriptor: usize,
        y: u64,
    ) -> i32;
    fn cudnnActivationForward(
        handle: usize,
        activation: usize,
        alpha: *const c_void,
        x_descriptor: usize,
        x: u64,
        beta: *const c_void,
        y_descriptor: usize,
        y: u64,
    ) -> i32;
    fn cudnnConvolutionBackwardBias(
        handle: usize,
        alpha: *const c_void,
        dy_descriptor: usize,
        dy: u64,
        beta: *const c_void,
        db_descriptor: usize,
        db: u64,
    ) -> i32;
}

const BAD_PARAM: i32 = 2000;
const NCHW: i32 = 0;
const NHWC: i32 = 1;
const FLOAT: i32 = 0;

fn scalar(value: &f32) -> *const c_void {
    from_ref(value).cast()
}

#[test]
fn a_bias_is_added_to_every_pixel_and_its_gradient_sums_them() {
    let device = device();
    let (image, bias) = (tensor(NCHW, FLOAT, [2, 2, 1, 2]), tensor(NCHW, FLOAT, [1, 2, 1, 1]));
    let c = device.upload::<f32>(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let b = device.upload::<f32>(&[10.0, 20.0]);
    let handle = handle();
    // SAFETY: the tensors are on the device, as the descriptors say.
    unsafe {
        assert_eq!(cudnnAddTensor(handle, scalar(&1.0), bias, b, scalar(&2.0), image, c), 0);
        assert_eq!(cudnnAddTensor(handle, scalar(&1.0), image, c, scalar(&2.0), bias, b), BAD_PARAM);
    }
    assert_eq!(device.download::<f32>(c, 8), [12.0, 14.0, 26.0, 28.0, 20.0, 22.0, 34.0, 36.0]);
    // SAFETY: as above.
    unsafe {
        assert_eq!(cudnnConvolutionBackwardBias(handle, scalar(&0.5), image, c, scalar(&1.0), bias, b), 0);
        assert_eq!(
            cudnnConvolutionBackwardBias(handle, scalar(&0.5), bias, b, scalar(&1.0), image, c),
            BAD_PARAM
        );
    }
    assert_eq!(device.download::<f32>(b, 2), [10.0 + 34.0, 20.0 + 62.0]);
}

#[test]
fn layouts_are_exchanged() {
    let device = device();
    let (from, to) = (tensor(NCHW, FLOAT, [1, 2, 1, 3]), tensor(NHWC, FLOAT, [1, 2, 1, 3]));
    let (x, y) = (device.upload::<f32>(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), device.allocate(24));
    // SAFETY: the tensors are on the device, as the descriptors say.
    assert_eq!(unsafe { cudnnTransformTensor(handle(), scalar(&1.0), from, x, scalar(&0.0), to, y) }, 0);
    assert_eq!(device.download::<f32>(y, 6), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn activations_are_what_their_names_say() {
    let device = device();
    let shape = tensor(NCHW, FLOAT, [1, 1, 1, 4]);
    let inputs = [-2.0f64, -0.5, 0.5, 3.0];
    let x = device.upload::<f32>(&inputs);
    let (sigmoid, relu, tanh, clipped, elu, identity, swish) = (0, 1, 2, 3, 4, 5, 6);
    let expected = [
        (sigmoid, 0.0, inputs.map(|x| 1.0 / (1.0 + (-x).exp()))),
        (relu, 0.0, [0.0, 0.0, 0.5, 3.0]),
        (tanh, 0.0, inputs.map(f64::tanh)),
        (clipped, 2.0, [0.0, 0.0, 0.5, 2.0]),
        (elu, 0.5, inputs.map(|x| if x > 0.0 { x } else { 0.5 * (x.exp() - 1.0) })),
        (identity, 0.0, inputs),
        (swish, 1.5, inputs.map(|x| x / (1.0 + (-1.5 * x).exp()))),
    ];
    for (mode, coefficient, expected) in expected {
        let activation =
            descriptor!(cudnnCreateActivationDescriptor, cudnnSetActivationDescriptor(mode, 0, coefficient));
        let y = device.allocate(16);
        // SAFETY: the tensors are on the device, as the descriptors say.
        assert_eq!(
            unsafe {
                cudnnActivationForward(handle(), activation, scalar(&1.0), shape, x, scalar(&0.0), shape, y)
            },
            0
        );
        assert_close(&device.download::<f32>(y, 4), &expected, 1e-6);
    }
}
