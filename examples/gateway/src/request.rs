//! The requests of Janus' core.

use serde_json::{Map, Value};

use crate::check::{self, Kind, Member, Misfit, optional, required};
use crate::connection::{Handle, Jsep, JsepKind};
use crate::reply::{self, CoreError};
use crate::session::Session;
use crate::work::Work;
use crate::{Gateway, PLUGIN};

const REQUEST: &[Member] = &[
    required("transaction", Kind::String),
    required("janus", Kind::String),
    optional("id", Kind::PositiveInteger),
];
const ATTACH: &[Member] = &[
    required("plugin", Kind::String),
    optional("opaque_id", Kind::String),
    optional("loop_index", Kind::PositiveInteger),
];
const MESSAGE: &[Member] = &[required("body", Kind::Object)];
const JSEP: &[Member] = &[
    required("type", Kind::String),
    required("sdp", Kind::String),
    optional("trickle", Kind::Boolean),
    optional("rid_order", Kind::String),
    optional("force_relay", Kind::Boolean),
    optional("e2ee", Kind::Boolean),
];

const MISSING: u16 = 456;
const WRONG_TYPE: u16 = 467;

/// Where a request goes to: ids from its path or its body, 0 for none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) session: u64,
    pub(crate) handle: u64,
    /// A handle was named, be it with an id that cannot be one.
    pub(crate) names_handle: bool,
}

/// A well-formed request.
struct Request<'a> {
    members: &'a Map<String, Value>,
    transaction: &'a str,
    kind: &'a str,
    target: Target,
}

impl Gateway {
    /// Answers a request that has been read.
    pub(crate) fn request(&mut self, members: &Map<String, Value>, target: Target) -> Value {
        if let Err(misfit) = check::members(members, REQUEST) {
            return reply::error(target.session, None, &core_misfit(misfit));
        }
        let text = |name| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let request =
            Request { members, transaction: text("transaction"), kind: text("janus"), target };
        let answer = if target.session == 0 && target.handle == 0 {
            self.request_to_server(&request)
        } else {
            self.request_to_session(&request)
        };
        answer
            .unwrap_or_else(|error| reply::error(target.session, Some(request.transaction), &error))
    }

    fn request_to_server(&mut self, request: &Request<'_>) -> Result<Value, CoreError> {
        match request.kind.to_ascii_lowercase().as_str() {
            "info" => Ok(reply::server_info(&self.options, request.transaction)),
            "ping" => Ok(reply::pong(request.transaction)),
            "create" => self.create(request),
            _ => Err(wrong_path(request)),
        }
    }

    fn create(&mut self, request: &Request<'_>) -> Result<Value, CoreError> {
        self.check_secret(request)?;
        let chosen = request.members.get("id").and_then(Value::as_u64).unwrap_or_default();
        if self.sessions.contains_key(&chosen) {
            let error = CoreError::new(468, "Session ID already in use");
            return Ok(reply::error(chosen, Some(request.transaction), &error));
        }
        let id = if chosen > 0 { chosen } else { self.random.id() };
        self.sessions.insert(id, Session::new(self.now));
        Ok(reply::success_with_id(0, request.transaction, id))
    }

    fn request_to_session(&mut self, request: &Request<'_>) -> Result<Value, CoreError> {
        let Target { session: id, handle, names_handle } = request.target;
        if id == 0 {
            return Err(CoreError::new(458, "Session not found"));
        }
        if names_handle && handle == 0 {
            return Err(CoreError::new(459, "Handle not found"));
        }
        self.check_secret(request)?;
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&id) else {
            return Err(CoreError::new(458, format!("No such session {id}")));
        };
        session.last_activity = now;
        if handle > 0 && !session.handles.contains(&handle) {
            return Err(CoreError::new(459, format!("No such handle {handle} in session {id}")));
        }
        match (request.kind.to_ascii_lowercase().as_str(), handle) {
            ("keepalive", _) => Ok(reply::ack(id, request.transaction)),
            ("claim", _) => {
                // The events of the old transport are lost, and so is the poll that waits for them.
                session.events.clear();
                session.generation += 1;
                Ok(reply::success(id, request.transaction))
            }
            ("attach", 0) => self.attach(request),
            ("destroy", 0) => {
                self.end_session(id);
                Ok(reply::success(id, request.transaction))
            }
            ("detach", 1..) => {
                self.detach(handle);
                Ok(reply::success(id, request.transaction))
            }
            ("hangup", 1..) => {
                self.hang_up_connection(handle, "Janus API");
                Ok(reply::success(id, request.transaction))
            }
            ("message", 1..) => self.message(request),
            ("trickle", 1..) => {
                self.take_candidates(handle, request.members)?;
                Ok(reply::ack(id, request.transaction))
            }
            ("attach" | "destroy" | "detach" | "hangup" | "message" | "trickle", _) => {
                Err(wrong_path(request))
            }
            _ => Err(CoreError::new(453, format!("Unknown request '{}'", request.kind))),
        }
    }

    fn attach(&mut self, request: &Request<'_>) -> Result<Value, CoreError> {
        check::members(request.members, ATTACH).map_err(core_misfit)?;
        let plugin = request.members.get("plugin").and_then(Value::as_str).unwrap_or_default();
        if plugin != PLUGIN {
            return Err(CoreError::new(460, format!("No such plugin '{plugin}'")));
        }
        let session = request.target.session;
        let id = self.random.id();
        self.handles.insert(id, Handle::new(session));
        if let Some(session) = self.sessions.get_mut(&session) {
            session.handles.push(id);
        }
        Ok(reply::success_with_id(session, request.transaction, id))
    }

    /// Takes a session away. A poll that waits for its events goes on waiting, and hears nothing.
    pub(crate) fn end_session(&mut self, id: u64) {
        let Some(session) = self.sessions.remove(&id) else { return };
        for handle in session.handles {
            self.detach(handle);
        }
    }

    /// Takes a handle from its client at once; the plugin hears of it in a moment.
    pub(crate) fn detach(&mut self, handle_id: u64) {
        self.hang_up_connection(handle_id, "Detach");
        let Some(handle) = self.handles.get_mut(&handle_id) else { return };
        handle.detached = true;
        if let Some(session) = self.sessions.get_mut(&handle.session) {
            session.handles.retain(|handle| *handle != handle_id);
        }
        let delay = self.random.delay(&self.options.timing.cleanup);
        self.work.push(self.now + delay, Work::Detach { handle: handle_id });
    }

    /// Acks a request for the plugin, after the core took its description.
    fn message(&mut self, request: &Request<'_>) -> Result<Value, CoreError> {
        let Target { session, handle, .. } = request.target;
        check::members(request.members, MESSAGE).map_err(core_misfit)?;
        let jsep = match request.members.get("jsep") {
            None => None,
            Some(Value::Object(jsep)) => Some(self.description(handle, jsep)?),
            Some(_) => return Err(CoreError::new(455, "Invalid jsep object")),
        };
        let work = Work::PluginRequest {
            handle,
            transaction: request.transaction.to_owned(),
            body: request.members.get("body").cloned().unwrap_or_default(),
            jsep,
        };
        let delay = self.random.delay(&self.options.timing.plugin);
        self.work.push_plugin_request(self.now + delay, work);
        Ok(reply::ack(session, request.transaction))
    }

    fn description(&mut self, handle: u64, jsep: &Map<String, Value>) -> Result<Jsep, CoreError> {
        check::members(jsep, JSEP).map_err(|misfit| {
            CoreError::new(misfit.code(MISSING, WRONG_TYPE), misfit.in_words_of_jsep())
        })?;
        let text = |name| jsep.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = match text("type").to_ascii_lowercase().as_str() {
            "offer" => JsepKind::Offer,
            "answer" => JsepKind::Answer,
            _ => {
                let reason = format!("JSEP error: unknown message type '{}'", text("type"));
                return Err(CoreError::new(464, reason));
            }
        };
        let update = self.take_remote_description(handle, kind, text("sdp"))?;
        Ok(Jsep::new(kind, text("sdp"), update))
    }

    fn check_secret(&self, request: &Request<'_>) -> Result<(), CoreError> {
        let text = |name| request.members.get(name).and_then(Value::as_str);
        if self.is_authorized(text("apisecret"), text("token")) {
            Ok(())
        } else {
            let reason = "Unauthorized request (wrong or missing secret/token)";
            Err(CoreError::new(403, reason))
        }
    }
}

fn core_misfit(misfit: Misfit) -> CoreError {
    CoreError::new(misfit.code(MISSING, WRONG_TYPE), misfit.in_words())
}

fn wrong_path(request: &Request<'_>) -> CoreError {
    CoreError::new(457, format!("Unhandled request '{}' at this path", request.kind))
}
