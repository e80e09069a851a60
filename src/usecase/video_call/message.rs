//! The plugin's messages: requests as JSON, answers and events as enums.

use serde::Serialize;
use serde_json::Value;

use super::error::PluginCode;
use super::event::Settings;
use crate::config::UserName;
use crate::log::excerpt;

/// A request to the plugin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub enum Request {
    /// List the registered names.
    List,
    /// Register a name.
    Register {
        /// The name.
        username: UserName,
    },
    /// Call a user.
    Call {
        /// The user's name.
        username: UserName,
    },
    /// Accept the call that rings here.
    Accept,
    /// Hang up, cancel or decline.
    Hangup {
        /// The reason, for the other side.
        reason: String,
    },
    /// Change the relayed media. With a description and no settings: pass the description to the
    /// peer.
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

/// An answer or event of the plugin.
#[derive(Clone, Debug, PartialEq)]
pub enum PluginEvent {
    /// The registered names.
    List(Vec<String>),
    /// The name is registered.
    Registered,
    /// The callee's side is ringing.
    Calling,
    /// A user calls.
    IncomingCall(UserName),
    /// The call was accepted. The callee receives it as an answer, the caller as an event.
    Accepted,
    /// The settings are applied.
    Set,
    /// The peer renegotiates.
    Update,
    /// A call, or the attempt at one, ended for this reason.
    HangUp(String),
    /// Packets get lost on the way to the gateway.
    SlowLink,
    /// A message that this library does not know, described for the log.
    Unknown(String),
}

impl PluginEvent {
    /// The event's name, for messages and the log.
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
    /// The error code.
    pub code: PluginCode,
    /// The plugin's sentence, shortened.
    pub reason: String,
}

/// The maximal length of a reason, sent or received, in characters.
const LONGEST_REASON: usize = 200;

/// Parses a message of the plugin. It never fails: an unknown message is [`PluginEvent::Unknown`].
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
        // Skip names that cannot be called: empty, too long or with control characters.
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

/// The text of a key; empty if there is none.
fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
