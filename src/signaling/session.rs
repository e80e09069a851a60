//! The session: made on the first server that answers, kept alive, lost, and ended.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::credentials::{self, Credentials, TokenRequest};
use super::error::{CoreCode, Error};
use super::message::{Candidate, HandleId, Jsep, Message, Notice, Request, SessionId};
use super::requests::{self, Answer, Queue, Requests, TransactionId};
use super::transport::{self, Doubt, Event, HttpId, HttpResponse, Io, Outgoing, Target, Transport};
use crate::config::{GatewayConfig, Secret, ServerUrl};
use crate::log::Level;
use crate::time::{Time, earliest};
use crate::timer::TimerTable;

/// How long a server may be out of reach before another is tried, if there are several.
const FAILOVER: Duration = Duration::from_secs(10);

/// A session that is lost earlier has been of no use. Behind an address that leads to two gateways
/// in turn, all of them are.
const PROBATION: Duration = Duration::from_secs(10);

/// An output of the session. Drain them after every input.
pub enum Output {
    /// Do this.
    Io(Io),
    /// `open()` ended.
    Opened(Result<(), Error>),
    /// A request ended.
    Answer(TransactionId, Result<Answer, Error>),
    /// Something happened to a handle.
    Notice(HandleId, Notice),
    /// Ask the page for a token; its answer goes to [`Session::handle_token`].
    AskToken(TokenRequest),
    /// Events do not arrive, which is tried again: some may be lost.
    Trouble(Error),
    /// The gateway is in reach again, and the session is there.
    Restored,
    /// An event may be lost, although nothing has failed.
    Doubt(Doubt),
    /// The session is lost; nothing more comes.
    Lost(Error),
    /// `close()` ended.
    Closed,
    /// A line for the log.
    Log(Level, String),
}

/// The session's state machine. `B` is the body of messages to plugins.
///
/// | from | by | to |
/// | --- | --- | --- |
/// | Closed | `open()`, which may ask for a token first | Opening |
/// | Opening | the first server that answers | Open |
/// | Opening | the last server that does not | Closed |
/// | Open | 458, or events that fail to arrive for too long | Closed |
/// | Open | `close()` | Closing |
/// | Closing | the answer, or 3 s | Closed |
pub struct Session<B> {
    servers: Vec<ServerUrl>,
    account: Option<String>,
    random: Rc<dyn Fn() -> u64>,
    state: State,
    credentials: Credentials,
    requests: Requests<B>,
    transport: Transport,
    lifetime: Lifetime,
    timers: TimerTable<Timer>,
    trial: Trial,
    outputs: VecDeque<Output>,
}

enum State {
    Closed,
    Opening {
        server: ServerUrl,
        /// In reverse: the next server is the last.
        rest: Vec<ServerUrl>,
        failures: Vec<(ServerUrl, Error)>,
    },
    Open,
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The gateway is to hear that the session is in use. Set whenever it has, if it forgets
    /// sessions so soon; stopped with the session.
    Keepalive,
}

/// How long the gateway keeps a session that makes no request.
#[derive(Clone, Copy)]
enum Lifetime {
    /// Longer than the transport is ever silent, as far as is known.
    Sufficient,
    /// It forgot a session: the next one asks how long it keeps one.
    Doubtful,
    /// So long: it needs keepalives.
    Short(Duration),
}

/// Whether a session has been of use.
#[derive(Default)]
struct Trial {
    /// When it was made.
    since: Option<Time>,
    /// A handle was attached in it.
    attached: bool,
    /// Events have arrived.
    received: bool,
}

impl<B: Serialize> Session<B> {
    /// A closed session. `random` is the source of ids: it must be cryptographic, since the id is
    /// the only key to the session.
    pub fn new(config: GatewayConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        let limit = config.request_timeout;
        let retry_limit = match config.servers.len() {
            0 | 1 => config.retry_limit,
            _ => config.retry_limit.min(FAILOVER),
        };
        let poll_events = config.poll_events;
        let settings = transport::Settings { poll_events, request_timeout: limit, retry_limit };
        let (secret, token) = (config.api_secret, config.token);
        Self {
            servers: config.servers,
            account: config.account,
            state: State::Closed,
            credentials: Credentials::new(secret, token, limit, random.clone()),
            requests: Requests::new(limit, random.clone()),
            transport: Transport::new(settings, random.clone()),
            random,
            lifetime: Lifetime::Sufficient,
            timers: TimerTable::default(),
            trial: Trial::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether the session, or the last one, was more than an answer to `create`: a handle was
    /// attached in it, events arrived, and it lasted for a while. Only then the next loss of one is
    /// a new trouble.
    pub(crate) fn was_of_use(&self, now: Time) -> bool {
        self.trial.attached && self.trial.received && self.is_past_probation(now)
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
        matches!(self.state, State::Open)
    }

    /// A text without the secrets, however spelled, and without the session's id. JSON stays JSON.
    pub fn without_secrets(&self, text: &str) -> String {
        self.credentials.hide(text)
    }

    // Commands.

    /// The next session begins with a fresh token, if the page gives it.
    pub fn forget_token(&mut self) {
        self.credentials.forget_token();
    }

    /// Tries the servers in order; ends with [`Output::Opened`].
    pub fn open(&mut self, now: Time) {
        if matches!(self.state, State::Closed) {
            self.credentials.handle_opening(now);
            self.trial = Trial::default();
            let servers = self.servers.iter().rev().cloned().collect();
            self.open_next(servers, Vec::new(), now);
            self.run(now);
        }
    }

    /// Ends the session and all its handles; ends with [`Output::Closed`], whatever the gateway
    /// says.
    pub fn close(&mut self, now: Time) {
        match self.state {
            State::Closed => self.outputs.push_back(Output::Closed),
            State::Opening { .. } => {
                self.fail_to_open(Error::ConnectCancelled, now);
                self.outputs.push_back(Output::Closed);
            }
            State::Open => {
                self.state = State::Closing;
                self.abandon_requests(&Error::Disconnected, now);
                self.stop_listening();
                self.requests.destroy(&self.credentials, now);
            }
            State::Closing => {}
        }
        self.run(now);
    }

    /// Ends the session without waiting for an answer: the page is being left.
    pub fn leave(&mut self, error: &Error, now: Time) {
        let before = std::mem::replace(&mut self.state, State::Closed);
        self.abandon_requests(error, now);
        self.stop_listening();
        self.credentials.stop_asking();
        if matches!(before, State::Open | State::Closing) {
            let transaction = self.requests.next_transaction();
            let request = &Request::<B>::Destroy;
            let destroy = Outgoing { transaction, target: Target::Session, request };
            self.transport.send_last(&destroy, &self.credentials);
        }
        self.credentials.end_session();
        self.run(now);
    }

    /// While media flows, a gateway out of reach is waited for without a limit: the calls would end
    /// with the session.
    pub fn retain_while_media_flows(&mut self, media_flows: bool) {
        self.transport.retain_while_media_flows(media_flows);
    }

    /// Checks at once whether the session is there, and retries everything that waits for a retry.
    pub fn look(&mut self, now: Time) {
        if self.is_open() {
            self.transport.hurry(now);
            self.requests.hurry(now);
            self.probe(now);
            self.handle_timeout(now);
        }
    }

    /// Attaches to a plugin; answered by [`Answer::Attached`]. While the session is being made, the
    /// request goes with it: the id is ours, and one round trip is saved. `account` is shown in
    /// place of the session's own.
    pub fn attach(
        &mut self,
        plugin: &str,
        account: Option<&str>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        let opaque_id = account.map(str::to_owned).or_else(|| self.account.clone());
        let request = Request::Attach { plugin: plugin.to_owned(), opaque_id };
        self.request(Queue::Unordered, request, now)
    }

    /// Sends the plugin a message; answered by [`Answer::Plugin`].
    pub fn message(
        &mut self,
        handle: HandleId,
        body: B,
        jsep: Option<Jsep>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        self.request(Queue::Messages(handle), Request::Message { body, jsep }, now)
    }

    /// Sends local candidates, several in one request.
    pub fn trickle(
        &mut self,
        handle: HandleId,
        candidates: Vec<Candidate>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        self.request(Queue::Candidates(handle), Request::Trickle(candidates.into()), now)
    }

    /// Detaches the handle, after everything that was sent to it before.
    pub fn detach(&mut self, handle: HandleId, now: Time) -> Result<TransactionId, Error> {
        self.request(Queue::Messages(handle), Request::Detach, now)
    }

    fn request(
        &mut self,
        queue: Queue,
        request: Request<B>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        match self.state {
            State::Opening { .. } | State::Open => {
                let transaction = self.requests.request(queue, request, &self.credentials, now);
                self.run(now);
                Ok(transaction)
            }
            State::Closed | State::Closing => Err(Error::NotConnected),
        }
    }

    // Inputs.

    /// The response to an HTTP request that was handed out.
    pub fn handle_http(&mut self, http: HttpId, response: HttpResponse, now: Time) {
        self.transport.handle_http(http, &response, &mut self.credentials, now);
        self.run(now);
        self.transport.handle_drained(&self.credentials, now);
        self.run(now);
    }

    /// The token that [`Output::AskToken`] asked for, or the page's reason why there is none.
    pub fn handle_token(
        &mut self,
        request: TokenRequest,
        result: Result<Secret, String>,
        now: Time,
    ) {
        self.credentials.handle_token(request, result, now);
        self.run(now);
    }

    /// The moment by which [`Session::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let requests = self.requests.poll_timeout(&self.credentials);
        let own = earliest(self.credentials.poll_timeout(), self.timers.next());
        earliest(own, earliest(requests, self.transport.poll_timeout()))
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.credentials.handle_timeout(now);
        self.run(now);
        loop {
            self.requests.handle_timeout(&self.credentials, now);
            self.run(now);
            let due = self.requests.poll_timeout(&self.credentials);
            if due.is_none_or(|due| due > now) {
                break;
            }
        }
        while let Some(Timer::Keepalive) = self.timers.pop_expired(now) {
            self.probe(now);
            self.schedule_keepalive(now);
        }
        self.run(now);
        self.transport.handle_timeout(&self.credentials, now);
        self.run(now);
    }

    /// The next output, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    // The parts.

    /// Carries the outputs of the parts from one to the other until all are quiet. An event of the
    /// transport is dealt with before the next one.
    fn run(&mut self, now: Time) {
        loop {
            if let Some(output) = self.credentials.poll_output() {
                self.handle_credentials(output, now);
            } else if let Some(output) = self.requests.poll_output() {
                self.handle_requests(output, now);
            } else if let Some(event) = self.transport.poll_output() {
                self.handle_transport(event, now);
            } else {
                return;
            }
        }
    }

    /// As [`Session::run`], but no new event of the transport is looked at.
    fn run_requests(&mut self, now: Time) {
        while let Some(output) = self.requests.poll_output() {
            self.handle_requests(output, now);
        }
    }

    fn handle_credentials(&mut self, output: credentials::Output, now: Time) {
        match output {
            credentials::Output::Ask(request) => {
                self.log(Level::Debug, "asking the page for a token".into());
                self.outputs.push_back(Output::AskToken(request));
            }
            credentials::Output::Renewed(waited) => {
                self.requests.handle_token(waited, &self.credentials);
                self.run_requests(now);
                self.transport.handle_token(&self.credentials, now);
            }
            credentials::Output::Failed(error) => match self.state {
                State::Opening { .. } => self.fail_to_open(error, now),
                State::Open | State::Closing => self.lose(error, now),
                State::Closed => {}
            },
        }
    }

    fn handle_requests(&mut self, output: requests::Output, now: Time) {
        match output {
            requests::Output::Send(transaction) => self.send(transaction, now),
            requests::Output::Cancel(transaction) => self.transport.cancel(transaction),
            requests::Output::Created(result) => self.handle_created(result, now),
            requests::Output::Destroyed => {
                self.state = State::Closed;
                self.credentials.stop_asking();
                self.credentials.end_session();
                self.outputs.push_back(Output::Closed);
            }
            requests::Output::Probed(Err(error)) if error.ends_session() => self.lose(error, now),
            requests::Output::Probed(result) => self.transport.handle_probed(result, now),
            requests::Output::SessionTimeout(seconds) => self.handle_lifetime(seconds, now),
            requests::Output::Answered(transaction, result) => {
                self.trial.attached |= matches!(result, Ok(Answer::Attached(_)));
                let lost = result.as_ref().err().filter(|error| error.is_session_lost()).cloned();
                self.outputs.push_back(Output::Answer(transaction, result));
                if let Some(error) = lost {
                    self.lose(error, now);
                }
            }
            requests::Output::Unanswered { error, deadline } => {
                self.transport.handle_unanswered(error, deadline, now);
            }
            requests::Output::Doubt => {
                self.doubt("the answer to a message does not come", Doubt::Possible);
            }
            requests::Output::Log(level, line) => self.log(level, line),
        }
    }

    fn send(&mut self, transaction: TransactionId, now: Time) {
        // It may have ended meanwhile.
        let Some(outgoing) = self.requests.outgoing(transaction) else { return };
        if let Err(due) = self.transport.send(&outgoing, &self.credentials, now) {
            self.requests.handle_delayed(transaction, due);
        }
    }

    fn handle_transport(&mut self, event: Event, now: Time) {
        match event {
            Event::Io(io) => self.outputs.push_back(Output::Io(io)),
            Event::Answered(transaction, message) => {
                self.handle_response(transaction, Ok(message), now);
            }
            Event::Failed(transaction, error) => self.handle_response(transaction, Err(error), now),
            Event::Message(message) => self.handle_message(message, now),
            Event::Receiving => self.trial.received = true,
            Event::Refreshed => self.schedule_keepalive(now),
            Event::Probe => self.probe(now),
            Event::Trouble(error) => self.outputs.push_back(Output::Trouble(error)),
            Event::Restored => self.outputs.push_back(Output::Restored),
            Event::Doubt(why, doubt) => self.doubt(why, doubt),
            Event::Skipped(error) => self.requests.handle_skipped(&error),
            Event::Down(error) => self.lose(error, now),
            Event::Log(level, line) => self.log(level, line),
        }
    }

    fn handle_response(
        &mut self,
        transaction: TransactionId,
        result: Result<Message, Error>,
        now: Time,
    ) {
        self.requests.handle_response(transaction, result, &mut self.credentials, now);
    }

    /// A message that the gateway sent by itself.
    fn handle_message(&mut self, message: Message, now: Time) {
        match message {
            Message::Keepalive | Message::Ack { .. } | Message::ServerInfo { .. } => {}
            Message::Notice { sender, notice } => {
                self.outputs.push_back(Output::Notice(sender, notice));
            }
            Message::Reply { transaction, .. } | Message::Success { transaction, .. } => {
                self.handle_answer(transaction, Ok(message), now);
            }
            Message::Error { transaction: Some(transaction), code, reason } => {
                let error = self.credentials.refusal(code, &reason);
                self.handle_answer(transaction, Err(error), now);
            }
            Message::Error { transaction: None, code, reason } => {
                match self.credentials.refusal(code, &reason) {
                    error if error.is_session_lost() => self.lose(error, now),
                    error if error.is_unauthorized() => self.probe(now),
                    error => self.warn("the gateway says", &error),
                }
            }
            Message::Timeout => self.lose(Error::SessionTimedOut, now),
            Message::Unknown(why) => {
                let line = format!("skipped {}", self.credentials.hide(&why));
                self.log(Level::Warn, line);
            }
        }
    }

    fn handle_answer(&mut self, transaction: u64, result: Result<Message, Error>, now: Time) {
        let transaction = TransactionId(transaction);
        self.requests.handle_answer(transaction, result, &mut self.credentials, now);
    }

    // The beginning.

    fn open_next(
        &mut self,
        mut rest: Vec<ServerUrl>,
        failures: Vec<(ServerUrl, Error)>,
        now: Time,
    ) {
        let Some(server) = rest.pop() else {
            return self.fail_to_open(Error::NoServer { failures }, now);
        };
        let id = SessionId::from_random((self.random)());
        self.credentials.begin_session(id);
        self.transport.open(&server);
        self.state = State::Opening { server, rest, failures };
        self.requests.open(id, &self.credentials, now);
    }

    fn fail_to_open(&mut self, error: Error, now: Time) {
        self.end(&error, now);
        self.outputs.push_back(Output::Opened(Err(error)));
    }

    fn handle_created(&mut self, result: Result<SessionId, Error>, now: Time) {
        let (server, mut rest, mut failures) =
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Opening { server, rest, failures } => (server, rest, failures),
                other => {
                    self.state = other;
                    return;
                }
            };
        match result {
            Ok(id) => self.handle_open(&server, id, now),
            Err(error) => {
                self.warn(server.as_str(), &error);
                // The id is taken: the same server, another id.
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

    fn handle_open(&mut self, server: &ServerUrl, id: SessionId, now: Time) {
        self.log(Level::Info, format!("connected to {}", server.as_str()));
        self.state = State::Open;
        self.credentials.begin_session(id);
        self.trial.since = Some(now);
        self.outputs.push_back(Output::Opened(Ok(())));
        self.transport.listen(&self.credentials, now);
        self.requests.handle_created(&self.credentials, now);
        if matches!(self.lifetime, Lifetime::Doubtful) {
            self.lifetime = Lifetime::Sufficient;
            self.requests.request(Queue::Unordered, Request::Info, &self.credentials, now);
        }
    }

    // Keeping it alive.

    /// Asks the gateway whether it knows the session.
    fn probe(&mut self, now: Time) {
        if self.is_open() {
            self.requests.probe(&self.credentials, now);
        }
    }

    fn handle_lifetime(&mut self, seconds: u64, now: Time) {
        let timeout = Duration::from_secs(seconds);
        let is_short = !timeout.is_zero() && timeout <= self.transport.longest_silence();
        self.lifetime = if is_short { Lifetime::Short(timeout) } else { Lifetime::Sufficient };
        self.log(Level::Info, format!("the gateway forgets sessions after {seconds} s"));
        self.schedule_keepalive(now);
    }

    /// At half the time after which the session ends.
    fn schedule_keepalive(&mut self, now: Time) {
        match self.lifetime {
            Lifetime::Short(timeout) => {
                let interval = timeout.checked_div(2).unwrap_or(timeout);
                self.timers.set(Timer::Keepalive, now + interval);
            }
            Lifetime::Sufficient | Lifetime::Doubtful => self.timers.stop(Timer::Keepalive),
        }
    }

    fn doubt(&mut self, why: &str, doubt: Doubt) {
        self.log(Level::Info, format!("{why}: an event may be lost"));
        self.outputs.push_back(Output::Doubt(doubt));
    }

    // The end.

    fn lose(&mut self, mut error: Error, now: Time) {
        if matches!(error, Error::Refused { code: CoreCode::NO_SUCH_SESSION, .. })
            && !self.is_past_probation(now)
        {
            error = Error::Misrouted;
        }
        match self.state {
            State::Open => {
                if error.is_session_lost() && matches!(self.lifetime, Lifetime::Sufficient) {
                    self.lifetime = Lifetime::Doubtful;
                }
                self.end(&error, now);
                self.outputs.push_back(Output::Lost(error));
            }
            State::Closing => {
                self.end(&error, now);
                self.outputs.push_back(Output::Closed);
            }
            State::Closed | State::Opening { .. } => {}
        }
    }

    /// There is no session any more: every request fails with this error.
    fn end(&mut self, error: &Error, now: Time) {
        self.state = State::Closed;
        self.credentials.stop_asking();
        self.stop_listening();
        self.abandon_requests(error, now);
        self.credentials.end_session();
    }

    fn stop_listening(&mut self) {
        self.timers.stop(Timer::Keepalive);
        self.transport.stop();
    }

    fn abandon_requests(&mut self, error: &Error, now: Time) {
        self.requests.abandon(error);
        self.run_requests(now);
    }

    fn warn(&mut self, subject: &str, error: &Error) {
        self.log(Level::Warn, format!("{subject}: {error}"));
    }

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Output::Log(level, line));
    }
}
