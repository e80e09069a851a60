//! The session: connecting, transactions with deadlines, and the end.

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

/// Only the beginning of a poll keeps a session alive, and that may be so long ago: a gateway that forgets
/// sessions sooner needs to be told that this one is in use.
const LONGEST_POLL: Duration = Duration::from_secs(35);

/// A session that is lost earlier has been of no use. Behind an address that leads to two gateways in turn,
/// all of them are.
const PROBATION: Duration = Duration::from_secs(10);

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
    Answer(Ticket, Result<Answer, Error>),
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
    pending: VecMap<Ticket, Pending<B>>,
    last_ticket: u64,
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
    fn url(&self, kind: Kind, lane: Lane) -> Option<String> {
        let (Self::Opening { server, id, .. }
        | Self::Open { server, id }
        | Self::Closing { server, id }) = self
        else {
            return None;
        };
        Some(match lane {
            _ if matches!(kind, Kind::Create | Kind::Info) => server.join(""),
            Lane::Free => server.join(&id.0.to_string()),
            Lane::Messages(handle) | Lane::Candidates(handle) => {
                server.join(&format!("{}/{}", id.0, handle.0))
            }
        })
    }
}

struct Pending<B> {
    kind: Kind,
    lane: Lane,
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
        self.request(Kind::Create, Lane::Free, Request::Create { id }, now);
        self.attach_early(Kind::EarlyAttach, now);
    }

    fn fail_to_open(&mut self, error: Error) {
        self.state = State::Closed;
        self.credentials.stop_asking();
        self.abandon_all(&error);
        self.outputs.push_back(Output::Opened(Err(error)));
    }

    /// Attaches to a plugin; answered by [`Answer::Attached`]. While the session is being made, the request
    /// goes with it: the id is ours, and one round trip is saved.
    /// `account` is shown in place of the session's own.
    pub fn attach(
        &mut self,
        plugin: &str,
        account: Option<&str>,
        now: Time,
    ) -> Result<Ticket, Error> {
        let kind = match self.state {
            State::Opening { .. } => Kind::EarlyAttach,
            _ => Kind::Attach,
        };
        self.check_connected()?;
        let opaque_id = account.map(str::to_owned).or_else(|| self.config.account.clone());
        let request = Request::Attach { plugin: plugin.to_owned(), opaque_id };
        Ok(self.request(kind, Lane::Free, request, now))
    }

    /// Posts again what was posted too early, or to a server that did not answer.
    fn attach_early(&mut self, kind: Kind, now: Time) {
        for pending in self.pending.values_mut() {
            match pending.stage {
                _ if !matches!(pending.kind, Kind::EarlyAttach | Kind::Attach) => continue,
                Stage::Posted(_) if kind == Kind::Attach => continue,
                Stage::Posted(http) => self.outputs.push_back(Output::Abort(http)),
                _ => {}
            }
            pending.kind = kind;
            pending.deadline = now + self.config.request_timeout;
            pending.stage = kind.first_stage(now);
        }
        self.pump(Lane::Free, now);
    }

    /// Sends the plugin a message; answered by [`Answer::Plugin`].
    pub fn message(
        &mut self,
        handle: HandleId,
        body: B,
        jsep: Option<Jsep>,
        now: Time,
    ) -> Result<Ticket, Error> {
        self.check_connected()?;
        let request = Request::Message { body, jsep };
        Ok(self.request(Kind::Message, Lane::Messages(handle), request, now))
    }

    /// Sends local candidates, several in one request.
    pub fn trickle(
        &mut self,
        handle: HandleId,
        candidates: Vec<Candidate>,
        now: Time,
    ) -> Result<Ticket, Error> {
        self.check_connected()?;
        let request = Request::Trickle(candidates.into());
        Ok(self.request(Kind::Trickle, Lane::Candidates(handle), request, now))
    }

    /// Detaches the handle, after what was sent to it before.
    pub fn detach(&mut self, handle: HandleId, now: Time) -> Result<Ticket, Error> {
        self.check_connected()?;
        Ok(self.request(Kind::Detach, Lane::Messages(handle), Request::Detach, now))
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
                let ticket = self.request(Kind::Destroy, Lane::Free, Request::Destroy, now);
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
        if self.is_open() && self.pending.values().all(|pending| pending.kind != Kind::Keepalive) {
            self.request(Kind::Keepalive, Lane::Free, Request::Keepalive, now);
        }
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
            let ticket = self.next_ticket();
            let body = body(&Request::<B>::Destroy, ticket, &self.credentials);
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

    /// The token that [`Output::AskToken`] asked for, or the page's words on why there is none.
    pub fn handle_token(
        &mut self,
        request: TokenRequest,
        result: Result<Secret, String>,
        now: Time,
    ) {
        // What was given up or asked for anew is not waited for.
        let Some(waited) = self.credentials.take_answer(request, now) else { return };
        match result {
            Ok(token) => {
                self.credentials.renew(token, now);
                self.resume(waited, now);
            }
            Err(cause) => self.fail_for_token(Error::NoToken { cause }, now),
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
        let late: Vec<Ticket> =
            self.pending.iter().filter(|(_, p)| p.deadline <= now).map(|(t, _)| *t).collect();
        for ticket in late {
            // A late session is asked for at the next server, and its handle with it: that is late no more.
            let is_late = |pending: &&Pending<B>| pending.deadline <= now && !self.is_held(pending);
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

    // Requests.

    /// Janus ignores arguments that it does not know, of a POST as of a GET.
    fn addressed(&self, path: &str) -> String {
        format!("{path}?client={}", self.client)
    }

    fn check_connected(&self) -> Result<(), Error> {
        match self.state {
            State::Opening { .. } | State::Open { .. } => Ok(()),
            State::Closed | State::Closing { .. } => Err(Error::NotConnected),
        }
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket = self.last_ticket.saturating_add(1);
        Ticket(self.last_ticket)
    }

    fn request(&mut self, kind: Kind, lane: Lane, request: Request<B>, now: Time) -> Ticket {
        let ticket = self.next_ticket();
        let pending = Pending {
            kind,
            lane,
            deadline: now + self.config.request_timeout,
            stage: kind.first_stage(now),
            request,
            token: self.credentials.generation(),
            is_refused: false,
            backoff: Backoff::default(),
        };
        self.pending.insert(ticket, pending);
        self.pump(lane, now);
        ticket
    }

    /// Posts what may be posted in a lane.
    fn pump(&mut self, lane: Lane, now: Time) {
        if self.credentials.is_asking() {
            return;
        }
        for (ticket, pending) in self.pending.iter_mut().filter(|(_, p)| p.lane == lane) {
            match &mut pending.stage {
                Stage::Acknowledged { .. } => {}
                Stage::Posted(_) | Stage::Again(_) if lane == Lane::Free => {}
                Stage::Posted(_) | Stage::Again(_) => return,
                Stage::Queued => {
                    let Some(url) = self.state.url(pending.kind, lane) else { return };
                    if let Err(due) = self.budget.take(now) {
                        pending.stage = Stage::Again(due);
                        return;
                    }
                    let url = format!("{url}?client={}", self.client);
                    self.last_http = self.last_http.saturating_add(1);
                    let id = HttpId(self.last_http);
                    let body = body(&pending.request, *ticket, &self.credentials);
                    pending.token = self.credentials.generation();
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

    // The token.

    fn ask_token(&mut self, now: Time) {
        let request = self.credentials.ask(self.config.request_timeout, now);
        self.outputs.push_back(Output::Log(Level::Debug, "asking the page for a token".into()));
        self.outputs.push_back(Output::AskToken(request));
    }

    /// The token is refused: another is asked for, with pauses where that goes on and on.
    fn ask_token_again(&mut self, now: Time) {
        self.credentials.ask_in_time((self.random)(), now);
        if self.credentials.is_due(now) {
            self.ask_token(now);
        }
    }

    /// Whether a request is not posted, nor late, before there is a token. The end of the session is: nobody
    /// waits for that for long.
    fn is_held(&self, pending: &Pending<B>) -> bool {
        self.credentials.waits_for_page()
            && pending.kind != Kind::Destroy
            && !matches!(pending.stage, Stage::Posted(_))
    }

    /// A request was refused for its token. Says whether it will be posted with another.
    fn will_post_again(&mut self, ticket: Ticket, now: Time) -> bool {
        let Some(pending) = self.pending.get_mut(&ticket) else { return false };
        match self.credentials.handle_refused(pending.token, pending.is_refused, now) {
            Refused::Final => return false,
            Refused::Again | Refused::Wait => {}
            Refused::Ask => self.ask_token_again(now),
        }
        if let Some(pending) = self.pending.get_mut(&ticket) {
            pending.is_refused = true;
            pending.stage = Stage::Queued;
            let lane = pending.lane;
            self.pump(lane, now);
        }
        true
    }

    /// The poll was refused for its token. Says whether it will be made with another.
    fn will_poll_again(&mut self, now: Time) -> bool {
        match self.credentials.handle_refused(self.poll_token, self.is_poll_refused, now) {
            Refused::Final => return false,
            Refused::Again => self.start_poll(now),
            Refused::Wait => self.poll.suspend(),
            Refused::Ask => {
                self.poll.suspend();
                self.ask_token_again(now);
            }
        }
        self.is_poll_refused = true;
        true
    }

    /// There is a token: what waited for it goes on, and the time that the page took does not count.
    fn resume(&mut self, waited: Duration, now: Time) {
        let mut lanes = Vec::new();
        for pending in self.pending.values_mut() {
            if matches!(pending.stage, Stage::Posted(_)) {
                continue;
            }
            if pending.kind != Kind::Destroy {
                pending.deadline = pending.deadline + waited;
            }
            if pending.kind == Kind::EarlyAttach {
                pending.stage = pending.kind.first_stage(now);
            }
            lanes.push(pending.lane);
        }
        for lane in lanes {
            self.pump(lane, now);
        }
        if self.poll.is_off() {
            self.start_poll(now);
        }
    }

    /// There is no token to be had.
    fn fail_for_token(&mut self, error: Error, now: Time) {
        match self.state {
            State::Opening { .. } => self.fail_to_open(error),
            State::Open { .. } | State::Closing { .. } => self.lose(error, now),
            State::Closed => {}
        }
    }

    fn handle_post(&mut self, ticket: Ticket, response: HttpResponse, now: Time) {
        let result = self.read_post(&response);
        // Janus looks at the token before anything else.
        let is_accepted = match &result {
            Ok(_) => true,
            Err(Error::Refused { code, .. }) => !code.is_unauthorized(),
            Err(_) => false,
        };
        if is_accepted && let Some(pending) = self.pending.get(&ticket) {
            self.credentials.handle_accepted(pending.token);
        }
        let result = match result {
            Ok(Message::Ack { .. }) => match self.pending.get_mut(&ticket) {
                Some(pending) if pending.kind == Kind::Message => {
                    pending.stage = Stage::Acknowledged { doubted: Some(now + ANSWER) };
                    return;
                }
                _ => Ok(Message::Ack { transaction: ticket.0 }),
            },
            Err(error) if error.is_token_refused() && self.will_post_again(ticket, now) => return,
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

    // Responses. What answers may echo the request: its words are quoted without what must not show.

    fn read_post(&self, response: &HttpResponse) -> Result<Message, Error> {
        self.parse_post(response).map_err(|error| self.with_redirect(error))
    }

    fn read_poll(&self, response: &HttpResponse) -> Result<Vec<Message>, Error> {
        self.parse_poll(response).map_err(|error| self.with_redirect(error))
    }

    /// What is no answer of Janus, where a redirect was followed, is the redirect's fault.
    fn with_redirect(&self, error: Error) -> Error {
        match (&self.redirected_to, error) {
            (Some(to), Error::InvalidAnswer(_)) => {
                InvalidAnswer::Redirected { to: to.clone() }.into()
            }
            (_, error) => error,
        }
    }

    fn parse_post(&self, response: &HttpResponse) -> Result<Message, Error> {
        let hide = |text: &str| self.without_secrets(text);
        match wire::read_one(self.checked_body(response)?, &hide)? {
            Message::Error { code, reason, .. } => Err(self.refused(code, &reason)),
            message => Ok(message),
        }
    }

    fn parse_poll(&self, response: &HttpResponse) -> Result<Vec<Message>, Error> {
        // The next request tells whether the session is gone, or a proxy said so.
        if let HttpResponse::Answered { status: 404, .. } = response {
            return Err(InvalidAnswer::NotFound.into());
        }
        let hide = |text: &str| self.without_secrets(text);
        let batch = wire::read_batch(self.checked_body(response)?, &hide)?;
        match batch.as_slice() {
            [Message::Error { transaction: None, code, reason }] => {
                Err(self.refused(*code, reason))
            }
            _ => Ok(batch),
        }
    }

    fn checked_body<'a>(&self, response: &'a HttpResponse) -> Result<&'a str, Error> {
        let (status, body) = match response {
            HttpResponse::Answered { status: 200, body } => return Ok(body),
            HttpResponse::Answered { status, body }
            | HttpResponse::Redirected { status, body, .. } => (*status, body),
            HttpResponse::Failed(cause) => {
                return Err(Error::Unreachable { cause: cause.clone() });
            }
        };
        let hide = |text: &str| self.without_secrets(text);
        let shown = wire::gist(&hide(body));
        if status != 403 {
            return Err(InvalidAnswer::Status { status, body: shown }.into());
        }
        Err(match wire::read_one(body, &hide) {
            Ok(Message::Error { code, reason, .. }) => self.refused(code, &reason),
            // Janus has no more to say: neither to a poll, nor to an address that it does not serve.
            _ if body.is_empty() => Error::Forbidden { body: shown },
            // A firewall, or a limit of requests.
            _ => InvalidAnswer::Status { status, body: shown }.into(),
        })
    }

    /// What the gateway's core refused.
    fn refused(&self, code: CoreCode, reason: &str) -> Error {
        Error::Refused { code, reason: excerpt(&self.without_secrets(reason)) }
    }

    /// A text without the secrets, however spelled, and without the session's id. JSON stays JSON.
    pub fn without_secrets(&self, text: &str) -> String {
        let text = self.credentials.hide(text);
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
        if kind == Kind::Info {
            return self.handle_info(result, now);
        }
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
            // What is refused may be the polls alone.
            Ok(_) if self.poll.prove(now) => {}
            Ok(_) => self.heard(),
            Err(error) if error.ends_session() => self.lose(error, now),
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
                if std::mem::take(&mut self.wants_info) {
                    self.request(Kind::Info, Lane::Free, Request::Info, now);
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

    // The poll.

    fn start_poll(&mut self, now: Time) {
        let State::Open { server, id } = &self.state else { return };
        if self.credentials.is_asking() {
            return self.poll.suspend();
        }
        let mut url = self.addressed(&server.join(&id.0.to_string()));
        self.last_http = self.last_http.saturating_add(1);
        let http = HttpId(self.last_http);
        // No cache on the way has an answer to an address that was never asked: a service worker would give the
        // one of before for ever.
        url.push_str(&format!("&maxev={}&poll={}", self.config.poll_events.max(1), http.0));
        let secrets =
            [("apisecret", self.credentials.api_secret()), ("token", self.credentials.token())];
        for (key, secret) in secrets {
            if let Some(secret) = secret {
                url.push_str(&format!("&{key}={}", percent_encode(secret)));
            }
        }
        self.poll_token = self.credentials.generation();
        self.poll.start(http, now);
        self.schedule_keepalive(now);
        self.outputs.push_back(Output::Http(HttpRequest { id: http, url, body: None }));
    }

    /// At half the time after which the session ends.
    fn schedule_keepalive(&mut self, now: Time) {
        let interval = self.timeout.and_then(|timeout| timeout.checked_div(2));
        self.keepalive_due = interval.map(|interval| now + interval);
    }

    fn handle_info(&mut self, result: Result<Message, Error>, now: Time) {
        // Where it is not answered, the next loss asks again.
        let Ok(Message::ServerInfo { session_timeout: Some(seconds), .. }) = result else { return };
        let timeout = Duration::from_secs(seconds);
        self.timeout = (!timeout.is_zero() && timeout <= LONGEST_POLL).then_some(timeout);
        let line = format!("the gateway forgets sessions after {seconds} s");
        self.outputs.push_back(Output::Log(Level::Info, line));
        self.schedule_keepalive(now);
    }

    fn doubt(&mut self, why: &str, doubt: Doubt) {
        self.outputs.push_back(Output::Log(Level::Info, format!("{why}: an event may be lost")));
        self.outputs.push_back(Output::Doubt(doubt));
    }

    fn stop_poll(&mut self) {
        self.keepalive_due = None;
        if let Some(http) = self.poll.stop() {
            self.outputs.push_back(Output::Abort(http));
        }
    }

    fn handle_poll(&mut self, response: HttpResponse, now: Time) {
        if let HttpResponse::Answered { status: 200, body } = &response
            && body.len() > wire::LONGEST_BODY
        {
            return self.skip_poll(body, now);
        }
        let batch = match self.read_poll(&response) {
            Ok(batch) => batch,
            // What is refused brings nothing: it is no sign yet that all is well.
            Err(error) if error.is_token_refused() && self.will_poll_again(now) => return,
            Err(error) if error.is_session_lost() => return self.lose(error, now),
            // So may something in between: a keepalive tells.
            Err(error) if error.is_unauthorized() => {
                let answer = InvalidAnswer::Status { status: 403, body: String::new() };
                self.poll_failed(answer.into(), now);
                return self.probe(now);
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
        self.credentials.handle_accepted(self.poll_token);
        self.is_poll_refused = false;
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

    /// A poll brought more than is read. That is no silence: who made it so must not end the session by it. But
    /// what it was to bring does not come any more.
    fn skip_poll(&mut self, body: &str, now: Time) {
        let error =
            Error::from(InvalidAnswer::TooLong { length: body.len(), most: wire::LONGEST_BODY });
        self.warn("a poll was skipped", &error);
        self.heard();
        self.poll.succeeded(false, body, now);
        let waiting = self.pending.iter();
        let waiting = waiting.filter(|(_, p)| matches!(p.stage, Stage::Acknowledged { .. }));
        for ticket in waiting.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.finish(ticket, Err(error.clone()), now);
        }
        self.doubt("a poll was skipped", Doubt::Lost);
        self.handle_timeout(now);
    }

    fn poll_failed(&mut self, error: Error, now: Time) {
        self.warn("a poll failed", &error);
        let limit = match self.config.servers.len() {
            _ if self.is_patient => Duration::MAX,
            0 | 1 => self.config.retry_limit,
            _ => self.config.retry_limit.min(FAILOVER),
        };
        let first = !self.poll.is_failing();
        let is_answer = matches!(error, Error::InvalidAnswer(_));
        if !self.poll.failed(is_answer, limit, (self.random)(), now) {
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
                let error = self.refused(code, &reason);
                self.handle_polled_answer(Ticket(transaction), Err(error), now);
            }
            Message::Reply { transaction, .. } | Message::Success { transaction, .. } => {
                self.handle_polled_answer(Ticket(transaction), Ok(message), now);
            }
            Message::Error { transaction: None, code, reason } => {
                match self.refused(code, &reason) {
                    error if error.is_session_lost() => self.lose(error, now),
                    error if error.is_unauthorized() => self.probe(now),
                    error => self.warn("the gateway says", &error),
                }
            }
            Message::Timeout => self.lose(Error::SessionTimedOut, now),
            Message::Ack { .. } | Message::ServerInfo { .. } => {}
            Message::Unknown(what) => {
                let line = format!("skipped {}", self.without_secrets(&what));
                self.outputs.push_back(Output::Log(Level::Warn, line));
            }
        }
    }

    fn handle_polled_answer(&mut self, ticket: Ticket, result: Result<Message, Error>, now: Time) {
        if let Err(error) = &result
            && error.is_token_refused()
            && self.will_post_again(ticket, now)
        {
            return;
        }
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
        for (ticket, pending) in std::mem::take(&mut self.pending) {
            if let Stage::Posted(http) = pending.stage {
                self.outputs.push_back(Output::Abort(http));
            }
            if !matches!(pending.kind, Kind::Create | Kind::Keepalive | Kind::Info | Kind::Destroy)
            {
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

/// A request as the gateway reads it.
fn body<B: Serialize>(request: &Request<B>, ticket: Ticket, credentials: &Credentials) -> String {
    let envelope = Envelope {
        request,
        transaction: ticket.0.to_string(),
        apisecret: credentials.api_secret(),
        token: credentials.token(),
    };
    envelope.to_json()
}

/// There is no session any more, and none to be had.
pub(crate) fn given_up(cause: &Error) -> Error {
    Error::OutOfReach { cause: Box::new(cause.clone()) }
}
