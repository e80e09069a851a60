//! The rate limit of requests: the last resort against a loop that a gateway's answers keep going.

use std::time::Duration;

use crate::time::Time;

/// A burst, and then a steady rate (the generic cell rate algorithm of ITU-T I.371).
#[derive(Debug)]
pub(super) struct Budget {
    interval: Duration,
    burst: u32,
    /// When the whole burst is available again.
    full: Time,
}

impl Budget {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, full: Time::default() }
    }

    /// Takes one request out, or says when there will be one.
    pub(super) fn take(&mut self, now: Time) -> Result<(), Time> {
        let due = self.due(now);
        if due > now {
            return Err(due);
        }
        self.full = self.full.max(now) + self.interval;
        Ok(())
    }

    /// When the next request may be made.
    pub(super) fn due(&self, now: Time) -> Time {
        let spent = self.full.since(now);
        let most = self.interval.saturating_mul(self.burst.saturating_sub(1));
        now + spent.saturating_sub(most)
    }
}
