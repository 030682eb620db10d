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
        let nearest = nearest_axes(affine);
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
                .map(|(toward, positive)| (cosine(affine, toward, nearest[toward]) > 0.0) != positive),
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

    /// Where the storage axes run to, each by its nearest direction: `RAS` for a file whose first axis runs to the right,
    /// the second to the front (anterior) and the third to the head (superior).
    pub fn code(affine: &Affine) -> String {
        let mut code = ['?'; 3];
        for (toward, storage) in nearest_axes(affine).into_iter().enumerate() {
            let [positive, negative] = [['R', 'L'], ['A', 'P'], ['S', 'I']][toward];
            code[storage] = if cosine(affine, toward, storage) > 0.0 { positive } else { negative };
        }
        code.into_iter().collect()
    }

    fn reversed_axes(&self) -> impl Iterator<Item = Axis> {
        (0..3).filter(|&axis| self.reversed[axis]).map(Axis)
    }
}

/// Of the unit vector along a storage axis, the part to the right (0), the front (1) or the head (2).
fn cosine(affine: &Affine, toward: usize, storage: usize) -> f64 {
    affine.linear[toward][storage] / affine.voxel_mm()[storage]
}

/// The storage axes that are nearest to right, front and head.
fn nearest_axes(affine: &Affine) -> [usize; 3] {
    let closeness =
        |order: &[usize; 3]| (0..3).map(|toward| cosine(affine, toward, order[toward]).abs()).sum::<f64>();
    let mut nearest = PERMUTATIONS[0];
    for order in PERMUTATIONS {
        // A tie, as at exactly 45 degrees, goes to the earlier order, not to the rounding.
        if closeness(&order) > closeness(&nearest) + 1e-9 {
            nearest = order;
        }
    }
    nearest
}
