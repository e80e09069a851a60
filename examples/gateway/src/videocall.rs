//! The video call plugin: names, and which two of them are in a call.

use serde_json::{Map, Value, json};

use crate::Gateway;
use crate::check::{self, Kind, Member, optional, required};
use crate::connection::{Jsep, JsepKind};
use crate::reply::PluginError;
use crate::work::Work;

/// The plugin's state of a handle.
#[derive(Debug, Default)]
pub(crate) struct Party {
    pub(crate) name: Option<String>,
    /// The handle of the peer. It remains briefly after a hang-up, until the connection closes.
    pub(crate) peer: Option<u64>,
    /// Calling, ringing or in a call. A hang-up clears it at once, earlier than `peer`.
    pub(crate) in_call: bool,
}

const REQUEST: &[Member] = &[required("request", Kind::String)];
const USERNAME: &[Member] = &[required("username", Kind::String)];
const SETTINGS: &[Member] = &[
    optional("audio", Kind::Boolean),
    optional("video", Kind::Boolean),
    optional("bitrate", Kind::PositiveInteger),
    optional("record", Kind::Boolean),
    optional("filename", Kind::String),
    optional("restart", Kind::Boolean),
];

const ALREADY_IN_CALL: u16 = 480;

/// A request's own outcome, sent with its transaction.
type Outcome = Result<Value, PluginError>;

impl Gateway {
    /// Handles one request and answers it with an event.
    pub(crate) fn plugin_request(
        &mut self,
        handle: u64,
        transaction: &str,
        body: &Value,
        jsep: Option<&Jsep>,
    ) {
        let data = match self.plugin_outcome(handle, body, jsep) {
            Ok(result) => json!({ "result": result }),
            Err(PluginError { code, reason }) => json!({ "error_code": code, "error": reason }),
        };
        self.push_plugin_event(handle, Some(transaction), data, None);
        // The candidates of a call that has just begun to ring can be forwarded now.
        self.hand_over_candidates(handle);
    }

    fn plugin_outcome(&mut self, handle: u64, body: &Value, jsep: Option<&Jsep>) -> Outcome {
        let Value::Object(body) = body else {
            return Err(PluginError::new(471, "JSON error: not an object"));
        };
        check_members(body, REQUEST)?;
        let request = body.get("request").and_then(Value::as_str).unwrap_or_default();
        match request.to_ascii_lowercase().as_str() {
            "list" => Ok(json!({ "list": self.names.keys().collect::<Vec<_>>() })),
            "register" => self.register(handle, body),
            "call" => self.call(handle, body, jsep),
            "accept" => self.accept(handle, jsep),
            "set" => self.set(handle, body, jsep),
            "hangup" => Ok(self.hang_up(handle, body)),
            _ => Err(PluginError::new(472, format!("Unknown request ({request})"))),
        }
    }

    fn register(&mut self, handle: u64, body: &Map<String, Value>) -> Outcome {
        if let Some(name) = self.name_of(handle) {
            return Err(PluginError::new(477, format!("Already registered ({name})")));
        }
        check_members(body, USERNAME)?;
        let name = username(body);
        if self.names.contains_key(&name) {
            return Err(PluginError::new(476, format!("Username '{name}' already taken")));
        }
        // A handle that was detached meanwhile must not leave a name behind.
        if let Some(entry) = self.handles.get_mut(&handle) {
            entry.party.name = Some(name.clone());
            self.names.insert(name.clone(), handle);
        }
        Ok(json!({ "event": "registered", "username": name }))
    }

    /// Every refusal, except for a missing description, closes the caller's connection.
    fn call(&mut self, handle: u64, body: &Map<String, Value>, jsep: Option<&Jsep>) -> Outcome {
        let peer = match self.callee(handle, body) {
            Ok(peer) => peer,
            Err(error) => {
                self.wish_connection_closed(handle);
                return Err(error);
            }
        };
        let name = self.name_of(handle).unwrap_or_default();
        if self.is_busy(peer) {
            self.wish_connection_closed(handle);
            return Ok(hangup_result(Some(&name), "User busy"));
        }
        let Some(jsep) = jsep else { return Err(PluginError::new(482, "Missing SDP")) };
        self.connect(handle, peer);
        self.connect(peer, handle);
        let ringing = json!({ "result": { "event": "incomingcall", "username": name } });
        self.push_plugin_event(peer, None, ringing, Some(jsep));
        Ok(json!({ "event": "calling" }))
    }

    /// The peer that this handle may call.
    fn callee(&self, handle: u64, body: &Map<String, Value>) -> Result<u64, PluginError> {
        let Some(name) = self.name_of(handle) else {
            return Err(PluginError::new(473, "Register a username first"));
        };
        if self.peer_of(handle).is_some() {
            return Err(PluginError::new(ALREADY_IN_CALL, "Already in a call"));
        }
        if self.is_busy(handle) {
            return Err(PluginError::new(ALREADY_IN_CALL, "Already in a call (but no peer)"));
        }
        check_members(body, USERNAME)?;
        let called = username(body);
        if called == name {
            let reason = "You can't call yourself... use the EchoTest for that";
            return Err(PluginError::new(479, reason));
        }
        let callee = self.names.get(&called).copied();
        callee.ok_or_else(|| PluginError::new(478, format!("Username '{called}' doesn't exist")))
    }

    fn accept(&mut self, handle: u64, jsep: Option<&Jsep>) -> Outcome {
        let peer = self.peer_of(handle).filter(|peer| self.in_call(*peer) && self.in_call(handle));
        let Some(peer) = peer else {
            return Err(PluginError::new(481, "No incoming call to accept"));
        };
        let Some(jsep) = jsep else { return Err(PluginError::new(482, "Missing SDP")) };
        let accepted = json!({ "event": "accepted", "username": self.name_of(handle) });
        self.push_plugin_event(peer, None, json!({ "result": accepted }), Some(jsep));
        for end in [handle, peer] {
            self.work.push(self.now, Work::ConnectionUp { handle: end });
        }
        Ok(json!({ "event": "accepted" }))
    }

    /// There is no media to mute or throttle here: the settings are checked and ignored. A
    /// renegotiation is forwarded to the peer.
    fn set(&mut self, handle: u64, body: &Map<String, Value>, jsep: Option<&Jsep>) -> Outcome {
        check_members(body, SETTINGS)?;
        let at_most_2 = |value: &Value| value.as_u64().is_some_and(|value| value <= 2);
        for (member, fits, meaning) in [
            ("substream", at_most_2 as fn(&Value) -> bool, "0, 1 or 2"),
            ("temporal", at_most_2, "0, 1 or 2"),
            ("fallback", Value::is_u64, "a positive integer"),
        ] {
            if body.get(member).is_some_and(|value| !fits(value)) {
                let reason = format!("Invalid value ({member} should be {meaning})");
                return Err(PluginError::new(474, reason));
            }
        }
        if let (Some(jsep), Some(peer)) = (jsep.filter(|jsep| jsep.update), self.peer_of(handle)) {
            let update = json!({ "result": { "event": "update" } });
            self.push_plugin_event(peer, None, update, Some(jsep));
        }
        Ok(json!({ "event": "set" }))
    }

    /// Both users are free immediately; both connections close a moment later, and until then each
    /// handle still has the other as its peer.
    fn hang_up(&mut self, handle: u64, body: &Map<String, Value>) -> Value {
        let reason = body.get("reason").and_then(Value::as_str).unwrap_or("We did the hangup");
        let name = self.name_of(handle);
        let peer = self.peer_of(handle);
        self.set_free(handle);
        self.wish_connection_closed(handle);
        if let Some(peer) = peer {
            self.set_free(peer);
            self.wish_connection_closed(peer);
            let told = json!({ "result": hangup_result(name.as_deref(), reason) });
            self.push_plugin_event(peer, None, told, None);
        }
        hangup_result(name.as_deref(), "Explicit hangup")
    }

    /// A handle's connection has ended for any reason: its peer is notified and closed too.
    pub(crate) fn media_ended(&mut self, handle: u64) {
        let Some(entry) = self.handles.get_mut(&handle) else { return };
        entry.party.in_call = false;
        let Some(peer) = entry.party.peer.take() else { return };
        let name = entry.party.name.clone();
        self.wish_connection_closed(peer);
        let told = json!({ "result": hangup_result(name.as_deref(), "Remote WebRTC hangup") });
        self.push_plugin_event(peer, None, told, None);
    }

    /// A handle was detached: its call ends and its name is free.
    pub(crate) fn party_left(&mut self, handle: u64) {
        self.media_ended(handle);
        if let Some(name) = self.name_of(handle) {
            self.names.remove(&name);
        }
    }

    fn connect(&mut self, handle: u64, peer: u64) {
        if let Some(entry) = self.handles.get_mut(&handle) {
            entry.party.peer = Some(peer);
            entry.party.in_call = true;
        }
    }

    fn set_free(&mut self, handle: u64) {
        if let Some(entry) = self.handles.get_mut(&handle) {
            entry.party.in_call = false;
        }
    }

    fn name_of(&self, handle: u64) -> Option<String> {
        self.handles.get(&handle)?.party.name.clone()
    }

    fn peer_of(&self, handle: u64) -> Option<u64> {
        self.handles.get(&handle)?.party.peer
    }

    fn in_call(&self, handle: u64) -> bool {
        self.handles.get(&handle).is_some_and(|entry| entry.party.in_call)
    }

    fn is_busy(&self, handle: u64) -> bool {
        self.in_call(handle) || self.peer_of(handle).is_some()
    }
}

impl Jsep {
    pub(crate) fn new(kind: JsepKind, sdp: &str, update: bool) -> Self {
        Self { kind, sdp: sdp.to_owned(), update }
    }
}

fn check_members(body: &Map<String, Value>, members: &[Member]) -> Result<(), PluginError> {
    check::members(body, members)
        .map_err(|misfit| PluginError::new(misfit.code(475, 474), misfit.in_words()))
}

fn username(body: &Map<String, Value>) -> String {
    body.get("username").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A user without a name hangs up without one.
fn hangup_result(name: Option<&str>, reason: &str) -> Value {
    let mut result = Map::new();
    result.insert("event".to_owned(), json!("hangup"));
    if let Some(name) = name {
        result.insert("username".to_owned(), json!(name));
    }
    result.insert("reason".to_owned(), json!(reason));
    Value::Object(result)
}
