//! How much to have on its way, between what the receiver allows and what keeps the way busy. More would
//! only stand in queues, the gateway's and the browsers', and a short message would wait behind it.

use std::time::Duration;

use super::CHUNK;
use crate::time::Time;

/// Where it begins, and the least: one chunk is under way while the one before is acknowledged.
const LEAST: u64 = 2 * CHUNK as u64;
/// The most that is sent into a window, whatever the receiver allows.
const MOST: u64 = 4 * 1024 * 1024;
/// How long the shortest way there and back is believed.
const MEMORY: Duration = Duration::from_secs(10);
/// How much longer than twice the shortest the way may take: clocks tick in milliseconds.
const SLACK: Duration = Duration::from_millis(2);

/// The window of this side. It grows as long as acknowledgements come about as fast as they can, and shrinks
/// when they take twice as long: then as much stands in queues as is under way (TCP Vegas, RFC 6817).
pub(super) struct Pace {
    window: u64,
    /// The chunk whose acknowledgement is awaited: its transfer, its end and when it was sent.
    probe: Option<(u64, u64, Time)>,
    /// The shortest way there and back, and when it was found.
    shortest: Option<(Duration, Time)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { window: LEAST, probe: None, shortest: None }
    }
}

impl Pace {
    /// How many bytes may be on their way.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// A chunk was sent, up to `end` of its transfer.
    pub(super) fn handle_sent(&mut self, transfer: u64, end: u64, now: Time) {
        self.probe.get_or_insert((transfer, end, now));
    }

    /// So much of a transfer has arrived.
    pub(super) fn handle_arrived(&mut self, transfer: u64, received: u64, now: Time) {
        if let Some((probed, end, sent)) = self.probe
            && probed == transfer
            && end <= received
        {
            self.probe = None;
            self.adjust(now.since(sent), now);
        }
    }

    /// A transfer ended, or is sent again: its chunk says nothing any more.
    pub(super) fn forget(&mut self, transfer: u64) {
        self.probe.take_if(|(probed, _, _)| *probed == transfer);
    }

    fn adjust(&mut self, took: Duration, now: Time) {
        let shortest = match self.shortest {
            Some((shortest, found)) if shortest < took && now.since(found) < MEMORY => shortest,
            _ => {
                self.shortest = Some((took, now));
                took
            }
        };
        let longest = shortest.saturating_add(shortest / 2).saturating_add(SLACK);
        self.window = if took > longest {
            self.window.saturating_sub(self.window / 8).max(LEAST)
        } else {
            self.window.saturating_add(CHUNK as u64).min(MOST)
        };
    }
}
