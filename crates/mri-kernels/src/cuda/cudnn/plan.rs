//! What cuDNN is told of one geometry, and the algorithms that it is to take for it.

use std::ffi::{c_int, c_void};

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::{DType, Error, Result, bail};

use super::{Workspace, wrap};
use crate::Arithmetic;
use crate::conv::Geometry;

/// As many algorithms as cuDNN has for any direction, and some to spare.
const ASKED: usize = 16;

/// An algorithm, and the arithmetic that cuDNN means it for.
#[derive(Clone, Copy)]
struct Candidate<A> {
    algorithm: A,
    math: sys::cudnnMathType_t,
}

/// Descriptors, and the algorithms for each direction: those that are allowed, the fastest first as cuDNN thinks, from the
/// first that has worked. They are asked for when first needed.
pub(super) struct Plan {
    pub(super) x: sys::cudnnTensorDescriptor_t,
    pub(super) y: sys::cudnnTensorDescriptor_t,
    pub(super) w: sys::cudnnFilterDescriptor_t,
    pub(super) conv: sys::cudnnConvolutionDescriptor_t,
    /// f32 products stay f32, whatever cuDNN means an algorithm for.
    is_exact: bool,
    is_deterministic: bool,
    forward: Option<Vec<Candidate<sys::cudnnConvolutionFwdAlgo_t>>>,
    input_grad: Option<Vec<Candidate<sys::cudnnConvolutionBwdDataAlgo_t>>>,
    weight_grad: Option<Vec<Candidate<sys::cudnnConvolutionBwdFilterAlgo_t>>>,
}

impl Plan {
    pub(super) fn new(g: &Geometry, dtype: DType, arithmetic: Arithmetic) -> Result<Self> {
        let data_type = match dtype {
            DType::F32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            DType::BF16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
            other => bail!("mri-kernels: no convolution of {other:?} on CUDA"),
        };
        // The plain one lets f32 products run in TF32 where the device has it.
        let is_exact = dtype == DType::F32 && !arithmetic.tf32;
        let math = match is_exact {
            true => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            false => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
        };
        let int = |v: usize| c_int::try_from(v).map_err(Error::wrap);
        let ints = |dims: [usize; 4]| -> Result<[c_int; 4]> {
            let [a, b, c, d] = dims;
            Ok([int(a)?, int(b)?, int(c)?, int(d)?])
        };
        let rows_first = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let plan = Self {
            x: result::create_tensor_descriptor().map_err(wrap)?,
            y: result::create_tensor_descriptor().map_err(wrap)?,
            w: result::create_filter_descriptor().map_err(wrap)?,
            conv: result::create_convolution_descriptor().map_err(wrap)?,
            is_exact,
            is_deterministic: arithmetic.deterministic,
            forward: None,
            input_grad: None,
            weight_grad: None,
        };
        let (pad, stride) = (int(g.pad)?, int(g.stride)?);
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let sums = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        // SAFETY: the descriptors are new.
        unsafe {
            let x_dims = ints([g.n, g.ci, g.h, g.w])?;
            let y_dims = ints([g.n, g.co, g.oh, g.ow])?;
            result::set_tensor4d_descriptor(plan.x, rows_first, data_type, x_dims).map_err(wrap)?;
            result::set_tensor4d_descriptor(plan.y, rows_first, data_type, y_dims).map_err(wrap)?;
            let w_dims = ints([g.co, g.ci, g.kh, g.kw])?;
            result::set_filter4d_descriptor(plan.w, data_type, rows_first, w_dims).map_err(wrap)?;
            result::set_convolution2d_descriptor(plan.conv, pad, pad, stride, stride, 1, 1, mode, sums)
                .map_err(wrap)?;
            result::set_convolution_math_type(plan.conv, math).map_err(wrap)?;
        }
        Ok(plan)
    }
}

/// A direction's method of [`Plan`]: runs `call` with the algorithms in turn, until one works. What cuDNN recommends it
/// may yet refuse, for want of memory or for the shape.
macro_rules! direction {
    ($name:ident, $ask:path, $room:path, $algorithm:ty, $perf:ty, [$a:ident, $b:ident, $c:ident, $d:ident]) => {
        impl Plan {
            pub(super) fn $name(
                &mut self,
                handle: sys::cudnnHandle_t,
                (workspace, device): (&mut Workspace, &CudaDevice),
                call: impl Fn(&Self, $algorithm, *mut c_void, usize) -> std::result::Result<(), CudnnError>,
            ) -> Result<()> {
                let mut candidates = match self.$name.take() {
                    Some(candidates) => candidates,
                    None => {
                        // SAFETY: plain numbers, for which zero is valid.
                        let mut found: [$perf; ASKED] = unsafe { std::mem::zeroed() };
                        let (mut count, asked) = (0, ASKED as c_int);
                        // SAFETY: the descriptors are set, and there is room for as many answers as are asked for.
                        unsafe {
                            $ask(
                                handle,
                                self.$a,
                                self.$b,
                                self.$c,
                                self.$d,
                                asked,
                                &mut count,
                                found.as_mut_ptr(),
                            )
                        }
                        .map_err(wrap)?;
                        let found = found.iter().take(usize::try_from(count).unwrap_or(0));
                        found
                            .filter(|perf| {
                                perf.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                                    && (!self.is_deterministic
                                        || perf.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC)
                            })
                            .map(|perf| Candidate { algorithm: perf.algo, math: perf.mathType })
                            .collect()
                    }
                };
                let mut refusals = Vec::new();
                for place in 0..candidates.len() {
                    let Candidate { algorithm, math } = candidates[place];
                    // SAFETY: the descriptors are set.
                    let bytes = unsafe {
                        if !self.is_exact {
                            result::set_convolution_math_type(self.conv, math).map_err(wrap)?;
                        }
                        $room(handle, self.$a, self.$b, self.$c, self.$d, algorithm)
                    };
                    let room =
                        bytes.map_err(wrap).and_then(|bytes| Ok((workspace.of(device, bytes)?, bytes)));
                    let (room, bytes) = match room {
                        Ok(room) => room,
                        Err(error) => {
                            refusals.push(error.to_string());
                            continue;
                        }
                    };
                    match call(self, algorithm, room, bytes) {
                        Ok(()) => {
                            candidates.drain(..place);
                            self.$name = Some(candidates);
                            return Ok(());
                        }
                        // It was launched and broke off, so the device is lost: nothing else would work.
                        Err(error) if error.0 == sys::cudnnStatus_t::CUDNN_STATUS_EXECUTION_FAILED => {
                            return Err(wrap(error));
                        }
                        Err(error) => refusals.push(wrap(error).to_string()),
                    }
                }
                bail!(
                    "mri-kernels: cuDNN has no {} for this convolution: {}",
                    stringify!($name),
                    refusals.join("; ")
                )
            }
        }
    };
}

direction!(
    forward,
    result::get_convolution_forward_algorithm,
    result::get_convolution_forward_workspace_size,
    sys::cudnnConvolutionFwdAlgo_t,
    sys::cudnnConvolutionFwdAlgoPerf_t,
    [x, w, conv, y]
);
direction!(
    input_grad,
    result::get_convolution_backward_data_algorithm,
    result::get_convolution_backward_data_workspace_size,
    sys::cudnnConvolutionBwdDataAlgo_t,
    sys::cudnnConvolutionBwdDataAlgoPerf_t,
    [w, y, conv, x]
);
direction!(
    weight_grad,
    result::get_convolution_backward_filter_algorithm,
    result::get_convolution_backward_filter_workspace_size,
    sys::cudnnConvolutionBwdFilterAlgo_t,
    sys::cudnnConvolutionBwdFilterAlgoPerf_t,
    [x, y, conv, w]
);

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: nobody else knows these descriptors. A failure leaves a few bytes behind.
        unsafe {
            let _ = result::destroy_tensor_descriptor(self.x);
            let _ = result::destroy_tensor_descriptor(self.y);
            let _ = result::destroy_filter_descriptor(self.w);
            let _ = result::destroy_convolution_descriptor(self.conv);
        }
    }
}
