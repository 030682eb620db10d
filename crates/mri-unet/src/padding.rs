//! Any image size for networks that need sides of certain multiples.

use candle_core::{Result, Tensor};
use mri_kernels::by_candle;

/// Runs `network` on `x` padded by reflection, centred, until each side is a multiple of `multiple` and at
/// least `minimum`, and crops the result back. An image that fits goes through untouched.
///
/// # Shapes
/// (N, Cin, H, W) -> (N, Cout, H, W)
pub(crate) fn with_fitting_sides(
    x: &Tensor,
    multiple: usize,
    minimum: usize,
    network: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let missing = |side: usize| side.max(minimum).next_multiple_of(multiple) - side;
    let (rows, columns) = (missing(height), missing(width));
    if rows == 0 && columns == 0 {
        return network(x);
    }
    let (top, left) = (rows / 2, columns / 2);
    let padded = if rows - top < height && columns - left < width {
        mri_kernels::reflection_pad2d(x, [left, columns - left, top, rows - top])?
    } else {
        reflected(&reflected(x, 2, top, rows - top)?, 3, left, columns - left)?
    };
    by_candle(&[&network(&padded)?], |y| y[0].narrow(2, top, height)?.narrow(3, left, width)?.contiguous())
}

/// Reflection padding along one axis, of any width: the image is mirrored to and fro as often as it takes,
/// and a single row or column, which has no mirror image, is repeated.
fn reflected(x: &Tensor, dim: usize, before: usize, after: usize) -> Result<Tensor> {
    if before + after == 0 {
        return Ok(x.clone());
    }
    let side = x.dim(dim)? as i64;
    let period = (2 * (side - 1)).max(1);
    let source = |i: i64| {
        let phase = i.rem_euclid(period);
        phase.min(period - phase).min(side - 1) as u32
    };
    let indices: Vec<u32> = (-(before as i64)..side + after as i64).map(source).collect();
    let indices = Tensor::new(indices, x.device())?;
    by_candle(&[x], |x| x[0].index_select(&indices, dim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn row(values: &[f32], before: usize, after: usize) -> Vec<f32> {
        let x = Tensor::new(values, &Device::Cpu).unwrap().reshape((1, 1, 1, values.len())).unwrap();
        reflected(&x, 3, before, after).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn mirrors_as_often_as_it_takes() {
        assert_eq!(row(&[1., 2., 3.], 2, 1), [3., 2., 1., 2., 3., 2.]);
        assert_eq!(row(&[1., 2., 3.], 5, 6), [2., 1., 2., 3., 2., 1., 2., 3., 2., 1., 2., 3., 2., 1.]);
        assert_eq!(row(&[1., 2.], 3, 2), [2., 1., 2., 1., 2., 1., 2.]);
        assert_eq!(row(&[4.], 2, 3), [4.; 6]);
    }

    #[test]
    fn crops_what_it_padded() {
        for (height, width) in [(1, 1), (3, 3), (5, 7), (8, 16), (37, 53)] {
            let x = Tensor::arange(0f32, (height * width) as f32, &Device::Cpu).unwrap();
            let x = x.reshape((1, 1, height, width)).unwrap();
            let y = with_fitting_sides(&x, 8, 16, |padded| {
                let (_, _, h, w) = padded.dims4()?;
                assert!(h % 8 == 0 && w % 8 == 0 && h >= 16 && w >= 16, "{h} x {w}");
                Ok(padded.clone())
            })
            .unwrap();
            assert_eq!(x.to_vec3_of_first(), y.to_vec3_of_first());
        }
    }

    trait First {
        fn to_vec3_of_first(&self) -> Vec<Vec<Vec<f32>>>;
    }
    impl First for Tensor {
        fn to_vec3_of_first(&self) -> Vec<Vec<Vec<f32>>> {
            self.squeeze(0).unwrap().to_vec3().unwrap()
        }
    }
}
