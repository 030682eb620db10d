use std::ffi::c_void;
use std::ptr::from_ref;

use half::{bf16, f16};

use crate::device::{Device, Number, PER_THREAD_STREAM, assert_close, call, device, values};

unsafe extern "C" {
    fn cublasCreate_v2(handle: *mut usize) -> i32;
    fn cublasDestroy_v2(handle: usize) -> i32;
    fn cublasSetStream_v2(handle: usize, stream: usize) -> i32;
    fn cublasSetPointerMode_v2(handle: usize, mode: i32) -> i32;
    fn cublasGemmStridedBatchedEx(
        handle: usize,
        operation_a: i32,
        operation_b: i32,
        m: i32,
        n: i32,
        k: i32,
        alpha: *const c_void,
        a: u64,
        a_type: i32,
        a_leading: i32,
        a_stride: i64,
        b: u64,
        b_type: i32,
        b_leading: i32,
        b_stride: i64,
        beta: *const c_void,
        c: u64,
        c_type: i32,
        c_leading: i32,
        c_stride: i64,
        batch: i32,
        compute: i32,
        algorithm: i32,
    ) -> i32;
    fn cublasSgemm_v2(
        handle: usize,
        operation_a: i32,
        operation_b: i32,
        m: i32,
        n: i32,
        k: i32,
        alpha: *const f32,
        a: u64,
        a_leading: i32,
        b: u64,
        b_leading: i32,
        beta: *const f32,
        c: u64,
        c_leading: i32,
    ) -> i32;
    fn cublasSgemv_v2(
        handle: usize,
        operation: i32,
        m: i32,
        n: i32,
        alpha: *const f32,
        a: u64,
        a_leading: i32,
        x: u64,
        x_increment: i32,
        beta: *const f32,
        y: u64,
        y_increment: i32,
    ) -> i32;
}

const INVALID_VALUE: i32 = 7;
const EXECUTION_FAILED: i32 = 13;
const NOT_SUPPORTED: i32 = 15;

fn handle() -> usize {
    let mut handle = 0;
    // SAFETY: a place for the handle.
    assert_eq!(unsafe { cublasCreate_v2(&mut handle) }, 0);
    handle
}

/// Two batches of C = 1.5 op(A) op(B) - 0.5 C of 3 by 4 by 5, with gaps behind the columns and between the batches.
fn batched<T: Number>(device: &Device, code: i32, compute: i32, transposed: [bool; 2], tolerance: f64) {
    const M: usize = 3;
    const N: usize = 4;
    const K: usize = 5;
    const BATCH: usize = 2;
    let stored = |rows: usize, columns: usize, is_transposed| {
        if is_transposed { (columns, rows) } else { (rows, columns) }
    };
    let (a_rows, a_columns) = stored(M, K, transposed[0]);
    let (b_rows, b_columns) = stored(K, N, transposed[1]);
    let (a_leading, b_leading, c_leading) = (a_rows + 2, b_rows + 1, M + 3);
    let (a_stride, b_stride, c_stride) =
        (a_leading * a_columns + 4, b_leading * b_columns, c_leading * N + 1);
    let (a, b, c) = (values(a_stride * BATCH, 1), values(b_stride * BATCH, 2), values(c_stride * BATCH, 3));
    let mut expected = c.clone();
    for batch in 0..BATCH {
        for (i, j) in (0..M).flat_map(|i| (0..N).map(move |j| (i, j))) {
            let at = |matrix: &[f64], start: usize, leading: usize, row, column, is_transposed| {
                let (row, column): (usize, usize) = stored(row, column, is_transposed);
                matrix[start + column * leading + row]
            };
            let sum: f64 = (0..K)
                .map(|p| {
                    at(&a, batch * a_stride, a_leading, i, p, transposed[0])
                        * at(&b, batch * b_stride, b_leading, p, j, transposed[1])
                })
                .sum();
            let place = &mut expected[batch * c_stride + j * c_leading + i];
            *place = 1.5 * sum - 0.5 * *place;
        }
    }
    let (a, b, c_address) = (device.upload::<T>(&a), device.upload::<T>(&b), device.upload::<T>(&c));
    let alpha: (f32, f64) = (1.5, 1.5);
    let beta: (f32, f64) = (-0.5, -0.5);
    let scalar =
        |pair: &(f32, f64)| if code == 1 { from_ref(&pair.1).cast() } else { from_ref(&pair.0).cast() };
    // SAFETY: matrices of these sizes are on the device, and scalars of the compute type at the pointers.
    let status = unsafe {
        cublasGemmStridedBatchedEx(
            handle(),
            transposed[0].into(),
            transposed[1].into(),
            M as i32,
            N as i32,
            K as i32,
            scalar(&alpha),
            a,
            code,
            a_leading as i32,
            a_stride as i64,
            b,
            code,
            b_leading as i32,
            b_stride as i64,
            scalar(&beta),
            c_address,
            code,
            c_leading as i32,
            c_stride as i64,
            BATCH as i32,
            compute,
            -1,
        )
    };
    assert_eq!(status, 0);
    assert_close(&device.download::<T>(c_address, c.len()), &expected, tolerance);
}

#[test]
fn products_of_all_types_and_orders() {
    let device = device();
    for transposed in [[false, false], [true, false], [false, true], [true, true]] {
        batched::<f32>(&device, 0, 68, transposed, 1e-6);
        batched::<f64>(&device, 1, 70, transposed, 1e-14);
        batched::<f16>(&device, 2, 68, transposed, 1e-3);
        batched::<bf16>(&device, 14, 68, transposed, 8e-3);
    }
}

fn sgemm(
    handle: usize,
    [m, n, k]: [i32; 3],
    leading: [i32; 3],
    [a, b, c]: [u64; 3],
    alpha: f32,
    beta: f32,
) -> i32 {
    // SAFETY: the tests give addresses of the device and sizes that fit, or expect to be refused.
    unsafe {
        cublasSgemm_v2(handle, 0, 0, m, n, k, &alpha, a, leading[0], b, leading[1], &beta, c, leading[2])
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let device = device();
    let places = [0, 1, 2].map(|_| device.upload::<f32>(&[1.0; 16]));
    let handle = handle();
    assert_eq!(sgemm(handle, [4, 4, 4], [4, 4, 4], places, 1.0, 0.0), 0);
    for leading in [[3, 4, 4], [4, 3, 4], [4, 4, 3], [4, 4, 0]] {
        assert_eq!(sgemm(handle, [4, 4, 4], leading, places, 1.0, 0.0), INVALID_VALUE);
    }
    assert_eq!(sgemm(handle, [-1, 4, 4], [4, 4, 4], places, 1.0, 0.0), INVALID_VALUE);
    assert_eq!(sgemm(handle, [0, 4, 4], [4, 4, 4], [0; 3], 1.0, 0.0), 0, "nothing to do");
    // SAFETY: the call is refused before it looks at memory.
    let mixed = unsafe {
        let one = from_ref(&1f32).cast();
        let [a, b, c] = places;
        cublasGemmStridedBatchedEx(
            handle, 0, 0, 4, 4, 4, one, a, 0, 4, 0, b, 2, 4, 0, one, c, 0, 4, 0, 1, 68, -1,
        )
    };
    assert_eq!(mixed, NOT_SUPPORTED);
    // SAFETY: the handle exists.
    assert_eq!(unsafe { cublasDestroy_v2(handle) }, 0);
    assert_eq!(sgemm(handle, [4, 4, 4], [4, 4, 4], places, 1.0, 0.0), 1, "not a handle any more");
}

#[test]
fn memory_that_a_product_does_not_need_may_be_nan() {
    let device = device();
    let handle = handle();
    let (ones, c) = (device.upload::<f32>(&[1.0; 4]), device.allocate(16));
    assert_eq!(sgemm(handle, [2, 2, 2], [2; 3], [ones, ones, c], 1.0, 0.0), 0);
    assert_eq!(device.download::<f32>(c, 4), [2.0; 4], "with beta = 0 the old C is not read");
    let nan = device.allocate(16);
    assert_eq!(sgemm(handle, [2, 2, 2], [2; 3], [nan, nan, c], 0.0, 0.5), 0);
    assert_eq!(device.download::<f32>(c, 4), [1.0; 4], "with alpha = 0 the factors are not read");
}

#[test]
fn a_product_beyond_an_allocation_ends_the_context() {
    let device = device();
    let handle = handle();
    let (ones, c) = (device.upload::<f32>(&[1.0; 4]), device.allocate(15));
    assert_eq!(sgemm(handle, [2, 2, 2], [2; 3], [ones, ones, c], 1.0, 0.0), EXECUTION_FAILED);
    assert_eq!(call!(cuStreamSynchronize(0)), 700);
}

#[test]
fn factors_can_lie_on_the_device() {
    let device = device();
    let handle = handle();
    let (a, x, y) = (
        device.upload::<f32>(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        device.upload::<f32>(&[1.0, 9.0, 2.0]),
        device.upload::<f32>(&[1.0; 3]),
    );
    let factors = device.upload::<f32>(&[2.0, 10.0]);
    // SAFETY: a matrix of 3 rows and 2 columns, and vectors that fit it, are on the device, and so are the factors.
    unsafe {
        assert_eq!(cublasSetPointerMode_v2(handle, 1), 0);
        let (alpha, beta) = (factors as *const f32, (factors + 4) as *const f32);
        assert_eq!(cublasSgemv_v2(handle, 0, 3, 2, alpha, a, 3, x, 2, beta, y, 1), 0);
    }
    // Columns 1 2 3 and 4 5 6, times 1 and 2, twice; and ten times what was there.
    assert_eq!(device.download::<f32>(y, 3), [28.0, 34.0, 40.0]);
}

#[test]
fn a_captured_product_is_made_at_each_launch() {
    let device = device();
    let handle = handle();
    let (ones, c) = (device.upload::<f32>(&[1.0; 4]), device.upload::<f32>(&[1.0; 4]));
    let (mut graph, mut executable) = (0, 0);
    // SAFETY: the handle exists.
    assert_eq!(unsafe { cublasSetStream_v2(handle, PER_THREAD_STREAM) }, 0);
    assert_eq!(call!(cuStreamBeginCapture_v2(PER_THREAD_STREAM, 1)), 0);
    assert_eq!(sgemm(handle, [2, 2, 2], [2; 3], [ones, ones, c], 1.0, 3.0), 0);
    assert_eq!(call!(cuStreamEndCapture(PER_THREAD_STREAM, &mut graph)), 0);
    assert_eq!(call!(cuGraphInstantiateWithFlags(&mut executable, graph, 0)), 0);
    assert_eq!(device.download::<f32>(c, 4), [1.0; 4]);
    for expected in [5.0, 17.0] {
        assert_eq!(call!(cuGraphLaunch(executable, PER_THREAD_STREAM)), 0);
        assert_eq!(device.download::<f32>(c, 4), [expected; 4]);
    }
    assert_eq!(device.report()["library"]["cublasSgemm_v2"], 2);
}
