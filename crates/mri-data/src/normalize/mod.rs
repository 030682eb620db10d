//! Intensities of files to the `[-1, 1]` of a network, and back.
//!
//! A [`Normalization`] is fitted on the training images of one domain. The [`Normalizer`] then gives each image its own
//! invertible [`IntensityMap`], and keeps one map that is typical of the domain: a synthetic image is mapped back with
//! that one, for its own minimum and maximum mean nothing and its target is not known.

mod map;
mod statistics;

use std::borrow::Borrow;

use ndarray::{Array1, Array3, ArrayView, ArrayView1, ArrayView3, CowArray, Dimension, Ix1};
use serde::{Deserialize, Serialize};

pub use map::IntensityMap;
pub(crate) use statistics::{mean_and_sd, percentiles};

use crate::image::{BitDepth, Image};
use crate::{DataError, ImageError};

/// How intensities become network units. In a configuration a table with its `method` and the settings of the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalization {
    /// `min` becomes -1 and `max` 1, the same for every image. A bound left out is that of the training images.
    Range {
        /// Intensity that becomes -1, in file units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f32>,
        /// Intensity that becomes 1, in file units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f32>,
    },
    /// The image's own percentiles `low` and `high` become -1 and 1.
    Percentile {
        /// Lower percentile, 0 to 100.
        #[serde(default = "default_low")]
        low: f64,
        /// Upper percentile, 0 to 100.
        #[serde(default = "default_high")]
        high: f64,
    },
    /// Mean and standard deviation of the foreground (the pixels above the mean of the image) are brought to those of
    /// the training images, whose mean range then becomes -1 to 1.
    ZScore {},
    /// Histogram standardization: the deciles of the foreground, and its percentiles `low` and `high`, are brought to
    /// their mean places among the training images (Nyúl, Udupa and Zhang, IEEE TMI 19(2), 2000). The minimum of the
    /// image becomes -1 and its percentile `high` 1.
    Nyul {
        /// Lowest landmark, a percentile below 10.
        #[serde(default = "default_nyul_low")]
        low: f64,
        /// Highest landmark, a percentile above 90.
        #[serde(default = "default_high")]
        high: f64,
    },
}

fn default_low() -> f64 {
    0.5
}

fn default_high() -> f64 {
    99.8
}

fn default_nyul_low() -> f64 {
    1.0
}

impl Normalization {
    /// [`Self::Percentile`] with its usual bounds: what suits volumes, whose units differ from scanner to scanner.
    pub fn percentile() -> Self {
        Self::Percentile { low: default_low(), high: default_high() }
    }
}

impl Default for Normalization {
    fn default() -> Self {
        Self::Range { min: None, max: None }
    }
}

/// A [`Normalization`] fitted on the training images of one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalizer {
    normalization: Normalization,
    /// Of the training images; none for volumes, whose units are real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    depth: Option<BitDepth>,
    typical: IntensityMap,
    /// What each image is brought to: mean and standard deviation of the foreground for the z-score, landmarks in network
    /// units for Nyúl's method, else nothing.
    standard: Vec<f32>,
}

/// What a [`Normalization`] notes of one training image or volume.
#[derive(Debug, Clone, PartialEq)]
pub struct Landmarks {
    /// None for a volume.
    depth: Option<BitDepth>,
    row: Vec<f64>,
}

impl Normalization {
    /// Fits on the training images of one domain, one at a time. Images of mixed depths are taken at the largest.
    ///
    /// # Errors
    /// [`DataError::Setting`] for no images or settings without meaning, [`DataError::Image`] with its position for a
    /// training image that is constant or not finite.
    pub fn fit<I>(&self, images: I) -> Result<Normalizer, DataError>
    where
        I: IntoIterator,
        I::Item: Borrow<Image>,
    {
        let of_image = |(index, image): (usize, I::Item)| {
            self.landmarks_of(image.borrow())
                .map_err(|problem| DataError::image(format!("training image {}", index + 1), problem))
        };
        let landmarks = images.into_iter().enumerate().map(of_image).collect::<Result<Vec<_>, _>>()?;
        self.fit_landmarks(&landmarks)
    }

    /// Fits on the voxels of the training volumes of one domain, one volume at a time. Voxels that are not finite are
    /// passed over.
    ///
    /// # Errors
    /// [`DataError::Setting`] for no volumes or settings without meaning, [`DataError::Image`] with its position for a
    /// training volume that is constant.
    pub fn fit_volumes<I>(&self, volumes: I) -> Result<Normalizer, DataError>
    where
        I: IntoIterator<Item = Result<Array3<f32>, DataError>>,
    {
        let of_volume = |(index, voxels): (usize, Result<Array3<f32>, DataError>)| {
            self.landmarks_of_volume(voxels?.view())
                .map_err(|problem| DataError::image(format!("training volume {}", index + 1), problem))
        };
        let landmarks = volumes.into_iter().enumerate().map(of_volume).collect::<Result<Vec<_>, _>>()?;
        self.fit_landmarks(&landmarks)
    }

    /// The few numbers of a training image that [`Self::fit_landmarks`] wants.
    ///
    /// # Errors
    /// [`ImageError::Constant`], [`ImageError::NotFinite`] or [`ImageError::NoPixels`].
    pub fn landmarks_of(&self, image: &Image) -> Result<Landmarks, ImageError> {
        Ok(Landmarks { depth: Some(image.depth), row: self.landmarks(image.pixels.view())? })
    }

    /// The same of a training volume. Voxels that are not finite are passed over.
    ///
    /// # Errors
    /// [`ImageError::Constant`], or [`ImageError::NoPixels`] where no voxel is finite.
    pub fn landmarks_of_volume(&self, voxels: ArrayView3<'_, f32>) -> Result<Landmarks, ImageError> {
        Ok(Landmarks { depth: None, row: self.landmarks(finite_voxels(voxels).view())? })
    }

    /// Fits on what was noted of the training images, or of the training volumes, of one domain. Images of mixed depths
    /// are taken at the largest.
    ///
    /// # Errors
    /// [`DataError::Setting`] for none, for images and volumes together, or for settings without meaning.
    pub fn fit_landmarks(&self, landmarks: &[Landmarks]) -> Result<Normalizer, DataError> {
        self.check()?;
        let depth = landmarks
            .iter()
            .map(|of_one| of_one.depth)
            .max()
            .ok_or_else(|| meaningless("no training images to fit it on"))?;
        if landmarks.iter().any(|of_one| of_one.depth.is_some() != depth.is_some()) {
            return Err(meaningless("images and volumes cannot be fitted together"));
        }
        let full = |depth: Option<BitDepth>| depth.map_or(1.0, BitDepth::max_value);
        let rows: Vec<Vec<f64>> = landmarks
            .iter()
            .map(|of_one| {
                let ratio = f64::from(full(depth) / full(of_one.depth));
                of_one.row.iter().map(|value| value * ratio).collect()
            })
            .collect();
        self.fitted(&rows, depth)
    }

    fn fitted(&self, rows: &[Vec<f64>], depth: Option<BitDepth>) -> Result<Normalizer, DataError> {
        let (typical, standard) = self.typical_of(rows)?;
        let standard = standard.into_iter().map(|value| value as f32).collect();
        Ok(Normalizer { normalization: self.clone(), depth, typical, standard })
    }

    fn check(&self) -> Result<(), DataError> {
        match *self {
            Self::Range { min: Some(min), max: Some(max) }
                if !(min < max && min.is_finite() && max.is_finite()) =>
            {
                Err(meaningless(format!("min {min} must be below max {max}")))
            }
            Self::Percentile { low, high } if !(0.0 <= low && low < high && high <= 100.0) => {
                Err(meaningless(format!("percentiles low {low} and high {high} must rise within 0 to 100")))
            }
            Self::Nyul { low, high } if !((0.0..10.0).contains(&low) && high > 90.0 && high <= 100.0) => {
                Err(meaningless(format!("low {low} must be within 0 to 10 and high {high} within 90 to 100")))
            }
            _ => Ok(()),
        }
    }

    /// The numbers of one image or volume that the method needs, all proportional to its intensities.
    fn landmarks<D: Dimension>(&self, image: ArrayView<'_, f32, D>) -> Result<Vec<f64>, ImageError> {
        let (min, max) = checked_extent(&image)?;
        let pixels = || image.iter().copied();
        let mean = mean_and_sd(pixels()).0;
        let foreground = || pixels().filter(move |&value| f64::from(value) > mean);
        Ok(match *self {
            Self::Range { .. } => vec![min, max],
            Self::Percentile { low, high } => {
                let ends = percentiles(pixels(), &[low, high]);
                if ends[0] < ends[1] { ends } else { vec![min, max] }
            }
            Self::ZScore {} => {
                let (mean, sd) = match mean_and_sd(foreground()) {
                    (mean, sd) if sd > 0.0 => (mean, sd),
                    _ => mean_and_sd(pixels()),
                };
                let high = percentiles(pixels(), &[default_high()])[0];
                vec![mean, sd, min, if high > min { high } else { max }]
            }
            Self::Nyul { low, high } => {
                let percents = [low, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, high];
                let mut landmarks = vec![min];
                landmarks.extend(percentiles(foreground(), &percents));
                landmarks
            }
        })
    }

    fn typical_of(&self, rows: &[Vec<f64>]) -> Result<(IntensityMap, Vec<f64>), DataError> {
        match *self {
            Self::Range { min, max } => {
                let least = rows.iter().map(|row| row[0]).fold(f64::INFINITY, f64::min);
                let most = rows.iter().map(|row| row[1]).fold(f64::NEG_INFINITY, f64::max);
                let (min, max) = (min.unwrap_or(least as f32), max.unwrap_or(most as f32));
                if min >= max {
                    return Err(meaningless(format!(
                        "min {min} must be below max {max} of the training images"
                    )));
                }
                Ok((IntensityMap::new(vec![(min, -1.0), (max, 1.0)])?, Vec::new()))
            }
            Self::Percentile { .. } => {
                let ends = mean_row(rows);
                Ok((IntensityMap::through(&[(ends[0], -1.0), (ends[1], 1.0)])?, Vec::new()))
            }
            Self::ZScore {} => {
                let (mean, sd) = (mean_row(rows)[0], mean_row(rows)[1]);
                let standardized: Vec<Vec<f64>> = rows
                    .iter()
                    .map(|row| row[2..].iter().map(|end| (end - row[0]) / row[1] * sd + mean).collect())
                    .collect();
                let ends = mean_row(&standardized);
                Ok((IntensityMap::through(&[(ends[0], -1.0), (ends[1], 1.0)])?, vec![mean, sd]))
            }
            Self::Nyul { .. } => {
                let units: Vec<Vec<f64>> = rows.iter().map(|row| spread_over_unit_range(row)).collect();
                let standard = mean_row(&units);
                let knots: Vec<_> = mean_row(rows).into_iter().zip(standard.iter().copied()).collect();
                Ok((IntensityMap::through(&knots)?, standard))
            }
        }
    }
}

impl Normalizer {
    /// The map of one image of the domain, in the units of its own file. Where the training data were volumes, whose
    /// units say nothing of a file's, [`Normalization::Range`] takes the image's own range.
    ///
    /// # Errors
    /// [`ImageError::Constant`], [`ImageError::NotFinite`] or [`ImageError::NoPixels`].
    pub fn map_for(&self, image: &Image) -> Result<IntensityMap, ImageError> {
        let landmarks = self.normalization.landmarks(image.pixels.view())?;
        match (&self.normalization, self.depth) {
            (Normalization::Range { .. }, Some(_)) => Ok(self.output_map(image.depth)),
            (Normalization::Range { .. }, None) => own_range(
                landmarks[0],
                percentiles(image.pixels.iter().copied(), &[default_high()]),
                landmarks[1],
            ),
            _ => self.map_through(landmarks),
        }
    }

    /// The map of a whole volume of the domain, in the units of its own file. Voxels that are not finite are passed over.
    /// Where the training data were images of 8 or 16 bits, whose units say nothing of a scanner's,
    /// [`Normalization::Range`] takes the volume's own range, from its minimum to its percentile 99.8.
    ///
    /// # Errors
    /// [`ImageError::Constant`], or [`ImageError::NoPixels`] where no voxel is finite.
    pub fn map_for_volume(&self, voxels: ArrayView3<'_, f32>) -> Result<IntensityMap, ImageError> {
        let finite = finite_voxels(voxels);
        let landmarks = self.normalization.landmarks(finite.view())?;
        match (&self.normalization, self.depth) {
            (Normalization::Range { .. }, None) => Ok(self.typical.clone()),
            (Normalization::Range { .. }, Some(_)) => {
                own_range(landmarks[0], percentiles(finite.iter().copied(), &[default_high()]), landmarks[1])
            }
            _ => self.map_through(landmarks),
        }
    }

    fn map_through(&self, landmarks: Vec<f64>) -> Result<IntensityMap, ImageError> {
        let value = landmarks[0] as f32;
        let knots: Vec<(f64, f64)> = match (&self.normalization, self.standard.as_slice()) {
            (Normalization::ZScore {}, &[mean, sd]) => {
                let of_image = |file: f32| f64::from((file - mean) / sd) * landmarks[1] + landmarks[0];
                self.typical.knots().iter().map(|&(file, unit)| (of_image(file), f64::from(unit))).collect()
            }
            (Normalization::Nyul { .. }, standard) => {
                landmarks.into_iter().zip(standard.iter().map(|&unit| f64::from(unit))).collect()
            }
            _ => vec![(landmarks[0], -1.0), (landmarks[1], 1.0)],
        };
        IntensityMap::through(&knots).map_err(|_| ImageError::Constant { value })
    }

    /// The map of a typical training image or volume, in the units of the training files: what a synthetic volume of this
    /// domain is mapped back with.
    pub fn typical(&self) -> &IntensityMap {
        &self.typical
    }

    /// [`Self::typical`] in the units of a file of `depth`: what a synthetic image is mapped back with. Where the training
    /// data were volumes, the typical range takes the whole scale of the file.
    pub fn output_map(&self, depth: BitDepth) -> IntensityMap {
        match self.depth {
            Some(of_training) => self.typical.scaled(depth.max_value() / of_training.max_value()),
            None => IntensityMap::from_unit_range(depth.max_value()),
        }
    }

    /// The depth of the training files; none where they were volumes.
    pub fn depth(&self) -> Option<BitDepth> {
        self.depth
    }
}

/// From the minimum to the high percentile, or to the maximum where nearly all voxels are air.
fn own_range(min: f64, high: Vec<f64>, max: f64) -> Result<IntensityMap, ImageError> {
    let high = high.first().copied().filter(|&high| high > min).unwrap_or(max);
    IntensityMap::through(&[(min, -1.0), (high, 1.0)]).map_err(|_| ImageError::Constant { value: min as f32 })
}

/// The finite voxels: a view where all are and lie in one piece, which saves the memory of a copy.
fn finite_voxels(voxels: ArrayView3<'_, f32>) -> CowArray<'_, f32, Ix1> {
    match voxels.to_slice_memory_order() {
        Some(values) if values.iter().all(|value| value.is_finite()) => ArrayView1::from(values).into(),
        _ => voxels.iter().copied().filter(|value| value.is_finite()).collect::<Array1<f32>>().into(),
    }
}

fn checked_extent<D: Dimension>(image: &ArrayView<'_, f32, D>) -> Result<(f64, f64), ImageError> {
    let (height, width) = match *image.shape() {
        [height, width] => (height, width),
        _ => (1, image.len()),
    };
    if let Some((at, &value)) = image.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(ImageError::NotFinite { row: at / width, column: at % width, value });
    }
    let first = *image.first().ok_or(ImageError::NoPixels { height, width })?;
    let (min, max) = image.iter().fold((first, first), |(min, max), &value| (min.min(value), max.max(value)));
    if min == max {
        return Err(ImageError::Constant { value: min });
    }
    Ok((f64::from(min), f64::from(max)))
}

fn mean_row(rows: &[Vec<f64>]) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).map(|column| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64).collect()
}

/// The landmarks moved linearly so that the first is -1 and the last 1.
fn spread_over_unit_range(row: &[f64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (row.first(), row.last()) else { return Vec::new() };
    row.iter().map(|value| 2.0 * (value - first) / (last - first) - 1.0).collect()
}

fn meaningless(reason: impl Into<String>) -> DataError {
    DataError::Setting { setting: "normalization", reason: reason.into() }
}
