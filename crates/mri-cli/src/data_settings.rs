//! What a model says of the images that it was trained on.

use anyhow::{Result, ensure};
use mri_data::geometry::Canvas;
#[cfg(test)]
use mri_data::image::{BitDepth, Image};
use mri_data::normalize::Normalizer;
use mri_data::volume::SliceAxis;
use serde::{Deserialize, Serialize};

/// What a model file says of the images that it was trained on: [`mri_cyclegan::Metadata::data`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSettings {
    pub canvas: Canvas,
    /// Of the domains A and B, fitted on the training images.
    pub normalizers: [Normalizer; 2],
    /// Hash of the manifest of the training images.
    pub manifest_sha256: String,
    /// The direction that volumes were cut along.
    #[serde(default)]
    pub slice_axis: SliceAxis,
    /// Slices on each side of the translated one that the network sees as further channels.
    #[serde(default)]
    pub neighbours: usize,
}

impl DataSettings {
    /// Members of an ensemble see the same images in the same units; only the sizes of their canvases may differ.
    pub fn ensure_alike(&self, other: &Self) -> Result<()> {
        ensure!(
            self.normalizers == other.normalizers,
            "they normalize intensities in other ways; train the members on the same images, with another --seed each"
        );
        ensure!(self.slice_axis == other.slice_axis, "they cut volumes along different axes");
        let [ours, theirs] = [self.neighbours, other.neighbours];
        ensure!(ours == theirs, "the first sees {ours} neighbours of a slice, the second {theirs}");
        Ok(())
    }
}

#[cfg(test)]
impl DataSettings {
    /// 8-bit images of any size, as they are.
    pub fn for_tests() -> Self {
        let range = mri_data::normalize::Normalization::Range { min: Some(0.), max: Some(255.) };
        let image = Image { pixels: ndarray::array![[0., 255.]], depth: BitDepth::Eight };
        #[allow(clippy::unwrap_used)]
        let normalizer = range.fit([image]).unwrap();
        Self {
            canvas: Canvas { height_px: 32, width_px: 32, fit: mri_data::geometry::Fit::Contain },
            normalizers: [normalizer.clone(), normalizer],
            manifest_sha256: String::new(),
            slice_axis: SliceAxis::default(),
            neighbours: 0,
        }
    }
}
