//! The exported products of two matrices.

use std::ffi::c_void;

use super::blas;
use super::gemm::{Call, Operand, gemm};
use crate::boundary::In;

#[unsafe(no_mangle)]
extern "C" fn cublasSgemm_v2(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    b: In<c_void>,
    b_leading: i32,
    beta: In<c_void>,
    c: In<c_void>,
    c_leading: i32,
) -> i32 {
    const NAME: &str = "cublasSgemm_v2";
    let operand = |address, leading, batch_stride| Operand { address, element: 0, leading, batch_stride };
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch: 1,
        alpha,
        a: operand(a, a_leading, 0),
        b: operand(b, b_leading, 0),
        beta,
        c: operand(c, c_leading, 0),
        compute: 68,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSgemmStridedBatched(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    a_stride: i64,
    b: In<c_void>,
    b_leading: i32,
    b_stride: i64,
    beta: In<c_void>,
    c: In<c_void>,
    c_leading: i32,
    c_stride: i64,
    batch: i32,
) -> i32 {
    const NAME: &str = "cublasSgemmStridedBatched";
    let operand = |address, leading, batch_stride| Operand { address, element: 0, leading, batch_stride };
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch,
        alpha,
        a: operand(a, a_leading, a_stride),
        b: operand(b, b_leading, b_stride),
        beta,
        c: operand(c, c_leading, c_stride),
        compute: 68,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasDgemm_v2(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    b: In<c_void>,
    b_leading: i32,
    beta: In<c_void>,
    c: In<c_void>,
    c_leading: i32,
) -> i32 {
    const NAME: &str = "cublasDgemm_v2";
    let operand = |address, leading, batch_stride| Operand { address, element: 1, leading, batch_stride };
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch: 1,
        alpha,
        a: operand(a, a_leading, 0),
        b: operand(b, b_leading, 0),
        beta,
        c: operand(c, c_leading, 0),
        compute: 70,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasDgemmStridedBatched(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    a_stride: i64,
    b: In<c_void>,
    b_leading: i32,
    b_stride: i64,
    beta: In<c_void>,
    c: In<c_void>,
    c_leading: i32,
    c_stride: i64,
    batch: i32,
) -> i32 {
    const NAME: &str = "cublasDgemmStridedBatched";
    let operand = |address, leading, batch_stride| Operand { address, element: 1, leading, batch_stride };
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch,
        alpha,
        a: operand(a, a_leading, a_stride),
        b: operand(b, b_leading, b_stride),
        beta,
        c: operand(c, c_leading, c_stride),
        compute: 70,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasHgemm(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    b: In<c_void>,
    b_leading: i32,
    beta: In<c_void>,
    c: In<c_void>,
    c_leading: i32,
) -> i32 {
    const NAME: &str = "cublasHgemm";
    let operand = |address, leading, batch_stride| Operand { address, element: 2, leading, batch_stride };
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch: 1,
        alpha,
        a: operand(a, a_leading, 0),
        b: operand(b, b_leading, 0),
        beta,
        c: operand(c, c_leading, 0),
        compute: 64,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasHgemmStridedBatched(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_leading: i32,
    a_stride: i64,
    b: In<c_void>,
    b_leading: i32,
    b_stride: i64,
    beta: In<c_void>,
    c: In<c_void>,
    c_leading: i32,
    c_stride: i64,
    batch: i32,
) -> i32 {
    const NAME: &str = "cublasHgemmStridedBatched";
    let operand = |address, leading, batch_stride| Operand { address, element: 2, leading, batch_stride };
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch,
        alpha,
        a: operand(a, a_leading, a_stride),
        b: operand(b, b_leading, b_stride),
        beta,
        c: operand(c, c_leading, c_stride),
        compute: 64,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGemmEx(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_element: i32,
    a_leading: i32,
    b: In<c_void>,
    b_element: i32,
    b_leading: i32,
    beta: In<c_void>,
    c: In<c_void>,
    c_element: i32,
    c_leading: i32,

    compute: i32,
    _algorithm: i32,
) -> i32 {
    const NAME: &str = "cublasGemmEx";
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch: 1,
        alpha,
        a: Operand { address: a, element: a_element, leading: a_leading, batch_stride: 0 },
        b: Operand { address: b, element: b_element, leading: b_leading, batch_stride: 0 },
        beta,
        c: Operand { address: c, element: c_element, leading: c_leading, batch_stride: 0 },
        compute,
    };
    blas(NAME, || gemm(handle, call))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGemmStridedBatchedEx(
    handle: usize,
    operation_a: i32,
    operation_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: In<c_void>,
    a: In<c_void>,
    a_element: i32,
    a_leading: i32,
    a_stride: i64,
    b: In<c_void>,
    b_element: i32,
    b_leading: i32,
    b_stride: i64,
    beta: In<c_void>,
    c: In<c_void>,
    c_element: i32,
    c_leading: i32,
    c_stride: i64,
    batch: i32,
    compute: i32,
    _algorithm: i32,
) -> i32 {
    const NAME: &str = "cublasGemmStridedBatchedEx";
    let call = Call {
        name: NAME,
        operations: [operation_a, operation_b],
        sizes: [m, n, k],
        batch,
        alpha,
        a: Operand { address: a, element: a_element, leading: a_leading, batch_stride: a_stride },
        b: Operand { address: b, element: b_element, leading: b_leading, batch_stride: b_stride },
        beta,
        c: Operand { address: c, element: c_element, leading: c_leading, batch_stride: c_stride },
        compute,
    };
    blas(NAME, || gemm(handle, call))
}
