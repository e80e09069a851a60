//! The events of a video call object.

use serde::Serialize;

use crate::config::UserName;
use crate::error::Error;

/// An event of a video call object.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The gateway answered `register()`.
    Registered {
        /// The requested name.
        name: UserName,
        /// Whether it is registered now.
        is_registered: bool,
    },
    /// The callee's side is ringing.
    Calling(UserName),
    /// A call rings here.
    IncomingCall(UserName),
    /// The call is up.
    Accepted(UserName),
    /// The call ended. Exactly once per call.
    HangUp {
        /// The other side.
        peer: UserName,
        /// The reason, for a person: one of [`crate::usecase::video_call::reason`], or the other
        /// side's own.
        reason: String,
    },
    /// The gateway applied the settings.
    SetCall(Settings),
    /// Audio or video of the other side arrives.
    RemoteMedia(UserName),
    /// Packets are being lost.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// True if packets from this side get lost, false if packets to it do.
        uplink: bool,
        /// Packets lost since the last report.
        lost: u64,
    },
    /// The gateway or the media path was lost, and is being restored.
    Reconnecting(Error),
    /// Everything is restored.
    Reconnected,
    /// An error to which no promise belongs.
    Error(Error),
}

impl Event {
    /// Returns the event with `hide` applied to the texts of its error.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Reconnecting(error) => Self::Reconnecting(error.redacted(hide)),
            Self::Error(error) => Self::Error(error.redacted(hide)),
            event => event,
        }
    }
}

/// The settings of `setCall()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Whether the gateway relays the audio of this side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    /// Whether the gateway relays the video of this side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// The bit rate limit for the video of this side, in bits per second; 0 removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u32>,
}
