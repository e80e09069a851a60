//! The plugin's messages: requests as JSON, answers and events as words.

use crate::config::UserName;
use crate::error::excerpt;
use crate::event::Settings;
use crate::json::{Object, Value};

pub(super) fn list() -> Object {
    Object::new("request", "list")
}

pub(super) fn register(name: &UserName) -> Object {
    with_name("register", name)
}

pub(super) fn call(name: &UserName) -> Object {
    with_name("call", name)
}

fn with_name(request: &str, name: &UserName) -> Object {
    let mut object = Object::new("request", request);
    object.text("username", name.as_str());
    object
}

pub(super) fn accept() -> Object {
    Object::new("request", "accept")
}

pub(super) fn hang_up(reason: &str) -> Object {
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    let mut object = Object::new("request", "hangup");
    object.text("reason", &reason);
    object
}

pub(super) fn set(settings: &Settings) -> Object {
    let mut object = Object::new("request", "set");
    for (key, flag) in [("audio", settings.audio), ("video", settings.video)] {
        if let Some(flag) = flag {
            object.flag(key, flag);
        }
    }
    if let Some(bitrate) = settings.bitrate {
        object.number("bitrate", bitrate.into());
    }
    object
}

/// Carries a new description to the peer.
pub(super) fn renegotiate() -> Object {
    Object::new("request", "set")
}

/// What the plugin says, asked or unasked.
#[derive(Clone, Debug, PartialEq)]
pub enum PluginEvent {
    /// Everybody's names.
    List(Vec<String>),
    /// The name is ours.
    Registered,
    /// The call rings.
    Calling,
    /// Somebody calls.
    IncomingCall(UserName),
    /// The call is accepted.
    Accepted,
    /// The settings are applied.
    Set,
    /// The peer renegotiates.
    Update,
    /// A call, or the attempt at one, is over.
    HangUp(String),
    /// Packets are being lost on the way to the gateway.
    SlowLink,
    /// Something that this library does not know: for the log.
    Unknown(String),
}

impl PluginEvent {
    /// What it is, for a message or a log line.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::List(_) => "list",
            Self::Registered => "registered",
            Self::Calling => "calling",
            Self::IncomingCall(_) => "incomingcall",
            Self::Accepted => "accepted",
            Self::Set => "set",
            Self::Update => "update",
            Self::HangUp(_) => "hangup",
            Self::SlowLink => "slow_link",
            Self::Unknown(what) => what,
        }
    }
}

/// The plugin's message, or its refusal by number and words.
pub type PluginReply = Result<PluginEvent, (i64, String)>;

/// The longest reason sent, and taken from a stranger, in characters.
const LONGEST_REASON: usize = 200;

/// Reads a message of the plugin. It cannot fail: what is not understood is `Unknown`.
pub fn parse(data: &Value) -> PluginReply {
    if let Some(code) = data.get("error_code").as_i64() {
        return Err((code, excerpt(data.get("error").as_str().unwrap_or_default())));
    }
    let unknown = |what: &str| PluginEvent::Unknown(format!("the plugin's \"{}\"", excerpt(what)));
    let result = data.get("result");
    if result.is_null() {
        return Ok(unknown("message without a result"));
    }
    if let Some(names) = result.get("list").as_list() {
        // Names that could not be called back are left out: they are a stranger's mischief.
        let names = names.iter().filter_map(Value::as_str);
        let names =
            names.filter(|name| UserName::parse(name).is_some()).map(str::to_owned).collect();
        return Ok(PluginEvent::List(names));
    }
    let text = |key: &str| result.get(key).as_str().unwrap_or_default();
    Ok(match text("event") {
        "registered" => PluginEvent::Registered,
        "calling" => PluginEvent::Calling,
        "incomingcall" => PluginEvent::IncomingCall(UserName::of_stranger(text("username"))),
        "accepted" => PluginEvent::Accepted,
        "set" => PluginEvent::Set,
        "update" => PluginEvent::Update,
        "hangup" => PluginEvent::HangUp(text("reason").chars().take(LONGEST_REASON).collect()),
        "slow_link" => PluginEvent::SlowLink,
        other => unknown(other),
    })
}
