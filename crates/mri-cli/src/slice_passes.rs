//! Slices through a network and back at their own size: several at a time, each with its neighbours.

use std::collections::VecDeque;

use anyhow::{Result, ensure};
use mri_data::geometry::{Canvas, Fit, Placement};
use ndarray::{Array2, Array3, Array4, ArrayViewMut3, Axis, s};

/// Air, in network units.
pub const AIR: f32 = -1.;

/// How slices pass through a network.
#[derive(Debug, Clone, Copy)]
pub struct Passes {
    /// The size that the network was trained on.
    pub canvas: Canvas,
    /// Slices on each side of the translated one that the network sees as further channels. At the ends of a stack the
    /// end slice stands in for those that are not there.
    pub neighbours: usize,
    /// Slices in one pass, at least 1. It changes memory and time, not the result.
    pub batch: usize,
}

impl Passes {
    /// Replaces `slices` by what `network` makes of them. `to_unit` takes a value to network units and `from_unit` brings
    /// it back; `done` is told the number of slices after each pass.
    ///
    /// Beyond the slices themselves it holds `batch + 2 * neighbours` of them on the canvas, and what the network needs.
    ///
    /// # Shapes
    /// (slices, rows, columns); `network` is given (N, 2 * neighbours + 1, rows, columns) of the canvas and returns
    /// (N, rows, columns).
    pub fn replace(
        &self,
        mut slices: ArrayViewMut3<'_, f32>,
        to_unit: impl Fn(f32) -> f32,
        from_unit: impl Fn(f32) -> f32,
        network: impl Fn(Array4<f32>) -> Result<Array3<f32>>,
        mut done: impl FnMut(usize),
    ) -> Result<()> {
        let (count, height, width) = slices.dim();
        let placement = self.place((height, width));
        // Slices on the canvas, from `oldest` on: those that are still needed are taken before they are replaced.
        let mut window: VecDeque<Array2<f32>> = VecDeque::new();
        let mut oldest = 0;
        for start in (0..count).step_by(self.batch.max(1)) {
            let end = (start + self.batch.max(1)).min(count);
            for index in oldest + window.len()..(end + self.neighbours).min(count) {
                let unit = slices.index_axis(Axis(0), index).mapv(&to_unit);
                window.push_back(placement.forward(&unit, AIR));
            }
            let outputs = network(self.channels(&window, oldest, start..end, count)?)?;
            ensure!(outputs.len_of(Axis(0)) == end - start, "the network returned another number of slices");
            for (index, output) in (start..end).zip(outputs.outer_iter()) {
                let own_size = placement.inverse(&output.to_owned(), AIR);
                slices.index_axis_mut(Axis(0), index).assign(&own_size.mapv(&from_unit));
            }
            let needed_next = end.saturating_sub(self.neighbours);
            window.drain(..(needed_next - oldest).min(window.len()));
            oldest = needed_next;
            done(end - start);
        }
        Ok(())
    }

    /// Where slices of this size lie on the canvas. Larger ones enlarge a padded canvas, so that nothing is cropped.
    pub fn place(&self, size: (usize, usize)) -> Placement {
        let mut canvas = self.canvas;
        if canvas.fit == Fit::Pad {
            canvas.height_px = canvas.height_px.max(size.0);
            canvas.width_px = canvas.width_px.max(size.1);
        }
        canvas.place(size)
    }

    fn channels(
        &self,
        window: &VecDeque<Array2<f32>>,
        oldest: usize,
        slices: std::ops::Range<usize>,
        count: usize,
    ) -> Result<Array4<f32>> {
        let (height, width) = window.front().map_or((0, 0), Array2::dim);
        let channels = 2 * self.neighbours + 1;
        let mut batch = Array4::zeros((slices.len(), channels, height, width));
        for (place, slice) in slices.enumerate() {
            for channel in 0..channels {
                let neighbour = (slice + channel).saturating_sub(self.neighbours).min(count - 1);
                let source = neighbour.checked_sub(oldest).and_then(|at| window.get(at));
                let Some(source) = source else { unreachable!("the window holds all neighbours of a batch") };
                batch.slice_mut(s![place, channel, .., ..]).assign(source);
            }
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mri_data::geometry::Canvas;

    fn stack() -> Array3<f32> {
        Array3::from_shape_fn((7, 5, 3), |(slice, row, column)| {
            (100 * slice + 10 * row + column) as f32 / 1000.
        })
    }

    fn passes(neighbours: usize, batch: usize) -> Passes {
        Passes { canvas: Canvas { height_px: 8, width_px: 4, fit: Fit::Pad }, neighbours, batch }
    }

    /// The mean over the channels, which shows whose neighbours are whose.
    fn mean_of_channels(input: Array4<f32>) -> Result<Array3<f32>> {
        let channels = input.len_of(Axis(1)) as f32;
        Ok(input.sum_axis(Axis(1)) / channels)
    }

    #[test]
    fn the_middle_channel_is_the_slice_itself() {
        for (neighbours, batch) in [(0, 1), (0, 3), (1, 1), (1, 4), (2, 7), (3, 100)] {
            let mut slices = stack();
            let middle = |input: Array4<f32>| Ok(input.index_axis(Axis(1), neighbours).to_owned());
            let mut told = 0;
            passes(neighbours, batch)
                .replace(slices.view_mut(), |v| 2. * v, |v| v / 2., middle, |n| told += n)
                .unwrap();
            assert_eq!((slices, told), (stack(), 7), "{neighbours} neighbours, batch {batch}");
        }
    }

    #[test]
    fn neighbours_are_those_before_the_replacement_and_ends_are_repeated() {
        let original = stack();
        let expected = Array3::from_shape_fn(original.dim(), |(slice, row, column)| {
            let neighbour = |offset: i64| (slice as i64 + offset).clamp(0, 6) as usize;
            (-2..=2).map(|offset| original[[neighbour(offset), row, column]]).sum::<f32>() / 5.
        });
        for batch in [1, 2, 3, 7, 9] {
            let mut slices = stack();
            passes(2, batch).replace(slices.view_mut(), |v| v, |v| v, mean_of_channels, |_| ()).unwrap();
            let furthest = (&slices - &expected).mapv(f32::abs).fold(0., |a: f32, &b| a.max(b));
            assert!(furthest < 1e-6, "batch {batch}: {furthest}");
        }
    }

    #[test]
    fn a_slice_larger_than_the_canvas_is_not_cropped() {
        let mut slices = Array3::from_elem((2, 9, 11), 0.25);
        let seen = |input: Array4<f32>| {
            assert_eq!(input.dim(), (1, 1, 9, 11));
            mean_of_channels(input)
        };
        passes(0, 1).replace(slices.view_mut(), |v| v, |v| v, seen, |_| ()).unwrap();
        assert_eq!(slices, Array3::from_elem((2, 9, 11), 0.25));
    }

    #[test]
    fn an_empty_stack_stays_empty() {
        let mut slices = Array3::zeros((0, 5, 3));
        passes(1, 2).replace(slices.view_mut(), |v| v, |v| v, mean_of_channels, |_| ()).unwrap();
    }
}
