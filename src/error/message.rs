//! The sentences: what happened, with which value, and what the page or its user can do about it.

use crate::config::UserName;
use crate::data::LONGEST_INLINE;
use crate::signaling::{self, CoreCode, InvalidAnswer};
use crate::time::millis;
use crate::usecase::video_call::{self, End, Misuse, PluginCode};
use crate::usecase::{Closed, echo_test};
use crate::{data, peer};

pub(super) fn gateway(error: &signaling::Error) -> String {
    use signaling::Error;
    match error {
        Error::Unreachable { .. } => {
            "nothing answered; check the address, the network, and that the gateway allows this page (CORS)"
                .into()
        }
        Error::Timeout { request, limit } => format!(
            "the gateway did not answer {request} within {} ms; try again",
            millis(*limit)
        ),
        Error::InvalidAnswer(answer) => invalid_answer(answer),
        Error::NoServer { failures } => {
            let said = failures
                .iter()
                .map(|(server, error)| format!("{}: {}", server.as_str(), gateway(error)));
            format!("no gateway took the connection. {}", said.collect::<Vec<_>>().join(" | "))
        }
        Error::Refused { code, .. } if code.is_unauthorized() => unauthorized(),
        Error::Forbidden { .. } => unauthorized(),
        Error::NoToken { .. } => "the function token gave no token".into(),
        Error::TokenTimeout { limit } => {
            format!("the function token gave no token within {} ms", millis(*limit))
        }
        Error::OutOfReach { cause } => format!(
            "the gateway has been out of reach for too long ({}): call connect() again",
            gateway(cause)
        ),
        Error::Refused { code: CoreCode::NO_SUCH_SESSION, .. } | Error::SessionTimedOut => {
            "the gateway does not know the session any more: call connect() again".into()
        }
        Error::Misrouted => {
            "the gateway does not know the session that it has just made: two gateways behind one \
             address? Make sessions sticky, by the argument \"client\" that every request carries"
                .into()
        }
        Error::Refused { code: CoreCode::NO_SUCH_PLUGIN, reason } => {
            format!("the gateway does not have the plugin: {reason}; install or enable it there")
        }
        Error::Refused { code, reason } => {
            format!("the gateway refused the request: {reason} ({code})")
        }
        Error::NotConnected => "there is no session: call connect() first".into(),
        Error::ConnectCancelled => "disconnect() came before connect() was done".into(),
        Error::Disconnected => "disconnect() ended the session".into(),
        Error::PageLeft => "the page was left".into(),
    }
}

fn unauthorized() -> String {
    "the gateway refused this client: check apiSecret and token".into()
}

/// Describes the response of another server. The title in a quoted web page tells which one.
fn other_server(body: &str) -> String {
    match body {
        "" => "an empty body; check the address and its path".into(),
        page if page.starts_with('<') => format!(
            "a web page: \"{page}\"; a firewall, a proxy or another server answered in place of Janus, \
             or check the address and its path"
        ),
        other => format!("\"{other}\"; check the address and its path"),
    }
}

fn invalid_answer(answer: &InvalidAnswer) -> String {
    let shown = |body: &str| match body.is_empty() {
        true => "an empty body".to_owned(),
        false => format!("\"{body}\""),
    };
    match answer {
        InvalidAnswer::Status { status, body } => {
            format!("HTTP status {status}, {}", other_server(body))
        }
        InvalidAnswer::NotFound => {
            "HTTP status 404 to a poll: the session is gone, or there are two gateways \
             behind one address, whose sessions must be sticky"
                .into()
        }
        InvalidAnswer::Redirected { to } => format!(
            "the address was redirected to \"{to}\", where no Janus answered, since a POST does not survive \
             that: write the address that is not redirected, mostly with a slash at its end or without one, \
             with https or another host"
        ),
        InvalidAnswer::NotJson { body } => {
            format!("the answer is not Janus' (it is not JSON): {}", other_server(body))
        }
        InvalidAnswer::NotAnObject { body } => format!(
            "the answer is not Janus' (the JSON is not an object): {}; check the address and its path",
            shown(body)
        ),
        InvalidAnswer::TooLong { length, most } => {
            format!(
                "the answer has {length} bytes or more; this library reads at most {most}: \
                 ask for less, such as a list of fewer or shorter names"
            )
        }
        InvalidAnswer::Unexpected { request } => {
            format!("the answer to {request} is not one that Janus gives; check the address")
        }
        InvalidAnswer::UnusableId { id: Some(id) } => {
            format!("the gateway gave the id {id}, which is not between 1 and 2^53 - 1")
        }
        InvalidAnswer::UnusableId { id: None } => "the gateway gave no usable id".into(),
    }
}

pub(super) fn call(error: &video_call::Error) -> String {
    use video_call::Error;
    match error {
        Error::Gateway(error) => gateway(error),
        Error::Media(error) => media(error),
        Error::Transfer(error) => transfer(error),
        Error::Refused { code, reason, name } => {
            let name = name.as_ref().map_or("", UserName::as_str);
            match *code {
                PluginCode::REGISTER_FIRST => "not registered: call register() first".into(),
                PluginCode::USERNAME_TAKEN => {
                    format!("somebody else holds the name \"{name}\": choose another")
                }
                PluginCode::ALREADY_REGISTERED => {
                    "this video call has another name already: closeUsecase() frees it".into()
                }
                PluginCode::NO_SUCH_USERNAME => format!("nobody is registered as \"{name}\""),
                PluginCode::USE_ECHO_TEST => calling_self(),
                PluginCode::ALREADY_IN_CALL => {
                    "the gateway still has this client in another call: try again".into()
                }
                PluginCode::NO_CALL => format!("the caller \"{name}\" has gone"),
                code => format!("the video call plugin refused: {reason} ({code})"),
            }
        }
        Error::UnexpectedAnswer { event } => {
            format!("the plugin gave an answer that does not fit: {event}")
        }
        Error::MissingAnswer => "the call was accepted without an answer".into(),
        Error::AnswerLost => "the gateway's answer is lost: try again".into(),
        Error::Timeout => "the gateway did not answer in time".into(),
        Error::WedgedHandle => {
            "the gateway does not let go of the call before: the connection is being restored"
                .into()
        }
        Error::Busy { peer } => format!("\"{peer}\" is in another call"),
        Error::Closed(closed) => closed_object(*closed, "video call", "usecases.videoCall()"),
        Error::Ended(end) => ended(end),
        Error::Misuse(misuse) => misused(misuse),
    }
}

pub(super) fn echo(error: &echo_test::Error) -> String {
    use echo_test::{Error, Misuse};
    match error {
        Error::Gateway(error) => gateway(error),
        Error::Media(error) => media(error),
        Error::Refused { code, reason } => {
            format!("the echo test plugin refused: {reason} ({code})")
        }
        Error::UnexpectedAnswer { result } => {
            format!("the echo test plugin gave an answer that does not fit: {result}")
        }
        Error::MissingAnswer => "the echo test plugin gave no answer to the offer".into(),
        Error::NoData => "the connection is up, but no data came back in time".into(),
        Error::PathLost => {
            "the media connection was lost, and did not come back within connectTimeout".into()
        }
        Error::NoMedia => "the connection is up, but no media came back in time: check the \
             firewall, and that the camera and the microphone give something"
            .into(),
        Error::ByGateway { reason } => format!("the gateway ended the echo test: {reason}"),
        Error::Stopped => "the echo test was stopped before the media was back".into(),
        Error::Closed(closed) => closed_object(*closed, "echo test", "usecases.echoTest()"),
        Error::Misuse(Misuse::Running) => {
            "an echo test is running or starting already: stop() it first".into()
        }
        Error::Misuse(Misuse::NotRunning) => "no echo test is running: start() one first".into(),
        Error::Misuse(Misuse::Restoring) => {
            "the connection to the gateway is being restored: try again in a moment".into()
        }
    }
}

pub(super) fn closed(closed: Closed) -> String {
    closed_object(closed, "object", "the use cases")
}

fn closed_object(closed: Closed, object: &str, source: &str) -> String {
    match closed {
        Closed::ByPage => format!("this {object} is closed: get a new one from {source}"),
        Closed::ByDisconnect => format!("disconnect() closed this {object}"),
        Closed::ByGateway => format!("the gateway closed this {object}"),
    }
}

fn ended(end: &End) -> String {
    match end {
        End::HangUp => "hangUp() ended the call".into(),
        End::CloseUsecase => "closeUsecase() ended the call".into(),
        End::Disconnect => "disconnect() ended the call".into(),
        End::ByPeer { reason } => format!("the other side ended the call: {reason}"),
        End::NoAnswer => "nobody answered the call".into(),
        End::ByGateway { reason: Some(reason) } => format!("the gateway ended the call: {reason}"),
        End::ByGateway { reason: None } => "the gateway ended the call".into(),
        End::LostTooOften => "the call was lost too often".into(),
        End::CrossedTooOften => "the two calls crossed too often".into(),
        End::NotRedialed => "the caller did not call again".into(),
    }
}

fn misused(misuse: &Misuse) -> String {
    match misuse {
        Misuse::Restoring => {
            "the connection to the gateway is being restored: wait for onReconnected".into()
        }
        Misuse::NotRegistered => {
            "register() a name before you call, and wait for onRegistered".into()
        }
        Misuse::AlreadyRegistered { name } => {
            format!("this video call is registered as \"{name}\": closeUsecase() frees that name")
        }
        Misuse::Registering { name } => {
            format!("\"{name}\" is being registered: wait for onRegistered")
        }
        Misuse::NobodyToCall => "call() needs a user name, since no call is ringing here".into(),
        Misuse::CallingSelf => calling_self(),
        Misuse::InCall { peer } => {
            format!("there is a call with \"{peer}\" already: hang up first")
        }
        Misuse::NothingToAccept => "no call is ringing here that could be accepted".into(),
        Misuse::NothingToHangUp => "there is no call to hang up".into(),
        Misuse::NothingToSendThrough => {
            "there is no call to send it through: wait for onAccepted".into()
        }
        Misuse::NothingToMute => "nothing is being sent: there is no call".into(),
    }
}

fn calling_self() -> String {
    "you cannot call yourself: call somebody else".into()
}

pub(super) fn transfer(error: &data::Error) -> String {
    use data::Error;
    match error {
        Error::Disabled => {
            "data is switched off: set options.dataChannel.dataEnabled and options.stream.dataEnabled to true"
                .into()
        }
        Error::DisabledByPeer => "the other side has switched data off".into(),
        Error::NoChannel => "the other side's call has no data channel".into(),
        Error::NotSupportedByPeer { kind, size } => format!(
            "the other side does not use videortc: it can only be sent strings of 1 to {LONGEST_INLINE} \
             bytes, not {size} bytes of {kind}"
        ),
        Error::TypeRefused { kind } => {
            format!("the other side does not take the type \"{kind}\": see its allowedTypes")
        }
        Error::TooLargeForPeer { size } => {
            format!("{size} bytes are more than the other side takes: see its maxSize")
        }
        Error::TypeNotAllowed { kind } => {
            format!("the type \"{kind}\" is not among options.dataChannel.allowedTypes: dropped")
        }
        Error::TooLarge { kind, size } => {
            format!("{size} bytes of \"{kind}\" are more than options.dataChannel.maxSize: dropped")
        }
        Error::Cancelled => "the transfer was cancelled".into(),
        Error::CancelledByPeer => "the other side cancelled the transfer".into(),
        Error::Aborted => "the signal was aborted before anything was sent".into(),
        Error::Unreadable { .. } => {
            "the file could not be read: it may have been changed or removed".into()
        },
        Error::Changed => "the file changed while it was sent: send it again".into(),
        Error::NotKept => "the browser could not keep it: there may be too little room".into(),
        Error::NotKeptByPeer => "the other side could not keep it".into(),
        Error::PeerMisbehaved => "the other side does not follow the data protocol".into(),
        Error::NotUnderstoodByPeer => "the other side did not understand what it was sent".into(),
        Error::NotTakenByPeer => "the other side did not take it".into(),
        Error::Damaged => {
            "it arrived damaged again and again: the connection or the other side is broken".into()
        }
        Error::PeerNeverSpoke => {
            "the other side has never said anything: nothing was sent".into()
        }
        Error::PeerSilent => {
            "the other side says nothing any more: it may or may not have received it".into()
        }
        Error::ChannelClosed => "the data channel was closed: call again to send more".into(),
        Error::CallEnded { reason } => format!("the call ended too early: {reason}"),
    }
}

pub(super) fn media(error: &peer::Error) -> String {
    use peer::{Error, Step};
    match error {
        Error::PermissionDenied { .. } => {
            "the camera or microphone was refused: allow it in the browser's site settings".into()
        }
        Error::PermissionTimeout => {
            "the camera or microphone was not granted in time: answer the browser's question".into()
        }
        Error::DeviceNotFound { .. } => {
            "no camera or no microphone was found: plug one in, or set videoEnabled or audioEnabled to false"
                .into()
        }
        Error::NoDeviceFits { .. } => {
            "no camera or microphone fits what was asked for: check aDeviceId, vDeviceId, resolution and \
             frameRate"
                .into()
        }
        Error::DeviceInUse { .. } => {
            "the camera or microphone could not be started: close other programs that use it".into()
        }
        Error::DeviceError { .. } => "the camera or microphone could not be opened".into(),
        Error::NotSupported => {
            "this page has no access to cameras and microphones: serve it over https or from localhost".into()
        }
        Error::NotSent { kind } => format!("this call sends no {kind}"),
        Error::NoIceServers { .. } => "the function iceServers gave no ICE servers".into(),
        Error::Closed => "the call ended while its media connection was being made".into(),
        Error::Failed { step: Step::Open, .. } => {
            format!("the browser could not {} (check iceServers)", Step::Open)
        }
        Error::Failed { step, .. } => format!("the browser could not {step}"),
        Error::NotConnected => {
            "the media connection could not be made: a TURN server in iceServers helps in strict networks"
                .into()
        }
        Error::PathLost => {
            "nothing comes through the media connection: it is being restored".into()
        }
    }
}
