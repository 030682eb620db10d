//! What a volume is like, for a first look. Nothing of it tells whose it is.

use ndarray::ArrayView3;
use serde::Serialize;

use super::VolumeRef;
use crate::dicom::Contrast;
use crate::normalize::percentiles;
use crate::volume::{Affine, Orientation};
use crate::{DataError, ImageError};

/// What a volume is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VolumeDescription {
    /// Path inside the place that was listed, with forward slashes.
    pub path: String,
    /// `NIfTI-1`, `NIfTI-2` or `DICOM`.
    pub format: String,
    /// Files that it is made of.
    pub files: usize,
    /// Voxels along the axes, in file order; of a series columns, rows and slices.
    pub shape: [usize; 3],
    /// Voxel sizes along the same axes.
    pub voxel_mm: [f64; 3],
    /// Where the axes run to, such as `RAS`: right, anterior, superior.
    pub orientation: String,
    /// The largest angle between an axis and the direction that it is nearest to.
    pub oblique_degrees: f64,
    /// Where the affine of a NIfTI file is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// Type of the voxels in a NIfTI file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datatype: Option<String>,
    /// `Modality` of a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// `SeriesNumber` of a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_number: Option<i64>,
    /// What tells the contrast of a series.
    #[serde(skip_serializing_if = "Contrast::is_empty")]
    pub contrast: Contrast,
    /// Values, after slope and intercept.
    pub intensity: Intensity,
    /// What is not quite right with it.
    pub warnings: Vec<String>,
}

/// The values of a volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intensity {
    /// Least finite value.
    pub min: f64,
    /// First percentile.
    pub p1: f64,
    /// Median.
    pub median: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest finite value.
    pub max: f64,
    /// Voxels that are NaN or infinite; they are left out of the figures.
    pub not_finite: usize,
}

impl Intensity {
    /// Of all finite voxels.
    ///
    /// # Errors
    /// [`ImageError::NoPixels`] where there is none.
    pub fn of(voxels: ArrayView3<'_, f32>) -> Result<Self, ImageError> {
        let finite = voxels.iter().copied().filter(|value| value.is_finite());
        match percentiles(finite, &[0.0, 1.0, 50.0, 99.0, 100.0]).as_slice() {
            &[min, p1, median, p99, max] => {
                let not_finite = voxels.iter().filter(|value| !value.is_finite()).count();
                Ok(Self { min, p1, median, p99, max, not_finite })
            }
            _ => Err(ImageError::NoPixels { height: voxels.len(), width: 0 }),
        }
    }
}

impl VolumeRef {
    /// Reads the volume and says what it is like.
    ///
    /// # Errors
    /// Those of [`VolumeRef::read`].
    pub fn describe(&self) -> Result<VolumeDescription, DataError> {
        let header = self.nifti_header()?;
        let volume = self.read()?;
        let (i, j, k) = volume.voxels.dim();
        let intensity = Intensity::of(volume.voxels.view())
            .map_err(|problem| DataError::image(self.display(), problem))?;
        let series = self.series();
        let format = match &header {
            Some(header) => format!("NIfTI-{}", header.version().number()),
            None => "DICOM".into(),
        };
        Ok(VolumeDescription {
            path: self.relative().iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"),
            format,
            files: self.paths().len(),
            shape: [i, j, k],
            voxel_mm: volume.affine.voxel_mm(),
            orientation: Orientation::code(&volume.affine),
            oblique_degrees: oblique_degrees(&volume.affine),
            form: header.as_ref().map(|header| header.form().to_string()),
            datatype: header.as_ref().map(|header| header.datatype().name().to_owned()),
            modality: series.map(|series| series.modality().to_owned()),
            series_number: series.and_then(|series| series.number()),
            contrast: series.map(|series| series.contrast()).unwrap_or_default(),
            intensity,
            warnings: series.map(|series| series.warnings().to_vec()).unwrap_or_default(),
        })
    }
}

/// The largest angle between an axis and the direction that it is nearest to.
fn oblique_degrees(affine: &Affine) -> f64 {
    let sizes = affine.voxel_mm();
    let angle = |axis: usize| {
        let step = affine.step_mm(axis).map(|part| part.abs() / sizes[axis]);
        step.into_iter().fold(0.0, f64::max).min(1.0).acos().to_degrees()
    };
    (0..3).map(angle).fold(0.0, f64::max)
}
