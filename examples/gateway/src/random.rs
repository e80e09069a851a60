//! Random numbers that a seed decides (SplitMix64).

use std::ops::RangeInclusive;
use std::time::Duration;

/// Janus' ids stay exact in a JavaScript number.
const ID_BITS: u32 = 53;

#[derive(Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A session's or handle's id: never 0, at most 2^53 - 1.
    pub(crate) fn id(&mut self) -> u64 {
        loop {
            let id = self.next() >> (u64::BITS - ID_BITS);
            if id != 0 {
                return id;
            }
        }
    }

    pub(crate) fn delay(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let width = range.end().saturating_sub(*range.start());
        let nanos = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX);
        let extra = self.next() % nanos.saturating_add(1).max(1);
        *range.start() + Duration::from_nanos(extra)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
