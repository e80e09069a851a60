//! The traffic of a connection, in the terms of the W3C's "Identifiers for WebRTC's Statistics
//! API".

use std::time::Duration;

/// The counters of a connection at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// The candidates that ICE selected.
    pub pair: Option<CandidatePair>,
    /// The counters of the audio.
    pub audio: MediaStats,
    /// The counters of the video.
    pub video: MediaStats,
}

/// The candidates that ICE selected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CandidatePair {
    /// `"host"`, `"srflx"`, `"prflx"` or `"relay"` (RFC 8445, section 5.1.1).
    pub local_type: String,
    /// The same for the remote candidate.
    pub remote_type: String,
    /// `"udp"` or `"tcp"`.
    pub protocol: String,
    /// The last round trip of ICE's connectivity checks, if known.
    pub round_trip: Option<Duration>,
}

/// The counters of one kind of media, over all its streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaStats {
    /// The outbound streams. The remote end reports their losses.
    pub sent: Option<StreamStats>,
    /// The inbound streams.
    pub received: Option<StreamStats>,
}

/// The counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamStats {
    /// Bytes of payload.
    pub bytes: u64,
    /// RTP packets.
    pub packets: u64,
    /// Lost packets, if known. Duplicates count as negative losses (RFC 3550, section 6.4.1).
    pub lost: Option<i64>,
    /// The interarrival jitter (RFC 3550, section 6.4.1), if known.
    pub jitter: Option<Duration>,
}
