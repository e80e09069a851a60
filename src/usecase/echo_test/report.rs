//! The result of an echo test.

use std::time::Duration;

use crate::peer::{CandidatePair, MediaStats, Stats, StreamStats};

/// The result of an echo test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The duration of the echo.
    pub duration: Duration,
    /// The candidates that ICE selected, if known.
    pub pair: Option<CandidatePair>,
    /// The data channel.
    pub data: DataReport,
    /// The audio.
    pub audio: MediaReport,
    /// The video.
    pub video: MediaReport,
}

/// The echo on the data channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataReport {
    /// Messages sent.
    pub sent: u32,
    /// Messages that came back unchanged.
    pub returned: u32,
    /// Messages that came back with other content.
    pub changed: u32,
    /// The average round trip.
    pub round_trip: Option<Duration>,
    /// The shortest round trip.
    pub shortest: Option<Duration>,
    /// The longest round trip.
    pub longest: Option<Duration>,
}

/// One kind of media in both directions. A direction without media is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MediaReport {
    /// To the gateway.
    pub sent: Option<Direction>,
    /// From the gateway.
    pub received: Option<Direction>,
}

/// One direction of one kind of media, over the duration of the test.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Direction {
    /// Bits of payload per second.
    pub bitrate: u64,
    /// RTP packets.
    pub packets: u64,
    /// The share of lost packets, from 0 to 1, if known.
    pub loss: Option<f64>,
    /// The last interarrival jitter, if known.
    pub jitter: Option<Duration>,
}

impl Report {
    /// Computes the report from the counters at the beginning and the end of the echo.
    pub(super) fn new(duration: Duration, first: &Stats, last: Stats, data: DataReport) -> Self {
        Self {
            duration,
            audio: MediaReport::new(duration, &first.audio, &last.audio),
            video: MediaReport::new(duration, &first.video, &last.video),
            pair: last.pair,
            data,
        }
    }
}

impl MediaReport {
    fn new(duration: Duration, first: &MediaStats, last: &MediaStats) -> Self {
        let direction = |first: &Option<StreamStats>, last: &Option<StreamStats>, is_inbound| {
            let first = first.unwrap_or_default();
            last.map(|last| Direction::new(duration, first, last, is_inbound))
        };
        Self {
            sent: direction(&first.sent, &last.sent, false),
            received: direction(&first.received, &last.received, true),
        }
    }
}

impl Direction {
    /// The counter of an inbound stream does not include lost packets.
    fn new(duration: Duration, first: StreamStats, last: StreamStats, is_inbound: bool) -> Self {
        let packets = last.packets.saturating_sub(first.packets);
        let bits = last.bytes.saturating_sub(first.bytes).saturating_mul(8);
        let lost = last.lost.map(|lost| {
            let lost = lost.saturating_sub(first.lost.unwrap_or_default());
            u64::try_from(lost).unwrap_or_default()
        });
        let loss = lost.map(|lost| {
            let all = if is_inbound { packets.saturating_add(lost) } else { packets };
            (lost as f64 / all.max(1) as f64).min(1.0)
        });
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        // The bit rate of a test without duration is 0.
        let bitrate = bits.saturating_mul(1000).checked_div(millis).unwrap_or_default();
        Self { bitrate, packets, loss, jitter: last.jitter }
    }
}
