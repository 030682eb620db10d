//! Slices made ready for a network and kept in memory.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use crate::DataError;
use crate::geometry::Canvas;
use crate::manifest::Slice;
use crate::normalize::{Normalization, Normalizer};

/// Prepared slices: each in network units, clipped to `[-1, 1]`, on one canvas. Cloning shares the memory.
#[derive(Debug, Clone)]
pub struct Slices {
    images: Arc<[Array2<f32>]>,
}

impl Slices {
    /// Slices that are prepared already, all of one size.
    ///
    /// # Errors
    /// [`DataError::Setting`] for no images or images of different sizes.
    pub fn new(images: Vec<Array2<f32>>) -> Result<Self, DataError> {
        let refused = |reason: String| Err(DataError::Setting { setting: "slices", reason });
        let Some(first) = images.first().map(Array2::dim) else { return refused("there are none".into()) };
        if let Some(other) = images.iter().find(|image| image.dim() != first) {
            return refused(format!("sizes differ: {first:?} and {:?}", other.dim()));
        }
        Ok(Self { images: images.into() })
    }

    /// Reads slices, in parallel, normalizes each with its own map and places it on the canvas, -1 around it.
    ///
    /// # Errors
    /// Those of reading and of [`Normalizer::map_for`], with the name of the file.
    pub fn load(slices: &[Slice], normalizer: &Normalizer, canvas: &Canvas) -> Result<Self, DataError> {
        let prepared = |slice: &Slice| {
            let image = slice.source.read()?;
            let map = normalizer
                .map_for(&image)
                .map_err(|problem| DataError::image(slice.source.display(), problem))?;
            Ok(canvas.place(image.pixels.dim()).forward(&map.unit_image(&image.pixels), -1.0))
        };
        Self::new(slices.par_iter().map(prepared).collect::<Result<_, DataError>>()?)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Never: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The images in order.
    ///
    /// # Shapes
    /// Each (rows, columns) of the canvas, values in `[-1, 1]`.
    pub fn images(&self) -> &[Array2<f32>] {
        &self.images
    }

    /// (rows, columns) of every image.
    pub fn size(&self) -> (usize, usize) {
        self.images.first().map_or((0, 0), Array2::dim)
    }
}

/// Reads `slices`, in parallel, and fits a normalization on them.
///
/// # Errors
/// Those of reading and of [`Normalization::fit`].
pub fn fit_normalizer(normalization: &Normalization, slices: &[Slice]) -> Result<Normalizer, DataError> {
    let images = slices.par_iter().map(|slice| slice.source.read()).collect::<Result<Vec<_>, _>>()?;
    normalization.fit(images)
}
