//! The gateway's messages: JSON in, typed words out, and the requests the other way.

use crate::error::{Code, Error, excerpt};
use crate::json::{Object, Value};
use crate::text::join;

/// The largest integer that JavaScript, and so the gateway, keeps exactly: 2^53 - 1.
const LARGEST_ID: u64 = (1 << 53) - 1;

/// The longest body that is parsed, in bytes. A batch of ten events with an SDP each, and a list of ten
/// thousand names, stay well below; a stranger's gateway cannot make us chew on more.
pub(super) const LONGEST_BODY: usize = 1 << 20;

/// Names a session at the gateway. Whoever knows it owns the session.
#[derive(Clone, Copy, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Jsep {
    /// Offer or answer.
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

    fn parse(value: &Value) -> Option<Self> {
        let kind = match value.get("type").as_str()? {
            "offer" => JsepKind::Offer,
            "answer" => JsepKind::Answer,
            _ => return None,
        };
        Some(Self { kind, sdp: value.get("sdp").as_str()?.to_owned() })
    }

    fn to_json(&self) -> String {
        let mut object = Object::new("type", self.kind.as_str());
        object.text("sdp", &self.sdp);
        object.finish()
    }
}

/// An ICE candidate, or the word that there are no more.
#[derive(Clone, Debug, PartialEq)]
pub enum Candidate {
    /// One candidate (RFC 8839, section 5.1).
    Found {
        /// The `candidate-attribute`.
        candidate: String,
        /// Which media section it is for, by name.
        mid: Option<String>,
        /// Which media section it is for, by place.
        line: Option<u16>,
    },
    /// Gathering is complete.
    End,
}

impl Candidate {
    fn parse(value: &Value) -> Option<Self> {
        if value.get("completed").as_bool() == Some(true) {
            return Some(Self::End);
        }
        Some(Self::Found {
            candidate: value.get("candidate").as_str()?.to_owned(),
            mid: value.get("sdpMid").as_str().map(str::to_owned),
            line: value.get("sdpMLineIndex").as_u64().and_then(|line| u16::try_from(line).ok()),
        })
    }

    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::End => "{\"completed\":true}".to_owned(),
            Self::Found { candidate, mid, line } => {
                let mut object = Object::new("candidate", candidate);
                if let Some(mid) = mid {
                    object.text("sdpMid", mid);
                }
                if let Some(line) = line {
                    object.number("sdpMLineIndex", (*line).into());
                }
                object.finish()
            }
        }
    }
}

/// What the gateway tells about a handle, unasked.
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
    /// The request was refused.
    Error {
        /// Which request, where the gateway could tell.
        transaction: Option<u64>,
        /// The core's error code.
        code: i64,
        /// The core's words.
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
        /// What happened.
        notice: Notice,
    },
    /// Nothing happened for a while.
    Keepalive,
    /// The session is over.
    Timeout,
    /// Something that this library does not know, or cannot read: why, for the log.
    Unknown(String),
}

impl Message {
    /// Reads one message. It cannot fail: what is not understood is [`Message::Unknown`], so that it
    /// never takes the rest of its batch with it.
    pub fn parse(mut value: Value) -> Self {
        let Value::Text(kind) = value.take("janus") else {
            return Self::Unknown("a message without \"janus\"".into());
        };
        let transaction = value.get("transaction").as_str().and_then(|t| t.parse().ok());
        let sender = value.get("sender").as_u64().map(HandleId);
        let known = match (kind.as_str(), sender) {
            ("ack", _) => transaction.map(|transaction| Self::Ack { transaction }),
            ("success", _) => transaction.map(|transaction| Self::Success {
                transaction,
                id: value.get("data").get("id").as_u64(),
                data: plugin_data(&mut value),
            }),
            ("error", _) => Some(Self::Error {
                transaction,
                code: value.get("error").get("code").as_i64().unwrap_or(490),
                reason: text(value.get("error").get("reason")),
            }),
            ("keepalive", _) => Some(Self::Keepalive),
            ("timeout", _) => Some(Self::Timeout),
            (kind, Some(sender)) => Self::parse_from_handle(kind, sender, transaction, &mut value),
            _ => None,
        };
        known.unwrap_or_else(|| {
            Self::Unknown(format!("a message \"{}\" that is not understood", excerpt(&kind)))
        })
    }

    fn parse_from_handle(
        kind: &str,
        sender: HandleId,
        transaction: Option<u64>,
        value: &mut Value,
    ) -> Option<Self> {
        let notice = match kind {
            "event" => {
                let data = plugin_data(value)?;
                let jsep = Jsep::parse(value.get("jsep"));
                match transaction {
                    Some(transaction) => {
                        return Some(Self::Reply { transaction, sender, data, jsep });
                    }
                    None => Notice::Event { data, jsep },
                }
            }
            "trickle" => Notice::Candidates(match value.get("candidates").as_list() {
                Some(several) => several.iter().filter_map(Candidate::parse).collect(),
                None => vec![Candidate::parse(value.get("candidate"))?],
            }),
            "webrtcup" => Notice::WebrtcUp,
            "media" => Notice::Media,
            "slowlink" => Notice::SlowLink {
                media: text(value.get("media")),
                uplink: value.get("uplink").as_bool()?,
                lost: value.get("lost").as_u64().unwrap_or(0),
            },
            "hangup" => Notice::Hangup(text(value.get("reason"))),
            "detached" => Notice::Detached,
            "ice-failed" => Notice::IceFailed,
            _ => return None,
        };
        Some(Self::Notice { sender, notice })
    }
}

/// Reads a body that is one message or an array of them (`maxev` above 1).
pub fn parse_batch(body: &str) -> Result<Vec<Message>, Error> {
    Ok(match parse_body(body)? {
        Value::List(messages) => messages.into_iter().map(Message::parse).collect(),
        message => vec![Message::parse(message)],
    })
}

/// Reads a body that is one message, as every answer to a POST is.
pub(super) fn parse_one(body: &str) -> Result<Message, Error> {
    match parse_body(body)? {
        value @ Value::Object(_) => Ok(Message::parse(value)),
        _ => Err(not_the_gateway(body, "the JSON is not an object")),
    }
}

fn parse_body(body: &str) -> Result<Value, Error> {
    if body.len() > LONGEST_BODY {
        return Err(Error::new(
            Code::GatewayProtocol,
            format!("the answer has {} bytes; at most {LONGEST_BODY} are read", body.len()),
        ));
    }
    Value::parse(body).ok_or_else(|| not_the_gateway(body, "it is not JSON"))
}

fn not_the_gateway(body: &str, why: &str) -> Error {
    let body = body.trim();
    let shown = match body.is_empty() {
        true => "an empty body".to_owned(),
        false => format!("\"{}\"", excerpt(body)),
    };
    Error::new(
        Code::GatewayProtocol,
        format!("the answer is not Janus' ({why}): {shown}; check the address and its path"),
    )
}

/// Checks an id that the gateway gave.
pub(super) fn checked_id(id: Option<u64>) -> Result<u64, Error> {
    match id {
        Some(id @ 1..=LARGEST_ID) => Ok(id),
        Some(id) => Err(Error::new(
            Code::GatewayProtocol,
            format!("the gateway gave the id {id}, which is not between 1 and 2^53 - 1"),
        )),
        None => Err(Error::new(Code::GatewayProtocol, "the gateway gave no usable id")),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The plugin's own part of a message.
fn plugin_data(value: &mut Value) -> Option<Value> {
    Some(value.take("plugindata").take("data")).filter(|data| !data.is_null())
}

/// A request, before the transaction and the secrets are added.
pub(super) enum Request<'a> {
    Create(SessionId),
    Attach { plugin: &'a str, opaque_id: Option<&'a str> },
    Message { body: Object, jsep: Option<&'a Jsep> },
    Trickle(&'a [Candidate]),
    Detach,
    Keepalive,
    Destroy,
}

impl Request<'_> {
    pub(super) fn into_json(self) -> Object {
        match self {
            Self::Create(id) => {
                let mut object = Object::new("janus", "create");
                object.number("id", id.0);
                object
            }
            Self::Attach { plugin, opaque_id } => {
                let mut object = Object::new("janus", "attach");
                object.text("plugin", plugin);
                if let Some(opaque_id) = opaque_id {
                    object.text("opaque_id", opaque_id);
                }
                object
            }
            Self::Message { body, jsep } => {
                let mut object = Object::new("janus", "message");
                object.raw("body", &body.finish());
                if let Some(jsep) = jsep {
                    object.raw("jsep", &jsep.to_json());
                }
                object
            }
            Self::Trickle(candidates) => {
                let mut object = Object::new("janus", "trickle");
                match candidates {
                    [one] => object.raw("candidate", &one.to_json()),
                    several => {
                        let several: Vec<String> = several.iter().map(Candidate::to_json).collect();
                        object.raw("candidates", &format!("[{}]", join(&several, ",")));
                    }
                }
                object
            }
            Self::Detach => Object::new("janus", "detach"),
            Self::Keepalive => Object::new("janus", "keepalive"),
            Self::Destroy => Object::new("janus", "destroy"),
        }
    }
}
