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
}

impl Session {
    pub(crate) fn new(now: Duration) -> Self {
        Self { events: VecDeque::new(), last_activity: now, handles: Vec::new(), generation: 0 }
    }

    pub(crate) fn take_events(&mut self, max_events: usize) -> Vec<Value> {
        let count = max_events.min(self.events.len());
        self.events.drain(..count).collect()
    }
}

/// A poll that waits, or whose answer waits to be collected.
#[derive(Debug)]
pub(crate) struct WaitingPoll {
    pub(crate) session: u64,
    pub(crate) generation: u64,
    pub(crate) max_events: usize,
    /// It is answered by then, if with nothing but a keepalive.
    pub(crate) deadline: Duration,
    pub(crate) answer: Option<Vec<Value>>,
}
