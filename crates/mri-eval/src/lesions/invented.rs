//! Spots of an output that the truth has not.

use super::{INVENTED_ABOVE, MIN_LESION_PX, TypicalLesion, grown, same_shape};
use crate::EvalError;
use crate::components::{centre, components, disc, ring, stepped};
use crate::foreground::shrunk;
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

/// The truth is even about a pixel if its standard deviation there is below this part of the contrast of a typical lesion.
pub const EVEN_BELOW: f64 = 0.15;

/// Deviations are averaged over a disc of the radius of a typical lesion, but not over fewer pixels than one of this radius.
pub const MIN_RADIUS_PX: f64 = 1.5;

/// Lesions are kept away from by as much: an output that draws one too large has not invented another.
pub const LESION_MARGIN_PX: f64 = 3.0;

/// The rim of the head is not searched: this part of the longer side of the image, 12 px of a slice of 217 px.
pub const RIM_FRACTION: f64 = 1.0 / 18.0;

/// A pixel is searched only if this part of the disc around it is even.
pub const MIN_CORE_SHARE: f64 = 0.5;

/// A pixel is searched only if this part of the ring around it is even.
pub const MIN_RING_SHARE: f64 = 0.25;

/// A spot reaches as far as it deviates by this part of what makes it one.
pub const SPOT_EDGE: f64 = 0.5;

/// Where invention can be told from a misplaced border: the inside of the head where the *true* image is even, away from
/// lesions. Even means that within the radius of a typical lesion and a pixel the standard deviation is below
/// [`EVEN_BELOW`] of its contrast. A pixel is searched if its surroundings are even too.
#[derive(Debug, Clone)]
pub struct SearchArea<'a> {
    truth: ArrayView2<'a, f32>,
    even: Array2<bool>,
    searched: Array2<bool>,
    core: Vec<(isize, isize)>,
    ring: Vec<(isize, isize)>,
    least_deviation: f64,
}

/// A focal deviation of an output from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spot {
    /// Row of its middle.
    pub row: usize,
    /// Column of its middle.
    pub column: usize,
    /// Pixels whose surroundings deviate enough.
    pub area_px: usize,
    /// Mean deviation, in units of the images; bright spots are positive.
    pub deviation: f64,
}

impl<'a> SearchArea<'a> {
    /// Of a case with `lesions` (nowhere true in a healthy one), within the mask `head`
    /// ([`foreground`](crate::foreground::foreground)) without its rim.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn new(
        truth: ArrayView2<'a, f32>,
        lesions: ArrayView2<'_, bool>,
        head: ArrayView2<'_, bool>,
        typical: TypicalLesion,
    ) -> Result<Self, EvalError> {
        same_shape(truth, lesions.shape())?;
        same_shape(truth, head.shape())?;
        let (rows, columns) = truth.dim();
        let inside = shrunk(head, RIM_FRACTION * rows.max(columns) as f64);
        let near_lesion = grown(lesions, LESION_MARGIN_PX);
        let radius_px = typical.radius_px.max(MIN_RADIUS_PX);
        let window = disc(radius_px + 1.0);
        let even = Array2::from_shape_fn(truth.dim(), |at| {
            inside[at] && !near_lesion[at] && spread(truth, &window, at) < EVEN_BELOW * typical.contrast
        });
        let (core, ring) = (disc(radius_px), ring(2.0 * radius_px, 4.0 * radius_px));
        let is_even_for = |part: f64, steps: &[(isize, isize)], at: (usize, usize)| {
            let even = steps.iter().filter(|step| even.get(stepped(at, **step)) == Some(&true));
            even.count() as f64 >= part * steps.len() as f64
        };
        let searched = Array2::from_shape_fn(truth.dim(), |at| {
            even[at] && is_even_for(MIN_CORE_SHARE, &core, at) && is_even_for(MIN_RING_SHARE, &ring, at)
        });
        Ok(Self { truth, even, searched, core, ring, least_deviation: INVENTED_ABOVE * typical.contrast })
    }

    /// How many pixels it has.
    pub fn area_px(&self) -> usize {
        self.searched.iter().filter(|searched| **searched).count()
    }

    /// The spots of `output`. The error of the output is averaged over the size of a typical lesion and compared with its
    /// average in a ring around (two to four radii away); where the two differ by [`INVENTED_ABOVE`] of the typical contrast
    /// or more, to either side, there is a spot. It reaches to where they differ by [`SPOT_EDGE`] of that, and has at least
    /// [`MIN_LESION_PX`].
    ///
    /// A whole tissue of the wrong grey is thus no spot, nor is a border that lies a little elsewhere, nor noise.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn spots(&self, output: ArrayView2<'_, f32>) -> Result<Vec<Spot>, EvalError> {
        same_shape(self.truth, output.shape())?;
        let error = &output - &self.truth;
        let deviation = Array2::from_shape_fn(error.dim(), |at| match self.searched[at] {
            true => self.mean(&error, &self.core, at) - self.mean(&error, &self.ring, at),
            false => 0.0,
        });
        let deviates = deviation.mapv(|deviation| deviation.abs() >= SPOT_EDGE * self.least_deviation);
        let is_spot = |piece: &Vec<(usize, usize)>| {
            let most = piece.iter().map(|&at| deviation[at].abs()).fold(0.0, f64::max);
            piece.len() >= MIN_LESION_PX && most >= self.least_deviation
        };
        let spot = |piece: Vec<(usize, usize)>| {
            let (row, column) = centre(&piece);
            let sum: f64 = piece.iter().map(|&at| deviation[at]).sum();
            Spot { row, column, area_px: piece.len(), deviation: sum / piece.len() as f64 }
        };
        Ok(components(deviates.view()).into_iter().filter(is_spot).map(spot).collect())
    }

    /// Mean over the steps from `at` to pixels that are even.
    fn mean(&self, error: &Array2<f32>, steps: &[(isize, isize)], at: (usize, usize)) -> f64 {
        let even = steps.iter().map(|&step| stepped(at, step)).filter(|to| self.even.get(*to) == Some(&true));
        let (sum, count) =
            even.fold((0.0, 0_usize), |(sum, count), to| (sum + f64::from(error[to]), count + 1));
        sum / count.max(1) as f64
    }
}

/// Standard deviation over the steps from `at` that stay within the image.
fn spread(image: ArrayView2<'_, f32>, steps: &[(isize, isize)], at: (usize, usize)) -> f64 {
    let values = steps.iter().filter_map(|&step| image.get(stepped(at, step)).copied().map(f64::from));
    let (sum, squares, count) = values.fold((0.0, 0.0, 0.0), |(sum, squares, count), value| {
        (sum + value, squares + value * value, count + 1.0)
    });
    (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
}
