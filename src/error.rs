//! The errors as the page sees them: a stable code, a sentence with the remedy, and the gateway's
//! or the browser's own text. Each layer has its own error type, by who is to blame. This module
//! joins them.

mod message;

use std::fmt;

use crate::signaling::{self, CoreCode};
use crate::usecase::echo_test;
use crate::usecase::video_call::{self, End, Misuse, PluginCode};
use crate::usecase::{Closed, SessionEnd};
use crate::{data, peer};

/// Defines the codes and their names in one table.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident => $word:literal,)*) => {
        /// The kind of a failure. Pages branch on it, so the names never change.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The name in `error.code`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $word),*
                }
            }
        }
    };
}

codes! {
    /// An argument has the wrong type, is empty, malformed or out of range. Correct the argument.
    InvalidArgument => "INVALID_ARGUMENT",
    /// The browser lacks something that calls need, or the page is not a secure context.
    NotSupported => "NOT_SUPPORTED",
    /// The module could not be loaded or started. Serve it beside the script.
    LoadFailed => "LOAD_FAILED",
    /// The library itself broke down. Create a new `VideoRTC`, and report the bug.
    InternalError => "INTERNAL_ERROR",
    /// No gateway answered. Check the address, the network and CORS.
    GatewayUnreachable => "GATEWAY_UNREACHABLE",
    /// The gateway did not answer a request in time. Try again.
    GatewayTimeout => "GATEWAY_TIMEOUT",
    /// The server does not speak the gateway's protocol. Check the address.
    GatewayProtocol => "GATEWAY_PROTOCOL",
    /// The gateway refused a request, and this library has no code for the reason.
    GatewayError => "GATEWAY_ERROR",
    /// The API secret or the token is wrong or missing.
    Unauthorized => "UNAUTHORIZED",
    /// The gateway forgot the session, or was out of reach for too long. Connect again.
    SessionLost => "SESSION_LOST",
    /// `connect()` has not been called, has not finished, or `disconnect()` came since.
    NotConnected => "NOT_CONNECTED",
    /// The object was closed. Create a new one.
    Closed => "CLOSED",
    /// A name is needed first. Call `register()`.
    NotRegistered => "NOT_REGISTERED",
    /// This video call has another name already.
    AlreadyRegistered => "ALREADY_REGISTERED",
    /// Another user holds the name. Choose another one.
    UsernameTaken => "USERNAME_TAKEN",
    /// Nobody is registered under the name.
    NoSuchUser => "NO_SUCH_USER",
    /// You cannot call yourself.
    CallingSelf => "CALLING_SELF",
    /// The other side is in another call.
    UserBusy => "USER_BUSY",
    /// There is a call already. Hang up first.
    AlreadyInCall => "ALREADY_IN_CALL",
    /// There is no call for this command.
    NoCall => "NO_CALL",
    /// The callee did not answer in time.
    NoAnswer => "NO_ANSWER",
    /// The call ended before the command was done.
    CallEnded => "CALL_ENDED",
    /// The user or the browser refused the camera or the microphone.
    PermissionDenied => "PERMISSION_DENIED",
    /// There is no camera or microphone of the requested kind.
    DeviceNotFound => "DEVICE_NOT_FOUND",
    /// Another program holds the camera or the microphone.
    DeviceInUse => "DEVICE_IN_USE",
    /// The camera or the microphone failed in another way.
    DeviceError => "DEVICE_ERROR",
    /// The media connection could not be established, or was lost.
    MediaFailed => "MEDIA_FAILED",
    /// Data is disabled, on this side or the other.
    DataDisabled => "DATA_DISABLED",
    /// The other side does not use this library, and does not support this message.
    NotSupportedByPeer => "NOT_SUPPORTED_BY_PEER",
    /// The receiver does not accept the type. See `allowedTypes`.
    TypeNotAllowed => "TYPE_NOT_ALLOWED",
    /// The receiver does not accept this size. See `maxSize`.
    TooLarge => "TOO_LARGE",
    /// One side cancelled the transfer.
    TransferCancelled => "TRANSFER_CANCELLED",
    /// The transfer failed: the source cannot be read, or the receiver is gone or out of space.
    TransferFailed => "TRANSFER_FAILED",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure of any layer.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {}", self.code(), self.message())]
pub enum Error {
    /// The gateway, or the connection to it.
    Gateway(#[from] signaling::Error),
    /// A video call.
    Call(#[from] video_call::Error),
    /// An echo test.
    Echo(#[from] echo_test::Error),
    /// A message or a file.
    Transfer(#[from] data::Error),
    /// Devices, or a peer connection.
    Media(#[from] peer::Error),
    /// An object that is closed.
    Closed(#[from] Closed),
    /// An argument of the page.
    InvalidArgument {
        /// The sentence for the page.
        message: String,
        /// The exception while the argument was read, if any.
        cause: Option<String>,
    },
    /// The browser lacks something.
    NotSupported {
        /// The sentence for the page.
        message: String,
    },
    /// The `VideoRtc` was dropped before the command was done.
    Dropped,
    /// Any other error, with the secrets removed from its texts.
    Redacted(Box<Redacted>),
}

impl From<SessionEnd> for Error {
    fn from(end: SessionEnd) -> Self {
        match end {
            SessionEnd::Lost(error) => error.into(),
            SessionEnd::Closed(closed) => closed.into(),
        }
    }
}

/// The parts of an error whose texts contained a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    code: Code,
    message: String,
    gateway_code: Option<i64>,
    cause: Option<String>,
}

impl Error {
    /// An error about an argument.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::InvalidArgument { message: message.into(), cause: None }
    }

    /// An error about an argument, with the exception while it was read.
    pub fn unreadable_argument(message: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::InvalidArgument { message: message.into(), cause: Some(cause.into()) }
    }

    /// An error about a feature that the browser lacks.
    pub fn not_supported(message: impl Into<String>) -> Self {
        Self::NotSupported { message: message.into() }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Gateway(error) => gateway(error),
            Self::Call(error) => call(error),
            Self::Echo(error) => echo(error),
            Self::Transfer(error) => transfer(error),
            Self::Media(error) => media(error),
            Self::Closed(_) => Code::Closed,
            Self::InvalidArgument { .. } => Code::InvalidArgument,
            Self::NotSupported { .. } => Code::NotSupported,
            Self::Dropped => Code::Closed,
            Self::Redacted(redacted) => redacted.code,
        }
    }

    /// A sentence for a person: what happened, with which value, and what to do about it.
    pub fn message(&self) -> String {
        match self {
            Self::Gateway(error) => message::gateway(error),
            Self::Call(error) => message::call(error),
            Self::Echo(error) => message::echo(error),
            Self::Transfer(error) => message::transfer(error),
            Self::Media(error) => message::media(error),
            Self::Closed(closed) => message::closed(*closed),
            Self::InvalidArgument { message, .. } | Self::NotSupported { message } => {
                message.clone()
            }
            Self::Dropped => "the connection was dropped before the command was done".into(),
            Self::Redacted(redacted) => redacted.message.clone(),
        }
    }

    /// The gateway's error number, if there is one.
    pub fn gateway_code(&self) -> Option<i64> {
        match self {
            Self::Gateway(error)
            | Self::Call(video_call::Error::Gateway(error))
            | Self::Echo(echo_test::Error::Gateway(error)) => match error.single() {
                signaling::Error::Refused { code: CoreCode(code), .. } => Some(*code),
                signaling::Error::Misrouted => Some(CoreCode::NO_SUCH_SESSION.0),
                _ => None,
            },
            Self::Call(video_call::Error::Refused { code: PluginCode(code), .. })
            | Self::Echo(echo_test::Error::Refused { code, .. }) => Some(*code),
            Self::Redacted(redacted) => redacted.gateway_code,
            _ => None,
        }
    }

    /// The browser's or the gateway's own text, if there is one.
    pub fn cause(&self) -> Option<String> {
        let words = match self {
            Self::Gateway(error)
            | Self::Call(video_call::Error::Gateway(error))
            | Self::Echo(echo_test::Error::Gateway(error)) => gateway_cause(error),
            Self::Call(video_call::Error::Refused { reason, .. })
            | Self::Echo(echo_test::Error::Refused { reason, .. }) => Some(reason.clone()),
            Self::Media(error)
            | Self::Call(video_call::Error::Media(error))
            | Self::Echo(echo_test::Error::Media(error)) => error.cause().cloned(),
            Self::Transfer(data::Error::Unreadable { cause })
            | Self::Call(video_call::Error::Transfer(data::Error::Unreadable { cause })) => {
                Some(cause.clone())
            }
            Self::InvalidArgument { cause, .. } => cause.clone(),
            Self::Redacted(redacted) => redacted.cause.clone(),
            _ => None,
        };
        words.filter(|words| !words.is_empty())
    }

    /// Returns the error with `hide` applied to its texts.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        let (message, cause) = (self.message(), self.cause());
        let behind = self.behind();
        let all = [Some(&message), cause.as_ref(), Some(&behind)];
        if all.into_iter().flatten().all(|text| hide(text) == *text) {
            return self;
        }
        Self::Redacted(Box::new(Redacted {
            code: self.code(),
            message: hide(&message),
            gateway_code: self.gateway_code(),
            cause: cause.as_deref().map(hide),
        }))
    }
}

impl Error {
    /// The layer's own text, as `source()` shows it. It contains all texts of the variants.
    fn behind(&self) -> String {
        match self {
            Self::Gateway(error) => error.to_string(),
            Self::Call(error) => error.to_string(),
            Self::Echo(error) => error.to_string(),
            Self::Transfer(error) => error.to_string(),
            Self::Media(error) => error.to_string(),
            _ => String::new(),
        }
    }
}

fn gateway(error: &signaling::Error) -> Code {
    use signaling::Error;
    match error {
        Error::Unreachable { .. } => Code::GatewayUnreachable,
        Error::Timeout { .. } => Code::GatewayTimeout,
        Error::InvalidAnswer(_) => Code::GatewayProtocol,
        Error::NoServer { failures } => {
            let mut codes = failures.iter().map(|(_, error)| gateway(error));
            let first = codes.next().unwrap_or(Code::GatewayUnreachable);
            if codes.all(|code| code == first) { first } else { Code::GatewayUnreachable }
        }
        Error::Refused { code, .. } if code.is_unauthorized() => Code::Unauthorized,
        Error::Refused { code: CoreCode::NO_SUCH_SESSION, .. } => Code::SessionLost,
        Error::Refused { .. } => Code::GatewayError,
        Error::Forbidden { .. } | Error::NoToken { .. } | Error::TokenTimeout { .. } => {
            Code::Unauthorized
        }
        Error::OutOfReach { .. } | Error::SessionTimedOut | Error::Misrouted | Error::PageLeft => {
            Code::SessionLost
        }
        Error::NotConnected | Error::ConnectCancelled | Error::Disconnected => Code::NotConnected,
    }
}

fn gateway_cause(error: &signaling::Error) -> Option<String> {
    match error.single() {
        signaling::Error::Unreachable { cause } | signaling::Error::NoToken { cause } => {
            Some(cause.clone())
        }
        signaling::Error::Refused { reason, .. } => Some(reason.clone()),
        signaling::Error::OutOfReach { cause } => {
            Some(format!("{}: {}", gateway(cause), message::gateway(cause)))
        }
        _ => None,
    }
}

fn call(error: &video_call::Error) -> Code {
    use video_call::Error;
    match error {
        Error::Gateway(error) => gateway(error),
        Error::Media(error) => media(error),
        Error::Transfer(error) => transfer(error),
        Error::Refused { code, .. } => match *code {
            PluginCode::REGISTER_FIRST => Code::NotRegistered,
            PluginCode::USERNAME_TAKEN => Code::UsernameTaken,
            PluginCode::ALREADY_REGISTERED => Code::AlreadyRegistered,
            PluginCode::NO_SUCH_USERNAME => Code::NoSuchUser,
            PluginCode::USE_ECHO_TEST => Code::CallingSelf,
            PluginCode::ALREADY_IN_CALL => Code::AlreadyInCall,
            PluginCode::NO_CALL => Code::NoCall,
            _ => Code::GatewayError,
        },
        Error::UnexpectedAnswer { .. } | Error::MissingAnswer => Code::GatewayProtocol,
        Error::AnswerLost | Error::Timeout => Code::GatewayTimeout,
        Error::WedgedHandle => Code::GatewayError,
        Error::Busy { .. } => Code::UserBusy,
        Error::Closed(_) => Code::Closed,
        Error::Ended(end) => match end {
            End::CloseUsecase => Code::Closed,
            End::Disconnect => Code::NotConnected,
            End::NoAnswer => Code::NoAnswer,
            End::HangUp
            | End::ByPeer { .. }
            | End::ByGateway { .. }
            | End::LostTooOften
            | End::CrossedTooOften
            | End::NotRedialed => Code::CallEnded,
        },
        Error::Misuse(misuse) => match misuse {
            Misuse::Restoring => Code::NotConnected,
            Misuse::NotRegistered => Code::NotRegistered,
            Misuse::AlreadyRegistered { .. } | Misuse::Registering { .. } => {
                Code::AlreadyRegistered
            }
            Misuse::NobodyToCall => Code::InvalidArgument,
            Misuse::CallingSelf => Code::CallingSelf,
            Misuse::InCall { .. } => Code::AlreadyInCall,
            Misuse::NothingToAccept
            | Misuse::NothingToHangUp
            | Misuse::NothingToSendThrough
            | Misuse::NothingToMute => Code::NoCall,
        },
    }
}

fn echo(error: &echo_test::Error) -> Code {
    use echo_test::{Error, Misuse};
    match error {
        Error::Gateway(error) => gateway(error),
        Error::Media(error) => media(error),
        Error::Refused { .. } => Code::GatewayError,
        Error::UnexpectedAnswer { .. } | Error::MissingAnswer => Code::GatewayProtocol,
        Error::NoMedia | Error::NoData | Error::PathLost => Code::MediaFailed,
        Error::ByGateway { .. } | Error::Stopped => Code::CallEnded,
        Error::Closed(_) => Code::Closed,
        Error::Misuse(Misuse::Running) => Code::AlreadyInCall,
        Error::Misuse(Misuse::NotRunning) => Code::NoCall,
        Error::Misuse(Misuse::Restoring) => Code::NotConnected,
    }
}

fn transfer(error: &data::Error) -> Code {
    use data::Error;
    match error {
        Error::Disabled | Error::DisabledByPeer | Error::NoChannel => Code::DataDisabled,
        Error::NotSupportedByPeer { .. } => Code::NotSupportedByPeer,
        Error::TypeRefused { .. } | Error::TypeNotAllowed { .. } => Code::TypeNotAllowed,
        Error::TooLargeForPeer { .. } | Error::TooLarge { .. } => Code::TooLarge,
        Error::Cancelled | Error::CancelledByPeer | Error::Aborted => Code::TransferCancelled,
        Error::Unreadable { .. }
        | Error::Changed
        | Error::NotKept
        | Error::NotKeptByPeer
        | Error::PeerMisbehaved
        | Error::NotUnderstoodByPeer
        | Error::NotTakenByPeer
        | Error::Damaged
        | Error::PeerNeverSpoke
        | Error::PeerSilent
        | Error::ChannelClosed => Code::TransferFailed,
        Error::CallEnded { .. } => Code::CallEnded,
    }
}

fn media(error: &peer::Error) -> Code {
    use peer::Error;
    match error {
        Error::PermissionDenied { .. } | Error::PermissionTimeout => Code::PermissionDenied,
        Error::DeviceNotFound { .. } | Error::NoDeviceFits { .. } | Error::NotSent { .. } => {
            Code::DeviceNotFound
        }
        Error::DeviceInUse { .. } => Code::DeviceInUse,
        Error::DeviceError { .. } => Code::DeviceError,
        Error::NotSupported => Code::NotSupported,
        Error::NoIceServers { .. }
        | Error::Failed { .. }
        | Error::Closed
        | Error::NotConnected
        | Error::PathLost => Code::MediaFailed,
    }
}
