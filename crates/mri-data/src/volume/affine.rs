//! From voxel indices to millimetres in the scanner.

/// The map `ras_mm = linear * [i, j, k] + origin_mm`, with voxel centres at whole indices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// `linear[row][column]`: column `a` is the step in RAS millimetres from one voxel to the next along axis `a`.
    pub linear: [[f64; 3]; 3],
    /// Centre of voxel `[0, 0, 0]`, in RAS millimetres.
    pub origin_mm: [f64; 3],
}

impl Affine {
    /// Axis-aligned voxels of these sizes, with voxel `[0, 0, 0]` at the origin.
    pub fn scaling(voxel_mm: [f64; 3]) -> Self {
        let mut linear = [[0.0; 3]; 3];
        for (axis, size) in voxel_mm.into_iter().enumerate() {
            linear[axis][axis] = size;
        }
        Self { linear, origin_mm: [0.0; 3] }
    }

    /// The three upper rows `[linear | origin]` of the 4x4 matrix, as NIfTI's `srow` fields hold them.
    pub fn from_rows(rows: [[f64; 4]; 3]) -> Self {
        Self { linear: rows.map(|[i, j, k, _]| [i, j, k]), origin_mm: rows.map(|[_, _, _, origin]| origin) }
    }

    /// The inverse of [`Self::from_rows`].
    pub fn rows(&self) -> [[f64; 4]; 3] {
        std::array::from_fn(|row| {
            let [i, j, k] = self.linear[row];
            [i, j, k, self.origin_mm[row]]
        })
    }

    /// Where the voxel (or point between voxels) lies, in RAS millimetres.
    pub fn ras_mm(&self, voxel: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            let [i, j, k] = self.linear[row];
            self.origin_mm[row] + i * voxel[0] + j * voxel[1] + k * voxel[2]
        })
    }

    /// The step in RAS millimetres from one voxel to the next along a storage axis.
    pub fn step_mm(&self, axis: usize) -> [f64; 3] {
        self.linear.map(|row| row[axis])
    }

    /// Voxel sizes along the storage axes, in millimetres.
    pub fn voxel_mm(&self) -> [f64; 3] {
        std::array::from_fn(|axis| self.step_mm(axis).iter().map(|mm| mm * mm).sum::<f64>().sqrt())
    }

    /// Of the 3x3 part: the volume of a voxel in mm³, negative for a left-handed order of axes.
    pub fn determinant(&self) -> f64 {
        let [a, b, c] = self.linear;
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0])
    }

    /// Whether the map places every voxel somewhere of its own: all numbers finite, no voxel of size zero, the axes
    /// independent.
    pub fn is_proper(&self) -> bool {
        let finite = self.rows().iter().flatten().all(|number| number.is_finite());
        let size: f64 = self.voxel_mm().iter().product();
        finite && size > 0.0 && self.determinant().abs() > 1e-6 * size
    }
}
