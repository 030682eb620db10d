//! Convolutions as products of cuBLAS with the column matrix, for builds without cuDNN.

use std::ffi::{c_int, c_longlong, c_void};

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::{DType, Error, Layout, Result, Shape, bail};

use super::arithmetic::arithmetic;
use super::convolution::Problem;
use super::launch::{Argument, Grid, Kernel, Window, launch};
use super::operand::{count, pointer, uninitialized};
use crate::conv::Geometry;
use crate::matmul::Destination;

/// Bytes of column matrices made at a time.
const COLUMNS_BYTES: usize = 256 << 20;

fn window(g: &Geometry) -> Result<Window> {
    Ok(Window {
        channels: count(g.ci)?,
        h: count(g.h)?,
        w: count(g.w)?,
        oh: count(g.oh)?,
        ow: count(g.ow)?,
        kh: count(g.kh)?,
        kw: count(g.kw)?,
        stride: count(g.stride)?,
        pad: count(g.pad)?,
    })
}

/// `x` (n, ci, h, w), `weight` (co, ci, kh, kw) -> `y` (n, co, oh, ow).
pub(super) fn forward(problem: &Problem, x: Argument, weight: Argument, y: Argument) -> Result<()> {
    let g = problem.geometry;
    let rows = g.ci * g.taps();
    for_each_group(problem, |group, columns| {
        unfold_or_fold(
            problem,
            "unfold",
            (at(&x, group.start * g.ci * g.area(), problem)?, columns),
            group.len,
        )?;
        let matrices = Matrices {
            a: Matrix { base: address(&weight)?, stride: 0, transposed: false },
            b: Matrix { base: columns, stride: rows * g.pixels(), transposed: false },
            c: (at(&y, group.start * g.co * g.pixels(), problem)?, problem.dtype, g.co * g.pixels()),
            destination: Destination::Replace,
        };
        matrices.multiply(problem, [g.co, g.pixels(), rows], group.len)
    })
}

/// `dy` (n, co, oh, ow), `weight` (co, ci, kh, kw) -> `dx` (n, ci, h, w).
pub(super) fn input_grad(problem: &Problem, dy: Argument, weight: Argument, dx: Argument) -> Result<()> {
    let g = problem.geometry;
    let rows = g.ci * g.taps();
    for_each_group(problem, |group, columns| {
        let matrices = Matrices {
            a: Matrix { base: address(&weight)?, stride: 0, transposed: true },
            b: Matrix {
                base: at(&dy, group.start * g.co * g.pixels(), problem)?,
                stride: g.co * g.pixels(),
                transposed: false,
            },
            c: (columns, problem.dtype, rows * g.pixels()),
            destination: Destination::Replace,
        };
        matrices.multiply(problem, [rows, g.pixels(), g.co], group.len)?;
        unfold_or_fold(
            problem,
            "fold",
            (columns, at(&dx, group.start * g.ci * g.area(), problem)?),
            group.len,
        )
    })
}

/// `x` (n, ci, h, w), `dy` (n, co, oh, ow) -> `dw` (co, ci, kh, kw), f32, in place of or added to what it holds.
pub(super) fn weight_grad(
    problem: &Problem,
    x: Argument,
    dy: Argument,
    destination: Destination,
    dw: Argument,
) -> Result<()> {
    let g = problem.geometry;
    let rows = g.ci * g.taps();
    for_each_group(problem, |group, columns| {
        unfold_or_fold(
            problem,
            "unfold",
            (at(&x, group.start * g.ci * g.area(), problem)?, columns),
            group.len,
        )?;
        for image in 0..group.len {
            let first = group.start + image == 0;
            let matrices = Matrices {
                a: Matrix {
                    base: at(&dy, (group.start + image) * g.co * g.pixels(), problem)?,
                    stride: 0,
                    transposed: false,
                },
                b: Matrix {
                    base: columns + (image * rows * g.pixels() * problem.dtype.size_in_bytes()) as u64,
                    stride: 0,
                    transposed: true,
                },
                c: (address(&dw)?, DType::F32, 0),
                destination: if first { destination } else { Destination::Add },
            };
            matrices.multiply(problem, [g.co, rows, g.pixels()], 1)?;
        }
        Ok(())
    })
}

/// Images `start..start + len` of a batch.
struct Group {
    start: usize,
    len: usize,
}

/// Calls `f` with as many images at a time as the memory for columns allows, and the address of that memory.
fn for_each_group(problem: &Problem, f: impl Fn(Group, u64) -> Result<()>) -> Result<()> {
    let g = problem.geometry;
    let of_image = g.ci * g.taps() * g.pixels();
    let len = (COLUMNS_BYTES / (of_image * problem.dtype.size_in_bytes())).clamp(1, g.n);
    let shape = Shape::from(of_image * len);
    let columns = uninitialized(problem.device, problem.dtype, &shape)?;
    let base = address(&pointer(&columns, &Layout::contiguous(&shape))?)?;
    (0..g.n).step_by(len).try_for_each(|start| f(Group { start, len: len.min(g.n - start) }, base))
}

/// `unfold` from images to columns, or `fold` from columns to images.
fn unfold_or_fold(problem: &Problem, kernel: &'static str, ends: (u64, u64), images: usize) -> Result<()> {
    let g = problem.geometry;
    let to_image = if kernel == "fold" { g.ci * g.area() } else { g.ci * g.taps() * g.pixels() };
    let count = count(to_image * images)?;
    let arguments = [
        Argument::Pointer(ends.0),
        Argument::Pointer(ends.1),
        Argument::Window(window(g)?),
        Argument::U32(count),
    ];
    let kernel = Kernel::OfType(kernel, problem.dtype);
    // SAFETY: one side holds `images` images and the other their column matrices.
    unsafe { launch(problem.device, kernel, Grid::over_elements(count), &arguments) }
}

fn address(argument: &Argument) -> Result<u64> {
    match argument {
        Argument::Pointer(address) => Ok(*address),
        _ => bail!("mri-kernels: expected an address"),
    }
}

/// The address of an element of the problem's type.
fn at(argument: &Argument, element: usize, problem: &Problem) -> Result<u64> {
    Ok(address(argument)? + (element * problem.dtype.size_in_bytes()) as u64)
}

/// Row-major matrices, one after the other `stride` elements apart.
struct Matrix {
    base: u64,
    stride: usize,
    /// It is stored as its transpose.
    transposed: bool,
}

struct Matrices {
    a: Matrix,
    b: Matrix,
    /// Address, type and stride of the product.
    c: (u64, DType, usize),
    destination: Destination,
}

impl Matrices {
    /// `c[i] (+)= a[i] b[i]`, each (m, k) times (k, n), for `batch` of them.
    fn multiply(&self, problem: &Problem, [m, n, k]: [usize; 3], batch: usize) -> Result<()> {
        let int = |v: usize| c_int::try_from(v).map_err(Error::wrap);
        let (alpha, beta) = (1f32, if self.destination == Destination::Add { 1f32 } else { 0. });
        let data_type = |dtype| match dtype {
            DType::BF16 => sys::cudaDataType::CUDA_R_16BF,
            _ => sys::cudaDataType::CUDA_R_32F,
        };
        let compute = match problem.dtype {
            DType::F32 if arithmetic().tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            _ => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        };
        // cuBLAS reads columns first, so it sees each matrix transposed and multiplies in the other order.
        let seen = |matrix: &Matrix, rows: usize, columns: usize| match matrix.transposed {
            false => (sys::cublasOperation_t::CUBLAS_OP_N, columns),
            true => (sys::cublasOperation_t::CUBLAS_OP_T, rows),
        };
        let ((op_a, ld_a), (op_b, ld_b)) = (seen(&self.a, m, k), seen(&self.b, k, n));
        let blas = problem.device.cublas_handle();
        // SAFETY: the callers' matrices have these sizes and lie in memory that is still allocated.
        unsafe {
            result::gemm_strided_batched_ex(
                *blas.handle(),
                op_b,
                op_a,
                int(n)?,
                int(m)?,
                int(k)?,
                (&raw const alpha).cast(),
                self.b.base as *const c_void,
                data_type(problem.dtype),
                int(ld_b)?,
                self.b.stride as c_longlong,
                self.a.base as *const c_void,
                data_type(problem.dtype),
                int(ld_a)?,
                self.a.stride as c_longlong,
                (&raw const beta).cast(),
                self.c.0 as *mut c_void,
                data_type(self.c.1),
                int(n)?,
                self.c.2 as c_longlong,
                int(batch)?,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(Error::wrap)
    }
}
