//! A client's session: its events until a poll takes them.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) events: VecDeque<Value>,
    pub(crate) last_activity: Duration,
    pub(crate) handles: Vec<u64>,
    /// Counts the claims. A poll from before a claim hears nothing any more.
    pub(crate) generation: u64,
    /// Counts the events that were ever queued.
    pub(crate) queued: u64,
    /// Whether a poll has ever been left waiting: only such a one can hear of the session's end.
    pub(crate) polled: bool,
}

impl Session {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            events: VecDeque::new(),
            last_activity: now,
            handles: Vec::new(),
            generation: 0,
            queued: 0,
            polled: false,
        }
    }

    pub(crate) fn queue(&mut self, event: Value) {
        self.events.push_back(event);
        self.queued += 1;
    }

    pub(crate) fn take_events(&mut self, max_events: usize) -> Vec<Value> {
        let count = max_events.min(self.events.len());
        self.events.drain(..count).collect()
    }
}

/// The last words of a session that timed out, for the poll that was waiting.
#[derive(Debug)]
pub(crate) struct Departed {
    pub(crate) events: Vec<Value>,
    pub(crate) at: Duration,
}
