//! Sums, activations and changes of layout, element by element.

use std::ffi::c_void;

use super::convolution::factors;
use super::descriptors::{self, Activation};
use super::tensor::{Factors, Tensor, for_each};
use super::{dnn, handle};
use crate::boundary::In;
use crate::failure::{Failure, Outcome};
use crate::numbers::{Real, blend};

impl Activation {
    pub(super) fn of(self, x: f64) -> f64 {
        match self.mode {
            0 => 1.0 / (1.0 + (-x).exp()),
            1 => x.max(0.0),
            2 => x.tanh(),
            3 => x.clamp(0.0, self.coefficient),
            4 if x < 0.0 => self.coefficient * x.exp_m1(),
            6 => x / (1.0 + (-self.coefficient * x).exp()),
            _ => x,
        }
    }
}

/// Writes `alpha * change(x) + beta * y`; an `x` with a dimension of 1 is repeated along it.
fn map(
    call: (usize, &'static str),
    x: (Tensor, In<c_void>),
    y: (Tensor, In<c_void>),
    Factors { scale, keep }: Factors,
    change: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Outcome {
    let fits = |axis: usize| x.0.dimensions[axis] == 1 || x.0.dimensions[axis] == y.0.dimensions[axis];
    if !(0..4).all(fits) {
        return Err(Failure::INVALID_VALUE);
    }
    let ((x, x_address), (y, y_address)) = ((x.0, x.1.address()), (y.0, y.1.address()));
    handle::submit(call.0, call.1, move || {
        x.check(x_address, "input of an elementwise operation")?;
        y.check(y_address, "output of an elementwise operation")?;
        for_each(y.dimensions, |index| {
            let source = std::array::from_fn(|axis| index[axis].min(x.dimensions[axis] - 1));
            let value = change(f64::load(x.element, x.place(x_address, source)));
            blend(y.element, y.place(y_address, index), value, scale, keep);
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnAddTensor(
    handle: usize,
    alpha: In<c_void>,
    a_descriptor: usize,
    a: In<c_void>,
    beta: In<c_void>,
    c_descriptor: usize,
    c: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnAddTensor";
    dnn(NAME, || {
        let (from, to) = (descriptors::tensor(a_descriptor)?, descriptors::tensor(c_descriptor)?);
        map((handle, NAME), (from, a), (to, c), factors(alpha, beta, to.element)?, |value| value)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnTransformTensor(
    handle: usize,
    alpha: In<c_void>,
    x_descriptor: usize,
    x: In<c_void>,
    beta: In<c_void>,
    y_descriptor: usize,
    y: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnTransformTensor";
    dnn(NAME, || {
        let (from, to) = (descriptors::tensor(x_descriptor)?, descriptors::tensor(y_descriptor)?);
        if from.dimensions != to.dimensions {
            return Err(Failure::INVALID_VALUE);
        }
        map((handle, NAME), (from, x), (to, y), factors(alpha, beta, to.element)?, |value| value)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnActivationForward(
    handle: usize,
    activation: usize,
    alpha: In<c_void>,
    x_descriptor: usize,
    x: In<c_void>,
    beta: In<c_void>,
    y_descriptor: usize,
    y: In<c_void>,
) -> i32 {
    const NAME: &str = "cudnnActivationForward";
    dnn(NAME, || {
        let (from, to) = (descriptors::tensor(x_descriptor)?, descriptors::tensor(y_descriptor)?);
        if from.dimensions != to.dimensions || from.element != to.element {
            return Err(Failure::INVALID_VALUE);
        }
        let activation = descriptors::activation(activation)?;
        map((handle, NAME), (from, x), (to, y), factors(alpha, beta, to.element)?, move |value| {
            activation.of(value)
        })
    })
}
