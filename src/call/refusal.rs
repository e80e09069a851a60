//! What the plugin's refusals mean.

use super::messages::PluginEvent;
use crate::config::UserName;
use crate::error::{Code, Error};

/// Error codes of the plugin (`janus_videocall.c`). They overlap those of the gateway's core.
pub(super) mod code {
    pub(in crate::call) const REGISTER_FIRST: i64 = 473;
    pub(in crate::call) const USERNAME_TAKEN: i64 = 476;
    pub(in crate::call) const ALREADY_REGISTERED: i64 = 477;
    pub(in crate::call) const NO_SUCH_USERNAME: i64 = 478;
    pub(in crate::call) const USE_ECHO_TEST: i64 = 479;
    pub(in crate::call) const ALREADY_IN_CALL: i64 = 480;
    pub(in crate::call) const NO_CALL: i64 = 481;
}

/// The meaning of an error of the plugin.
pub(super) fn refused(code: i64, words: &str, name: &str) -> Error {
    let error = match code {
        code::REGISTER_FIRST => {
            Error::new(Code::NotRegistered, "the gateway knows no name of ours: register() first")
        }
        code::USERNAME_TAKEN => Error::new(
            Code::UsernameTaken,
            format!("somebody else holds the name \"{name}\": choose another"),
        ),
        code::ALREADY_REGISTERED => {
            Error::new(Code::AlreadyRegistered, "this video call has another name already")
        }
        code::NO_SUCH_USERNAME => {
            Error::new(Code::NoSuchUser, format!("nobody is registered as \"{name}\""))
        }
        code::USE_ECHO_TEST => calling_self(),
        code::ALREADY_IN_CALL => {
            Error::new(Code::AlreadyInCall, "the gateway has us in a call already: try again")
        }
        code::NO_CALL => Error::new(Code::NoCall, format!("the caller \"{name}\" has gone")),
        _ => Error::new(
            Code::GatewayError,
            format!("the video call plugin refused: {words} ({code})"),
        ),
    };
    error.from_gateway(code, words)
}

pub(super) fn already_registered(name: &UserName) -> Error {
    Error::new(
        Code::AlreadyRegistered,
        format!("this video call is registered as \"{name}\": closeUsecase() frees that name"),
    )
}

pub(super) fn calling_self() -> Error {
    Error::new(Code::CallingSelf, "one cannot call oneself: call somebody else")
}

pub(super) fn media_failed() -> Error {
    Error::new(
        Code::MediaFailed,
        "the media connection could not be made: a TURN server in iceServers helps in strict networks",
    )
}

pub(super) fn unexpected(event: &PluginEvent) -> Error {
    Error::new(
        Code::GatewayProtocol,
        format!("the plugin gave an answer that does not fit: {}", event.as_str()),
    )
}
