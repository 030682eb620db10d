//! Single-threaded matrix products on slices: the `gemm` crate behind a checked, row/column-stride interface.

/// A matrix in a slice: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` adjacent elements, `stride` apart.
    pub(crate) fn rows(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    fn fits(&self) -> bool {
        self.rows > 0
            && self.columns > 0
            && (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < self.data.len()
    }
}

/// What happens to the values already in the destination.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Destination {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Add,
}

/// `dst (+)= a b`, with `dst` (a.rows, b.columns) at `dst + i * row_stride + j`.
///
/// # Safety
/// `dst` must be valid for those elements, and nobody else may touch them meanwhile.
pub(crate) unsafe fn matmul_to(
    dst: *mut f32,
    row_stride: usize,
    column_stride: usize,
    destination: Destination,
    a: Matrix<'_>,
    b: Matrix<'_>,
) {
    assert!(a.columns == b.rows && a.fits() && b.fits());
    // SAFETY: `fits` keeps every read inside its slice; the caller vouches for the destination.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            dst,
            column_stride as isize,
            row_stride as isize,
            destination == Destination::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.,
            1.,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `dst (+)= a b` with `dst` a slice of rows `row_stride` apart.
pub(crate) fn matmul(
    dst: &mut [f32],
    row_stride: usize,
    destination: Destination,
    a: Matrix<'_>,
    b: Matrix<'_>,
) {
    assert!(a.rows > 0 && (a.rows - 1) * row_stride + b.columns <= dst.len());
    // SAFETY: the assertion keeps every write inside `dst`, which is borrowed exclusively.
    unsafe { matmul_to(dst.as_mut_ptr(), row_stride, 1, destination, a, b) }
}
