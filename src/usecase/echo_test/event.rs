//! The events of an echo test.

use crate::error::Error;

/// An event of an echo test object.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// One's own media comes back.
    RemoteMedia,
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// True if packets from this side get lost, false if packets to it do.
        uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The test ended without `stop()`.
    Error(Error),
}

impl Event {
    /// Returns the event with `hide` applied to the texts of its error.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Error(error) => Self::Error(error.redacted(hide)),
            event => event,
        }
    }
}
