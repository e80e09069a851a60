//! The errors between this client and the gateway, by who is to blame.

use std::fmt;
use std::time::Duration;

use crate::config::ServerUrl;
use crate::time::millis;

/// Why the gateway did not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The network, or the address.
    /// Nothing answered an HTTP request.
    #[error("nothing answered: {cause}")]
    Unreachable {
        /// The browser's reason.
        cause: String,
    },
    /// A request had no final answer in time. Whether it was done is unknown.
    #[error("no answer to {request} within {} ms", millis(*limit))]
    Timeout {
        /// The request.
        request: &'static str,
        /// The limit that has passed.
        limit: Duration,
    },
    /// The answer is not one of Janus. Whether the request was done is unknown.
    #[error("invalid answer: {0}")]
    InvalidAnswer(#[from] InvalidAnswer),
    /// No server took the connection: each one's error, in the order of the list.
    #[error("no server took the connection: {}", listed(failures))]
    NoServer {
        /// Never empty, unless the list of servers is.
        failures: Vec<(ServerUrl, Error)>,
    },
    /// The gateway was out of reach for longer than `retry_limit`.
    #[error("out of reach for too long: {cause}")]
    OutOfReach {
        /// The last failure.
        cause: Box<Error>,
    },

    // The gateway.
    /// The gateway's core refused a request.
    #[error("refused by the gateway: {reason} ({code})")]
    Refused {
        /// Its number for that.
        code: CoreCode,
        /// Its reason, cut short.
        reason: String,
    },
    /// An HTTP status 403 in place of an answer. Janus refuses a poll for its secret or token so,
    /// without a body, and any request for the origin of its page.
    #[error("HTTP status 403 \"{body}\"")]
    Forbidden {
        /// The body, cut short.
        body: String,
    },
    /// The gateway ended the session, since it had received no request for too long.
    #[error("the session timed out")]
    SessionTimedOut,
    /// The gateway does not know a session that it made a moment ago: there may be several gateways
    /// behind one address.
    #[error("the new session is not known")]
    Misrouted,

    // The page.
    /// The page's function gave no token.
    #[error("no token: {cause}")]
    NoToken {
        /// Its exception, or the fault of the token that it gave.
        cause: String,
    },
    /// The page's function gave no token in time.
    #[error("no token within {} ms", millis(*limit))]
    TokenTimeout {
        /// The limit that has passed.
        limit: Duration,
    },
    /// There is no session.
    #[error("not connected")]
    NotConnected,
    /// `disconnect()` came before the session was there.
    #[error("disconnect() came before connect() was done")]
    ConnectCancelled,
    /// `disconnect()` ended the session.
    #[error("disconnect() ended the session")]
    Disconnected,
    /// The page was left, and the session ended with it.
    #[error("the page was left")]
    PageLeft,
}

/// Each server with its error.
fn listed(failures: &[(ServerUrl, Error)]) -> String {
    let errors = failures.iter().map(|(server, error)| format!("{}: {error}", server.as_str()));
    errors.collect::<Vec<_>>().join(" | ")
}

impl Error {
    /// Whether the gateway may have done the request: no answer came back, or one that is not the
    /// gateway's.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::InvalidAnswer(_))
    }

    /// Whether a repeated request would bring the same answer, which is too long to be read.
    pub(crate) fn is_too_long(&self) -> bool {
        matches!(self, Self::InvalidAnswer(InvalidAnswer::TooLong { .. }))
    }

    /// Whether the gateway refuses this client, whatever it asks for.
    pub(crate) fn is_unauthorized(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code.is_unauthorized(),
            Self::Forbidden { .. } | Self::NoToken { .. } | Self::TokenTimeout { .. } => true,
            Self::NoServer { failures } => {
                !failures.is_empty() && failures.iter().all(|(_, error)| error.is_unauthorized())
            }
            _ => false,
        }
    }

    /// Whether another token may help.
    pub(crate) fn is_token_refused(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == CoreCode::UNAUTHORIZED,
            // With a body it is a proxy's.
            Self::Forbidden { body } => body.is_empty(),
            _ => false,
        }
    }

    /// Whether the gateway itself says that the session is over, or of no use. An HTTP status may
    /// be that of something in between.
    pub(crate) fn ends_session(&self) -> bool {
        self.is_session_lost() || self.is_hopeless()
    }

    /// Whether another attempt will not help.
    pub(crate) fn is_hopeless(&self) -> bool {
        match self {
            Self::Forbidden { .. } => false,
            Self::NoServer { failures } => {
                !failures.is_empty() && failures.iter().all(|(_, error)| error.is_hopeless())
            }
            _ => self.is_unauthorized(),
        }
    }

    /// The error of the one server there is, where no server took the connection.
    pub(crate) fn single(&self) -> &Self {
        match self {
            Self::NoServer { failures } => match failures.as_slice() {
                [(_, error)] => error,
                _ => self,
            },
            _ => self,
        }
    }

    /// Whether there is no session any more.
    pub(crate) fn is_session_lost(&self) -> bool {
        matches!(
            self,
            Self::Refused { code: CoreCode::NO_SUCH_SESSION, .. }
                | Self::OutOfReach { .. }
                | Self::SessionTimedOut
                | Self::Misrouted
                | Self::PageLeft
        )
    }
}

/// There is no session any more, and none to be had.
pub(crate) fn given_up(cause: &Error) -> Error {
    Error::OutOfReach { cause: Box::new(cause.clone()) }
}

/// How an answer shows that it is not one of Janus.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// An HTTP status that Janus does not use.
    #[error("HTTP status {status} \"{body}\"")]
    Status {
        /// The status.
        status: u16,
        /// The body, cut short.
        body: String,
    },
    /// HTTP status 404 to a poll. Janus answers so if it does not know the session; so may a proxy.
    #[error("HTTP status 404")]
    NotFound,
    /// An invalid answer from the address that a redirect led to.
    #[error("redirected to \"{to}\"")]
    Redirected {
        /// The address, without its query.
        to: String,
    },
    /// A body that is not JSON.
    #[error("not JSON: \"{body}\"")]
    NotJson {
        /// The body, cut short.
        body: String,
    },
    /// JSON that is not an object.
    #[error("not a JSON object: \"{body}\"")]
    NotAnObject {
        /// The body, cut short.
        body: String,
    },
    /// A body that is too long to be read.
    #[error("{length} bytes, of which at most {most} are read")]
    TooLong {
        /// The length of the body in bytes.
        length: usize,
        /// The longest that is read.
        most: usize,
    },
    /// An answer that does not belong to the request.
    #[error("not an answer to {request}")]
    Unexpected {
        /// The request.
        request: &'static str,
    },
    /// An id that is missing, 0 or above 2^53 - 1.
    #[error("an unusable id")]
    UnusableId {
        /// The id, where there is one.
        id: Option<u64>,
    },
}

/// An error code of the gateway's core (Janus' `apierror.h`). A plugin's numbers overlap these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreCode(pub i64);

impl CoreCode {
    /// The API secret or the token is wrong or missing.
    pub const UNAUTHORIZED: Self = Self(403);
    /// The token does not allow the plugin.
    pub const UNAUTHORIZED_PLUGIN: Self = Self(405);
    /// It does not know the session.
    pub const NO_SUCH_SESSION: Self = Self(458);
    /// It does not know the handle.
    pub const NO_SUCH_HANDLE: Self = Self(459);
    /// It does not have the plugin.
    pub const NO_SUCH_PLUGIN: Self = Self(460);
    /// The id chosen for a session is in use.
    pub const SESSION_CONFLICT: Self = Self(468);
    /// "Unexpected ANSWER": it does not know the offer any more.
    pub const UNEXPECTED_ANSWER: Self = Self(469);
    /// It does not know the token.
    pub const TOKEN_NOT_FOUND: Self = Self(470);
    /// Anything else. "Error setting ICE locally" has this number: the handle still holds, or
    /// already holds, another media connection, and the plugin never saw the request.
    pub const UNKNOWN: Self = Self(490);

    pub(crate) fn is_unauthorized(self) -> bool {
        matches!(self, Self::UNAUTHORIZED | Self::UNAUTHORIZED_PLUGIN | Self::TOKEN_NOT_FOUND)
    }
}

impl fmt::Display for CoreCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
