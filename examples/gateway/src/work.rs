//! Janus' delayed work of other threads, in the order in which it falls due.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::connection::Jsep;

#[derive(Debug)]
pub(crate) enum Work {
    /// The plugin's thread handles a request that was acked.
    PluginRequest { handle: u64, transaction: String, body: Value, jsep: Option<Jsep> },
    /// The core executes the plugin's request to close a handle's PeerConnection.
    CloseConnection { handle: u64 },
    /// The handle's thread ends its PeerConnection and notifies plugin and client.
    EndConnection { handle: u64 },
    /// The handle's thread removes it from the plugin.
    Detach { handle: u64 },
    /// The PeerConnection counts as connected.
    ConnectionUp { handle: u64 },
}

#[derive(Debug, Default)]
pub(crate) struct WorkQueue {
    /// By due time, then by the order of arrival.
    pending: BTreeMap<(Duration, u64), Work>,
    arrivals: u64,
    /// The plugin has one thread: its requests never overtake each other.
    last_plugin_request: Duration,
}

impl WorkQueue {
    pub(crate) fn push(&mut self, due: Duration, work: Work) {
        self.arrivals += 1;
        self.pending.insert((due, self.arrivals), work);
    }

    pub(crate) fn push_plugin_request(&mut self, due: Duration, work: Work) {
        self.last_plugin_request = due.max(self.last_plugin_request);
        self.push(self.last_plugin_request, work);
    }

    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.pending.keys().next().map(|(due, _)| *due)
    }

    /// The next work item that is due at `now`, with its due time.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<(Duration, Work)> {
        let entry = self.pending.first_entry()?;
        let (due, _) = *entry.key();
        (due <= now).then(|| (due, entry.remove()))
    }

    /// Removes the pending end of this handle's PeerConnection.
    pub(crate) fn take_end_of_connection(&mut self, of: u64) -> bool {
        let key = self.pending.iter().find_map(|(key, work)| {
            matches!(work, Work::EndConnection { handle } if *handle == of).then_some(*key)
        });
        key.and_then(|key| self.pending.remove(&key)).is_some()
    }
}
