//! The events of an echo test.

use crate::error::Error;

/// Something that happened in an echo test.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// One's own media comes back.
    RemoteMedia,
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// True if what this side sends gets lost, false if what it receives does.
        uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The test ended without `stop()`.
    Error(Error),
}

impl Event {
    /// The event without what `hide` takes out of its error.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Error(error) => Self::Error(error.redacted(hide)),
            event => event,
        }
    }
}
