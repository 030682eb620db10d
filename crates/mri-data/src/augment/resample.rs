//! Flip, rotation, scale, shift and elastic deformation as one bilinear resampling.

use ndarray::Array2;

use super::{FILL, elastic::Elastic};

/// Whether left and right change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Flip {
    /// They stay.
    #[default]
    None,
    /// They change places.
    LeftRight,
}

/// A flip, then a scaling, then a rotation about the centre of the image, then a shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Exchange of left and right.
    pub flip: Flip,
    /// Counter-clockwise as seen, in radians.
    pub rotation_rad: f32,
    /// Factor of both axes.
    pub scale: f32,
    /// Further factor of the columns.
    pub aspect: f32,
    /// Shift down and to the right, as fractions of height and width.
    pub shift: [f32; 2],
}

impl Default for Affine {
    fn default() -> Self {
        Self { flip: Flip::None, rotation_rad: 0.0, scale: 1.0, aspect: 1.0, shift: [0.0; 2] }
    }
}

impl Affine {
    /// The 2 x 3 matrix that gives the source position (row, column) of a target position (row, column, 1), in pixels
    /// with the centre of the first pixel at 0, for an image of the given (height, width).
    pub fn src_from_dst(&self, (height, width): (usize, usize)) -> [[f64; 3]; 2] {
        let (sin, cos) = f64::from(self.rotation_rad).sin_cos();
        let scale_rows = f64::from(self.scale);
        let mirror = if self.flip == Flip::LeftRight { -1.0 } else { 1.0 };
        let scale_columns = mirror * f64::from(self.scale) * f64::from(self.aspect);
        let centre = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        let turned = [[cos / scale_rows, sin / scale_rows], [-sin / scale_columns, cos / scale_columns]];
        let target_centre = [
            centre[0] + f64::from(self.shift[0]) * height as f64,
            centre[1] + f64::from(self.shift[1]) * width as f64,
        ];
        std::array::from_fn(|axis| {
            let [row, column] = turned[axis];
            [row, column, centre[axis] - row * target_centre[0] - column * target_centre[1]]
        })
    }
}

/// The image seen through the deformation, [`FILL`] outside.
pub(super) fn deformed(image: &Array2<f32>, affine: &Affine, elastic: Option<&Elastic>) -> Array2<f32> {
    if *affine == Affine::default() && elastic.is_none() {
        return image.clone();
    }
    let (height, width) = image.dim();
    let [to_row, to_column] = affine.src_from_dst((height, width));
    let at = |matrix: [f64; 3], row: f64, column: f64| matrix[0] * row + matrix[1] * column + matrix[2];
    match elastic {
        None => Array2::from_shape_fn((height, width), |(row, column)| {
            let (row, column) = (row as f64, column as f64);
            bilinear(image, at(to_row, row, column), at(to_column, row, column))
        }),
        Some(elastic) => {
            let displacements = elastic.displacements_px(height, width);
            Array2::from_shape_fn((height, width), |(row, column)| {
                let [down, right] = displacements[(row, column)];
                let (row, column) = (row as f64 + f64::from(down), column as f64 + f64::from(right));
                bilinear(image, at(to_row, row, column), at(to_column, row, column))
            })
        }
    }
}

/// The value between the four pixels around a position.
fn bilinear(image: &Array2<f32>, row: f64, column: f64) -> f32 {
    let (top, left) = (row.floor(), column.floor());
    let (down, right) = ((row - top) as f32, (column - left) as f32);
    let pixel = |row: f64, column: f64| {
        if row < 0.0 || column < 0.0 {
            return FILL;
        }
        image.get((row as usize, column as usize)).copied().unwrap_or(FILL)
    };
    let upper = pixel(top, left) * (1.0 - right) + pixel(top, left + 1.0) * right;
    let lower = pixel(top + 1.0, left) * (1.0 - right) + pixel(top + 1.0, left + 1.0) * right;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn numbers(height: usize, width: usize) -> Array2<f32> {
        Array2::from_shape_fn((height, width), |(row, column)| ((row * width + column) as f32 * 0.37).sin())
    }

    fn turned(image: &Array2<f32>, affine: Affine) -> Array2<f32> {
        deformed(image, &affine, None)
    }

    #[test]
    fn a_quarter_turn_moves_pixels_exactly() {
        let affine = Affine { rotation_rad: std::f32::consts::FRAC_PI_2, ..Affine::default() };
        let image = numbers(7, 7);
        let rotated = turned(&image, affine);
        for ((row, column), value) in rotated.indexed_iter() {
            // Counter-clockwise, as numpy.rot90: the last column becomes the first row.
            let exact = image[(column, 6 - row)];
            assert!((value - exact).abs() < 1e-6, "{row} {column}: {value} {exact}");
        }
    }

    #[test]
    fn a_flip_reverses_the_columns_exactly_and_two_undo_each_other() {
        let flip = Affine { flip: Flip::LeftRight, ..Affine::default() };
        for width in [6, 7] {
            let image = numbers(5, width);
            let flipped = turned(&image, flip);
            assert_eq!(flipped, image.slice(ndarray::s![.., ..;-1]));
            assert_eq!(turned(&flipped, flip), image);
        }
    }

    #[test]
    fn a_shift_by_whole_pixels_moves_them_and_fills_with_air() {
        let image = numbers(4, 8);
        let shifted = turned(&image, Affine { shift: [0.25, -0.25], ..Affine::default() });
        assert_eq!(shifted.slice(ndarray::s![1.., ..6]), image.slice(ndarray::s![..3, 2..]));
        assert!(shifted.row(0).iter().chain(shifted.column(7)).all(|v| *v == FILL));
    }

    #[test]
    fn twice_the_size_spreads_the_middle() {
        let enlarged = turned(
            &array![[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
            Affine { scale: 2.0, ..Affine::default() },
        );
        assert_eq!(enlarged, array![[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]]);
    }

    // import numpy as np; from scipy.ndimage import affine_transform
    // x = np.sin(np.arange(30).reshape(5, 6) * .37)
    // f, t, s, a, d = -1, .3, 1.1, .95, (.1, -.05)
    // R = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])     # rows down: counter-clockwise as seen
    // M = np.linalg.inv(R @ np.diag([s, f*s*a])); c = np.array([2, 2.5])
    // y = affine_transform(x, M, c - M @ (c + np.array(d) * [5, 6]), order=1, mode='grid-constant', cval=-1)
    #[test]
    fn all_at_once_agrees_with_scipy() {
        let affine = Affine {
            flip: Flip::LeftRight,
            rotation_rad: 0.3,
            scale: 1.1,
            aspect: 0.95,
            shift: [0.1, -0.05],
        };
        let golden = array![
            [-0.530161, -0.052355, 0.291805, 0.386224, 0.272929, -0.658783],
            [0.828611, 0.478332, 0.315757, 0.411326, 0.379783, -0.481066],
            [-0.589214, -0.387860, -0.404196, -0.659041, -0.908275, -0.632416],
            [-0.211095, -0.280057, -0.066278, 0.254192, 0.540517, 0.411419],
            [0.566860, 0.930214, 0.604832, 0.308063, 0.214356, 0.316186],
        ];
        let found = turned(&numbers(5, 6), affine);
        for (found, golden) in found.iter().zip(&golden) {
            assert!((found - golden).abs() < 1e-5, "{found} {golden}");
        }
    }
}
