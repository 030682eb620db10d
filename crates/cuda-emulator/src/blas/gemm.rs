//! `C = alpha op(A) op(B) + beta C`, alone and in batches, and the same with a vector for B.

use std::ffi::c_void;

use super::handle::modes;
use super::matrix::{Matrix, Scalar};
use crate::boundary::In;
use crate::failure::{Failure, Outcome};
use crate::numbers::{Accumulate, Element, Real, Strides, multiply};
use crate::settings::settings;

/// How the sums are made, from `cublasComputeType_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compute {
    /// Scalars are f16; the sums are made in f32 all the same.
    F16,
    F32,
    Tf32,
    F64,
}

impl Compute {
    fn new(code: i32) -> Result<Self, Failure> {
        match code {
            64 | 65 => Ok(Self::F16),
            68 | 69 | 74 | 75 | 78 => Ok(Self::F32),
            77 => Ok(Self::Tf32),
            70 | 71 => Ok(Self::F64),
            _ => Err(Failure::NOT_SUPPORTED),
        }
    }

    fn scalar(self) -> Element {
        match self {
            Self::F16 => Element::F16,
            Self::F32 | Self::Tf32 => Element::F32,
            Self::F64 => Element::F64,
        }
    }

    fn accepts(self, a: Element, b: Element, c: Element) -> bool {
        a == b
            && match self {
                Self::F16 => a == Element::F16 && c == Element::F16,
                Self::F32 | Self::Tf32 => a != Element::F64 && (c == a || c == Element::F32),
                Self::F64 => a == Element::F64 && c == Element::F64,
            }
    }
}

/// A matrix as it comes: address, type, leading dimension, distance within a batch.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) address: In<c_void>,
    pub(super) element: i32,
    pub(super) leading: i32,
    pub(super) batch_stride: i64,
}

pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) operations: [i32; 2],
    pub(super) sizes: [i32; 3],
    pub(super) batch: i32,
    pub(super) alpha: In<c_void>,
    pub(super) a: Operand,
    pub(super) b: Operand,
    pub(super) beta: In<c_void>,
    pub(super) c: Operand,
    pub(super) compute: i32,
}

pub(super) fn is_transposed(operation: i32) -> Result<bool, Failure> {
    match operation {
        0 => Ok(false),
        1 | 2 => Ok(true),
        _ => Err(Failure::INVALID_VALUE),
    }
}

pub(super) fn size(size: i32) -> Result<usize, Failure> {
    usize::try_from(size).map_err(|_| Failure::INVALID_VALUE)
}

fn matrix(operand: Operand, shape: [usize; 2]) -> Result<Matrix, Failure> {
    Matrix::new(operand.address.address(), Element::of_cuda(operand.element)?, shape, operand.leading)
}

pub(super) fn gemm(handle: usize, call: Call) -> Outcome {
    let modes = modes(handle)?;
    let compute = Compute::new(call.compute)?;
    let [m, n, k] = [size(call.sizes[0])?, size(call.sizes[1])?, size(call.sizes[2])?];
    let batch = size(call.batch)?;
    let transposed = [is_transposed(call.operations[0])?, is_transposed(call.operations[1])?];
    let a = matrix(call.a, if transposed[0] { [k, m] } else { [m, k] })?;
    let b = matrix(call.b, if transposed[1] { [n, k] } else { [k, n] })?;
    let c = matrix(call.c, [m, n])?;
    if !compute.accepts(a.element, b.element, c.element) {
        return Err(Failure::NOT_SUPPORTED);
    }
    let alpha = Scalar::new(call.alpha, compute.scalar(), modes.scalars_on_device)?;
    let beta = Scalar::new(call.beta, compute.scalar(), modes.scalars_on_device)?;
    if m == 0 || n == 0 || batch == 0 {
        return Ok(());
    }
    let rounds =
        a.element == Element::F32 && (modes.rounds_to_tf32() || settings().tf32 && compute == Compute::Tf32);
    let strides = [call.a.batch_stride, call.b.batch_stride, call.c.batch_stride];
    modes.submit(call.name, move || {
        let (alpha, beta) = (alpha.value()?, beta.value()?);
        for index in 0..batch as i64 {
            let [a, b, c] = [(a, strides[0]), (b, strides[1]), (c, strides[2])]
                .map(|(matrix, by)| matrix.moved(index * by));
            let product = Product { a, b, c, transposed, alpha, beta, rounds };
            if compute == Compute::F64 { product.compute::<f64>()? } else { product.compute::<f32>()? }
        }
        Ok(())
    })
}

struct Product {
    a: Matrix,
    b: Matrix,
    c: Matrix,
    transposed: [bool; 2],
    alpha: f64,
    beta: f64,
    rounds: bool,
}

impl Product {
    fn compute<R: Real>(&self) -> Outcome {
        self.c.check("the result of a product")?;
        let [m, n] = [self.c.rows, self.c.columns];
        let mut sums = vec![R::default(); m * n];
        // With alpha = 0 the factors are not looked at: they may be anything, NaN too.
        if self.alpha != 0.0 {
            self.a.check("the first factor of a product")?;
            self.b.check("the second factor of a product")?;
            let k = if self.transposed[0] { self.a.rows } else { self.a.columns };
            let (a, b) = (self.operand::<R>(self.a), self.operand::<R>(self.b));
            let strides = |matrix: Matrix, is_transposed: bool| match is_transposed {
                false => Strides { row: matrix.columns, column: 1 },
                true => Strides { row: 1, column: matrix.columns },
            };
            let a = (&a[..], strides(self.a, self.transposed[0]));
            let b = (&b[..], strides(self.b, self.transposed[1]));
            multiply(&mut sums, a, b, [m, n, k], Accumulate::Replace);
        }
        self.c.blend(&sums, self.alpha, self.beta);
        Ok(())
    }

    fn operand<R: Real>(&self, matrix: Matrix) -> Vec<R> {
        let mut values = matrix.load::<R>();
        if self.rounds {
            values.iter_mut().for_each(|value| *value = value.rounded_to_tf32());
        }
        values
    }
}
