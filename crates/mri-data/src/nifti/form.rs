//! The two ways in which a header says where voxels lie, and what holds without either.

use std::fmt;

use super::NiftiError;
use super::layout::{PIXDIM, QOFFSET, QUATERN, SROW};
use crate::volume::Affine;

/// Where the affine of a volume is from, with the code of the space that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The 3x4 matrix.
    Sform(u8),
    /// Quaternion, offset and voxel sizes.
    Qform(u8),
    /// Neither: voxel sizes only.
    Neither,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sform(code) => write!(f, "sform ({})", space(*code)),
            Self::Qform(code) => write!(f, "qform ({})", space(*code)),
            Self::Neither => f.write_str("voxel sizes only: no qform, no sform"),
        }
    }
}

fn space(code: u8) -> &'static str {
    match code {
        1 => "scanner",
        2 => "aligned to another scan",
        3 => "Talairach",
        4 => "MNI 152",
        5 => "template",
        _ => "unknown space",
    }
}

/// A quaternion may be longer than 1 by the rounding of its numbers, not by more.
const QUATERNION_TOLERANCE: f64 = 1e-4;
/// Cosine of the angle between axes up to which a quaternion can stand for them.
const SHEAR_TOLERANCE: f64 = 1e-4;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Qform {
    pub(super) code: u8,
    pub(super) bcd: [f64; 3],
    pub(super) offset_mm: [f64; 3],
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sform {
    pub(super) code: u8,
    pub(super) rows: [[f64; 4]; 3],
}

/// The affine in the units of the file, and where it is from.
pub(super) fn affine(
    dim: &[i64; 8],
    pixdim: &[f64; 8],
    qform: &Qform,
    sform: &Sform,
) -> Result<(Affine, Form), NiftiError> {
    let (affine, form, field) = if sform.code > 0 {
        (Affine::from_rows(sform.rows), Form::Sform(sform.code), SROW.name)
    } else if qform.code > 0 {
        (qform.affine(pixdim)?, Form::Qform(qform.code), PIXDIM.name)
    } else {
        (about_the_centre(dim, pixdim), Form::Neither, PIXDIM.name)
    };
    if affine.is_proper() {
        return Ok((affine, form));
    }
    let field = if affine.origin_mm.iter().all(|mm| mm.is_finite()) || form == Form::Neither {
        field
    } else if matches!(form, Form::Qform(_)) {
        QOFFSET.name
    } else {
        SROW.name
    };
    let rows: Vec<String> = affine.rows().iter().map(|row| format!("{row:?}")).collect();
    Err(NiftiError::field(field, format!("do not give each voxel a place of its own: {}", rows.join(", "))))
}

/// Voxel sizes as they are meant: positive, and 1 where there is none.
fn sizes(pixdim: &[f64; 8]) -> [f64; 3] {
    let [_, i, j, k, ..] = *pixdim;
    [i, j, k].map(|size| if size == 0.0 { 1.0 } else { size.abs() })
}

/// With the centre of the grid at the origin and the first axis running left: what nibabel does, and SPM.
fn about_the_centre(dim: &[i64; 8], pixdim: &[f64; 8]) -> Affine {
    let [rank, lengths @ ..] = dim;
    let mut steps = sizes(pixdim);
    steps.iter_mut().skip(usize::try_from(*rank).unwrap_or(3)).for_each(|step| *step = 1.0);
    steps[0] = -steps[0];
    let mut affine = Affine::scaling(steps);
    for ((origin, step), (axis, length)) in
        affine.origin_mm.iter_mut().zip(steps).zip(lengths.iter().enumerate())
    {
        let length = if (axis as i64) < *rank { *length } else { 1 };
        *origin = -step * ((length - 1) as f64 / 2.0);
    }
    affine
}

impl Qform {
    fn affine(&self, pixdim: &[f64; 8]) -> Result<Affine, NiftiError> {
        let [b, c, d] = self.bcd;
        let length = b * b + c * c + d * d;
        if !(length.is_finite() && length <= 1.0 + QUATERNION_TOLERANCE) {
            let reason = format!("{b}, {c}, {d} are no part of a unit quaternion");
            return Err(NiftiError::field(QUATERN.name, reason));
        }
        let a = (1.0 - length).max(0.0).sqrt();
        let s = 2.0 / (a * a + length);
        let rotation = [
            [1.0 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
            [s * (b * c + a * d), 1.0 - s * (b * b + d * d), s * (c * d - a * b)],
            [s * (b * d - a * c), s * (c * d + a * b), 1.0 - s * (b * b + c * c)],
        ];
        let mut steps = sizes(pixdim);
        if pixdim[0] == -1.0 {
            steps[2] = -steps[2];
        }
        let linear = rotation.map(|row| std::array::from_fn(|axis| row[axis] * steps[axis]));
        Ok(Affine { linear, origin_mm: self.offset_mm })
    }

    /// The qform of an affine, with `pixdim[0]`, the sign of its third axis. Sheared axes have none.
    pub(super) fn of(affine: &Affine, code: u8) -> Option<(Self, f64)> {
        let sizes = affine.voxel_mm();
        let sign = affine.determinant().signum();
        let r: [[f64; 3]; 3] = affine.linear.map(|row| {
            std::array::from_fn(|axis| row[axis] / sizes[axis] * if axis == 2 { sign } else { 1.0 })
        });
        let cosine = |one: usize, other: usize| (0..3).map(|row| r[row][one] * r[row][other]).sum::<f64>();
        if [cosine(0, 1), cosine(0, 2), cosine(1, 2)].iter().any(|cosine| cosine.abs() > SHEAR_TOLERANCE) {
            return None;
        }
        // Four times the products of each component with the others and itself; the largest is divided by.
        let trace = r[0][0] + r[1][1] + r[2][2];
        let rows = [
            [1.0 + trace, r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]],
            [r[2][1] - r[1][2], 1.0 + 2.0 * r[0][0] - trace, r[0][1] + r[1][0], r[0][2] + r[2][0]],
            [r[0][2] - r[2][0], r[0][1] + r[1][0], 1.0 + 2.0 * r[1][1] - trace, r[1][2] + r[2][1]],
            [r[1][0] - r[0][1], r[0][2] + r[2][0], r[1][2] + r[2][1], 1.0 + 2.0 * r[2][2] - trace],
        ];
        let largest = (1..4).fold(0, |best, i| if rows[i][i] > rows[best][best] { i } else { best });
        let row = rows[largest];
        let length = row.iter().map(|part| part * part).sum::<f64>().sqrt();
        let towards = if row[0] < 0.0 { -length } else { length };
        let [_, b, c, d] = row.map(|part| part / towards);
        Some((Self { code, bcd: [b, c, d], offset_mm: affine.origin_mm }, sign))
    }
}
