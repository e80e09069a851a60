//! The JSON that Janus writes: answers to requests and events that polls bring.

use serde_json::{Map, Value, json};

use crate::{Options, PLUGIN};

/// An error of Janus' core, as the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreError {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl CoreError {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// An error of the plugin, as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PluginError {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl PluginError {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// A message with the members that most have; `session` 0 is none.
fn message(kind: &str, session: u64, transaction: Option<&str>) -> Map<String, Value> {
    let mut message = Map::new();
    message.insert("janus".to_owned(), json!(kind));
    if session > 0 {
        message.insert("session_id".to_owned(), json!(session));
    }
    if let Some(transaction) = transaction {
        message.insert("transaction".to_owned(), json!(transaction));
    }
    message
}

fn message_with(
    kind: &str,
    session: u64,
    transaction: Option<&str>,
    member: &str,
    value: Value,
) -> Value {
    let mut message = message(kind, session, transaction);
    message.insert(member.to_owned(), value);
    Value::Object(message)
}

pub(crate) fn success(session: u64, transaction: &str) -> Value {
    Value::Object(message("success", session, Some(transaction)))
}

pub(crate) fn success_with_id(session: u64, transaction: &str, id: u64) -> Value {
    message_with("success", session, Some(transaction), "data", json!({ "id": id }))
}

pub(crate) fn ack(session: u64, transaction: &str) -> Value {
    Value::Object(message("ack", session, Some(transaction)))
}

pub(crate) fn pong(transaction: &str) -> Value {
    Value::Object(message("pong", 0, Some(transaction)))
}

pub(crate) fn error(session: u64, transaction: Option<&str>, error: &CoreError) -> Value {
    let CoreError { code, reason } = error;
    message_with("error", session, transaction, "error", json!({"code": code, "reason": reason}))
}

pub(crate) fn keepalive() -> Value {
    json!({ "janus": "keepalive" })
}

pub(crate) fn timeout(session: u64) -> Value {
    Value::Object(message("timeout", session, None))
}

fn from_handle(kind: &str, session: u64, handle: u64) -> Map<String, Value> {
    let mut event = message(kind, session, None);
    event.insert("sender".to_owned(), json!(handle));
    event
}

pub(crate) fn detached(session: u64, handle: u64) -> Value {
    Value::Object(from_handle("detached", session, handle))
}

pub(crate) fn webrtc_up(session: u64, handle: u64) -> Value {
    Value::Object(from_handle("webrtcup", session, handle))
}

pub(crate) fn hangup(session: u64, handle: u64, reason: &str) -> Value {
    let mut event = from_handle("hangup", session, handle);
    event.insert("reason".to_owned(), json!(reason));
    Value::Object(event)
}

pub(crate) fn trickle(session: u64, handle: u64, candidate: Value) -> Value {
    let mut event = from_handle("trickle", session, handle);
    event.insert("candidate".to_owned(), candidate);
    Value::Object(event)
}

/// An event of the plugin; `data` lacks only the member that all have.
pub(crate) fn plugin_event(
    session: u64,
    handle: u64,
    transaction: Option<&str>,
    mut data: Map<String, Value>,
    jsep: Option<Value>,
) -> Value {
    data.insert("videocall".to_owned(), json!("event"));
    let mut event = from_handle("event", session, handle);
    if let Some(transaction) = transaction {
        event.insert("transaction".to_owned(), json!(transaction));
    }
    event.insert("plugindata".to_owned(), json!({ "plugin": PLUGIN, "data": data }));
    if let Some(jsep) = jsep {
        event.insert("jsep".to_owned(), jsep);
    }
    Value::Object(event)
}

/// The members of Janus' own description that mean something here.
pub(crate) fn server_info(options: &Options, transaction: &str) -> Value {
    let mut info = message("server_info", 0, Some(transaction));
    let described = json!({
        "name": "Janus WebRTC Server",
        "version": 1102,
        "version_string": "1.1.2",
        "author": "videortc",
        "server-name": "videortc's embedded gateway (no media server)",
        "data_channels": true,
        "accepting-new-sessions": true,
        "session-timeout": options.session_timeout.as_secs(),
        "reclaim-session-timeout": 0,
        "candidates-timeout": 45,
        "ipv6": false,
        "ice-lite": false,
        "ice-tcp": false,
        "full-trickle": true,
        "api_secret": options.api_secret.is_some(),
        "auth_token": !options.tokens.is_empty(),
        "event_handlers": false,
        "transports": { "janus.transport.http": { "version_string": "0.0.2" } },
        "events": {},
        "loggers": {},
        "plugins": { PLUGIN: { "name": "JANUS VideoCall plugin", "version_string": "0.0.6" } },
    });
    if let Value::Object(described) = described {
        info.extend(described);
    }
    Value::Object(info)
}
