//! Anatomical slices of a volume, whatever the order and direction of its axes in the file.

use ndarray::{ArrayView3, ArrayViewMut3, Axis};
use serde::{Deserialize, Serialize};

use super::Affine;

/// The direction that slices are stacked along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SliceAxis {
    /// From the feet up: rows from front to back, columns from the patient's right to the left, as radiologists look at
    /// them.
    #[default]
    Axial,
    /// From the back to the front: rows from the head down, columns from the patient's right to the left.
    Coronal,
    /// From the patient's right to the left: rows from the head down, columns from front to back.
    Sagittal,
}

/// Which storage axis is nearest to each anatomical direction of a slice, and whether it runs against it.
///
/// An oblique volume is taken by its nearest axes: the assignment of storage axes to right, front and head with the
/// largest sum of cosines. Nothing is resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation {
    /// Storage axes of (slices, rows, columns).
    axes: [usize; 3],
    reversed: [bool; 3],
}

const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

impl Orientation {
    /// How slices along `axis` lie in a volume with this affine.
    pub fn of(affine: &Affine, axis: SliceAxis) -> Self {
        let sizes = affine.voxel_mm();
        // Of the unit vector along a storage axis, the part to the right, the front or the head.
        let cosine = |toward: usize, storage: usize| affine.linear[toward][storage] / sizes[storage];
        let closeness =
            |order: &[usize; 3]| (0..3).map(|toward| cosine(toward, order[toward]).abs()).sum::<f64>();
        let mut nearest = PERMUTATIONS[0];
        for order in PERMUTATIONS {
            // A tie, as at exactly 45 degrees, goes to the earlier order, not to the rounding.
            if closeness(&order) > closeness(&nearest) + 1e-9 {
                nearest = order;
            }
        }
        let (right, front, head) = (0, 1, 2);
        // (slices, rows, columns), and whether each runs to the right, front or head.
        let directions = match axis {
            SliceAxis::Axial => [(head, true), (front, false), (right, false)],
            SliceAxis::Coronal => [(front, true), (head, false), (right, false)],
            SliceAxis::Sagittal => [(right, false), (head, false), (front, false)],
        };
        Self {
            axes: directions.map(|(toward, _)| nearest[toward]),
            reversed: directions
                .map(|(toward, positive)| (cosine(toward, nearest[toward]) > 0.0) != positive),
        }
    }

    /// Storage axes of (slices, rows, columns).
    pub fn storage_axes(&self) -> [usize; 3] {
        self.axes
    }

    /// The voxels of a file, by its own axes, as (slices, rows, columns).
    pub fn view<'a>(&self, voxels: ArrayView3<'a, f32>) -> ArrayView3<'a, f32> {
        let mut view = voxels.permuted_axes(self.axes);
        self.reversed_axes().for_each(|axis| view.invert_axis(axis));
        view
    }

    /// As [`Self::view`], to be written to.
    pub fn view_mut<'a>(&self, voxels: ArrayViewMut3<'a, f32>) -> ArrayViewMut3<'a, f32> {
        let mut view = voxels.permuted_axes(self.axes);
        self.reversed_axes().for_each(|axis| view.invert_axis(axis));
        view
    }

    fn reversed_axes(&self) -> impl Iterator<Item = Axis> {
        (0..3).filter(|&axis| self.reversed[axis]).map(Axis)
    }
}
