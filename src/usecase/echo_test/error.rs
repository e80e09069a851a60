//! The errors of an echo test, by who is to blame.

use crate::usecase::{Closed, SessionEnd};
use crate::{peer, signaling};

/// Why a command failed, or a test ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The gateway is out of reach, or its core refused.
    #[error(transparent)]
    Gateway(#[from] signaling::Error),
    /// Devices or the peer connection failed.
    #[error(transparent)]
    Media(#[from] peer::Error),
    /// The plugin refused.
    #[error("refused by the plugin: {reason} ({code})")]
    Refused {
        /// Its error code (`janus_echotest.c`).
        code: i64,
        /// Its sentence, shortened.
        reason: String,
    },
    /// The plugin's answer does not belong to the request.
    #[error("unexpected answer of the plugin: {result}")]
    UnexpectedAnswer {
        /// The answer's result.
        result: String,
    },
    /// The plugin's answer has no session description.
    #[error("no answer to the offer")]
    MissingAnswer,
    /// The connection is up, but one's own media did not come back in time.
    #[error("no media came back")]
    NoMedia,
    /// The connection is up, and no data came back in time.
    #[error("no data came back")]
    NoData,
    /// The media path was lost, and did not come back in time.
    #[error("the media path is lost")]
    PathLost,
    /// The gateway ended the test.
    #[error("by the gateway: {reason}")]
    ByGateway {
        /// Its reason.
        reason: String,
    },
    /// `stop()`, `closeUsecase()` or `disconnect()` came before the media was back.
    #[error("stopped")]
    Stopped,
    /// The object is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The command is not possible now.
    #[error("{0}")]
    Misuse(#[from] Misuse),
}

impl From<SessionEnd> for Error {
    fn from(end: SessionEnd) -> Self {
        match end {
            SessionEnd::Lost(error) => error.into(),
            SessionEnd::Closed(closed) => closed.into(),
        }
    }
}

/// A command that is not possible in the object's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// A test runs already.
    #[error("a test is running")]
    Running,
    /// No test runs.
    #[error("no test is running")]
    NotRunning,
    /// The connection to the gateway is being restored.
    #[error("the connection is being restored")]
    Restoring,
}
