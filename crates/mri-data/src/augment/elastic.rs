//! Smooth deformation by a coarse grid of displacements under cubic B-splines (Rueckert et al. 1999).

use ndarray::Array2;
use rand::{Rng, RngExt};

/// Cells of the grid along each side of the image.
const CELLS: usize = 4;
/// Every point of a cell depends on four control points along each axis.
const CONTROLS: usize = CELLS + 3;

/// Displacements at the control points of a grid that is laid over the image with one cell's margin.
#[derive(Clone, Debug, PartialEq)]
pub struct Elastic {
    /// (down, right) in fractions of the shorter side, row by row of the grid.
    pub controls: [[[f32; 2]; CONTROLS]; CONTROLS],
}

impl Elastic {
    /// Independent displacements, none longer than `limit` along an axis.
    pub(super) fn sample(limit: f32, rng: &mut impl Rng) -> Self {
        let mut within = || limit * rng.random_range(-1.0..=1.0f32);
        let controls = std::array::from_fn(|_| std::array::from_fn(|_| [within(), within()]));
        Self { controls }
    }

    /// Displacement (down, right) of every pixel, in pixels.
    pub fn displacements_px(&self, height: usize, width: usize) -> Array2<[f32; 2]> {
        let side_px = height.min(width) as f32;
        let weights = |length: usize| -> Vec<(usize, [f32; 4])> {
            (0..length).map(|i| spline_weights((i as f32 + 0.5) / length as f32 * CELLS as f32)).collect()
        };
        let (rows, columns) = (weights(height), weights(width));
        Array2::from_shape_fn((height, width), |(row, column)| {
            let ((top, vertical), (left, horizontal)) = (&rows[row], &columns[column]);
            let mut displacement = [0.0; 2];
            for (controls, v) in self.controls[*top..].iter().zip(vertical) {
                for (control, h) in controls[*left..].iter().zip(horizontal) {
                    for (sum, part) in displacement.iter_mut().zip(control) {
                        *sum += side_px * v * h * part;
                    }
                }
            }
            displacement
        })
    }
}

/// The first control point that matters at a position (in cells), and the weights of it and the next three.
fn spline_weights(position: f32) -> (usize, [f32; 4]) {
    let cell = position.floor().min((CELLS - 1) as f32);
    let t = position - cell;
    let u = 1.0 - t;
    let weights =
        [u * u * u, 3.0 * t * t * t - 6.0 * t * t + 4.0, 3.0 * u * u * u - 6.0 * u * u + 4.0, t * t * t];
    (cell as usize, weights.map(|weight| weight / 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn equal_controls_shift_the_whole_image() {
        let elastic = Elastic { controls: [[[0.1, -0.02]; CONTROLS]; CONTROLS] };
        for [down, right] in elastic.displacements_px(10, 20) {
            assert!((down - 1.0).abs() < 1e-5 && (right + 0.2).abs() < 1e-5);
        }
    }

    #[test]
    fn the_largest_allowed_deformation_is_bounded_and_does_not_fold() {
        for index in 0..20 {
            let field = Elastic::sample(0.05, &mut stream(0, "test", index)).displacements_px(60, 60);
            for ((row, column), [down, right]) in field.indexed_iter() {
                assert!(down.abs() <= 3.0 && right.abs() <= 3.0);
                if row > 0 {
                    assert!(down - field[(row - 1, column)][0] > -1.0, "rows keep their order");
                }
                if column > 0 {
                    assert!(right - field[(row, column - 1)][1] > -1.0, "columns keep their order");
                }
            }
        }
    }
}
