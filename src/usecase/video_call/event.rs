//! The events of a video call object.

use serde::Serialize;

use crate::config::UserName;
use crate::error::Error;

/// Something that happened in a video call, in the page's words.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The gateway answered `register()`.
    Registered {
        /// The name that was asked for.
        name: UserName,
        /// Whether it is ours now.
        is_registered: bool,
    },
    /// The call rings at the other side.
    Calling(UserName),
    /// Somebody calls.
    IncomingCall(UserName),
    /// The call is up.
    Accepted(UserName),
    /// The call is over; exactly once per call.
    HangUp {
        /// The other side.
        peer: UserName,
        /// Why, for a person: one of [`crate::usecase::video_call::reason`], or what the other side said.
        reason: String,
    },
    /// The gateway applied the settings.
    SetCall(Settings),
    /// Audio or video of the other side flows.
    RemoteMedia(UserName),
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// True if what this side sends gets lost, false if what it receives does.
        uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The gateway, or the media path, was lost, and is being brought back.
    Reconnecting(Error),
    /// It is back.
    Reconnected,
    /// Something that no promise was there to report.
    Error(Error),
}

impl Event {
    /// The event without what `hide` takes out of its error.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Reconnecting(error) => Self::Reconnecting(error.redacted(hide)),
            Self::Error(error) => Self::Error(error.redacted(hide)),
            event => event,
        }
    }
}

/// What `setCall()` sets at the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Whether the gateway relays my audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    /// Whether the gateway relays my video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// The ceiling of my video in bits per second; 0 takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u32>,
}
