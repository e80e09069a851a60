//! The session: connecting, its states, and the end.

mod polling;
mod requests;
mod responses;
mod token;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use vecmap::VecMap;

use serde::Serialize;
use serde_json::Value;

use super::backoff::Backoff;
use super::budget::Budget;
use super::credentials::{Credentials, Generation, Refused, TokenRequest, percent_encode};
use super::error::{CoreCode, Error, InvalidAnswer};
use super::message::{
    self, Candidate, Envelope, HandleId, Jsep, Message, Notice, Request, SessionId,
};
use super::poll::{Doubt, Poll};
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

/// Only the beginning of a poll keeps a session alive, and that may be so long ago: a gateway that forgets
/// sessions sooner needs to be told that this one is in use.
const LONGEST_POLL: Duration = Duration::from_secs(35);

/// A session that is lost earlier has been of no use. Behind an address that leads to two gateways in turn,
/// all of them are.
const PROBATION: Duration = Duration::from_secs(10);

/// Names an HTTP request that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpId(pub u64);

/// Names a request of the user of the session; its [`Answer`] bears the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(u64);

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
    /// Something answered, elsewhere: the browser was sent on, and a POST becomes a GET on such a way.
    Redirected {
        /// The address in the end.
        to: String,
        /// The HTTP status there.
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
    Answer(TransactionId, Result<Answer, Error>),
    /// Something happened to a handle.
    Notice(HandleId, Notice),
    /// Ask the page for a token; tell [`Session::handle_token`].
    AskToken(TokenRequest),
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

/// The session's state machine. `B` is what plugins are told.
///
/// | from | by | to |
/// | --- | --- | --- |
/// | Closed | `open()`, which may ask for a token first | Opening |
/// | Opening | the first server that answers | Open |
/// | Opening | the last server that does not | Closed |
/// | Open | 458, or polls failing for too long | Closed |
/// | Open | `close()` | Closing |
/// | Closing | the answer, or 3 s | Closed |
pub struct Session<B> {
    config: GatewayConfig,
    random: Rc<dyn Fn() -> u64>,
    credentials: Credentials,
    state: State,
    poll: Poll,
    /// The token of the last poll.
    poll_token: Generation,
    /// The last poll was refused for its token.
    is_poll_refused: bool,
    /// A failing poll does not end the session: more than the session would end with it.
    is_patient: bool,
    /// Requests without an answer, the oldest first.
    pending: VecMap<TransactionId, Pending<B>>,
    last_transaction: u64,
    last_http: u64,
    /// The gateway forgot a session that was polled: how soon it does so is to be asked.
    wants_info: bool,
    /// How soon a session ends that is not heard of, where a poll alone does not keep it alive.
    timeout: Option<Duration>,
    /// When to tell the gateway that the session is in use.
    keepalive_due: Option<Time>,
    /// Where the request led whose response is being looked at.
    redirected_to: Option<String>,
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

impl State {
    /// Where a request in a lane goes.
    fn url(&self, kind: Kind, lane: ChannelKind) -> Option<String> {
        let (Self::Opening { server, id, .. }
        | Self::Open { server, id }
        | Self::Closing { server, id }) = self
        else {
            return None;
        };
        Some(match lane {
            _ if matches!(kind, Kind::Create | Kind::Info) => server.join(""),
            ChannelKind::Free => server.join(&id.0.to_string()),
            ChannelKind::Messages(handle) | ChannelKind::Candidates(handle) => {
                server.join(&format!("{}/{}", id.0, handle.0))
            }
        })
    }
}

struct Pending<B> {
    kind: Kind,
    lane: ChannelKind,
    deadline: Time,
    stage: Stage,
    request: Request<B>,
    /// The token that it was last posted with.
    token: Generation,
    /// It was refused for its token.
    is_refused: bool,
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
    Info,
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
            Self::Info => "Info",
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
enum ChannelKind {
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

impl<B: Serialize> Session<B> {
    /// A closed session. `random` is the source of ids: it must be cryptographic, since the id is
    /// the only key to the session.
    pub fn new(mut config: GatewayConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        let (api_secret, token) = (config.api_secret.take(), std::mem::take(&mut config.token));
        Self {
            wants_info: false,
            timeout: None,
            keepalive_due: None,
            redirected_to: None,
            client: format!("{:016x}", random()),
            credentials: Credentials::new(api_secret, token),
            config,
            random,
            state: State::Closed,
            poll: Poll::default(),
            poll_token: Generation::default(),
            is_poll_refused: false,
            is_patient: false,
            pending: VecMap::new(),
            last_transaction: 0,
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

    /// The next session begins with a fresh token, where the page gives it.
    pub fn forget_token(&mut self) {
        self.credentials.forget_token();
    }

    /// Tries the servers in order; ends with [`Output::Opened`].
    pub fn open(&mut self, now: Time) {
        if matches!(self.state, State::Closed) {
            if self.credentials.needs_token() {
                self.ask_token(now);
            }
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
            return self.fail_to_open(Error::NoServer { failures });
        };
        let id = SessionId::from_random((self.random)());
        self.state = State::Opening { server, id, rest, failures };
        self.request(Kind::Create, ChannelKind::Free, Request::Create { id }, now);
        self.attach_early(Kind::EarlyAttach, now);
    }

    fn fail_to_open(&mut self, error: Error) {
        self.state = State::Closed;
        self.credentials.stop_asking();
        self.abandon_all(&error);
        self.outputs.push_back(Output::Opened(Err(error)));
    }

    /// Ends the session and all its handles; ends with [`Output::Closed`], whatever the gateway says.
    pub fn close(&mut self, now: Time) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => self.outputs.push_back(Output::Closed),
            State::Opening { .. } => {
                self.fail_to_open(Error::ConnectCancelled);
                self.outputs.push_back(Output::Closed);
            }
            State::Open { server, id } => {
                self.abandon_all(&Error::Disconnected);
                // Whatever it would bring, nobody waits for any more.
                self.stop_poll();
                self.state = State::Closing { server, id };
                let transaction =
                    self.request(Kind::Destroy, ChannelKind::Free, Request::Destroy, now);
                if let Some(pending) = self.pending.get_mut(&transaction) {
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

    /// Ends the session without waiting for a word: the page is being left.
    pub fn leave(&mut self, error: &Error) {
        self.abandon_all(error);
        self.stop_poll();
        self.credentials.stop_asking();
        if let State::Open { server, id } | State::Closing { server, id } =
            std::mem::replace(&mut self.state, State::Closed)
        {
            let url = self.addressed(&server.join(&id.0.to_string()));
            let transaction = self.next_transaction();
            let body = requests::body(&Request::<B>::Destroy, transaction, &self.credentials);
            self.outputs.push_back(Output::Beacon { url, body });
        }
    }

    /// The response to an HTTP request that was handed out.
    pub fn handle_http(&mut self, http: HttpId, response: HttpResponse, now: Time) {
        let response = match response {
            HttpResponse::Redirected { to, status, body } => {
                // The query holds secrets.
                let to = to.split(['?', '#']).next().unwrap_or_default();
                self.redirected_to = Some(excerpt(&self.without_secrets(to)));
                HttpResponse::Answered { status, body }
            }
            response => {
                self.redirected_to = None;
                response
            }
        };
        if self.poll.http() == Some(http) {
            self.handle_poll(response, now);
            return;
        }
        let transaction = self
            .pending
            .iter()
            .find(|(_, pending)| matches!(pending.stage, Stage::Posted(id) if id == http))
            .map(|(transaction, pending)| (*transaction, pending.lane));
        if let Some((transaction, lane)) = transaction {
            self.handle_post(transaction, response, now);
            self.pump(lane, now);
        }
    }

    /// The moment by which [`Session::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let own = earliest(self.poll.deadline(), self.credentials.deadline());
        let own = earliest(own, self.keepalive_due);
        self.pending
            .values()
            .filter(|pending| !self.is_held(pending))
            .map(|pending| match pending.stage {
                Stage::Again(due) | Stage::Acknowledged { doubted: Some(due) } => {
                    due.min(pending.deadline)
                }
                _ => pending.deadline,
            })
            .fold(own, |first, deadline| earliest(first, Some(deadline)))
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.credentials.is_due(now) {
            self.ask_token(now);
        } else if self.credentials.deadline().is_some_and(|deadline| deadline <= now) {
            self.credentials.stop_asking();
            let limit = self.config.request_timeout;
            self.fail_for_token(Error::TokenTimeout { limit }, now);
        }
        let late: Vec<TransactionId> =
            self.pending.iter().filter(|(_, p)| p.deadline <= now).map(|(t, _)| *t).collect();
        for transaction in late {
            // A late session is asked for at the next server, and its handle with it: that is late no more.
            let is_late = |pending: &&Pending<B>| pending.deadline <= now && !self.is_held(pending);
            let Some(pending) = self.pending.get(&transaction).filter(is_late) else { continue };
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
            self.finish(transaction, Err(error.clone()), now);
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
        if self.keepalive_due.take_if(|due| *due <= now).is_some() && self.is_open() {
            self.probe(now);
            self.schedule_keepalive(now);
        }
        if self.poll.is_proven(now) {
            self.heard();
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

    /// Janus ignores arguments that it does not know, of a POST as of a GET.
    fn addressed(&self, path: &str) -> String {
        format!("{path}?client={}", self.client)
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
                if std::mem::take(&mut self.wants_info) {
                    self.request(Kind::Info, ChannelKind::Free, Request::Info, now);
                }
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
        self.credentials.stop_asking();
        self.state = State::Closed;
        self.outputs.push_back(Output::Closed);
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
                self.credentials.stop_asking();
                self.wants_info = self.timeout.is_none() && error.is_session_lost();
                self.stop_poll();
                self.abandon_all(&error);
                self.outputs.push_back(Output::Lost(error));
            }
            State::Closing { .. } => {
                self.credentials.stop_asking();
                self.abandon_all(&error);
                self.outputs.push_back(Output::Closed);
            }
            other => self.state = other,
        }
    }

    /// Fails every open request of the user, and aborts what is under way.
    fn abandon_all(&mut self, error: &Error) {
        for (transaction, pending) in std::mem::take(&mut self.pending) {
            if let Stage::Posted(http) = pending.stage {
                self.outputs.push_back(Output::Abort(http));
            }
            if !matches!(pending.kind, Kind::Create | Kind::Keepalive | Kind::Info | Kind::Destroy)
            {
                self.outputs.push_back(Output::Answer(transaction, Err(error.clone())));
            }
        }
    }
}

/// There is no session any more, and none to be had.
pub(crate) fn given_up(cause: &Error) -> Error {
    Error::OutOfReach { cause: Box::new(cause.clone()) }
}
