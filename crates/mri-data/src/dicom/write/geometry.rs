//! From an affine to the attributes of the image plane.

use super::super::error::DicomError;
use super::super::frame::{Plane, dot};
use crate::volume::Affine;

/// Axes may be off a right angle by this cosine.
const RIGHT_ANGLE_TOLERANCE: f64 = 1e-3;

/// The planes of a volume, LPS.
pub(super) struct Planes {
    pub(super) plane: Plane,
    pub(super) normal: [f64; 3],
    /// Between slices, along the normal.
    pub(super) spacing_between_mm: f64,
    affine: Affine,
}

impl Planes {
    pub(super) fn of(affine: &Affine) -> Result<Self, DicomError> {
        let not_writable = |reason: &str| DicomError::NotWritable { reason: reason.to_owned() };
        if !affine.is_proper() {
            return Err(not_writable("its affine does not place every voxel somewhere of its own"));
        }
        let [column_mm, row_mm, _] = affine.voxel_mm();
        let along_row = lps(affine.step_mm(0)).map(|part| part / column_mm);
        let along_column = lps(affine.step_mm(1)).map(|part| part / row_mm);
        if dot(along_row, along_column).abs() > RIGHT_ANGLE_TOLERANCE {
            return Err(not_writable("its first two axes are not at a right angle, which DICOM cannot say"));
        }
        let plane = Plane { along_row, along_column, spacing_mm: [row_mm, column_mm] };
        let normal = plane.normal();
        let spacing_between_mm = dot(lps(affine.step_mm(2)), normal).abs();
        Ok(Self { plane, normal, spacing_between_mm, affine: *affine })
    }

    /// The centre of the first pixel of slice `k`.
    pub(super) fn position(&self, k: usize) -> [f64; 3] {
        lps(self.affine.ras_mm([0.0, 0.0, k as f64]))
    }
}

fn lps([x, y, z]: [f64; 3]) -> [f64; 3] {
    [-x, -y, z]
}
