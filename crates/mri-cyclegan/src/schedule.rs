//! The learning rate: constant, then linear to zero (Zhu et al. 2017, section 7.2).

use serde::{Deserialize, Serialize};

/// Constant for `constant_epochs`, then falling linearly to zero over `decay_epochs`, or, in a run that lasts
/// longer than both, over all that is left.
///
/// A run's length does not enter below `constant_epochs + decay_epochs`, so stopping early and resuming repeats the
/// rates of a straight run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Epochs at the full rate.
    pub constant_epochs: usize,
    /// Epochs over which the rate falls to zero.
    pub decay_epochs: usize,
}

impl Default for Schedule {
    /// The paper's 100 + 100 epochs.
    fn default() -> Self {
        Self { constant_epochs: 100, decay_epochs: 100 }
    }
}

impl Schedule {
    /// Factor in (0, 1] on the base rate, `epochs_done` (fractional) into a run of `run_epochs`.
    pub fn factor(&self, epochs_done: f64, run_epochs: usize) -> f64 {
        let start = self.constant_epochs as f64;
        let end = (self.constant_epochs + self.decay_epochs).max(run_epochs) as f64;
        if epochs_done <= start { 1. } else { (end - epochs_done).max(0.) / (end - start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_then_linear() {
        let s = Schedule { constant_epochs: 2, decay_epochs: 4 };
        let factors = [0., 2., 3., 4., 5., 5.5].map(|t| s.factor(t, 6));
        assert_eq!(factors, [1., 1., 0.75, 0.5, 0.25, 0.125]);
    }

    #[test]
    fn a_shorter_run_has_the_same_rates() {
        let s = Schedule { constant_epochs: 2, decay_epochs: 4 };
        assert_eq!(s.factor(2.5, 3), s.factor(2.5, 6));
    }

    #[test]
    fn a_longer_run_decays_to_its_end() {
        let s = Schedule { constant_epochs: 2, decay_epochs: 4 };
        assert_eq!(s.factor(6., 10), 0.5);
    }
}
