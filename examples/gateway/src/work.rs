//! What Janus does a moment later on another thread, in the order in which it falls due.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::connection::Jsep;

#[derive(Debug)]
pub(crate) enum Work {
    /// The plugin's thread takes a request that was acked.
    PluginRequest { handle: u64, transaction: String, body: Value, jsep: Option<Jsep> },
    /// The core does what the plugin wished: the handle's PeerConnection closes.
    CloseConnection { handle: u64 },
    /// The handle's own thread ends its PeerConnection and tells plugin and client.
    EndConnection { handle: u64 },
    /// The handle's own thread says goodbye to the plugin.
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

    /// The next piece of work that is due at `now`, with the time at which it fell due.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<(Duration, Work)> {
        let entry = self.pending.first_entry()?;
        let (due, _) = *entry.key();
        (due <= now).then(|| (due, entry.remove()))
    }

    /// Takes out the waiting end of this handle's PeerConnection.
    pub(crate) fn take_end_of_connection(&mut self, of: u64) -> bool {
        let key = self.pending.iter().find_map(|(key, work)| {
            matches!(work, Work::EndConnection { handle } if *handle == of).then_some(*key)
        });
        key.and_then(|key| self.pending.remove(&key)).is_some()
    }
}
