//! Probes on the data channel: their round trip, and whether they come back unchanged.

use std::collections::VecDeque;
use std::time::Duration;

use super::report::DataReport;
use crate::time::Time;

/// The maximum of open probes. Older ones count as lost.
const MOST_OPEN: usize = 64;
/// The length of a probe's number, which random bytes follow.
const NUMBER: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Probes {
    open: VecDeque<(Vec<u8>, Time)>,
    sent: u32,
    returned: u32,
    changed: u32,
    /// The shortest round trip.
    shortest: Option<Duration>,
    /// The longest round trip.
    longest: Duration,
    /// The sum of all round trips.
    sum: Duration,
}

impl Probes {
    /// Makes the next probe, which is sent now.
    pub(super) fn next(&mut self, random: &dyn Fn() -> u64, now: Time) -> Vec<u8> {
        self.sent = self.sent.saturating_add(1);
        let mut probe = self.sent.to_be_bytes().to_vec();
        probe.extend((0..3).flat_map(|_| random().to_be_bytes()));
        if self.open.len() >= MOST_OPEN {
            self.open.pop_front();
        }
        self.open.push_back((probe.clone(), now));
        probe
    }

    /// A message came back. Returns whether it is an unchanged probe.
    pub(super) fn handle(&mut self, message: &[u8], now: Time) -> bool {
        let is_same_number = |probe: &[u8]| probe.get(..NUMBER) == message.get(..NUMBER);
        let Some(at) = self.open.iter().position(|(probe, _)| is_same_number(probe)) else {
            return false;
        };
        let Some((probe, since)) = self.open.remove(at) else { return false };
        if probe != message {
            self.changed = self.changed.saturating_add(1);
            return false;
        }
        let took = now.since(since);
        self.returned = self.returned.saturating_add(1);
        self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        self.longest = self.longest.max(took);
        self.sum = self.sum.saturating_add(took);
        true
    }

    pub(super) fn report(&self) -> DataReport {
        DataReport {
            sent: self.sent,
            returned: self.returned,
            changed: self.changed,
            round_trip: self.sum.checked_div(self.returned),
            shortest: self.shortest,
            longest: self.shortest.map(|_| self.longest),
        }
    }
}
