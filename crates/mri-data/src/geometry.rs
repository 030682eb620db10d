//! Images of any size on the canvas that a network sees, and back at exactly their own size.

use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::F32;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

/// How an image of another size is fitted on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Centred, padded or cropped, never resampled: the inverse is exact where nothing was cropped.
    #[default]
    Pad,
    /// Resized to the largest size that fits with its aspect, then centred and padded.
    Contain,
    /// Resized to the canvas, whatever its aspect.
    Stretch,
}

/// The size that a network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canvas {
    /// Rows.
    pub height_px: usize,
    /// Columns.
    pub width_px: usize,
    /// How images of other sizes are fitted on it.
    #[serde(default)]
    pub fit: Fit,
}

/// Where an image of one size lies on a canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    image: (usize, usize),
    resized: (usize, usize),
    canvas: (usize, usize),
}

impl Canvas {
    /// Where an image of `size` (rows, columns) lies on this canvas.
    pub fn place(&self, size: (usize, usize)) -> Placement {
        let canvas = (self.height_px, self.width_px);
        let resized = match self.fit {
            Fit::Pad => size,
            Fit::Stretch => canvas,
            Fit::Contain => {
                let scale = (canvas.0 as f64 / size.0 as f64).min(canvas.1 as f64 / size.1 as f64);
                let side = |length: usize, most: usize| {
                    ((length as f64 * scale).round() as usize).clamp(1, most.max(1))
                };
                (side(size.0, canvas.0), side(size.1, canvas.1))
            }
        };
        Placement { image: size, resized, canvas }
    }
}

impl Placement {
    /// The image on the canvas, `fill` around it.
    ///
    /// # Shapes
    /// The image's size to the canvas's, (rows, columns).
    pub fn forward(&self, image: &Array2<f32>, fill: f32) -> Array2<f32> {
        centred(resized(image, self.resized), self.canvas, fill)
    }

    /// The image off the canvas, `fill` where it had been cropped.
    ///
    /// # Shapes
    /// The canvas's size to exactly the image's, (rows, columns).
    pub fn inverse(&self, canvas: &Array2<f32>, fill: f32) -> Array2<f32> {
        resized(&centred(canvas.clone(), self.resized, fill), self.image)
    }

    /// Whether [`Self::inverse`] gives back every pixel of [`Self::forward`] unchanged.
    pub fn is_lossless(&self) -> bool {
        self.resized == self.image && self.image.0 <= self.canvas.0 && self.image.1 <= self.canvas.1
    }
}

/// Pads and crops about the centre. An odd pixel goes to the bottom or right, in both directions, so that padding and
/// cropping undo each other.
fn centred(image: Array2<f32>, to: (usize, usize), fill: f32) -> Array2<f32> {
    let from = image.dim();
    if from == to {
        return image;
    }
    let (rows, columns) = (Overlap::of(from.0, to.0), Overlap::of(from.1, to.1));
    let mut moved = Array2::from_elem(to, fill);
    moved.slice_mut(s![rows.to..rows.to + rows.length, columns.to..columns.to + columns.length]).assign(
        &image.slice(s![rows.from..rows.from + rows.length, columns.from..columns.from + columns.length]),
    );
    moved
}

/// The part that two centred lengths share: where it begins in either, and its length.
struct Overlap {
    from: usize,
    to: usize,
    length: usize,
}

impl Overlap {
    fn of(from: usize, to: usize) -> Self {
        Self { from: from.saturating_sub(to) / 2, to: to.saturating_sub(from) / 2, length: from.min(to) }
    }
}

/// Resizes with an antialiased Catmull-Rom kernel (the copy itself where the size is the same). Values stay within those
/// of the image: air does not ring.
pub(crate) fn resized(image: &Array2<f32>, to: (usize, usize)) -> Array2<f32> {
    if image.dim() == to || image.is_empty() {
        return image.clone();
    }
    let (low, high) =
        image.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let (rows, columns) = image.dim();
    let pixels = image.iter().map(|&value| F32::new(value)).collect();
    let mut target = TypedImage::<F32>::new(to.1 as u32, to.0 as u32);
    let Ok(source) = TypedImage::from_pixels(columns as u32, rows as u32, pixels) else {
        unreachable!("there is one value for each pixel")
    };
    if let Err(error) = Resizer::new().resize_typed(&source, &mut target, &options) {
        unreachable!("nothing is cropped: {error}")
    }
    let mut values = target.pixels().iter();
    Array2::from_shape_simple_fn(to, || values.next().map_or(low, |pixel| pixel.0.clamp(low, high)))
}
