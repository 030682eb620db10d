//! Whole volumes: voxels on a grid in space, and slices of them along an anatomical axis.
//!
//! Coordinates are those of NIfTI: millimetres, x to the patient's right, y to the front, z to the head (RAS). DICOM files,
//! whose x and y point the other ways (LPS), are converted when they are read and written.

mod affine;
mod orientation;

use ndarray::{Array3, ArrayView3, ArrayViewMut3};

pub use affine::Affine;
pub use orientation::{Orientation, SliceAxis};

/// Voxels on their grid, and the file header that they came with.
///
/// `H` is the header of the format, kept so that a synthetic volume can be written with the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<H> {
    /// Values in real units, that is after the slope and intercept of the file, indexed by the file's own axes
    /// `[i, j, k]`, of which `i` runs fastest in the file. May hold NaN where the file does.
    pub voxels: Array3<f32>,
    /// Where voxel `[i, j, k]` lies, in RAS millimetres.
    pub affine: Affine,
    /// What else the file said.
    pub header: H,
}

impl<H> Volume<H> {
    /// Slices along `axis`, standing as [`Orientation`] says, whatever the order of the axes in the file.
    ///
    /// # Shapes
    /// (slices, rows, columns): a view of the voxels; nothing is resampled.
    pub fn slices(&self, axis: SliceAxis) -> ArrayView3<'_, f32> {
        Orientation::of(&self.affine, axis).view(self.voxels.view())
    }

    /// As [`Self::slices`], to be written to.
    pub fn slices_mut(&mut self, axis: SliceAxis) -> ArrayViewMut3<'_, f32> {
        Orientation::of(&self.affine, axis).view_mut(self.voxels.view_mut())
    }
}
