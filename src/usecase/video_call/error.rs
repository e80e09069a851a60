//! The errors of a video call, by who is to blame.

use std::fmt;

use super::message::PluginEvent;
use crate::config::UserName;
use crate::usecase::{Closed, SessionEnd};
use crate::{data, peer, signaling};

/// Why a command failed, or a call ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The lower layers.
    /// The gateway is out of reach, or its core refused.
    #[error(transparent)]
    Gateway(#[from] signaling::Error),
    /// Devices or the peer connection failed.
    #[error(transparent)]
    Media(#[from] peer::Error),
    /// A message or a file did not arrive.
    #[error(transparent)]
    Transfer(#[from] data::Error),

    // The gateway.
    /// The plugin refused a request.
    #[error("refused by the plugin: {reason} ({code})")]
    Refused {
        /// Its error code.
        code: PluginCode,
        /// Its sentence, shortened; empty if the refusal follows from the answer to a query.
        reason: String,
        /// The name that the request was about.
        name: Option<UserName>,
    },
    /// The plugin's answer does not belong to the request.
    #[error("unexpected answer of the plugin: {event}")]
    UnexpectedAnswer {
        /// The answer's event.
        event: String,
    },
    /// The plugin reported that a call is accepted, without an answer to the offer.
    #[error("accepted without an answer")]
    MissingAnswer,
    /// The plugin answered a later request, so it executed this one and its answer is lost.
    #[error("the answer is lost")]
    AnswerLost,
    /// The gateway was not ready for a call in time.
    #[error("no answer in time")]
    Timeout,
    /// The gateway does not end the previous call, so that the handle takes no other.
    #[error("the handle is wedged in the call before")]
    WedgedHandle,

    // The peer.
    /// The peer is in another call.
    #[error("\"{peer}\" is busy")]
    Busy {
        /// The peer.
        peer: UserName,
    },

    /// The object is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The call ended before the command was done.
    #[error("the call ended: {0}")]
    Ended(#[from] End),
    /// The command is not possible now.
    #[error("{0}")]
    Misuse(#[from] Misuse),
}

impl Error {
    pub(super) fn unexpected(event: &PluginEvent) -> Self {
        Self::UnexpectedAnswer { event: event.as_str().to_owned() }
    }

    /// Whether the plugin may have executed the request.
    pub(super) fn is_uncertain(&self) -> bool {
        match self {
            Self::Gateway(error) => error.is_uncertain(),
            Self::UnexpectedAnswer { .. } | Self::AnswerLost => true,
            _ => false,
        }
    }

    /// Whether the plugin refused with this code.
    pub(super) fn is_refusal(&self, wanted: PluginCode) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }
}

impl From<SessionEnd> for Error {
    fn from(end: SessionEnd) -> Self {
        match end {
            SessionEnd::Lost(error) => error.into(),
            SessionEnd::Closed(closed) => closed.into(),
        }
    }
}

/// How a call ended, for a command that waited for it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// `hangUp()`.
    #[error("hangUp()")]
    HangUp,
    /// `closeUsecase()`.
    #[error("closeUsecase()")]
    CloseUsecase,
    /// `disconnect()`.
    #[error("disconnect()")]
    Disconnect,
    /// The peer hung up.
    #[error("by the peer: {reason}")]
    ByPeer {
        /// The reason of the hang-up.
        reason: String,
    },
    /// Nobody answered in time.
    #[error("nobody answered")]
    NoAnswer,
    /// The gateway ended it.
    #[error("by the gateway")]
    ByGateway {
        /// The reason of the hang-up, where it is known.
        reason: Option<&'static str>,
    },
    /// Events of the call were lost too often.
    #[error("lost too often")]
    LostTooOften,
    /// It crossed the peer's own call too often.
    #[error("crossed too often")]
    CrossedTooOften,
    /// The caller should have redialed and did not.
    #[error("the caller did not call again")]
    NotRedialed,
}

/// A command that is not possible in the object's state.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The connection to the gateway is being restored.
    #[error("the connection is being restored")]
    Restoring,
    /// A name is needed first.
    #[error("not registered")]
    NotRegistered,
    /// The object is registered already.
    #[error("registered as \"{name}\"")]
    AlreadyRegistered {
        /// The name.
        name: UserName,
    },
    /// A name is being registered.
    #[error("\"{name}\" is being registered")]
    Registering {
        /// The name.
        name: UserName,
    },
    /// `call()` without a name, and no call is ringing here.
    #[error("no name to call")]
    NobodyToCall,
    /// The page called its own name.
    #[error("calling oneself")]
    CallingSelf,
    /// There is a call already.
    #[error("in a call with \"{peer}\"")]
    InCall {
        /// The peer.
        peer: UserName,
    },
    /// No call is ringing here.
    #[error("no call to accept")]
    NothingToAccept,
    /// There is no call.
    #[error("no call to hang up")]
    NothingToHangUp,
    /// There is no call.
    #[error("no call to send through")]
    NothingToSendThrough,
    /// Nothing is being sent.
    #[error("nothing to mute")]
    NothingToMute,
}

/// An error code of the plugin (`janus_videocall.c`). The gateway's core uses the same numbers with
/// other meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginCode(pub i64);

impl PluginCode {
    /// A name is needed first.
    pub const REGISTER_FIRST: Self = Self(473);
    /// Another user holds the name.
    pub const USERNAME_TAKEN: Self = Self(476);
    /// The handle has a name already; the reason contains it.
    pub const ALREADY_REGISTERED: Self = Self(477);
    /// Nobody holds the name.
    pub const NO_SUCH_USERNAME: Self = Self(478);
    /// The user called their own name.
    pub const USE_ECHO_TEST: Self = Self(479);
    /// The handle is in a call.
    pub const ALREADY_IN_CALL: Self = Self(480);
    /// The handle is in no call.
    pub const NO_CALL: Self = Self(481);
    /// A description is missing.
    pub const MISSING_SDP: Self = Self(482);
}

impl fmt::Display for PluginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
