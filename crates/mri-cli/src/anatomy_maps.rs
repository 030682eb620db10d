//! The columns `labels` and `lesions` of a CSV of pairs: images that say what lies where.

use std::path::Path;

use anyhow::{Context, Result, bail};
use mri_data::image::Image;
use mri_data::source::ImageRef;
use mri_data::study::{Study, list_studies};
use ndarray::Array2;

/// The columns, in the order of [`AnatomyRefs`].
pub const COLUMNS: [&str; 2] = ["labels", "lesions"];

/// What a line names; `None` where it names nothing.
#[derive(Debug, Default)]
pub struct AnatomyRefs {
    labels: Option<ImageRef>,
    lesions: Option<ImageRef>,
}

/// As it was read: pixels of the size of the pair.
#[derive(Debug, Default)]
pub struct AnatomyMaps {
    /// Whole numbers, 0 to 255.
    pub labels: Option<Array2<f32>>,
    /// Above 0 in lesions.
    pub lesions: Option<Array2<f32>>,
}

impl AnatomyRefs {
    /// From the two fields of a line, paths relative to `folder`; an empty one names nothing.
    pub fn list(fields: [&str; 2], folder: &Path) -> Result<Self> {
        let one = |column: usize| -> Result<Option<ImageRef>> {
            let name = fields[column];
            if name.is_empty() {
                return Ok(None);
            }
            let path = folder.join(name);
            let mut studies = list_studies(&path)?;
            match studies.pop() {
                Some(Study::Image(image)) if studies.is_empty() => Ok(Some(image)),
                _ => bail!("{}: `{}` must name one image, and no volume", path.display(), COLUMNS[column]),
            }
        };
        Ok(Self { labels: one(0)?, lesions: one(1)? })
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_none() && self.lesions.is_none()
    }

    /// Reads both. `size_px` is (rows, columns) of the pair.
    pub fn read(&self, size_px: (usize, usize)) -> Result<AnatomyMaps> {
        let read = |image: &ImageRef| -> Result<Array2<f32>> {
            let Image { pixels, .. } = image.read()?;
            let ((rows, columns), (found_rows, found_columns)) = (size_px, pixels.dim());
            if size_px != pixels.dim() {
                bail!(
                    "the sizes differ: {} is {found_columns}x{found_rows} px, the pair {columns}x{rows} px",
                    image.display()
                );
            }
            Ok(pixels)
        };
        let labels = self.labels.as_ref().map(|image| {
            let pixels = read(image)?;
            let is_label = |value: &f32| (0.0..=255.0).contains(value) && value.fract() == 0.0;
            match pixels.iter().find(|value| !is_label(value)) {
                Some(value) => {
                    bail!("{} holds {value}; labels are whole numbers from 0 to 255", image.display())
                }
                None => Ok(pixels),
            }
        });
        Ok(AnatomyMaps {
            labels: labels.transpose().context("labels")?,
            lesions: self.lesions.as_ref().map(read).transpose().context("lesions")?,
        })
    }
}
