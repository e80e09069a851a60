//! The pauses between attempts: growing, and never in step with those of other clients.

use std::time::Duration;

use crate::time::{Time, millis};

/// The first and the longest pause. Each is twice the one before.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(4);

/// The pauses start over when nothing was tried for so long. A success does not shorten them: where
/// failures and successes alternate, only their rate shows that something is wrong.
const CALM: Duration = Duration::from_secs(10);

/// The pause after the next failure.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    /// The end of the last pause.
    until: Option<Time>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: FIRST, until: None }
    }
}

impl Backoff {
    /// When to try again: after between a half and the whole of the pause. `jitter` is random.
    pub(crate) fn next(&mut self, jitter: u64, now: Time) -> Time {
        if self.is_calm(now) {
            self.pause = FIRST;
        }
        let half = millis(self.pause).checked_div(2).unwrap_or_default();
        let pause = half.saturating_add(jitter.checked_rem(half.max(1)).unwrap_or(0));
        self.pause = self.pause.saturating_mul(2).min(LONGEST);
        let until = now + Duration::from_millis(pause);
        self.until = Some(until);
        until
    }

    /// The same, but at once after a time of calm.
    pub(crate) fn now_or_next(&mut self, jitter: u64, now: Time) -> Time {
        let is_calm = self.is_calm(now);
        let next = self.next(jitter, now);
        if is_calm { now } else { next }
    }

    fn is_calm(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now.since(until) > CALM)
    }
}
