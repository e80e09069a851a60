//! The deadlines of one state machine, in one table.

use crate::time::Time;

/// At most one deadline per timer. `K` is an enum whose variants document who sets and who stops
/// the timer. Timers that are due together fire in the order of the variants.
#[derive(Debug)]
pub(crate) struct TimerTable<K>(Vec<(K, Time)>);

impl<K> Default for TimerTable<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord> TimerTable<K> {
    /// Sets a timer, replacing its deadline.
    pub(crate) fn set(&mut self, timer: K, due: Time) {
        self.stop(timer);
        self.0.push((timer, due));
    }

    /// Sets a timer, unless it is due earlier.
    pub(crate) fn set_by(&mut self, timer: K, due: Time) {
        self.set(timer, self.due(timer).map_or(due, |before| before.min(due)));
    }

    /// Sets a timer, unless it is set.
    pub(crate) fn set_once(&mut self, timer: K, due: Time) {
        if self.due(timer).is_none() {
            self.set(timer, due);
        }
    }

    /// Stops a timer. Idempotent.
    pub(crate) fn stop(&mut self, timer: K) {
        self.0.retain(|(other, _)| *other != timer);
    }

    /// When a timer is due, if it is set.
    pub(crate) fn due(&self, timer: K) -> Option<Time> {
        self.0.iter().find(|(other, _)| *other == timer).map(|(_, due)| *due)
    }

    /// The first deadline of all.
    pub(crate) fn next(&self) -> Option<Time> {
        self.0.iter().map(|(_, due)| *due).min()
    }

    /// Stops and returns a timer that is due. Call it until it returns `None`.
    pub(crate) fn pop_expired(&mut self, now: Time) -> Option<K> {
        let expired = self.0.iter().filter(|(_, due)| *due <= now).map(|(timer, _)| *timer).min();
        if let Some(timer) = expired {
            self.stop(timer);
        }
        expired
    }
}
