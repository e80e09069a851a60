//! How much to have on its way, between what the receiver allows and what keeps the way busy. More would
//! only stand in queues, the gateway's and the browsers', where a short message waits behind it. So there
//! are two windows: a wide one, and a narrow one for as long as the two talk to each other meanwhile.

use std::time::Duration;

use super::CHUNK;
use crate::time::Time;

/// The chunk of the narrow window: a message waits for the one that is being sent.
const SMALL_CHUNK: usize = CHUNK / 2;
/// The least: some chunks are under way while the one before is acknowledged.
const LEAST: u64 = 3 * SMALL_CHUNK as u64;
/// The most that is sent into a window, whatever the receiver allows.
const MOST: u64 = 4 * 1024 * 1024;
/// How long the shortest way there and back is believed.
const MEMORY: Duration = Duration::from_secs(10);
/// How long after a short message the window stays narrow: about as long as people take to answer.
const TALK: Duration = Duration::from_secs(10);

/// The windows of this side. Each grows as long as acknowledgements come about as fast as they can, and
/// shrinks when they take longer: then too much stands in queues (as in TCP Vegas and RFC 6817).
pub(super) struct Pace {
    wide: u64,
    narrow: u64,
    /// The window is narrow until then.
    talk: Option<Time>,
    /// The chunk whose acknowledgement is awaited: its transfer, its end and when it was sent.
    probe: Option<(u64, u64, Time)>,
    /// The shortest way there and back, and when it was found.
    shortest: Option<(Duration, Time)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { wide: 8 * LEAST, narrow: LEAST, talk: None, probe: None, shortest: None }
    }
}

impl Pace {
    /// How many bytes may be on their way.
    pub(super) fn window(&self, now: Time) -> u64 {
        if self.is_narrow(now) { self.narrow } else { self.wide }
    }

    /// How large the next chunk may be.
    pub(super) fn chunk(&self, now: Time) -> usize {
        if self.is_narrow(now) { SMALL_CHUNK } else { CHUNK }
    }

    fn is_narrow(&self, now: Time) -> bool {
        self.talk.is_some_and(|end| now < end)
    }

    /// A short message is sent, or came.
    pub(super) fn handle_message(&mut self, now: Time) {
        self.talk = Some(now + TALK);
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
        let (window, longest) = if self.is_narrow(now) {
            // The clock ticks in milliseconds: two are not worth a thought.
            let longest = shortest.saturating_mul(3).checked_div(2).unwrap_or(shortest);
            (&mut self.narrow, longest.saturating_add(Duration::from_millis(2)))
        } else {
            let longest = shortest.saturating_mul(4);
            (&mut self.wide, longest.saturating_add(Duration::from_millis(40)))
        };
        *window = if took > longest {
            window.saturating_sub(*window / 8).max(LEAST)
        } else {
            window.saturating_add(SMALL_CHUNK as u64).min(MOST)
        };
    }
}
