//! The pauses between attempts: growing, and never in step with those of other clients.

use std::time::Duration;

use crate::time::{Time, millis};

/// The first pause, and the one that they grow to, each twice the one before.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(4);

/// How long the next failure is waited out.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// When to try again: after between a half and the whole of the pause. `jitter` is random.
    pub(crate) fn next(&mut self, jitter: u64, now: Time) -> Time {
        let half = millis(self.0).checked_div(2).unwrap_or_default();
        let pause = half.saturating_add(jitter.checked_rem(half.max(1)).unwrap_or(0));
        self.0 = self.0.saturating_mul(2).min(LONGEST);
        now + Duration::from_millis(pause)
    }
}
