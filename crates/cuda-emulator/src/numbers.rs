//! The floating-point types of device memory, and computing with them in f32 or f64.

use half::{bf16, f16};

use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F64,
    F16,
    Bf16,
}

impl Element {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// From `cudaDataType`.
    pub(crate) fn of_cuda(code: i32) -> Result<Self, Failure> {
        match code {
            0 => Ok(Self::F32),
            1 => Ok(Self::F64),
            2 => Ok(Self::F16),
            14 => Ok(Self::Bf16),
            _ => Err(Failure::NOT_SUPPORTED),
        }
    }

    /// From `cudnnDataType_t`.
    pub(crate) fn of_cudnn(code: i32) -> Result<Self, Failure> {
        match code {
            0 => Ok(Self::F32),
            1 => Ok(Self::F64),
            2 => Ok(Self::F16),
            9 => Ok(Self::Bf16),
            _ => Err(Failure::NOT_SUPPORTED),
        }
    }
}

/// What sums are made in.
pub(crate) trait Real: Copy + Default + Send + Sync + 'static + std::ops::AddAssign {
    fn load(element: Element, address: u64) -> Self;
    fn to_f64(self) -> f64;
    fn of_f64(value: f64) -> Self;
    fn rounded_to_tf32(self) -> Self;
}

/// Reads a value of device memory whose range was looked up among the live allocations.
fn read<T: Copy>(address: u64) -> T {
    // SAFETY: the range is live and as long as the tensor or matrix says.
    unsafe { (address as *const T).read_unaligned() }
}

impl Real for f32 {
    #[inline]
    fn load(element: Element, address: u64) -> Self {
        match element {
            Element::F32 => read(address),
            Element::F64 => read::<f64>(address) as Self,
            Element::F16 => read::<f16>(address).to_f32(),
            Element::Bf16 => read::<bf16>(address).to_f32(),
        }
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn of_f64(value: f64) -> Self {
        value as Self
    }

    /// Ten bits of mantissa, ties to the even.
    fn rounded_to_tf32(self) -> Self {
        const DROPPED: u32 = 13;
        if !self.is_finite() {
            return self;
        }
        let bits = self.to_bits();
        let half = (1 << (DROPPED - 1)) - 1 + (bits >> DROPPED & 1);
        Self::from_bits((bits + half) & !((1 << DROPPED) - 1))
    }
}

impl Real for f64 {
    #[inline]
    fn load(element: Element, address: u64) -> Self {
        match element {
            Element::F64 => read(address),
            other => f32::load(other, address).into(),
        }
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn of_f64(value: f64) -> Self {
        value
    }

    fn rounded_to_tf32(self) -> Self {
        self
    }
}

/// Writes a value, rounded to the type of its place.
#[inline]
pub(crate) fn store(element: Element, address: u64, value: f64) {
    fn write<T>(address: u64, value: T) {
        // SAFETY: as in `read`.
        unsafe { (address as *mut T).write_unaligned(value) }
    }
    match element {
        Element::F32 => write(address, value as f32),
        Element::F64 => write(address, value),
        // Sums were made in f32, so that is where the rounding starts.
        Element::F16 => write(address, f16::from_f32(value as f32)),
        Element::Bf16 => write(address, bf16::from_f32(value as f32)),
    }
}

/// `scale * value + keep * what is there`; what is there is not read where `keep` is zero.
#[inline]
pub(crate) fn blend(element: Element, address: u64, value: f64, scale: f64, keep: f64) {
    let old = if keep == 0.0 { 0.0 } else { keep * f64::load(element, address) };
    store(element, address, scale * value + old);
}

/// A matrix in memory of our own: rows and columns are that many elements apart.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// `c = a b`, with `c` of `m` rows and `n` columns in row-major order.
pub(crate) fn multiply<R: Real>(
    c: &mut [R],
    a: (&[R], Strides),
    b: (&[R], Strides),
    [m, n, k]: [usize; 3],
    accumulate: Accumulate,
) {
    let reach = |rows: usize, columns: usize, strides: Strides| {
        if rows == 0 || columns == 0 {
            0
        } else {
            (rows - 1) * strides.row + (columns - 1) * strides.column + 1
        }
    };
    assert!(c.len() >= m * n && a.0.len() >= reach(m, k, a.1) && b.0.len() >= reach(k, n, b.1));
    // SAFETY: the assertion keeps all three matrices within their slices, and `c` is borrowed mutably.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            accumulate == Accumulate::Add,
            a.0.as_ptr(),
            a.1.column as isize,
            a.1.row as isize,
            b.0.as_ptr(),
            b.1.column as isize,
            b.1.row as isize,
            R::of_f64(1.0),
            R::of_f64(1.0),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accumulate {
    Replace,
    Add,
}
