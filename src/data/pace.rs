//! Congestion control: how many bytes to keep in flight within the window of the receiver.
//!
//! Bytes beyond the capacity of the path only wait in the queues of the gateway and the browsers,
//! and delay short messages. So there are two windows: a wide one, and a narrow one that applies
//! while the users exchange messages.

use std::time::Duration;

use super::CHUNK;
use crate::time::Time;

/// The chunk size of the narrow window. Small, since a message waits for the chunk being sent.
const SMALL_CHUNK: usize = CHUNK / 2;
/// The smallest window. Further chunks are in flight while one is being acknowledged.
const MIN_WINDOW: u64 = 3 * SMALL_CHUNK as u64;
/// The largest window, whatever the receiver allows.
const MAX_WINDOW: u64 = 4 * 1024 * 1024;
/// How long the lowest round-trip time stays valid.
const RTT_LIFETIME: Duration = Duration::from_secs(10);
/// How long the window stays narrow after a short message: about the time people take to reply.
const NARROW_TIME: Duration = Duration::from_secs(10);

/// The two windows of the sender. A window grows while the round-trip time stays near its minimum
/// and shrinks when it rises, since bytes then wait in queues (as in TCP Vegas and RFC 6817).
pub(super) struct Pace {
    wide: u64,
    narrow: u64,
    /// The window is narrow until this time.
    narrow_until: Option<Time>,
    /// The chunk whose round trip is measured: its transfer, its end and its send time.
    probe: Option<(u64, u64, Time)>,
    /// The lowest round-trip time, and when it was measured.
    min_rtt: Option<(Duration, Time)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            wide: 8 * MIN_WINDOW,
            narrow: MIN_WINDOW,
            narrow_until: None,
            probe: None,
            min_rtt: None,
        }
    }
}

impl Pace {
    /// Bytes that may be in flight.
    pub(super) fn window(&self, now: Time) -> u64 {
        if self.is_narrow(now) { self.narrow } else { self.wide }
    }

    /// The largest size of the next chunk.
    pub(super) fn chunk(&self, now: Time) -> usize {
        if self.is_narrow(now) { SMALL_CHUNK } else { CHUNK }
    }

    fn is_narrow(&self, now: Time) -> bool {
        self.narrow_until.is_some_and(|end| now < end)
    }

    /// A short message was sent or received.
    pub(super) fn handle_message(&mut self, now: Time) {
        self.narrow_until = Some(now + NARROW_TIME);
    }

    /// A chunk was sent, up to `end` of its transfer.
    pub(super) fn handle_sent(&mut self, transfer: u64, end: u64, now: Time) {
        self.probe.get_or_insert((transfer, end, now));
    }

    /// The receiver has `received` bytes of a transfer.
    pub(super) fn handle_arrived(&mut self, transfer: u64, received: u64, now: Time) {
        if let Some((probed, end, sent)) = self.probe
            && probed == transfer
            && end <= received
        {
            self.probe = None;
            self.adjust(now.since(sent), now);
        }
    }

    /// A transfer ended or is resent, so a chunk of it no longer measures the round trip.
    pub(super) fn forget(&mut self, transfer: u64) {
        self.probe.take_if(|(probed, _, _)| *probed == transfer);
    }

    fn adjust(&mut self, rtt: Duration, now: Time) {
        let min_rtt = match self.min_rtt {
            Some((min_rtt, found)) if min_rtt < rtt && now.since(found) < RTT_LIFETIME => min_rtt,
            _ => {
                self.min_rtt = Some((rtt, now));
                rtt
            }
        };
        let (window, max_rtt) = if self.is_narrow(now) {
            // Tolerates two milliseconds, since the clock has millisecond resolution.
            let max_rtt = min_rtt.saturating_mul(3).checked_div(2).unwrap_or(min_rtt);
            (&mut self.narrow, max_rtt.saturating_add(Duration::from_millis(2)))
        } else {
            let max_rtt = min_rtt.saturating_mul(4);
            (&mut self.wide, max_rtt.saturating_add(Duration::from_millis(40)))
        };
        *window = if rtt > max_rtt {
            window.saturating_sub(*window / 8).max(MIN_WINDOW)
        } else {
            window.saturating_add(SMALL_CHUNK as u64).min(MAX_WINDOW)
        };
    }
}
