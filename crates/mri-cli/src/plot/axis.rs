//! Axes: from values to places, with round ticks.

/// A linear or logarithmic axis from a first to a last place, in SVG units.
pub struct Axis {
    low: f64,
    high: f64,
    first: f64,
    last: f64,
    logarithmic: bool,
}

impl Axis {
    /// A linear axis over the values.
    pub fn linear(values: impl Iterator<Item = f64>, first: f64, last: f64) -> Self {
        let (low, high) = range(values);
        Self { low, high, first, last, logarithmic: false }
    }

    /// Logarithmic where all values are positive and span more than a factor of 20, otherwise linear with some room.
    pub fn fitting(values: impl Iterator<Item = f64>, first: f64, last: f64) -> Self {
        let (low, high) = range(values);
        if low > 0.0 && high / low > 20.0 {
            return Self { low: low.log10(), high: high.log10(), first, last, logarithmic: true };
        }
        let room = 0.05 * (high - low);
        Self { low: low - room, high: high + room, first, last, logarithmic: false }
    }

    /// Where `value` lies.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)
    }

    /// Round values on the axis, as text, with their places.
    pub fn ticks(&self) -> Vec<(String, f64)> {
        if self.logarithmic {
            let decades = self.low.floor() as i32..=self.high.ceil() as i32;
            let steps: &[f64] = if self.high - self.low > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let values = decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
            let inside = values.filter(|value| (self.low..=self.high).contains(&value.log10()));
            return inside
                .map(|value| (text(value, 10f64.powf(value.log10().floor())), self.place(value)))
                .collect();
        }
        let step = round_step((self.high - self.low) / 5.0);
        let numbers = (self.low / step).ceil() as i64..=(self.high / step).floor() as i64;
        numbers.map(|number| (text(number as f64 * step, step), self.place(number as f64 * step))).collect()
    }
}

/// Smallest and largest value, never equal, of any values at all.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match (low.is_finite() && high.is_finite(), low < high) {
        (true, true) => (low, high),
        (true, false) => (low - 0.5, high + 0.5),
        (false, _) => (0.0, 1.0),
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= step * 0.999)
        .unwrap_or(10.0 * power)
}

/// `value` with the decimals that `step` needs.
fn text(value: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    if decimals > 4 { format!("{value:.0e}") } else { format!("{value:.decimals$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn ticks_are_round_on_both_kinds_of_axis() {
        assert_eq!(
            ticks(&Axis::linear([0.0, 1000.0].into_iter(), 0.0, 1.0)),
            ["0", "200", "400", "600", "800", "1000"]
        );
        assert_eq!(ticks(&Axis::linear([0.41, 0.83].into_iter(), 0.0, 1.0)), ["0.5", "0.6", "0.7", "0.8"]);
        assert_eq!(
            ticks(&Axis::fitting([0.02, 2.0].into_iter(), 0.0, 1.0)),
            ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]
        );
    }

    #[test]
    fn ends_of_the_axis_lie_at_its_ends() {
        let axis = Axis::fitting([0.001, 10.0].into_iter(), 300.0, 20.0);
        assert!((axis.place(0.001) - 300.0).abs() < 1e-9 && (axis.place(10.0) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn one_value_or_none_still_has_an_axis() {
        assert_eq!(Axis::linear([3.0].into_iter(), 0.0, 10.0).place(3.0), 5.0);
        assert!(!ticks(&Axis::fitting(std::iter::empty(), 0.0, 1.0)).is_empty());
    }
}
