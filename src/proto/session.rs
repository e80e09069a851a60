//! The session: connecting, transactions with deadlines, and the end.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::backoff::Backoff;
use super::budget::Budget;
use super::error::{CoreCode, Error, InvalidAnswer};
use super::poll::{Doubt, Poll};
use super::wire::{self, Candidate, Envelope, HandleId, Jsep, Message, Notice, Request, SessionId};
use crate::config::{GatewayConfig, Secret, ServerUrl};
use crate::log::{Level, excerpt};
use crate::time::{Time, earliest};

/// How long the farewell may take. The user waits for it, and the gateway forgets us anyway.
const FAREWELL: Duration = Duration::from_secs(3);

/// How far behind the request for the session that for a handle in it goes out.
const BEHIND: Duration = Duration::from_millis(3);

/// How long the event that answers an acknowledged message may take until it is doubted that it comes: the
/// plugin answers within milliseconds.
const ANSWER: Duration = Duration::from_secs(2);

/// How long a server may be out of reach before another is tried, where there are several.
const FAILOVER: Duration = Duration::from_secs(10);

/// How many POSTs may follow each other at once, and how often one may then. A page stays far below, and so
/// does all that is repeated, which has pauses of its own.
const BURST: u32 = 200;
const INTERVAL: Duration = Duration::from_millis(125);

/// A session that is lost earlier has been of no use. Behind an address that leads to two gateways in turn,
/// all of them are.
const PROBATION: Duration = Duration::from_secs(30);

/// Names an HTTP request that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpId(pub u64);

/// Names a request of the user of the session; its [`Answer`] bears the same ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// An HTTP request to be made. A body makes it a POST, as `text/plain`: the gateway does not look at
/// the content type, and the browser then asks for no CORS preflight.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Comes back with the response.
    pub id: HttpId,
    /// Where to. Holds the session id and secrets: not for logs.
    pub url: String,
    /// What to send; absent for a GET.
    pub body: Option<String>,
}

/// What became of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpResponse {
    /// Something answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body as text.
        body: String,
    },
    /// Nothing answered, with the browser's words.
    Failed(String),
}

/// How a request ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Attached, as this handle.
    Attached(HandleId),
    /// The plugin answered.
    Plugin {
        /// The plugin's message.
        data: Value,
        /// An offer or answer that came with it.
        jsep: Option<Jsep>,
    },
    /// Done, with nothing to tell.
    Done,
}

/// What the session wants or tells. Drain it after every input.
pub enum Output {
    /// Make this HTTP request.
    Http(HttpRequest),
    /// Abort that one; its response is no longer wanted.
    Abort(HttpId),
    /// `open()` ended.
    Opened(Result<(), Error>),
    /// A request ended.
    Answer(Ticket, Result<Answer, Error>),
    /// Something happened to a handle.
    Notice(HandleId, Notice),
    /// The poll fails, and is tried again: events may be lost.
    Trouble(Error),
    /// The gateway is in reach again, and the session is there.
    Restored,
    /// An event may be lost, though nothing has failed.
    Doubt(Doubt),
    /// The session is lost; nothing more comes.
    Lost(Error),
    /// Send this body to this address while the page is being left.
    Beacon {
        /// Where to. Holds the session id: not for logs.
        url: String,
        /// What to send.
        body: String,
    },
    /// `close()` ended.
    Closed,
    /// A line for the log.
    Log(Level, String),
}

/// The session's state machine.
///
/// | from | by | to |
/// | --- | --- | --- |
/// | Closed | `open()` | Opening |
/// | Opening | the first server that answers | Open |
/// | Opening | the last server that does not | Closed |
/// | Open | 458, or polls failing for too long | Closed |
/// | Open | `close()` | Closing |
/// | Closing | the answer, or 3 s | Closed |
pub struct Session {
    config: GatewayConfig,
    random: Rc<dyn Fn() -> u64>,
    state: State,
    poll: Poll,
    /// A failing poll does not end the session: more than the session would end with it.
    is_patient: bool,
    /// Requests without an answer, the oldest first.
    pending: BTreeMap<Ticket, Pending>,
    last_ticket: u64,
    last_http: u64,
    /// Goes with every request: a balancer that hashes it sends all of them to the same gateway.
    client: String,
    budget: Budget,
    trial: Trial,
    outputs: VecDeque<Output>,
}

/// Whether a session has been of use.
#[derive(Default)]
struct Trial {
    /// When it was made.
    since: Option<Time>,
    /// A handle was attached in it.
    attached: bool,
    /// A poll was answered.
    polled: bool,
}

enum State {
    Closed,
    /// `rest` is in reverse: the next server stands last.
    Opening {
        server: ServerUrl,
        id: SessionId,
        rest: Vec<ServerUrl>,
        failures: Vec<(ServerUrl, Error)>,
    },
    Open {
        server: ServerUrl,
        id: SessionId,
    },
    Closing {
        server: ServerUrl,
        id: SessionId,
    },
}

struct Pending {
    kind: Kind,
    lane: Lane,
    deadline: Time,
    stage: Stage,
    url: String,
    body: String,
    backoff: Backoff,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    /// Sent right behind the request for the session.
    EarlyAttach,
    Attach,
    Message,
    Trickle,
    Detach,
    Keepalive,
    Destroy,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::EarlyAttach | Self::Attach => "Attach",
            Self::Message => "Message",
            Self::Trickle => "Trickle",
            Self::Detach => "Detach",
            Self::Keepalive => "Keepalive",
            Self::Destroy => "Destroy",
        }
    }

    /// The browser posts the two on connections of their own: an attach that came first would be refused, and
    /// cost a round trip more.
    fn first_stage(self, now: Time) -> Stage {
        match self {
            Self::EarlyAttach => Stage::Again(now + BEHIND),
            _ => Stage::Queued,
        }
    }

    /// Whether it does no harm when it is done twice, so that it may be posted again where nobody knows
    /// whether it arrived. A second handle ends with the session.
    fn is_repeatable(self) -> bool {
        matches!(self, Self::EarlyAttach | Self::Attach | Self::Trickle | Self::Detach)
    }
}

/// Requests in one lane are posted one after the other, since the browser may deliver parallel
/// ones in any order: a hang-up must not overtake its call. Candidates have a lane of their own, as
/// the gateway keeps early ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Free,
    Messages(HandleId),
    Candidates(HandleId),
}

enum Stage {
    Queued,
    /// It is posted then; mostly again, since it failed.
    Again(Time),
    Posted(HttpId),
    /// Taken by the gateway; the answer comes by the poll. If it is not there by then, it may be lost.
    Acknowledged {
        doubted: Option<Time>,
    },
}

impl Session {
    /// A closed session. `random` is the source of ids: it must be cryptographic, since the id is
    /// the only key to the session.
    pub fn new(config: GatewayConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            client: format!("{:016x}", random()),
            config,
            random,
            state: State::Closed,
            poll: Poll::default(),
            is_patient: false,
            pending: BTreeMap::new(),
            last_ticket: 0,
            last_http: 0,
            budget: Budget::new(INTERVAL, BURST),
            trial: Trial::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether the session, or the last one, was more than an answer to `create`: something was attached and
    /// heard in it, and it lasted for a while. Only then the next loss of one is a new trouble.
    pub(crate) fn was_of_use(&self, now: Time) -> bool {
        self.trial.attached && self.trial.polled && self.is_past_probation(now)
    }

    fn is_past_probation(&self, now: Time) -> bool {
        self.trial.since.is_some_and(|since| now.since(since) >= PROBATION)
    }

    /// When the session, or the last one, was made.
    pub(crate) fn opened_at(&self) -> Option<Time> {
        self.trial.since
    }

    /// Whether requests can be made.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Tries the servers in order; ends with [`Output::Opened`].
    pub fn open(&mut self, now: Time) {
        if matches!(self.state, State::Closed) {
            let servers = self.config.servers.iter().rev().cloned().collect();
            self.trial = Trial::default();
            self.open_next(servers, Vec::new(), now);
        }
    }

    fn open_next(
        &mut self,
        mut rest: Vec<ServerUrl>,
        failures: Vec<(ServerUrl, Error)>,
        now: Time,
    ) {
        let Some(server) = rest.pop() else {
            self.state = State::Closed;
            let error = Error::NoServer { failures };
            self.abandon_all(&error);
            self.outputs.push_back(Output::Opened(Err(error)));
            return;
        };
        let id = SessionId::from_random((self.random)());
        let url = self.addressed(server.as_str());
        self.state = State::Opening { server, id, rest, failures };
        self.request(Kind::Create, Lane::Free, url, Request::Create { id }, now);
        self.attach_early(Kind::EarlyAttach, now);
    }

    /// Attaches to a plugin; answered by [`Answer::Attached`]. While the session is being made, the request
    /// goes with it: the id is ours, and one round trip is saved.
    pub fn attach(&mut self, plugin: &str, now: Time) -> Result<Ticket, Error> {
        let kind = match self.state {
            State::Opening { .. } => Kind::EarlyAttach,
            _ => Kind::Attach,
        };
        let url = self.url(None)?;
        let account = self.config.account.clone();
        let request = Request::Attach { plugin, opaque_id: account.as_deref() };
        Ok(self.request(kind, Lane::Free, url, request, now))
    }

    /// Posts again what was posted too early, or to a server that did not answer.
    fn attach_early(&mut self, kind: Kind, now: Time) {
        let Ok(url) = self.url(None) else { return };
        for pending in self.pending.values_mut() {
            match pending.stage {
                _ if !matches!(pending.kind, Kind::EarlyAttach | Kind::Attach) => continue,
                Stage::Posted(_) if kind == Kind::Attach => continue,
                Stage::Posted(http) => self.outputs.push_back(Output::Abort(http)),
                _ => {}
            }
            pending.kind = kind;
            pending.url.clone_from(&url);
            pending.deadline = now + self.config.request_timeout;
            pending.stage = kind.first_stage(now);
        }
        self.pump(Lane::Free, now);
    }

    /// Sends the plugin a message; answered by [`Answer::Plugin`].
    pub fn message(
        &mut self,
        handle: HandleId,
        body: &impl Serialize,
        jsep: Option<&Jsep>,
        now: Time,
    ) -> Result<Ticket, Error> {
        let url = self.url(Some(handle))?;
        // What cannot be written is `null`, which the gateway refuses.
        let body = serde_json::to_value(body).unwrap_or_default();
        let request = Request::Message { body, jsep };
        Ok(self.request(Kind::Message, Lane::Messages(handle), url, request, now))
    }

    /// Sends local candidates, several in one request.
    pub fn trickle(
        &mut self,
        handle: HandleId,
        candidates: &[Candidate],
        now: Time,
    ) -> Result<Ticket, Error> {
        let url = self.url(Some(handle))?;
        let request = Request::Trickle(candidates.into());
        Ok(self.request(Kind::Trickle, Lane::Candidates(handle), url, request, now))
    }

    /// Detaches the handle, after what was sent to it before.
    pub fn detach(&mut self, handle: HandleId, now: Time) -> Result<Ticket, Error> {
        let url = self.url(Some(handle))?;
        Ok(self.request(Kind::Detach, Lane::Messages(handle), url, Request::Detach, now))
    }

    /// Ends the session and all its handles; ends with [`Output::Closed`], whatever the gateway says.
    pub fn close(&mut self, now: Time) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => self.outputs.push_back(Output::Closed),
            State::Opening { .. } => {
                let error = Error::ConnectCancelled;
                self.abandon_all(&error);
                self.outputs.push_back(Output::Opened(Err(error)));
                self.outputs.push_back(Output::Closed);
            }
            State::Open { server, id } => {
                self.abandon_all(&Error::Disconnected);
                // Whatever it would bring, nobody waits for any more.
                self.stop_poll();
                let url = self.addressed(&format!("{}/{}", server.as_str(), id.0));
                self.state = State::Closing { server, id };
                let ticket = self.request(Kind::Destroy, Lane::Free, url, Request::Destroy, now);
                if let Some(pending) = self.pending.get_mut(&ticket) {
                    pending.deadline = pending.deadline.min(now + FAREWELL);
                }
            }
            closing @ State::Closing { .. } => self.state = closing,
        }
    }

    /// Whether a gateway out of reach is waited for without a limit.
    pub fn set_patient(&mut self, is_patient: bool) {
        self.is_patient = is_patient;
    }

    /// Looks at once whether the session is there, and tries a failing poll again.
    pub fn look(&mut self, now: Time) {
        if !self.is_open() {
            return;
        }
        self.poll.hurry(now);
        for pending in self.pending.values_mut() {
            if let Stage::Again(due) = &mut pending.stage {
                *due = now;
            }
        }
        self.probe(now);
        self.handle_timeout(now);
    }

    /// Asks the gateway whether it knows the session, unless that is being asked.
    fn probe(&mut self, now: Time) {
        if self.pending.values().all(|pending| pending.kind != Kind::Keepalive)
            && let Ok(url) = self.url(None)
        {
            self.request(Kind::Keepalive, Lane::Free, url, Request::Keepalive, now);
        }
    }

    /// Ends the session without waiting for a word: the page is being left.
    pub fn leave(&mut self, error: &Error) {
        self.abandon_all(error);
        self.stop_poll();
        if let State::Open { server, id } | State::Closing { server, id } =
            std::mem::replace(&mut self.state, State::Closed)
        {
            let url = self.addressed(&format!("{}/{}", server.as_str(), id.0));
            let (_, body) = self.body(Request::Destroy);
            self.outputs.push_back(Output::Beacon { url, body });
        }
    }

    /// The response to an HTTP request that was handed out.
    pub fn handle_http(&mut self, http: HttpId, response: HttpResponse, now: Time) {
        if self.poll.http() == Some(http) {
            self.handle_poll(response, now);
            return;
        }
        let ticket = self
            .pending
            .iter()
            .find(|(_, pending)| matches!(pending.stage, Stage::Posted(id) if id == http))
            .map(|(ticket, pending)| (*ticket, pending.lane));
        if let Some((ticket, lane)) = ticket {
            self.handle_post(ticket, response, now);
            self.pump(lane, now);
        }
    }

    /// The moment by which [`Session::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.pending
            .values()
            .map(|pending| match pending.stage {
                Stage::Again(due) | Stage::Acknowledged { doubted: Some(due) } => {
                    due.min(pending.deadline)
                }
                _ => pending.deadline,
            })
            .fold(self.poll.deadline(), |first, deadline| earliest(first, Some(deadline)))
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        let late: Vec<Ticket> =
            self.pending.iter().filter(|(_, p)| p.deadline <= now).map(|(t, _)| *t).collect();
        for ticket in late {
            // A late session is asked for at the next server, and its handle with it: that is late no more.
            let is_late = |pending: &&Pending| pending.deadline <= now;
            let Some(pending) = self.pending.get(&ticket).filter(is_late) else { continue };
            let (kind, lane, deadline) = (pending.kind, pending.lane, pending.deadline);
            let mut is_deaf = false;
            match pending.stage {
                Stage::Posted(http) => self.outputs.push_back(Output::Abort(http)),
                // The gateway took the request, and a poll that has been open all the while did not bring
                // the answer: such a connection is dead without knowing it.
                Stage::Acknowledged { .. } => {
                    let since = self.poll.waits_since();
                    is_deaf = since.is_some_and(|s| s + self.config.request_timeout <= deadline);
                }
                Stage::Queued | Stage::Again(_) => {}
            }
            let (request, limit) = (kind.as_str(), self.config.request_timeout);
            let error = Error::Timeout { request, limit };
            self.finish(ticket, Err(error.clone()), now);
            if let Some(http) = self.poll.http().filter(|_| is_deaf) {
                self.outputs.push_back(Output::Abort(http));
                self.poll_failed(error, now);
            }
            self.pump(lane, now);
        }
        let mut lanes = Vec::new();
        let mut is_doubted = false;
        for pending in self.pending.values_mut() {
            if let Stage::Acknowledged { doubted } = &mut pending.stage {
                is_doubted |= doubted.take_if(|due| *due <= now).is_some();
            }
            if matches!(pending.stage, Stage::Again(due) if due <= now) {
                pending.stage = Stage::Queued;
                lanes.push(pending.lane);
            }
        }
        if is_doubted {
            self.doubt("the answer to a message does not come", Doubt::Possible);
        }
        for lane in lanes {
            self.pump(lane, now);
        }
        if self.poll.deadline().is_some_and(|deadline| deadline <= now) {
            match self.poll.http() {
                Some(_) if self.poll.is_overdue(now) => {
                    self.doubt("a poll takes longer than it should", Doubt::Possible);
                    self.probe(now);
                }
                Some(http) => {
                    self.outputs.push_back(Output::Abort(http));
                    self.handle_poll(HttpResponse::Failed("no answer to a poll".into()), now);
                }
                None => {
                    self.start_poll(now);
                    // A poll that works says so only when there is something to say.
                    if self.poll.is_failing() {
                        self.probe(now);
                    }
                }
            }
        }
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    // Requests.

    fn url(&self, handle: Option<HandleId>) -> Result<String, Error> {
        let (State::Opening { server, id, .. } | State::Open { server, id }) = &self.state else {
            return Err(Error::NotConnected);
        };
        Ok(self.addressed(&match handle {
            Some(handle) => format!("{}/{}/{}", server.as_str(), id.0, handle.0),
            None => format!("{}/{}", server.as_str(), id.0),
        }))
    }

    /// Janus ignores arguments that it does not know, of a POST as of a GET.
    fn addressed(&self, path: &str) -> String {
        format!("{path}?client={}", self.client)
    }

    fn request(
        &mut self,
        kind: Kind,
        lane: Lane,
        url: String,
        request: Request<'_>,
        now: Time,
    ) -> Ticket {
        let (ticket, body) = self.body(request);
        let deadline = now + self.config.request_timeout;
        let (stage, backoff) = (kind.first_stage(now), Backoff::default());
        self.pending.insert(ticket, Pending { kind, lane, deadline, stage, url, body, backoff });
        self.pump(lane, now);
        ticket
    }

    /// A request as the gateway reads it, and the transaction in it.
    fn body(&mut self, request: Request<'_>) -> (Ticket, String) {
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = Ticket(self.last_ticket);
        let envelope = Envelope {
            request,
            transaction: ticket.0.to_string(),
            apisecret: self.config.api_secret.as_ref().map(Secret::reveal),
            token: self.config.token.as_ref().map(Secret::reveal),
        };
        (ticket, envelope.to_json())
    }

    fn secrets(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let api_secret = self.config.api_secret.as_ref().map(|secret| ("apisecret", secret));
        let token = self.config.token.as_ref().map(|token| ("token", token));
        api_secret.into_iter().chain(token)
    }

    /// Posts what may be posted in a lane.
    fn pump(&mut self, lane: Lane, now: Time) {
        for pending in self.pending.values_mut().filter(|pending| pending.lane == lane) {
            match &mut pending.stage {
                Stage::Acknowledged { .. } => {}
                Stage::Posted(_) | Stage::Again(_) if lane == Lane::Free => {}
                Stage::Posted(_) | Stage::Again(_) => return,
                Stage::Queued => {
                    if let Err(due) = self.budget.take(now) {
                        pending.stage = Stage::Again(due);
                        return;
                    }
                    self.last_http = self.last_http.saturating_add(1);
                    let id = HttpId(self.last_http);
                    let (url, body) = match pending.kind.is_repeatable() {
                        true => (pending.url.clone(), pending.body.clone()),
                        false => (take(&mut pending.url), take(&mut pending.body)),
                    };
                    pending.stage = Stage::Posted(id);
                    self.outputs.push_back(Output::Log(
                        Level::Trace,
                        format!("POST {}", pending.kind.as_str()),
                    ));
                    self.outputs.push_back(Output::Http(HttpRequest { id, url, body: Some(body) }));
                    if lane != Lane::Free {
                        return;
                    }
                }
            }
        }
    }

    fn handle_post(&mut self, ticket: Ticket, response: HttpResponse, now: Time) {
        let result = match self.read(&response, read_post) {
            Ok(Message::Ack { .. }) => match self.pending.get_mut(&ticket) {
                Some(pending) if pending.kind == Kind::Message => {
                    pending.stage = Stage::Acknowledged { doubted: Some(now + ANSWER) };
                    return;
                }
                _ => Ok(Message::Ack { transaction: ticket.0 }),
            },
            Err(_)
                if let Some(pending) = self.pending.get_mut(&ticket)
                    && pending.kind == Kind::EarlyAttach =>
            {
                // Too early, perhaps: the session is there first.
                pending.kind = Kind::Attach;
                pending.stage = Stage::Again(pending.deadline);
                if self.is_open() {
                    self.attach_early(Kind::Attach, now);
                }
                return;
            }
            Err(error) if error.is_uncertain() => match self.pending.get_mut(&ticket) {
                Some(pending) if pending.kind.is_repeatable() => {
                    pending.stage = Stage::Again(pending.backoff.next((self.random)(), now));
                    return self.warn("to be posted again", &error);
                }
                Some(pending) if pending.kind == Kind::Message => {
                    // The poll may be as dead, and would only say so later.
                    self.probe(now);
                    Err(error)
                }
                _ => Err(error),
            },
            other => other,
        };
        self.finish(ticket, result, now);
    }

    /// Reads a response. What answers may echo the request: the words of an error are taken from a body
    /// without what must not show.
    fn read<T>(
        &self,
        response: &HttpResponse,
        read: impl Fn(&HttpResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read(response).or_else(|error| match response {
            HttpResponse::Answered { status, body } => {
                read(&HttpResponse::Answered { status: *status, body: self.without_secrets(body) })
            }
            HttpResponse::Failed(_) => Err(error),
        })
    }

    /// A text without the secrets, however spelled, and without the session's id. JSON stays JSON.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // An empty one is no secret, and would be found between any two characters.
        for (_, secret) in self.secrets().filter(|(_, secret)| !secret.reveal().is_empty()) {
            text = text.replace(&percent_encode(secret.reveal()), "…");
            // As it is, as a string of JSON, and as one that is quoted in another.
            let mut spelling = secret.reveal().to_owned();
            for _ in 0..3 {
                text = text.replace(&spelling, "…");
                let quoted = Value::from(spelling).to_string();
                let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                spelling = inner.unwrap_or(&quoted).to_owned();
            }
        }
        match &self.state {
            State::Opening { id, .. } | State::Open { id, .. } | State::Closing { id, .. } => {
                text.replace(&id.0.to_string(), "0")
            }
            State::Closed => text,
        }
    }

    /// Ends a request, and does what its end means for the session.
    fn finish(&mut self, ticket: Ticket, result: Result<Message, Error>, now: Time) {
        let Some(Pending { kind, .. }) = self.pending.remove(&ticket) else {
            self.outputs.push_back(Output::Log(
                Level::Debug,
                "an answer to no open request was dropped: it came late or twice".into(),
            ));
            return;
        };
        let result = result.and_then(|message| answer_of(kind, message));
        match kind {
            Kind::Create => self.handle_created(result, now),
            Kind::Destroy => self.handle_destroyed(),
            Kind::Keepalive => self.handle_probed(result, now),
            _ => {
                let lost = result.as_ref().err().filter(|error| error.is_session_lost()).cloned();
                let result = match result {
                    // Detaching an unknown handle counts as success.
                    Err(Error::Refused { code: CoreCode::NO_SUCH_HANDLE, .. })
                        if kind == Kind::Detach =>
                    {
                        Ok(Answer::Done)
                    }
                    result => result,
                };
                self.trial.attached |= matches!(result, Ok(Answer::Attached(_)));
                self.outputs.push_back(Output::Answer(ticket, result));
                if let Some(error) = lost {
                    self.lose(error, now);
                }
            }
        }
    }

    fn handle_probed(&mut self, result: Result<Answer, Error>, now: Time) {
        match result {
            Ok(_) => self.heard(),
            Err(error) if error.ends_session() => {
                self.lose(error, now);
            }
            Err(error) => {
                if let Some(http) = self.poll.http() {
                    // It is as dead as this was, and would only say so later.
                    self.outputs.push_back(Output::Abort(http));
                    self.poll_failed(error, now);
                }
            }
        }
    }

    /// The gateway is in reach.
    fn heard(&mut self) {
        if self.poll.heard() {
            self.outputs.push_back(Output::Restored);
        }
    }

    fn handle_created(&mut self, result: Result<Answer, Error>, now: Time) {
        let State::Opening { server, mut rest, mut failures, .. } =
            std::mem::replace(&mut self.state, State::Closed)
        else {
            return;
        };
        match result {
            Ok(Answer::Attached(HandleId(given))) => {
                self.outputs.push_back(Output::Log(
                    Level::Info,
                    format!("connected to {}", server.as_str()),
                ));
                self.state = State::Open { server, id: SessionId(given) };
                self.trial.since = Some(now);
                self.outputs.push_back(Output::Opened(Ok(())));
                self.start_poll(now);
                self.attach_early(Kind::Attach, now);
            }
            Ok(_) => self.open_next(rest, failures, now),
            Err(error) => {
                self.warn(server.as_str(), &error);
                // Somebody holds the id that was chosen: the same server, another id.
                let is_conflict =
                    matches!(error, Error::Refused { code: CoreCode::SESSION_CONFLICT, .. });
                if is_conflict && failures.len() < 3 {
                    rest.push(server.clone());
                }
                failures.push((server, error));
                self.open_next(rest, failures, now);
            }
        }
    }

    fn handle_destroyed(&mut self) {
        self.state = State::Closed;
        self.outputs.push_back(Output::Closed);
    }

    // The poll.

    fn start_poll(&mut self, now: Time) {
        let State::Open { server, id } = &self.state else { return };
        let mut url = self.addressed(&format!("{}/{}", server.as_str(), id.0));
        url.push_str(&format!("&maxev={}", self.config.poll_events.max(1)));
        for (key, secret) in self.secrets() {
            url.push_str(&format!("&{key}={}", percent_encode(secret.reveal())));
        }
        self.last_http = self.last_http.saturating_add(1);
        let http = HttpId(self.last_http);
        self.poll.start(http, now);
        self.outputs.push_back(Output::Http(HttpRequest { id: http, url, body: None }));
    }

    fn doubt(&mut self, why: &str, doubt: Doubt) {
        self.outputs.push_back(Output::Log(Level::Info, format!("{why}: an event may be lost")));
        self.outputs.push_back(Output::Doubt(doubt));
    }

    fn stop_poll(&mut self) {
        if let Some(http) = self.poll.stop() {
            self.outputs.push_back(Output::Abort(http));
        }
    }

    fn handle_poll(&mut self, response: HttpResponse, now: Time) {
        // Too long to read is no silence: whoever made it so must not end the session by it.
        if let HttpResponse::Answered { status: 200, body } = &response
            && body.len() > wire::LONGEST_BODY
        {
            let line = format!("a poll brought {} bytes and was skipped", body.len());
            self.outputs.push_back(Output::Log(Level::Warn, line));
            self.poll.succeeded(false, body, now);
            return self.handle_timeout(now);
        }
        let batch = match self.read(&response, read_poll) {
            Ok(batch) => batch,
            Err(error) if error.ends_session() => {
                self.lose(error, now);
                return;
            }
            Err(error) => return self.poll_failed(error, now),
        };
        self.trial.polled = true;
        self.heard();
        let is_keepalive = |message: &_| matches!(message, Message::Keepalive);
        if !batch.is_empty()
            && batch.iter().all(is_keepalive)
            && let Some(doubt) = self.poll.judge(now)
        {
            self.doubt("another poll took what woke this one", doubt);
        }
        let is_nothing = |message: &_| matches!(message, Message::Keepalive | Message::Unknown(_));
        let brought_something = !batch.iter().all(is_nothing);
        let HttpResponse::Answered { body, .. } = &response else { return };
        self.poll.succeeded(brought_something, body, now);
        for message in batch {
            self.handle_message(message, now);
        }
        if self.poll.deadline().is_some_and(|due| due <= now) && self.poll.http().is_none() {
            self.start_poll(now);
        }
    }

    fn poll_failed(&mut self, error: Error, now: Time) {
        self.warn("a poll failed", &error);
        let limit = match self.config.servers.len() {
            _ if self.is_patient => Duration::MAX,
            0 | 1 => self.config.retry_limit,
            _ => self.config.retry_limit.min(FAILOVER),
        };
        let first = !self.poll.is_failing();
        if !self.poll.failed(limit, (self.random)(), now) {
            self.lose(given_up(&error), now);
        } else if first {
            self.outputs.push_back(Output::Trouble(error));
        }
    }

    fn handle_message(&mut self, message: Message, now: Time) {
        match message {
            Message::Keepalive => {}
            Message::Notice { sender, notice } => {
                self.outputs.push_back(Output::Notice(sender, notice))
            }
            Message::Error { transaction: Some(transaction), code, reason } => {
                let error = refused(code, &self.without_secrets(&reason));
                self.handle_polled_answer(Ticket(transaction), Err(error), now);
            }
            Message::Reply { transaction, .. } | Message::Success { transaction, .. } => {
                self.handle_polled_answer(Ticket(transaction), Ok(message), now);
            }
            Message::Error { transaction: None, code, reason } => {
                match refused(code, &self.without_secrets(&reason)) {
                    error if error.ends_session() => self.lose(error, now),
                    error => self.warn("the gateway says", &error),
                }
            }
            Message::Timeout => self.lose(Error::SessionTimedOut, now),
            Message::Ack { .. } => {}
            Message::Unknown(what) => {
                let line = format!("skipped {}", self.without_secrets(&what));
                self.outputs.push_back(Output::Log(Level::Warn, line));
            }
        }
    }

    fn handle_polled_answer(&mut self, ticket: Ticket, result: Result<Message, Error>, now: Time) {
        let lane = self.pending.get(&ticket).map(|pending| pending.lane);
        self.finish(ticket, result, now);
        if let Some(lane) = lane {
            self.pump(lane, now);
        }
    }

    fn warn(&mut self, what: &str, error: &Error) {
        self.outputs.push_back(Output::Log(Level::Warn, format!("{what}: {error}")));
    }

    // The end.

    fn lose(&mut self, mut error: Error, now: Time) {
        if matches!(error, Error::Refused { code: CoreCode::NO_SUCH_SESSION, .. })
            && !self.is_past_probation(now)
        {
            error = Error::Misrouted;
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open { .. } => {
                self.stop_poll();
                self.abandon_all(&error);
                self.outputs.push_back(Output::Lost(error));
            }
            State::Closing { .. } => {
                self.abandon_all(&error);
                self.outputs.push_back(Output::Closed);
            }
            other => self.state = other,
        }
    }

    /// Fails every open request of the user, and aborts what is under way.
    fn abandon_all(&mut self, error: &Error) {
        for (ticket, pending) in std::mem::take(&mut self.pending) {
            if let Stage::Posted(http) = pending.stage {
                self.outputs.push_back(Output::Abort(http));
            }
            if !matches!(pending.kind, Kind::Create | Kind::Keepalive | Kind::Destroy) {
                self.outputs.push_back(Output::Answer(ticket, Err(error.clone())));
            }
        }
    }
}

/// What an answered request brought, by what was asked.
fn answer_of(kind: Kind, message: Message) -> Result<Answer, Error> {
    match (kind, message) {
        (Kind::Create | Kind::EarlyAttach | Kind::Attach, Message::Success { id, .. }) => {
            Ok(Answer::Attached(HandleId(wire::checked_id(id)?)))
        }
        (Kind::Message, Message::Reply { data, jsep, .. }) => Ok(Answer::Plugin { data, jsep }),
        (Kind::Message, Message::Success { data: Some(data), .. }) => {
            Ok(Answer::Plugin { data, jsep: None })
        }
        (
            Kind::Trickle | Kind::Detach | Kind::Keepalive | Kind::Destroy,
            Message::Success { .. } | Message::Ack { .. },
        ) => Ok(Answer::Done),
        (kind, _) => Err(InvalidAnswer::Unexpected { request: kind.as_str() }.into()),
    }
}

fn read_post(response: &HttpResponse) -> Result<Message, Error> {
    match wire::parse_one(checked_body(response)?)? {
        Message::Error { code, reason, .. } => Err(refused(code, &reason)),
        message => Ok(message),
    }
}

fn read_poll(response: &HttpResponse) -> Result<Vec<Message>, Error> {
    // The next request tells whether the session is gone, or a proxy said so.
    if let HttpResponse::Answered { status: 404, .. } = response {
        return Err(InvalidAnswer::NotFound.into());
    }
    let batch = wire::parse_batch(checked_body(response)?)?;
    match batch.as_slice() {
        [Message::Error { transaction: None, code, reason }] => Err(refused(*code, reason)),
        _ => Ok(batch),
    }
}

fn checked_body(response: &HttpResponse) -> Result<&str, Error> {
    match response {
        HttpResponse::Answered { status: 200, body } => Ok(body),
        HttpResponse::Answered { status: 403, .. } => Err(Error::Forbidden),
        HttpResponse::Answered { status, body } => {
            Err(InvalidAnswer::Status { status: *status, body: excerpt(body.trim()) }.into())
        }
        HttpResponse::Failed(cause) => Err(Error::Unreachable { cause: cause.clone() }),
    }
}

/// There is no session any more, and none to be had.
pub(crate) fn given_up(cause: &Error) -> Error {
    Error::OutOfReach { cause: Box::new(cause.clone()) }
}

fn refused(code: CoreCode, reason: &str) -> Error {
    Error::Refused { code, reason: excerpt(reason) }
}

/// RFC 3986, section 2.1.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded
                        .extend(char::from_digit(digit.into(), 16).map(|c| c.to_ascii_uppercase()));
                }
            }
        }
    }
    encoded
}
