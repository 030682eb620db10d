//! Tensors of four dimensions in device memory, by strides.

use crate::failure::Outcome;
use crate::memory;
use crate::numbers::{Element, Real, blend};

/// Dimensions in the order N, C, H, W (for a filter K, C, R, S), whatever their order in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) element: Element,
    pub(super) dimensions: [usize; 4],
    pub(super) strides: [usize; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Nchw,
    Nhwc,
}

impl Tensor {
    /// Without gaps.
    pub(super) fn packed(element: Element, format: Format, dimensions: [usize; 4]) -> Self {
        let [_, c, h, w] = dimensions;
        let strides = match format {
            Format::Nchw => [c * h * w, h * w, w, 1],
            Format::Nhwc => [h * w * c, 1, w * c, c],
        };
        Self { element, dimensions, strides }
    }

    /// Bytes from the first element to behind the last.
    pub(super) fn bytes(&self) -> usize {
        let last: usize =
            self.dimensions.iter().zip(self.strides).map(|(size, stride)| (size - 1) * stride).sum();
        (last + 1) * self.element.bytes()
    }

    pub(super) fn check(&self, address: u64, what: &str) -> Outcome {
        memory::require(address, self.bytes(), what)
    }

    #[inline]
    pub(super) fn place(&self, address: u64, index: [usize; 4]) -> u64 {
        let element: usize = index.iter().zip(self.strides).map(|(index, stride)| index * stride).sum();
        address + (element * self.element.bytes()) as u64
    }

    /// The part of the tensor at `first` of the size `dimensions`, in the order of the dimensions.
    pub(super) fn load<R: Real>(&self, address: u64, first: [usize; 4], dimensions: [usize; 4]) -> Vec<R> {
        let mut values = Vec::with_capacity(dimensions.iter().product());
        for_each(dimensions, |index| {
            values.push(R::load(self.element, self.place(address, moved(index, first))));
        });
        values
    }

    /// Writes `scale * values + keep * what is there` to the part at `first`.
    pub(super) fn blend<R: Real>(
        &self,
        address: u64,
        first: [usize; 4],
        dimensions: [usize; 4],
        values: &[R],
        Factors { scale, keep }: Factors,
    ) {
        let mut values = values.iter();
        for_each(dimensions, |index| {
            if let Some(value) = values.next() {
                blend(self.element, self.place(address, moved(index, first)), value.to_f64(), scale, keep);
            }
        });
    }
}

/// What a result is multiplied by, and what stays of the values that it replaces: alpha and beta.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    pub(super) scale: f64,
    pub(super) keep: f64,
}

fn moved(index: [usize; 4], first: [usize; 4]) -> [usize; 4] {
    std::array::from_fn(|axis| index[axis] + first[axis])
}

pub(super) fn for_each([n, c, h, w]: [usize; 4], mut visit: impl FnMut([usize; 4])) {
    for n in 0..n {
        for c in 0..c {
            for h in 0..h {
                for w in 0..w {
                    visit([n, c, h, w]);
                }
            }
        }
    }
}
