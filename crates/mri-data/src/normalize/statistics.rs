//! Percentiles and moments of pixel values.

/// The `percents` percentiles of `values`, interpolated linearly as in `numpy.percentile`. Empty for no values.
pub(crate) fn percentiles(values: impl Iterator<Item = f32>, percents: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f32> = values.collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    let at = |percent: f64| {
        let rank = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
        let below = rank.floor() as usize;
        let (low, high) = (f64::from(sorted[below]), f64::from(sorted[(below + 1).min(last)]));
        low + (rank - below as f64) * (high - low)
    };
    percents.iter().map(|&percent| at(percent)).collect()
}

/// Mean and population standard deviation; NaN for no values.
pub(crate) fn mean_and_sd(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let variance = values.map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}
