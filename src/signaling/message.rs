//! The gateway's messages: JSON in, typed messages out, and the requests the other way.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::Value;

use super::error::{CoreCode, Error, InvalidAnswer};
use crate::log::excerpt;

/// The largest integer that JavaScript, and so the gateway, keeps exactly: 2^53 - 1.
const LARGEST_ID: u64 = (1 << 53) - 1;

/// The longest body that is read, in bytes. A batch of ten events with an SDP of 50 kB each, and a
/// list of twenty thousand names of the longest that this library registers, stay below; a gateway
/// cannot make us parse more.
pub const LONGEST_BODY: usize = 1 << 20;

/// Names a session at the gateway. Whoever knows it owns the session.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SessionId(pub(super) u64);

impl SessionId {
    /// An id from random bits, of which the 53 that the gateway can keep are used.
    pub(super) fn from_random(bits: u64) -> Self {
        Self((bits & LARGEST_ID).max(1))
    }
}

impl std::fmt::Debug for SessionId {
    /// Hides the number: it is the only key to the session.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// Names a plugin handle within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandleId(pub(super) u64);

/// Whether a session description is an offer or an answer (RFC 9429, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JsepKind {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
}

impl JsepKind {
    /// The word on the wire and in `RTCSessionDescriptionInit.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }
}

/// A session description, as the gateway carries it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Jsep {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: JsepKind,
    /// The SDP.
    pub sdp: String,
}

impl Jsep {
    /// An offer.
    pub fn offer(sdp: String) -> Self {
        Self { kind: JsepKind::Offer, sdp }
    }

    /// An answer.
    pub fn answer(sdp: String) -> Self {
        Self { kind: JsepKind::Answer, sdp }
    }

    /// Takes the description out of a message, where there is one.
    fn take(message: &mut Value) -> Option<Self> {
        let jsep = message.get_mut("jsep")?;
        let kind = match jsep.get("type")?.as_str()? {
            "offer" => JsepKind::Offer,
            "answer" => JsepKind::Answer,
            _ => return None,
        };
        match jsep.get_mut("sdp")?.take() {
            Value::String(sdp) => Some(Self { kind, sdp }),
            _ => None,
        }
    }
}

/// An ICE candidate, or the end of candidates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Candidate {
    /// One candidate (RFC 8839, section 5.1).
    Found {
        /// The `candidate-attribute`.
        candidate: String,
        /// Which media section it is for, by name.
        #[serde(rename = "sdpMid", skip_serializing_if = "Option::is_none")]
        mid: Option<String>,
        /// Which media section it is for, by place.
        #[serde(rename = "sdpMLineIndex", skip_serializing_if = "Option::is_none")]
        line: Option<u16>,
    },
    /// Gathering is complete.
    #[serde(serialize_with = "completed")]
    End,
}

impl Candidate {
    fn read(value: &Value) -> Option<Self> {
        if value.get("completed").and_then(Value::as_bool) == Some(true) {
            return Some(Self::End);
        }
        let mid = value.get("sdpMid").and_then(Value::as_str);
        let line = value.get("sdpMLineIndex").and_then(Value::as_u64);
        Some(Self::Found {
            candidate: value.get("candidate")?.as_str()?.to_owned(),
            mid: mid.map(str::to_owned),
            line: line.and_then(|line| line.try_into().ok()),
        })
    }
}

/// The gateway expects this object after the last candidate.
fn completed<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_struct("End", 1)?;
    object.serialize_field("completed", &true)?;
    object.end()
}

/// An event of a handle that answers no request.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A plugin's event that answers no request.
    Event {
        /// The plugin's own message.
        data: Value,
        /// An offer or answer that came with it.
        jsep: Option<Jsep>,
    },
    /// Remote candidates.
    Candidates(Vec<Candidate>),
    /// ICE and DTLS are up between this handle and the gateway.
    WebrtcUp,
    /// The gateway began or ceased to receive audio or video.
    Media,
    /// Too many lost packets.
    SlowLink {
        /// `"audio"` or `"video"`.
        media: String,
        /// True if what the gateway sends gets lost: it speaks of its own uplink.
        uplink: bool,
        /// Packets lost since the last notice.
        lost: u64,
    },
    /// The handle's media connection is gone, with the gateway's reason.
    Hangup(String),
    /// The handle is gone.
    Detached,
    /// ICE failed at the gateway's end.
    IceFailed,
}

/// One message of the gateway.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// The request was taken; its answer follows as an event.
    Ack {
        /// Which request.
        transaction: u64,
    },
    /// The request is done.
    Success {
        /// Which request.
        transaction: u64,
        /// `data.id`, where the request made something.
        id: Option<u64>,
        /// A plugin's immediate answer.
        data: Option<Value>,
    },
    /// The gateway's description of itself.
    ServerInfo {
        /// Which request.
        transaction: u64,
        /// How long a session lives without a request, in seconds; 0 if for ever.
        session_timeout: Option<u64>,
    },
    /// The request was refused.
    Error {
        /// Which request, where the gateway could tell.
        transaction: Option<u64>,
        /// The core's error code.
        code: CoreCode,
        /// The core's reason.
        reason: String,
    },
    /// A plugin's answer to a request.
    Reply {
        /// Which request.
        transaction: u64,
        /// From which handle.
        sender: HandleId,
        /// The plugin's message.
        data: Value,
        /// An offer or answer that came with it.
        jsep: Option<Jsep>,
    },
    /// Something happened to a handle.
    Notice {
        /// Which handle.
        sender: HandleId,
        /// The event.
        notice: Notice,
    },
    /// Nothing happened for a while.
    Keepalive,
    /// The session is over.
    Timeout,
    /// A message that this library does not know, or cannot read: the reason, for the log.
    Unknown(String),
}

impl Message {
    /// Reads one message. It cannot fail: a message that is not understood is [`Message::Unknown`],
    /// so that it never takes the rest of its batch with it. A field of the wrong type counts as
    /// missing.
    pub fn read(mut message: Value) -> Self {
        let Some(Value::String(kind)) = message.get_mut("janus").map(Value::take) else {
            return Self::Unknown("a message without \"janus\"".into());
        };
        let transaction = message.get("transaction").and_then(Value::as_str);
        let transaction = transaction.and_then(|transaction| transaction.parse().ok());
        let sender = message.get("sender").and_then(Value::as_u64).map(HandleId);
        let known = match (kind.as_str(), sender) {
            ("ack", _) => transaction.map(|transaction| Self::Ack { transaction }),
            ("success", _) => transaction.map(|transaction| Self::Success {
                transaction,
                id: message.pointer("/data/id").and_then(Value::as_u64),
                data: plugin_data(&mut message),
            }),
            ("server_info", _) => transaction.map(|transaction| Self::ServerInfo {
                transaction,
                session_timeout: message.get("session-timeout").and_then(Value::as_u64),
            }),
            ("error", _) => Some(Self::Error {
                transaction,
                code: message
                    .pointer("/error/code")
                    .and_then(Value::as_i64)
                    .map_or(CoreCode::UNKNOWN, CoreCode),
                reason: text(message.pointer("/error/reason")),
            }),
            ("keepalive", _) => Some(Self::Keepalive),
            ("timeout", _) => Some(Self::Timeout),
            (kind, Some(sender)) => Self::read_from_handle(kind, sender, transaction, &mut message),
            _ => None,
        };
        known.unwrap_or_else(|| {
            Self::Unknown(format!("a message \"{}\" that is not understood", excerpt(&kind)))
        })
    }

    fn read_from_handle(
        kind: &str,
        sender: HandleId,
        transaction: Option<u64>,
        message: &mut Value,
    ) -> Option<Self> {
        let notice = match kind {
            "event" => {
                let data = plugin_data(message)?;
                let jsep = Jsep::take(message);
                match transaction {
                    Some(transaction) => {
                        return Some(Self::Reply { transaction, sender, data, jsep });
                    }
                    None => Notice::Event { data, jsep },
                }
            }
            "trickle" => Notice::Candidates(match message.get("candidates") {
                Some(Value::Array(several)) => several.iter().filter_map(Candidate::read).collect(),
                _ => vec![Candidate::read(message.get("candidate")?)?],
            }),
            "webrtcup" => Notice::WebrtcUp,
            "media" => Notice::Media,
            "slowlink" => Notice::SlowLink {
                media: text(message.get("media")),
                uplink: message.get("uplink")?.as_bool()?,
                lost: message.get("lost").and_then(Value::as_u64).unwrap_or(0),
            },
            "hangup" => Notice::Hangup(text(message.get("reason"))),
            "detached" => Notice::Detached,
            "ice-failed" => Notice::IceFailed,
            _ => return None,
        };
        Some(Self::Notice { sender, notice })
    }
}

/// Reads a body that is one message or an array of them (`maxev` above 1).
pub fn parse_batch(body: &str) -> Result<Vec<Message>, Error> {
    Ok(read_batch(body, &str::to_owned)?)
}

/// As [`parse_batch`]. Errors quote the body after `hide` has taken out the secrets.
pub(super) fn read_batch(
    body: &str,
    hide: &dyn Fn(&str) -> String,
) -> Result<Vec<Message>, InvalidAnswer> {
    Ok(match read_json(body, hide)? {
        Value::Array(messages) => messages.into_iter().map(Message::read).collect(),
        message => vec![Message::read(message)],
    })
}

/// Reads a body that is one message, as every answer to a POST is.
pub(super) fn read_one(
    body: &str,
    hide: &dyn Fn(&str) -> String,
) -> Result<Message, InvalidAnswer> {
    match read_json(body, hide)? {
        value @ Value::Object(_) => Ok(Message::read(value)),
        _ => Err(InvalidAnswer::NotAnObject { body: excerpt(hide(body).trim()) }),
    }
}

fn read_json(body: &str, hide: &dyn Fn(&str) -> String) -> Result<Value, InvalidAnswer> {
    if body.len() > LONGEST_BODY {
        return Err(InvalidAnswer::TooLong { length: body.len(), most: LONGEST_BODY });
    }
    serde_json::from_str(body)
        .or_else(|_| serde_json::from_str(&without_lone_surrogates(body)))
        .map_err(|_| InvalidAnswer::NotJson { body: gist(&hide(body)) })
}

/// An excerpt of a body that is not Janus'. The title of a page tells whose it is.
pub(super) fn gist(body: &str) -> String {
    let body = body.trim();
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title").zip(lower.find("</title>"));
    excerpt(title.and_then(|(begin, end)| body.get(begin..end)).unwrap_or(body))
}

/// The JSON with U+FFFD in place of every escaped surrogate that has no other half. RFC 8259,
/// section 8.2, leaves their meaning open, and `serde_json` refuses them: one such user name would
/// lose a whole batch.
fn without_lone_surrogates(json: &str) -> String {
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        let (kept, length) = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (escape.get(..12), 12),
            (Some(0xd800..=0xdfff), _) => (Some("\\ufffd"), 6),
            _ => (escape.get(..2), 2),
        };
        whole.push_str(before);
        whole.push_str(kept.unwrap_or(escape));
        rest = escape.get(length..).unwrap_or_default();
    }
    whole.push_str(rest);
    whole
}

/// The UTF-16 code unit of the `\uXXXX` that a text begins with.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Checks an id that the gateway gave.
pub(super) fn checked_id(id: Option<u64>) -> Result<u64, Error> {
    match id {
        Some(id @ 1..=LARGEST_ID) => Ok(id),
        id => Err(InvalidAnswer::UnusableId { id }.into()),
    }
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Takes the plugin's own part out of a message.
fn plugin_data(message: &mut Value) -> Option<Value> {
    message.pointer_mut("/plugindata/data").map(Value::take).filter(|data| !data.is_null())
}

/// A request as it is sent. `B` is the body of messages to plugins.
#[derive(Serialize)]
pub(super) struct Envelope<'a, B: Serialize> {
    #[serde(flatten)]
    pub(super) request: &'a Request<B>,
    pub(super) transaction: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) apisecret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<&'a str>,
}

impl<B: Serialize> Envelope<'_, B> {
    pub(super) fn to_json(&self) -> String {
        // Only a map whose keys are no strings cannot be written, and there is none.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A request to the gateway.
#[derive(Serialize)]
#[serde(tag = "janus", rename_all = "lowercase")]
pub(super) enum Request<B> {
    Create {
        id: SessionId,
    },
    Attach {
        plugin: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        opaque_id: Option<String>,
    },
    Message {
        body: B,
        #[serde(skip_serializing_if = "Option::is_none")]
        jsep: Option<Jsep>,
    },
    Trickle(Candidates),
    Detach,
    Keepalive,
    Info,
    Destroy,
}

impl<B> Request<B> {
    /// The name for logs and errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "Create",
            Self::Attach { .. } => "Attach",
            Self::Message { .. } => "Message",
            Self::Trickle(_) => "Trickle",
            Self::Detach => "Detach",
            Self::Keepalive => "Keepalive",
            Self::Info => "Info",
            Self::Destroy => "Destroy",
        }
    }
}

/// Local candidates: one, or a batch.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Candidates {
    One { candidate: Candidate },
    Several { candidates: Vec<Candidate> },
}

impl From<Vec<Candidate>> for Candidates {
    fn from(candidates: Vec<Candidate>) -> Self {
        match <[Candidate; 1]>::try_from(candidates) {
            Ok([candidate]) => Self::One { candidate },
            Err(candidates) => Self::Several { candidates },
        }
    }
}
