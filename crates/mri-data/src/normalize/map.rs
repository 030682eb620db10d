//! The map between intensities of a file and the `[-1, 1]` of a network.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::DataError;

/// A strictly increasing, piecewise-linear map from file units to network units, and its inverse. Beyond its ends it goes
/// on with the slope of the last piece, so nothing is lost either way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(f32, f32)>", into = "Vec<(f32, f32)>")]
pub struct IntensityMap {
    knots: Vec<(f32, f32)>,
}

impl IntensityMap {
    /// The map through `knots`, pairs (file units, network units), both strictly increasing.
    ///
    /// # Errors
    /// [`DataError::Setting`] for fewer than two knots, or knots that do not increase or are not finite.
    pub fn new(knots: Vec<(f32, f32)>) -> Result<Self, DataError> {
        let finite = knots.iter().all(|(file, unit)| file.is_finite() && unit.is_finite());
        let increasing = knots.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
        if knots.len() < 2 || !finite || !increasing {
            let reason =
                format!("knots must be two or more, finite and strictly increasing; found {knots:?}");
            return Err(DataError::Setting { setting: "intensity map", reason });
        }
        Ok(Self { knots })
    }

    /// As [`Self::new`] for knots that never decrease: those that do not rise clearly above the one before are left out,
    /// as quantized images give the same value at several percentiles.
    pub(super) fn through(knots: &[(f64, f64)]) -> Result<Self, DataError> {
        let [first, interior @ .., last] = knots else { return Self::new(Vec::new()) };
        let (first, last) = (*first, *last);
        let least = ((last.0 - first.0) * 1e-4, (last.1 - first.1) * 1e-4);
        let above = |low: (f64, f64), high: (f64, f64)| high.0 - low.0 > least.0 && high.1 - low.1 > least.1;
        let mut kept = vec![first];
        for &knot in interior {
            if kept.last().is_some_and(|&before| above(before, knot)) && above(knot, last) {
                kept.push(knot);
            }
        }
        kept.push(last);
        Self::new(kept.into_iter().map(|(file, unit)| (file as f32, unit as f32)).collect())
    }

    /// Pairs (file units, network units) that the map goes through.
    pub fn knots(&self) -> &[(f32, f32)] {
        &self.knots
    }

    /// From file units to network units: in `[-1, 1]` for the typical range, beyond it for rarer values.
    pub fn to_unit(&self, value: f32) -> f32 {
        self.interpolate(value, |knot| knot)
    }

    /// From network units back to file units: the inverse of [`Self::to_unit`].
    pub fn from_unit(&self, value: f32) -> f32 {
        self.interpolate(value, |(file, unit)| (unit, file))
    }

    /// What a network sees of an image: [`Self::to_unit`] of each pixel, clipped to `[-1, 1]`.
    pub fn unit_image(&self, pixels: &Array2<f32>) -> Array2<f32> {
        pixels.mapv(|value| self.to_unit(value).clamp(-1.0, 1.0))
    }

    /// [`Self::from_unit`] of each pixel, in file units.
    pub fn file_image(&self, unit: &Array2<f32>) -> Array2<f32> {
        unit.mapv(|value| self.from_unit(value))
    }

    /// The straight map from 0 to `max` in file units.
    pub(super) fn from_unit_range(max: f32) -> Self {
        Self { knots: vec![(0.0, -1.0), (max, 1.0)] }
    }

    /// The same map for intensities `factor` times as large.
    pub(super) fn scaled(&self, factor: f32) -> Self {
        Self { knots: self.knots.iter().map(|&(file, unit)| (file * factor, unit)).collect() }
    }

    fn interpolate(&self, value: f32, oriented: impl Fn((f32, f32)) -> (f32, f32)) -> f32 {
        let interior = &self.knots[1..self.knots.len() - 1];
        let segment = interior.partition_point(|&knot| oriented(knot).0 <= value);
        let (x0, y0) = oriented(self.knots[segment]);
        let (x1, y1) = oriented(self.knots[segment + 1]);
        let (x0, y0, x1, y1) = (f64::from(x0), f64::from(y0), f64::from(x1), f64::from(y1));
        (y0 + (f64::from(value) - x0) * (y1 - y0) / (x1 - x0)) as f32
    }
}

impl TryFrom<Vec<(f32, f32)>> for IntensityMap {
    type Error = DataError;

    fn try_from(knots: Vec<(f32, f32)>) -> Result<Self, DataError> {
        Self::new(knots)
    }
}

impl From<IntensityMap> for Vec<(f32, f32)> {
    fn from(map: IntensityMap) -> Self {
        map.knots
    }
}
