//! Real values as 16-bit integers.

use ndarray::ArrayView3;

use super::decimal::{decimal, decimal_above};

/// How values are stored: `value = slope * stored`, so that readers that pass over the slope still see grey levels in
/// proportion.
///
/// Whole numbers that fit are stored as they are. Others are stored in 65535 steps from 0 to the largest one, or in 32767
/// steps to either side of 0 where some are negative.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantization {
    pub(super) slope: f64,
    pub(super) slope_text: String,
    pub(super) signed: bool,
    /// Centre and width that show the volume from 0 (or its least) to its 99.8th percentile.
    pub(super) window: [String; 2],
}

impl Quantization {
    pub(super) fn of(voxels: ArrayView3<'_, f32>) -> Self {
        let finite = || voxels.iter().copied().filter(|value| value.is_finite());
        let (low, high) = finite().fold((0f32, 0f32), |(low, high), value| (low.min(value), high.max(value)));
        let signed = low < 0.0;
        let whole = finite().all(|value| value.fract() == 0.0);
        let range = if signed { low >= -32768.0 && high <= 32767.0 } else { high <= 65535.0 };
        let (slope_text, slope) = if whole && range {
            ("1".to_owned(), 1.0)
        } else if signed {
            decimal_above(f64::from(high.max(-low)) / 32767.0)
        } else {
            decimal_above(f64::from(high) / 65535.0)
        };
        // An even sample is as good as all of a large volume.
        let every = (voxels.len() >> 20).max(1);
        let mut sample: Vec<f32> = finite().step_by(every).collect();
        let at = (sample.len() * 998 / 1000).min(sample.len().saturating_sub(1));
        let white = match sample.len() {
            0 => high,
            _ => *sample.select_nth_unstable_by(at, f32::total_cmp).1,
        };
        let (black, white) = (f64::from(low), f64::from(if white > low { white } else { high }));
        let window = [decimal((black + white) / 2.0), decimal((white - black).max(slope))];
        Self { slope, slope_text, signed, window }
    }

    /// The stored bits; 0 for what is not finite.
    pub(super) fn stored(&self, value: f32) -> u16 {
        let value = if value.is_finite() { f64::from(value) } else { 0.0 };
        let stored = (value / self.slope).round();
        if self.signed {
            stored.clamp(-32768.0, 32767.0) as i16 as u16
        } else {
            stored.clamp(0.0, 65535.0) as u16
        }
    }
}
