//! The three passes of a convolution: columns of the input, and a product of matrices for each image and group.

use super::problem::Problem;
use super::tensor::Factors;
use crate::numbers::{Accumulate, Real, Strides, multiply};

/// Addresses of input, filter and output, or of their gradients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) x: u64,
    pub(super) w: u64,
    pub(super) y: u64,
}

/// One image's part in one group.
struct Part<'a> {
    problem: &'a Problem,
    image: usize,
    group: usize,
}

impl Part<'_> {
    fn x_first(&self) -> [usize; 4] {
        [self.image, self.group * self.problem.w.dimensions[1], 0, 0]
    }

    fn x_dimensions(&self) -> [usize; 4] {
        let [_, _, h, w] = self.problem.x.dimensions;
        [1, self.problem.w.dimensions[1], h, w]
    }

    fn y_first(&self) -> [usize; 4] {
        [self.image, self.group * self.filters(), 0, 0]
    }

    fn y_dimensions(&self) -> [usize; 4] {
        let [_, _, h, w] = self.problem.y.dimensions;
        [1, self.filters(), h, w]
    }

    fn filters(&self) -> usize {
        self.problem.w.dimensions[0] / self.problem.convolution.groups
    }

    fn load_x<R: Real>(&self, places: Places) -> Vec<R> {
        self.rounded(self.problem.x.load(places.x, self.x_first(), self.x_dimensions()))
    }

    fn load_y<R: Real>(&self, places: Places) -> Vec<R> {
        self.rounded(self.problem.y.load(places.y, self.y_first(), self.y_dimensions()))
    }

    /// The group's filters, one a row, turned round where the convolution asks for it.
    fn load_w<R: Real>(&self, places: Places) -> Vec<R> {
        let [_, c, r, s] = self.problem.w.dimensions;
        let first = [self.group * self.filters(), 0, 0, 0];
        let mut values = self.rounded(self.problem.w.load(places.w, first, [self.filters(), c, r, s]));
        self.turn(&mut values);
        values
    }

    fn turn<R>(&self, filters: &mut [R]) {
        if self.problem.convolution.flips_filter {
            let [.., r, s] = self.problem.w.dimensions;
            filters.chunks_exact_mut(r * s).for_each(<[R]>::reverse);
        }
    }

    fn rounded<R: Real>(&self, mut values: Vec<R>) -> Vec<R> {
        if self.problem.rounds_to_tf32() {
            values.iter_mut().for_each(|value| *value = value.rounded_to_tf32());
        }
        values
    }

    /// For each tap of the filter (rows) and each pixel of the output (columns) the input's pixel, if it is not padding.
    fn for_each_tap(&self, mut visit: impl FnMut(usize, usize)) {
        let Problem { x, w, y, convolution } = self.problem;
        let [_, c, r, s] = w.dimensions;
        let ([_, _, height, width], [_, _, y_height, y_width]) = (x.dimensions, y.dimensions);
        let input = |output: usize, tap: usize, axis: usize, side: usize| {
            let padded = output * convolution.stride[axis] + tap * convolution.dilation[axis];
            padded.checked_sub(convolution.padding[axis]).filter(|at| *at < side)
        };
        for tap in 0..c * r * s {
            let (channel, row, column) = (tap / (r * s), tap / s % r, tap % s);
            for i in 0..y_height {
                let Some(h) = input(i, row, 0, height) else { continue };
                for j in 0..y_width {
                    if let Some(w) = input(j, column, 1, width) {
                        visit((tap * y_height + i) * y_width + j, (channel * height + h) * width + w);
                    }
                }
            }
        }
    }

    fn columns<R: Real>(&self, x: &[R]) -> Vec<R> {
        let mut columns = vec![R::default(); self.problem.taps() * self.problem.output_pixels()];
        self.for_each_tap(|column, pixel| columns[column] = x[pixel]);
        columns
    }
}

fn parts(problem: &Problem) -> impl Iterator<Item = Part<'_>> {
    let groups = problem.convolution.groups;
    (0..problem.x.dimensions[0] * groups).map(move |index| Part {
        problem,
        image: index / groups,
        group: index % groups,
    })
}

pub(super) fn forward<R: Real>(problem: &Problem, places: Places, factors: Factors) {
    let (taps, pixels) = (problem.taps(), problem.output_pixels());
    for part in parts(problem) {
        let columns = part.columns(&part.load_x::<R>(places));
        let filters = part.load_w(places);
        let mut y = vec![R::default(); part.filters() * pixels];
        let filters = (&filters[..], Strides { row: taps, column: 1 });
        let columns = (&columns[..], Strides { row: pixels, column: 1 });
        multiply(&mut y, filters, columns, [part.filters(), pixels, taps], Accumulate::Replace);
        problem.y.blend(places.y, part.y_first(), part.y_dimensions(), &y, factors);
    }
}

/// The gradient with respect to the input, written to `places.x`.
pub(super) fn backward_data<R: Real>(problem: &Problem, places: Places, factors: Factors) {
    let (taps, pixels) = (problem.taps(), problem.output_pixels());
    for part in parts(problem) {
        let (filters, dy) = (part.load_w(places), part.load_y(places));
        let mut columns = vec![R::default(); taps * pixels];
        let filters = (&filters[..], Strides { row: 1, column: taps });
        let dy = (&dy[..], Strides { row: pixels, column: 1 });
        multiply(&mut columns, filters, dy, [taps, pixels, part.filters()], Accumulate::Replace);
        let mut dx = vec![R::default(); part.x_dimensions().iter().product()];
        part.for_each_tap(|column, pixel| dx[pixel] += columns[column]);
        problem.x.blend(places.x, part.x_first(), part.x_dimensions(), &dx, factors);
    }
}

/// The gradient with respect to the filter, written to `places.w`.
pub(super) fn backward_filter<R: Real>(problem: &Problem, places: Places, factors: Factors) {
    let (taps, pixels) = (problem.taps(), problem.output_pixels());
    let filters = problem.w.dimensions[0];
    let mut dw = vec![R::default(); filters * taps];
    for part in parts(problem) {
        let columns = part.columns(&part.load_x::<R>(places));
        let dy = part.load_y(places);
        let dy = (&dy[..], Strides { row: pixels, column: 1 });
        let columns = (&columns[..], Strides { row: 1, column: pixels });
        let rows = part.filters() * taps;
        let sum = &mut dw[part.group * rows..][..rows];
        multiply(sum, dy, columns, [part.filters(), taps, pixels], Accumulate::Add);
    }
    let whole = Part { problem, image: 0, group: 0 };
    whole.turn(&mut dw);
    problem.w.blend(places.w, [0; 4], problem.w.dimensions, &dw, factors);
}
