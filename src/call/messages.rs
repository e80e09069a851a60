//! The plugin's messages: requests as JSON, answers and events as words.

use serde_json::{Map, Value, json};

use crate::config::UserName;
use crate::error::excerpt;
use crate::event::Settings;

pub(super) fn list() -> Value {
    json!({ "request": "list" })
}

pub(super) fn register(name: &UserName) -> Value {
    json!({ "request": "register", "username": name.as_str() })
}

pub(super) fn call(name: &UserName) -> Value {
    json!({ "request": "call", "username": name.as_str() })
}

pub(super) fn accept() -> Value {
    json!({ "request": "accept" })
}

pub(super) fn hang_up(reason: &str) -> Value {
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    json!({ "request": "hangup", "reason": reason })
}

pub(super) fn set(settings: &Settings) -> Value {
    let mut object = Map::new();
    object.insert("request".into(), json!("set"));
    if let Some(audio) = settings.audio {
        object.insert("audio".into(), json!(audio));
    }
    if let Some(video) = settings.video {
        object.insert("video".into(), json!(video));
    }
    if let Some(bitrate) = settings.bitrate {
        object.insert("bitrate".into(), json!(bitrate));
    }
    Value::Object(object)
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
    SlowLink(String),
    /// Something that this library does not know: for the log.
    Unknown(String),
}

/// The plugin's message, or its refusal by number and words.
pub type PluginReply = Result<PluginEvent, (i64, String)>;

/// The longest reason sent, and taken from a stranger, in characters.
const LONGEST_REASON: usize = 200;

/// Reads a message of the plugin. It cannot fail: what is not understood is `Unknown`.
pub fn parse(data: &Value) -> PluginReply {
    if let Some(code) = data.get("error_code").and_then(Value::as_i64) {
        return Err((code, excerpt(data.get("error").and_then(Value::as_str).unwrap_or_default())));
    }
    let unknown = |what: &str| PluginEvent::Unknown(format!("the plugin's \"{}\"", excerpt(what)));
    let Some(result) = data.get("result") else { return Ok(unknown("message without a result")) };
    if let Some(names) = result.get("list").and_then(Value::as_array) {
        // Names that could not be called back are left out: they are a stranger's mischief.
        let names = names.iter().filter_map(Value::as_str);
        let names = names.filter(|name| UserName::parse(name).is_ok()).map(str::to_owned).collect();
        return Ok(PluginEvent::List(names));
    }
    let text = |key: &str| result.get(key).and_then(Value::as_str).unwrap_or_default();
    Ok(match text("event") {
        "registered" => PluginEvent::Registered,
        "calling" => PluginEvent::Calling,
        "incomingcall" => PluginEvent::IncomingCall(UserName::of_stranger(text("username"))),
        "accepted" => PluginEvent::Accepted,
        "set" => PluginEvent::Set,
        "update" => PluginEvent::Update,
        "hangup" => PluginEvent::HangUp(text("reason").chars().take(LONGEST_REASON).collect()),
        "slow_link" => PluginEvent::SlowLink(text("media").to_owned()),
        other => unknown(other),
    })
}
