//! What a data set holds: sizes, levels and subjects.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::Acquisition;
use crate::{DataError, random::stream};

/// What to generate. The default is the data of the quick training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetOptions {
    /// Seed of all subjects.
    pub seed: u64,
    /// Subjects that give T1-weighted training slices; as many others give T2-weighted ones.
    pub train_subjects: usize,
    /// Subjects for choosing the best checkpoint.
    pub validation_subjects: usize,
    /// Subjects for the final measurement.
    pub test_subjects: usize,
    /// Slices of each subject, evenly spaced over the levels.
    pub slices_per_subject: usize,
    /// Side of the square images, in pixels; the field is 240 mm.
    pub size_px: usize,
    /// Lowest and highest level, in mm above the commissures. The phantom has no orbits, temporal poles or
    /// cerebellum, so levels below 2 mm are not anatomical; the vertex is near 75 mm.
    pub levels_mm: [f32; 2],
    /// Which subjects have lesions.
    pub lesions: Lesions,
    /// Noise and sensitivity field.
    pub acquisition: Acquisition,
}

/// Which subjects of a data set have lesions. Training subjects never have any, nor have those that choose a checkpoint: so
/// the lesions of the test ask what becomes of a structure that was never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lesions {
    /// All are healthy.
    Absent,
    /// The test subjects have lesions, and masks of them are written.
    #[default]
    Test,
}

impl Default for DatasetOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            train_subjects: 12,
            validation_subjects: 2,
            test_subjects: 4,
            slices_per_subject: 8,
            size_px: 128,
            levels_mm: [4.0, 60.0],
            lesions: Lesions::default(),
            acquisition: Acquisition { noise_percent: 1.0, bias_percent: 10.0 },
        }
    }
}

impl DatasetOptions {
    pub(super) fn check(&self) -> Result<(), DataError> {
        let refuse = |setting, reason: &str| Err(DataError::Setting { setting, reason: reason.to_owned() });
        let [lowest_mm, highest_mm] = self.levels_mm;
        if self.train_subjects == 0 {
            return refuse("train_subjects", "there must be at least one");
        }
        if self.slices_per_subject == 0 {
            return refuse("slices_per_subject", "there must be at least one");
        }
        if !(16..=4096).contains(&self.size_px) {
            return refuse("size_px", "must be 16 to 4096");
        }
        if !(lowest_mm >= 0.0 && highest_mm <= 70.0 && lowest_mm < highest_mm) {
            return refuse("levels_mm", "must be two increasing levels from 0 to 70");
        }
        if (highest_mm - lowest_mm) < self.slices_per_subject as f32 {
            return refuse("slices_per_subject", "more than one slice for each mm of levels_mm");
        }
        Ok(())
    }

    pub(super) fn subject_seed(&self, number: usize) -> u64 {
        stream(self.seed, "phantom subject", number as u64).next_u64()
    }

    /// Levels (whole mm) of one subject: evenly spaced, and shifted from subject to subject so that all occur.
    pub(super) fn levels_mm(&self, number: usize) -> impl Iterator<Item = u32> {
        let [lowest_mm, highest_mm] = self.levels_mm;
        let step_mm = (highest_mm - lowest_mm) / self.slices_per_subject as f32;
        let shift: f32 = stream(self.seed, "phantom levels", number as u64).random_range(0.0..1.0);
        (0..self.slices_per_subject).map(move |i| (lowest_mm + step_mm * (i as f32 + shift)).floor() as u32)
    }
}
