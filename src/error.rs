//! What can go wrong, as stable codes and sentences that say what to do.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A stable word for a cause of failure. A page branches on it; it is never reworded.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// An argument has the wrong type, is empty, malformed or out of range. Mend the call.
    InvalidArgument,
    /// The browser lacks something that calls need, or the page is not a secure context.
    NotSupported,
    /// No gateway answered. Check the address, the network and CORS.
    GatewayUnreachable,
    /// The gateway took a request and did not answer it in time. Try again.
    GatewayTimeout,
    /// What answered does not speak the gateway's protocol. Check the address.
    GatewayProtocol,
    /// The gateway refused a request for a reason that has no code of its own here.
    GatewayError,
    /// The API secret or the token is wrong or missing.
    Unauthorized,
    /// The gateway forgot the session, or stayed out of reach for too long. Connect again.
    SessionLost,
    /// `connect()` has not been called, has not finished, or `disconnect()` came since.
    NotConnected,
    /// The object was closed. Make a new one.
    Closed,
    /// A name is needed first. Call `register()`.
    NotRegistered,
    /// This video call has another name already.
    AlreadyRegistered,
    /// Somebody else holds the name. Choose another.
    UsernameTaken,
    /// Nobody is registered under the name.
    NoSuchUser,
    /// The name called is one's own.
    CallingSelf,
    /// The other side is in another call.
    UserBusy,
    /// There is a call already. Hang up first.
    AlreadyInCall,
    /// There is no call that this could act on.
    NoCall,
    /// Nobody answered in time.
    NoAnswer,
    /// The call ended before the command was done.
    CallEnded,
    /// The user or the browser refused the camera or the microphone.
    PermissionDenied,
    /// There is no camera or no microphone of the wanted kind.
    DeviceNotFound,
    /// Another program holds the camera or the microphone.
    DeviceInUse,
    /// The camera or the microphone failed in another way.
    DeviceError,
    /// The media connection could not be made, or was lost.
    MediaFailed,
    /// Data is switched off, at this end or the other.
    DataDisabled,
    /// The other side does not use this library, and cannot take what was sent.
    NotSupportedByPeer,
    /// The receiver does not take the type. See `allowedTypes`.
    TypeNotAllowed,
    /// The receiver does not take so many bytes. See `maxSize`.
    TooLarge,
    /// One side cancelled the transfer.
    TransferCancelled,
    /// The transfer broke: a source that cannot be read, a receiver that is gone or out of room.
    TransferFailed,
}

impl Code {
    /// The word that a page sees in `error.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotSupported => "NOT_SUPPORTED",
            Self::GatewayUnreachable => "GATEWAY_UNREACHABLE",
            Self::GatewayTimeout => "GATEWAY_TIMEOUT",
            Self::GatewayProtocol => "GATEWAY_PROTOCOL",
            Self::GatewayError => "GATEWAY_ERROR",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::SessionLost => "SESSION_LOST",
            Self::NotConnected => "NOT_CONNECTED",
            Self::Closed => "CLOSED",
            Self::NotRegistered => "NOT_REGISTERED",
            Self::AlreadyRegistered => "ALREADY_REGISTERED",
            Self::UsernameTaken => "USERNAME_TAKEN",
            Self::NoSuchUser => "NO_SUCH_USER",
            Self::CallingSelf => "CALLING_SELF",
            Self::UserBusy => "USER_BUSY",
            Self::AlreadyInCall => "ALREADY_IN_CALL",
            Self::NoCall => "NO_CALL",
            Self::NoAnswer => "NO_ANSWER",
            Self::CallEnded => "CALL_ENDED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::DeviceNotFound => "DEVICE_NOT_FOUND",
            Self::DeviceInUse => "DEVICE_IN_USE",
            Self::DeviceError => "DEVICE_ERROR",
            Self::MediaFailed => "MEDIA_FAILED",
            Self::DataDisabled => "DATA_DISABLED",
            Self::NotSupportedByPeer => "NOT_SUPPORTED_BY_PEER",
            Self::TypeNotAllowed => "TYPE_NOT_ALLOWED",
            Self::TooLarge => "TOO_LARGE",
            Self::TransferCancelled => "TRANSFER_CANCELLED",
            Self::TransferFailed => "TRANSFER_FAILED",
        }
    }
}

/// A failure, in a box: most results hold none, and all of them would be as large as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<Failure>);

/// A failure: a code for the program, a sentence for the person.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The stable word.
    pub code: Code,
    /// What happened, with which value, and what to do about it.
    pub message: String,
    /// The number that the gateway gave, where it gave one.
    pub gateway_code: Option<i64>,
    /// What lies below, as text: the browser's or the gateway's own words.
    pub cause: Option<String>,
}

impl Error {
    /// An error with neither gateway code nor cause.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Failure { code, message: message.into(), gateway_code: None, cause: None }))
    }

    /// The same error, with the gateway's own number and words.
    #[must_use]
    pub fn from_gateway(mut self, code: i64, reason: &str) -> Self {
        self.gateway_code = Some(code);
        self.with_cause(reason)
    }

    /// The same error, with what lies below it.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Whether it leaves open if the gateway did what it was asked to: nothing of the gateway's came back,
    /// or something that it did not say.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.gateway_code.is_none()
            && matches!(
                self.code,
                Code::GatewayUnreachable | Code::GatewayTimeout | Code::GatewayProtocol
            )
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(
            Code::Closed,
            "this video call is closed: get a new one from usecases.videoCall()",
        )
    }
}

impl Deref for Error {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Failure {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}

/// A stranger's text, made fit for a message or a log line: short, and on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 120;
    let mut short: String =
        text.chars().take(LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
