//! The plugin's messages: requests as JSON, answers and events as words.

use serde::Serialize;
use serde_json::Value;

use super::error::PluginCode;
use super::event::Settings;
use crate::config::UserName;
use crate::log::excerpt;

/// What the plugin is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub enum Request {
    /// Everybody's names.
    List,
    /// Take a name.
    Register {
        /// The name.
        username: UserName,
    },
    /// Call somebody.
    Call {
        /// Whom.
        username: UserName,
    },
    /// Accept the call that rings here.
    Accept,
    /// Hang up, cancel or decline.
    Hangup {
        /// Why, for the other side.
        reason: String,
    },
    /// Change what is relayed; with a description and no settings, pass that on to the peer.
    Set(Settings),
}

impl Request {
    pub(super) fn register(name: &UserName) -> Self {
        Self::Register { username: name.clone() }
    }

    pub(super) fn call(name: &UserName) -> Self {
        Self::Call { username: name.clone() }
    }

    pub(super) fn hang_up(reason: &str) -> Self {
        Self::Hangup { reason: reason.chars().take(LONGEST_REASON).collect() }
    }

    /// Carries a new description to the peer.
    pub(super) fn renegotiate() -> Self {
        Self::Set(Settings::default())
    }
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

/// The plugin refused a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its number for that.
    pub code: PluginCode,
    /// Its words, cut short.
    pub reason: String,
}

/// The longest reason sent, and taken from a stranger, in characters.
const LONGEST_REASON: usize = 200;

/// Reads a message of the plugin. It cannot fail: what is not understood is `Unknown`.
pub fn parse(data: &Value) -> Result<PluginEvent, Refusal> {
    if let Some(code) = data.get("error_code").and_then(Value::as_i64) {
        let (code, reason) = (PluginCode(code), excerpt(text(data, "error")));
        return Err(Refusal { code, reason });
    }
    let unknown = |what: &str| PluginEvent::Unknown(format!("the plugin's \"{}\"", excerpt(what)));
    let Some(result) = data.get("result").filter(|result| !result.is_null()) else {
        return Ok(unknown("message without a result"));
    };
    if let Some(Value::Array(names)) = result.get("list") {
        // Names that could not be called back are left out: they are a stranger's mischief.
        let names = names.iter().filter_map(Value::as_str);
        let names =
            names.filter(|name| UserName::parse(name).is_some()).map(str::to_owned).collect();
        return Ok(PluginEvent::List(names));
    }
    Ok(match text(result, "event") {
        "registered" => PluginEvent::Registered,
        "calling" => PluginEvent::Calling,
        "incomingcall" => PluginEvent::IncomingCall(UserName::truncated(text(result, "username"))),
        "accepted" => PluginEvent::Accepted,
        "set" => PluginEvent::Set,
        "update" => PluginEvent::Update,
        "hangup" => {
            PluginEvent::HangUp(text(result, "reason").chars().take(LONGEST_REASON).collect())
        }
        "slow_link" => PluginEvent::SlowLink,
        other => unknown(other),
    })
}

/// The text under a key; empty where there is none.
fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
