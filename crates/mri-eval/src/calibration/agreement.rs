//! Statistics of two lists of numbers, and of a Gaussian sample.

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs. `None` where one of the two
/// is constant.
pub(super) fn spearman(a: &[f32], b: &[f32]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let covariance =
        |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>() };
    let spread = (covariance(&a, &a) * covariance(&b, &b)).sqrt();
    (spread > 0.0).then(|| covariance(&a, &b) / spread)
}

/// From 1, in the order of the values.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 1;
    for equal in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let shared = first as f64 + (equal.len() - 1) as f64 / 2.0;
        equal.iter().for_each(|&index| ranks[index] = shared);
        first += equal.len();
    }
    ranks
}

/// The probability that one more draw from a Gaussian lies within `factor` sample standard deviations of the mean of
/// `members` draws: of Student's t with `members - 1` degrees of freedom within `factor / sqrt(1 + 1 / members)`.
pub(super) fn share_within(factor: f64, members: usize) -> f64 {
    let degrees = members - 1;
    let t = factor / (1.0 + 1.0 / members as f64).sqrt();
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    // Abramowitz and Stegun, 26.7.3 and 26.7.4: a finite series in the cosine, for odd and for even degrees.
    let is_odd = degrees % 2 == 1;
    let mut term = if is_odd { cos } else { 1.0 };
    let mut series = 0.0;
    for power in ((if is_odd { 3 } else { 2 })..=degrees).step_by(2) {
        series += term;
        term *= (power - 1) as f64 / power as f64 * cos * cos;
    }
    if is_odd { std::f64::consts::FRAC_2_PI * (angle + sin * series) } else { sin * series }
}
