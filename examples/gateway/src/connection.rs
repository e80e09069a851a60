//! The lifecycle of a handle's PeerConnection in Janus' core.
//!
//! The flags are Janus' own. The steps that set, clear and check them determine the events of a
//! client when calls cross or follow each other quickly.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::reply::{self, CoreError};
use crate::videocall::Party;
use crate::work::Work;
use crate::{CloseTimer, Gateway};

/// Between two ticks of [`CloseTimer::EverySecond`].
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// A client's handle of the plugin.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) session: u64,
    pub(crate) connection: Connection,
    pub(crate) party: Party,
    /// The client has detached it; the plugin is notified in a moment.
    pub(crate) detached: bool,
}

impl Handle {
    pub(crate) fn new(session: u64) -> Self {
        Self {
            session,
            connection: Connection::default(),
            party: Party::default(),
            detached: false,
        }
    }
}

/// The state of a handle's PeerConnection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// There is a PeerConnection, from the first offer in either direction until its end.
    open: bool,
    got_offer: bool,
    got_answer: bool,
    /// Offer and answer were exchanged: later descriptions renegotiate.
    negotiated: bool,
    /// `webrtcup` was sent.
    up: bool,
    /// The plugin requested its end, and the core has not executed it yet.
    close_wished: bool,
    /// It was closed, and no new one has been opened since.
    closed: bool,
    /// It was closed, and its thread has not cleaned up yet.
    cleaning: bool,
    /// Its thread will never clean up, if it was negotiated.
    pub(crate) stuck: bool,
    reason: Option<String>,
    /// Candidates that arrived before there was a peer for them.
    early_candidates: Vec<Value>,
}

/// A session description that passes through the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jsep {
    pub(crate) kind: JsepKind,
    pub(crate) sdp: String,
    /// It renegotiates a connection that was negotiated before.
    pub(crate) update: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsepKind {
    Offer,
    Answer,
}

impl JsepKind {
    fn in_words(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }
}

impl Connection {
    fn set_up(&mut self) {
        self.open = true;
        self.negotiated = false;
        self.up = false;
        self.close_wished = false;
        self.closed = false;
        self.cleaning = false;
    }

    fn got(&mut self, kind: JsepKind) {
        match kind {
            JsepKind::Offer => {
                self.got_offer = true;
                self.got_answer = false;
            }
            JsepKind::Answer => {
                self.got_answer = true;
                self.negotiated |= self.got_offer;
            }
        }
    }

    /// Janus parses a candidate only now; earlier ones are queued unparsed.
    fn looks_at_candidates(&self) -> bool {
        self.open && self.got_offer && self.got_answer
    }
}

/// The client's side: descriptions and candidates that it sends.
impl Gateway {
    /// Takes a description from the client, before the plugin. Returns whether it is an update.
    pub(crate) fn take_remote_description(
        &mut self,
        handle_id: u64,
        kind: JsepKind,
        sdp: &str,
    ) -> Result<bool, CoreError> {
        // Janus delays the request until the handle's thread has cleaned up.
        self.finish_cleaning(handle_id);
        let Some(handle) = self.handles.get_mut(&handle_id) else {
            return Err(CoreError::new(459, "Handle not found"));
        };
        let connection = &mut handle.connection;
        if connection.cleaning {
            return Err(still_cleaning());
        }
        let update = connection.negotiated;
        connection.got(kind);
        check_sdp(sdp)?;
        if !update {
            match kind {
                JsepKind::Offer if connection.open => {
                    return Err(CoreError::new(490, "Error setting ICE locally"));
                }
                JsepKind::Offer => connection.set_up(),
                JsepKind::Answer if connection.open => {}
                JsepKind::Answer => {
                    return Err(CoreError::new(469, "Unexpected ANSWER (did we offer?)"));
                }
            }
        }
        Ok(update)
    }

    /// Takes a `trickle` request. Forwards its candidates to the peer, or keeps them until there is
    /// one.
    pub(crate) fn take_candidates(
        &mut self,
        handle_id: u64,
        request: &Map<String, Value>,
    ) -> Result<(), CoreError> {
        let candidates = match (request.get("candidate"), request.get("candidates")) {
            (None, None) => {
                let reason = "Missing mandatory element (candidate|candidates)";
                return Err(CoreError::new(456, reason));
            }
            (Some(_), Some(_)) => {
                return Err(CoreError::new(454, "Can't have both candidate and candidates"));
            }
            (one, many) => one.or(many),
        };
        let Some(handle) = self.handles.get_mut(&handle_id) else {
            return Err(CoreError::new(459, "Handle not found"));
        };
        let connection = &mut handle.connection;
        if connection.cleaning {
            return Err(still_cleaning());
        }
        if connection.looks_at_candidates() {
            check_candidates(request)?;
        }
        match candidates {
            Some(Value::Array(many)) => connection.early_candidates.extend(many.iter().cloned()),
            Some(one) => connection.early_candidates.push(one.clone()),
            None => {}
        }
        self.hand_over_candidates(handle_id);
        Ok(())
    }

    /// Gives this handle's candidates to its peer as `trickle` events, if it has one.
    pub(crate) fn hand_over_candidates(&mut self, handle_id: u64) {
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        let Some(peer_id) = handle.party.peer else { return };
        let candidates = std::mem::take(&mut handle.connection.early_candidates);
        let Some(peer) = self.handles.get(&peer_id) else { return };
        let session = peer.session;
        if peer.detached || !peer.connection.open {
            return;
        }
        for candidate in candidates.iter().map(as_janus_sends_it) {
            self.push(session, reply::trickle(session, peer_id, candidate));
        }
    }
}

/// The gateway's side: actions of the plugin and of the handle's thread.
impl Gateway {
    /// Sends an event of the plugin to a handle's client. A description opens or continues that
    /// client's PeerConnection on the gateway. Nothing arrives at a handle that has left.
    pub(crate) fn push_plugin_event(
        &mut self,
        handle_id: u64,
        transaction: Option<&str>,
        data: Value,
        jsep: Option<&Jsep>,
    ) {
        if jsep.is_some_and(|jsep| jsep.kind == JsepKind::Offer) {
            self.finish_cleaning(handle_id);
        }
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        if handle.detached {
            return;
        }
        if let Some(jsep) = jsep {
            handle.connection.got(jsep.kind);
            if !handle.connection.open {
                match jsep.kind {
                    JsepKind::Offer => handle.connection.set_up(),
                    // There is no PeerConnection to describe: Janus drops the event.
                    JsepKind::Answer => return,
                }
            }
        }
        let session = handle.session;
        let jsep = jsep.map(|jsep| json!({ "type": jsep.kind.in_words(), "sdp": jsep.sdp }));
        let Value::Object(data) = data else { return };
        self.push(session, reply::plugin_event(session, handle_id, transaction, data, jsep));
    }

    /// The plugin requests the end of a PeerConnection; the core executes it in a moment.
    pub(crate) fn wish_connection_closed(&mut self, handle_id: u64) {
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        if handle.detached || handle.connection.close_wished {
            return;
        }
        handle.connection.close_wished = true;
        let due = self.next_close();
        self.work.push(due, Work::CloseConnection { handle: handle_id });
    }

    fn next_close(&mut self) -> Duration {
        match &self.options.timing.close {
            CloseTimer::After(range) => self.now + self.random.delay(range),
            CloseTimer::EverySecond => {
                let since_tick = (self.now + TICK - self.tick_offset).as_nanos() % TICK.as_nanos();
                let since_tick =
                    Duration::from_nanos(u64::try_from(since_tick).unwrap_or_default());
                if since_tick < TICK / 4 { self.now } else { self.now + TICK - since_tick }
            }
        }
    }

    /// The core executes the plugin's request, unless a new connection has replaced the old one.
    pub(crate) fn close_connection(&mut self, handle_id: u64) {
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        if !std::mem::take(&mut handle.connection.close_wished) || handle.detached {
            return;
        }
        self.hang_up_connection(handle_id, "Close PC");
    }

    /// Closes a handle's PeerConnection, if it was not closed before; its thread does the rest.
    pub(crate) fn hang_up_connection(&mut self, handle_id: u64, reason: &str) {
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        let connection = &mut handle.connection;
        connection.close_wished = false;
        if connection.closed {
            return;
        }
        let is_stuck = connection.stuck && connection.negotiated;
        connection.closed = true;
        connection.cleaning = true;
        connection.got_offer = false;
        connection.got_answer = false;
        connection.negotiated = false;
        connection.reason = Some(reason.to_owned());
        if is_stuck {
            return;
        }
        let delay = self.random.delay(&self.options.timing.cleanup);
        self.work.push(self.now + delay, Work::EndConnection { handle: handle_id });
    }

    /// The handle's thread notifies the plugin, frees the PeerConnection, and notifies the client.
    pub(crate) fn end_connection(&mut self, handle_id: u64) {
        self.media_ended(handle_id);
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        let connection = &mut handle.connection;
        connection.cleaning = false;
        // Without a PeerConnection nobody is notified, and the hang-up flag stays set until there
        // is one.
        if !std::mem::take(&mut connection.open) {
            return;
        }
        connection.early_candidates.clear();
        let reason = connection.reason.take().unwrap_or_default();
        let session = handle.session;
        if !handle.detached {
            self.push(session, reply::hangup(session, handle_id, &reason));
        }
    }

    /// Reports that media can flow. The gateway does not see the media; it has only forwarded the
    /// answer.
    pub(crate) fn connection_up(&mut self, handle_id: u64) {
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        let connection = &mut handle.connection;
        if handle.detached || !connection.open || !connection.negotiated || connection.up {
            return;
        }
        connection.up = true;
        let session = handle.session;
        self.push(session, reply::webrtc_up(session, handle_id));
    }

    /// Completes a pending hang-up, now that something waits for it.
    pub(crate) fn finish_cleaning(&mut self, handle_id: u64) {
        let cleaning =
            self.handles.get(&handle_id).is_some_and(|handle| handle.connection.cleaning);
        if cleaning && self.work.take_end_of_connection(handle_id) {
            self.end_connection(handle_id);
        }
    }
}

/// Janus says so after waiting for three seconds.
fn still_cleaning() -> CoreError {
    CoreError::new(471, "Still cleaning a previous session")
}

/// The only part of the SDP that this gateway parses: it forwards the rest unread.
fn check_sdp(sdp: &str) -> Result<(), CoreError> {
    if !sdp.starts_with("v=") {
        return Err(CoreError::new(465, "Invalid SDP (doesn't start with v=)"));
    }
    let malformed =
        sdp.lines().any(|line| !line.is_empty() && line.as_bytes().get(1) != Some(&b'='));
    if malformed || !sdp.contains("\nm=") {
        return Err(CoreError::new(465, "Invalid SDP"));
    }
    Ok(())
}

/// Janus rejects a malformed single candidate, and checks the shape of an array but not its
/// content.
fn check_candidates(request: &Map<String, Value>) -> Result<(), CoreError> {
    if let Some(many) = request.get("candidates")
        && !many.is_array()
    {
        return Err(CoreError::new(467, "candidates is not an array"));
    }
    let Some(Value::Object(candidate)) = request.get("candidate") else { return Ok(()) };
    if candidate.contains_key("completed") {
        return Ok(());
    }
    let wrong_type =
        |what: &str| CoreError::new(467, format!("Trickle error: invalid element type ({what})"));
    let missing = |what: &str| {
        CoreError::new(456, format!("Trickle error: missing mandatory element ({what})"))
    };
    let (mid, index) = (candidate.get("sdpMid"), candidate.get("sdpMLineIndex"));
    if mid.is_some_and(|mid| !mid.is_string()) {
        return Err(wrong_type("sdpMid should be a string"));
    }
    if index.is_some_and(|index| !index.is_u64()) {
        return Err(wrong_type("sdpMLineIndex should be a positive integer"));
    }
    if mid.is_none() && index.is_none() {
        return Err(missing("sdpMid or sdpMLineIndex"));
    }
    match candidate.get("candidate") {
        None => Err(missing("candidate")),
        Some(line) if !line.is_string() => Err(wrong_type("candidate should be a string")),
        Some(_) => Ok(()),
    }
}

/// A candidate with the members that Janus sends. For Janus, anything else is the end of
/// candidates.
fn as_janus_sends_it(candidate: &Value) -> Value {
    let line = candidate.get("candidate").and_then(Value::as_str).unwrap_or_default();
    if line.is_empty() || candidate.get("completed").is_some() {
        return json!({ "completed": true });
    }
    let mut sent = Map::new();
    for member in ["sdpMid", "sdpMLineIndex", "candidate"] {
        if let Some(value) = candidate.get(member) {
            sent.insert(member.to_owned(), value.clone());
        }
    }
    Value::Object(sent)
}
