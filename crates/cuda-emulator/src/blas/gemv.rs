//! `y = alpha op(A) x + beta y`.

use std::ffi::c_void;

use super::blas;
use super::gemm::{is_transposed, size};
use super::handle::modes;
use super::matrix::{Matrix, Scalar};
use crate::boundary::In;
use crate::failure::Outcome;
use crate::numbers::{Accumulate, Element, Real, Strides, multiply};

struct Call {
    name: &'static str,
    operation: i32,
    sizes: [i32; 2],
    alpha: In<c_void>,
    a: (In<c_void>, i32),
    x: (In<c_void>, i32),
    beta: In<c_void>,
    y: (In<c_void>, i32),
}

fn gemv<R: Real>(handle: usize, element: Element, call: Call) -> Outcome {
    let modes = modes(handle)?;
    let is_transposed = is_transposed(call.operation)?;
    let [rows, columns] = [size(call.sizes[0])?, size(call.sizes[1])?];
    let [to, from] = if is_transposed { [columns, rows] } else { [rows, columns] };
    let a = Matrix::new(call.a.0.address(), element, [rows, columns], call.a.1)?;
    let x = Matrix::vector(call.x.0.address(), element, from, call.x.1)?;
    let y = Matrix::vector(call.y.0.address(), element, to, call.y.1)?;
    let alpha = Scalar::new(call.alpha, element, modes.scalars_on_device)?;
    let beta = Scalar::new(call.beta, element, modes.scalars_on_device)?;
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    modes.submit(call.name, move || {
        a.check("the matrix of a product")?;
        x.check("the vector of a product")?;
        y.check("the result of a product")?;
        let strides = match is_transposed {
            false => Strides { row: a.columns, column: 1 },
            true => Strides { row: 1, column: a.columns },
        };
        let mut sums = vec![R::default(); to];
        let unit = Strides { row: 1, column: 1 };
        multiply(&mut sums, (&a.load(), strides), (&x.load(), unit), [to, 1, from], Accumulate::Replace);
        y.blend(&sums, alpha.value()?, beta.value()?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cublasSgemv_v2(
    handle: usize,
    operation: i32,
    m: i32,
    n: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    x: In<c_void>,
    x_increment: i32,
    beta: In<c_void>,
    y: In<c_void>,
    y_increment: i32,
) -> i32 {
    const NAME: &str = "cublasSgemv_v2";
    let call = Call {
        name: NAME,
        operation,
        sizes: [m, n],
        alpha,
        a: (a, a_leading),
        x: (x, x_increment),
        beta,
        y: (y, y_increment),
    };
    blas(NAME, || gemv::<f32>(handle, Element::F32, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasDgemv_v2(
    handle: usize,
    operation: i32,
    m: i32,
    n: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    x: In<c_void>,
    x_increment: i32,
    beta: In<c_void>,
    y: In<c_void>,
    y_increment: i32,
) -> i32 {
    const NAME: &str = "cublasDgemv_v2";
    let call = Call {
        name: NAME,
        operation,
        sizes: [m, n],
        alpha,
        a: (a, a_leading),
        x: (x, x_increment),
        beta,
        y: (y, y_increment),
    };
    blas(NAME, || gemv::<f64>(handle, Element::F64, call))
}
