//! How often the newest state is saved.

use std::time::{Duration, Instant};

/// On a GPU an epoch may take less time than the file of a checkpoint.
const SAVE_AFTER: Duration = Duration::from_secs(30);

/// The time since the newest state was saved.
pub(crate) struct SaveInterval {
    length: Duration,
    since: Option<Instant>,
}

impl Default for SaveInterval {
    fn default() -> Self {
        Self::of(SAVE_AFTER)
    }
}

impl SaveInterval {
    pub(crate) fn of(length: Duration) -> Self {
        Self { length, since: None }
    }

    /// It is time to save. At first it is: a folder that cannot be written must not be found out later.
    pub(crate) fn is_over(&self) -> bool {
        self.since.is_none_or(|since| since.elapsed() >= self.length)
    }

    /// The state has been saved.
    pub(crate) fn restart(&mut self) {
        self.since = Some(Instant::now());
    }
}
