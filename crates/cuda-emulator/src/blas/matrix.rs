//! Matrices and scalars as cuBLAS is given them.

use std::ffi::c_void;

use crate::boundary::In;
use crate::failure::{Failure, Outcome};
use crate::memory;
use crate::numbers::{Element, Real, blend};

/// A matrix in device memory, its rows and columns so many elements apart.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub(super) address: u64,
    pub(super) element: Element,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl Matrix {
    /// Column-major, as cuBLAS has them.
    pub(super) fn new(
        address: u64,
        element: Element,
        [rows, columns]: [usize; 2],
        leading: i32,
    ) -> Result<Self, Failure> {
        if leading < 1 || (leading as usize) < rows {
            return Err(Failure::INVALID_VALUE);
        }
        Ok(Self { address, element, rows, columns, row_stride: 1, column_stride: leading as usize })
    }

    /// A vector as a matrix of one column.
    pub(super) fn vector(
        address: u64,
        element: Element,
        length: usize,
        increment: i32,
    ) -> Result<Self, Failure> {
        match increment {
            1.. => Ok(Self {
                address,
                element,
                rows: length,
                columns: 1,
                row_stride: increment as usize,
                column_stride: 1,
            }),
            0 => Err(Failure::INVALID_VALUE),
            _ => Err(Failure::NOT_SUPPORTED),
        }
    }

    pub(super) fn moved(self, elements: i64) -> Self {
        Self { address: self.address.wrapping_add_signed(elements * self.element.bytes() as i64), ..self }
    }

    pub(super) fn check(self, what: &str) -> Outcome {
        if self.rows == 0 || self.columns == 0 {
            return Ok(());
        }
        let reach = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1;
        memory::require(self.address, reach * self.element.bytes(), what)
    }

    fn place(self, row: usize, column: usize) -> u64 {
        self.address + ((row * self.row_stride + column * self.column_stride) * self.element.bytes()) as u64
    }

    /// The values in row-major order.
    pub(super) fn load<R: Real>(self) -> Vec<R> {
        let mut values = Vec::with_capacity(self.rows * self.columns);
        for row in 0..self.rows {
            values.extend((0..self.columns).map(|column| R::load(self.element, self.place(row, column))));
        }
        values
    }

    /// Writes `scale * values + keep * what is there`.
    pub(super) fn blend<R: Real>(self, values: &[R], scale: f64, keep: f64) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                let value = values[row * self.columns + column].to_f64();
                blend(self.element, self.place(row, column), value, scale, keep);
            }
        }
    }
}

/// A factor: known at the call, or read from the device when the work is done.
#[derive(Clone, Copy)]
pub(super) enum Scalar {
    Known(f64),
    OnDevice(u64, Element),
}

impl Scalar {
    pub(super) fn new(pointer: In<c_void>, element: Element, is_on_device: bool) -> Result<Self, Failure> {
        if pointer.is_null() {
            Err(Failure::INVALID_VALUE)
        } else if is_on_device {
            Ok(Self::OnDevice(pointer.address(), element))
        } else {
            Ok(Self::Known(f64::load(element, pointer.address())))
        }
    }

    pub(super) fn value(self) -> Result<f64, Failure> {
        match self {
            Self::Known(value) => Ok(value),
            Self::OnDevice(address, element) => {
                memory::require(address, element.bytes(), "a factor of a product")?;
                Ok(f64::load(element, address))
            }
        }
    }
}
