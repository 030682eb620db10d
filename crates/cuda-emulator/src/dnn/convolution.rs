//! The calls that do a convolution, or one of its gradients.

use std::ffi::c_void;

use super::algorithms::Pass;
use super::compute::{Places, backward_data, backward_filter, forward};
use super::problem::{Problem, output};
use super::tensor::{Factors, for_each};
use super::{descriptors, dnn, handle};
use crate::boundary::{In, Out, fill};
use crate::failure::{Failure, Outcome};
use crate::memory;
use crate::numbers::{Element, Real, blend, store};

/// The workspace and algorithm that a caller chose.
#[derive(Clone, Copy)]
struct Means {
    algorithm: i32,
    workspace: In<c_void>,
    bytes: usize,
}

impl Means {
    /// Is the workspace what was asked for?
    fn check(self, pass: Pass, problem: &Problem) -> Outcome {
        let needed = pass.workspace_bytes(self.algorithm, problem)?;
        let given = if self.workspace.is_null() { 0 } else { self.bytes };
        if given < needed {
            eprintln!("cuda-emulator: a convolution needs a workspace of {needed} bytes and has {given}");
            return Err(Failure::INVALID_VALUE);
        }
        Ok(())
    }
}

/// Factors are f64 for tensors of f64, else f32.
pub(super) fn factors(alpha: In<c_void>, beta: In<c_void>, element: Element) -> Result<Factors, Failure> {
    let read = |pointer: In<c_void>| match element {
        Element::F64 => pointer.cast::<f64>().get(),
        _ => pointer.cast::<f32>().get().map(f64::from),
    };
    Ok(Factors { scale: read(alpha)?, keep: read(beta)? })
}

fn convolve(
    call: (usize, &'static str),
    pass: Pass,
    problem: Problem,
    places: [In<c_void>; 3],
    means: Means,
    factors: Factors,
) -> Outcome {
    means.check(pass, &problem)?;
    let [x, w, y] = places.map(In::address);
    let (workspace, bytes) =
        (means.workspace.address(), if means.workspace.is_null() { 0 } else { means.bytes });
    handle::submit(call.0, call.1, move || {
        let places = Places { x, w, y };
        problem.x.check(x, "input of a convolution")?;
        problem.w.check(w, "filter of a convolution")?;
        problem.y.check(y, "output of a convolution")?;
        memory::require(workspace, bytes, "workspace of a convolution")?;
        // What a workspace holds before and after is nobody's: NaN shows where it overlaps something else.
        fill(workspace, bytes, &[0xFF]);
        match problem.convolution.compute {
            Element::F64 => compute::<f64>(pass, &problem, places, factors),
            _ => compute::<f32>(pass, &problem, places, factors),
        }
        fill(workspace, bytes, &[0xFF]);
        Ok(())
    })
}

fn compute<R: Real>(pass: Pass, problem: &Problem, places: Places, factors: Factors) {
    match pass {
        Pass::Forward => forward::<R>(problem, places, factors),
        Pass::BackwardData => backward_data::<R>(problem, places, factors),
        Pass::BackwardFilter => backward_filter::<R>(problem, places, factors),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionForward(
    handle: usize,
    alpha: In<c_void>,
    x_descriptor: usize,
    x: In<c_void>,
    w_descriptor: usize,
    w: In<c_void>,
    convolution: usize,
    algorithm: i32,
    workspace: In<c_void>,
    bytes: usize,
    beta: In<c_void>,
    y_descriptor: usize,
    y: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnConvolutionForward";
    dnn(NAME, || {
        let problem = Problem::new(x_descriptor, w_descriptor, convolution, y_descriptor)?;
        let factors = factors(alpha, beta, problem.x.element)?;
        convolve(
            (handle, NAME),
            Pass::Forward,
            problem,
            [x, w, y],
            Means { algorithm, workspace, bytes },
            factors,
        )
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionBackwardData(
    handle: usize,
    alpha: In<c_void>,
    w_descriptor: usize,
    w: In<c_void>,
    dy_descriptor: usize,
    dy: In<c_void>,
    convolution: usize,
    algorithm: i32,
    workspace: In<c_void>,
    bytes: usize,
    beta: In<c_void>,
    dx_descriptor: usize,
    dx: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnConvolutionBackwardData";
    dnn(NAME, || {
        let problem = Problem::new(dx_descriptor, w_descriptor, convolution, dy_descriptor)?;
        let factors = factors(alpha, beta, problem.x.element)?;
        convolve(
            (handle, NAME),
            Pass::BackwardData,
            problem,
            [dx, w, dy],
            Means { algorithm, workspace, bytes },
            factors,
        )
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionBackwardFilter(
    handle: usize,
    alpha: In<c_void>,
    x_descriptor: usize,
    x: In<c_void>,
    dy_descriptor: usize,
    dy: In<c_void>,
    convolution: usize,
    algorithm: i32,
    workspace: In<c_void>,
    bytes: usize,
    beta: In<c_void>,
    dw_descriptor: usize,
    dw: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnConvolutionBackwardFilter";
    dnn(NAME, || {
        let problem = Problem::new(x_descriptor, dw_descriptor, convolution, dy_descriptor)?;
        let factors = factors(alpha, beta, problem.x.element)?;
        convolve(
            (handle, NAME),
            Pass::BackwardFilter,
            problem,
            [x, dw, dy],
            Means { algorithm, workspace, bytes },
            factors,
        )
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionBackwardBias(
    handle: usize,
    alpha: In<c_void>,
    dy_descriptor: usize,
    dy: In<c_void>,
    beta: In<c_void>,
    db_descriptor: usize,
    db: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnConvolutionBackwardBias";
    dnn(NAME, || {
        let (from, to) = (descriptors::tensor(dy_descriptor)?, descriptors::tensor(db_descriptor)?);
        let channels = from.dimensions[1];
        if to.dimensions != [1, channels, 1, 1] || from.element != to.element {
            return Err(Failure::INVALID_VALUE);
        }
        let Factors { scale, keep } = factors(alpha, beta, from.element)?;
        let (dy, db) = (dy.address(), db.address());
        handle::submit(handle, NAME, move || {
            from.check(dy, "gradient of an output")?;
            to.check(db, "gradient of a bias")?;
            let mut sums = vec![0.0; channels];
            for_each(from.dimensions, |index| {
                sums[index[1]] += f64::load(from.element, from.place(dy, index))
            });
            for (channel, &sum) in sums.iter().enumerate() {
                blend(to.element, to.place(db, [0, channel, 0, 0]), sum, scale, keep);
            }
            Ok(())
        })
    })
}

/// `y = activation(alpha1 * convolution(x) + alpha2 * z + bias)`, for the two activations that cuDNN has here.
#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionBiasActivationForward(
    handle: usize,
    alpha1: In<c_void>,
    x_descriptor: usize,
    x: In<c_void>,
    w_descriptor: usize,
    w: In<c_void>,
    convolution: usize,
    algorithm: i32,
    workspace: In<c_void>,
    bytes: usize,
    alpha2: In<c_void>,
    z_descriptor: usize,
    z: In<c_void>,
    bias_descriptor: usize,
    bias: In<c_void>,
    activation: usize,
    y_descriptor: usize,
    y: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnConvolutionBiasActivationForward";
    const RELU: i32 = 1;
    const IDENTITY: i32 = 5;
    const IMPLICIT_PRECOMP_GEMM: i32 = 1;
    dnn(NAME, || {
        let problem = Problem::new(x_descriptor, w_descriptor, convolution, y_descriptor)?;
        let (z_tensor, bias_tensor) =
            (descriptors::tensor(z_descriptor)?, descriptors::tensor(bias_descriptor)?);
        let activation = descriptors::activation(activation)?;
        let element = problem.y.element;
        let fits = z_tensor.dimensions == problem.y.dimensions
            && z_tensor.element == element
            && bias_tensor.dimensions == [1, problem.y.dimensions[1], 1, 1];
        if !fits {
            return Err(Failure::INVALID_VALUE);
        }
        if activation.mode != RELU && (activation.mode != IDENTITY || algorithm != IMPLICIT_PRECOMP_GEMM) {
            return Err(Failure::NOT_SUPPORTED);
        }
        let Factors { scale, keep } = factors(alpha1, alpha2, element)?;
        let means = Means { algorithm, workspace, bytes };
        means.check(Pass::Forward, &problem)?;
        let [x, w, y, z, bias, workspace] = [x, w, y, z, bias, workspace].map(In::address);
        handle::submit(handle, NAME, move || {
            problem.x.check(x, "input of a convolution")?;
            problem.w.check(w, "filter of a convolution")?;
            problem.y.check(y, "output of a convolution")?;
            z_tensor.check(z, "summand of a convolution")?;
            bias_tensor.check(bias, "bias of a convolution")?;
            if workspace != 0 {
                memory::require(workspace, bytes, "workspace of a convolution")?;
                fill(workspace, bytes, &[0xFF]);
            }
            let dimensions = problem.y.dimensions;
            // z may be y itself, so it is read before the convolution is written.
            let summands = z_tensor.load::<f64>(z, [0; 4], dimensions);
            let only = Factors { scale: 1.0, keep: 0.0 };
            match problem.convolution.compute {
                Element::F64 => forward::<f64>(&problem, Places { x, w, y }, only),
                _ => forward::<f32>(&problem, Places { x, w, y }, only),
            }
            let mut summands = summands.iter();
            for_each(dimensions, |index| {
                let place = problem.y.place(y, index);
                let summand = if keep == 0.0 { 0.0 } else { keep * summands.next().copied().unwrap_or(0.0) };
                let bias = f64::load(bias_tensor.element, bias_tensor.place(bias, [0, index[1], 0, 0]));
                let value = scale * f64::load(element, place) + summand + bias;
                store(element, place, activation.of(value));
            });
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolution2dForwardOutputDim(
    convolution: usize,
    x: usize,
    w: usize,
    n: Out<i32>,
    c: Out<i32>,
    height: Out<i32>,
    width: Out<i32>,
) -> i32 {
    dnn("cudnnGetConvolution2dForwardOutputDim", || {
        let dimensions = output_dimensions(convolution, x, w)?;
        [n, c, height, width].iter().zip(dimensions).try_for_each(|(place, size)| place.set(size as i32))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionNdForwardOutputDim(
    convolution: usize,
    x: usize,
    w: usize,
    count: i32,
    sizes: Out<i32>,
) -> i32 {
    dnn("cudnnGetConvolutionNdForwardOutputDim", || {
        let dimensions = output_dimensions(convolution, x, w)?;
        let wanted = dimensions.iter().take(usize::try_from(count).unwrap_or(0));
        wanted.enumerate().try_for_each(|(index, &size)| sizes.set_at(index, size as i32))
    })
}

fn output_dimensions(convolution: usize, x: usize, w: usize) -> Result<[usize; 4], Failure> {
    let (x, w) = (descriptors::tensor(x)?, descriptors::filter(w)?);
    let convolution = descriptors::convolution(convolution)?;
    if x.dimensions[1] != w.dimensions[1] * convolution.groups {
        return Err(Failure::INVALID_VALUE);
    }
    output(x, w, convolution)
}
