//! The gateway: requests and polls go in with the time, answers come out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::Options;
use crate::connection::{Handle, TICK};
use crate::random::Random;
use crate::reply::{self, CoreError};
use crate::request::Target;
use crate::session::{Session, WaitingPoll};
use crate::work::{Work, WorkQueue};

/// The time limit of a poll, which is then answered with a `keepalive`.
const POLL_LIMIT: Duration = Duration::from_secs(30);

/// How long after its limit a poll's answer is kept for collection.
const UNCOLLECTED_LIMIT: Duration = Duration::from_secs(60);

/// A gateway for any number of clients, without I/O and without a clock.
///
/// Every method that acts takes `now`, the time since an origin of the caller's choice, which must
/// never go back. After any call, [`next_timeout`](Self::next_timeout) returns when
/// [`handle_timeout`](Self::handle_timeout) has work to do.
///
/// ```
/// use std::time::Duration;
/// use videortc_gateway::{Gateway, Options};
///
/// let mut gateway = Gateway::new(Options::default());
/// let answer = gateway.post("", r#"{"janus":"ping","transaction":"t"}"#, Duration::ZERO);
/// assert_eq!(answer.status, 200);
/// assert!(answer.body.contains("pong"));
/// ```
#[derive(Debug)]
pub struct Gateway {
    pub(crate) options: Options,
    pub(crate) random: Random,
    pub(crate) now: Duration,
    pub(crate) sessions: BTreeMap<u64, Session>,
    /// Ordered by age.
    polls: BTreeMap<u64, WaitingPoll>,
    polls_ever: u64,
    /// All handles, including those that were just detached.
    pub(crate) handles: BTreeMap<u64, Handle>,
    /// The owner of each name.
    pub(crate) names: BTreeMap<String, u64>,
    pub(crate) work: WorkQueue,
    /// The phase of the closing timer within a second.
    pub(crate) tick_offset: Duration,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status: 200 for all JSON answers of Janus, including errors.
    pub status: u16,
    /// JSON, or empty for every other status.
    pub body: String,
}

/// The result of a GET.
#[derive(Debug)]
pub enum Get {
    /// An answer at once.
    Answer(Response),
    /// A poll that waits for events.
    Wait(PollTicket),
}

/// The same with structured events, for callers that modify them.
#[derive(Debug)]
pub(crate) enum RawGet {
    Answer(Response),
    Events { events: Vec<Value>, max_events: usize },
    Wait(PollTicket),
}

/// The result of a poll.
#[derive(Debug)]
pub enum Poll {
    /// At least one event, and at most the requested number.
    Events(Vec<Value>),
    /// No events yet: check again with the ticket.
    Wait(PollTicket),
    /// The session does not exist (any more).
    UnknownSession,
}

/// A waiting poll. If it is dropped, the client has abandoned it: like Janus, the gateway does not
/// notice and loses the next event to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollTicket {
    poll: u64,
    max_events: usize,
}

impl Gateway {
    /// A gateway without sessions.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut random = Random::new(options.seed);
        Self {
            tick_offset: random.delay(&(Duration::ZERO..=TICK)),
            random,
            options,
            now: Duration::ZERO,
            sessions: BTreeMap::new(),
            polls: BTreeMap::new(),
            polls_ever: 0,
            handles: BTreeMap::new(),
            names: BTreeMap::new(),
            work: WorkQueue::default(),
        }
    }

    /// Answers a POST. `path` is what follows the gateway's base: empty, `/SESSION` or
    /// `/SESSION/HANDLE`.
    pub fn post(&mut self, path: &str, body: &str, now: Duration) -> Response {
        self.handle_timeout(now);
        let Some(path) = Path::parse(path) else { return Response::empty(404) };
        if path.session == "info" || body.is_empty() {
            return Response::empty(400);
        }
        let answer = match read(body).and_then(|members| Ok((path.target(&members)?, members))) {
            Ok((target, members)) => self.request(&members, target),
            Err(error) => reply::error(0, None, &error),
        };
        self.run_due();
        Response::json(&answer)
    }

    /// Answers a GET: the server's description, or a poll. `query` is what follows the question
    /// mark.
    pub fn get(&mut self, path: &str, query: &str, now: Duration) -> Get {
        match self.raw_get(path, query, now) {
            RawGet::Answer(answer) => Get::Answer(answer),
            RawGet::Events { events, max_events } => {
                Get::Answer(Response::events(events, max_events))
            }
            RawGet::Wait(ticket) => Get::Wait(ticket),
        }
    }

    pub(crate) fn raw_get(&mut self, path: &str, query: &str, now: Duration) -> RawGet {
        self.handle_timeout(now);
        let Some(path) = Path::parse(path) else { return RawGet::Answer(Response::empty(404)) };
        if path.session == "info" {
            return RawGet::Answer(Response::json(&reply::server_info(&self.options, "info")));
        }
        let session = leading_number(path.session);
        if session == 0 {
            return RawGet::Answer(Response::empty(404));
        }
        let argument = |name| query_argument(query, name);
        if !self.is_authorized(argument("apisecret").as_deref(), argument("token").as_deref()) {
            return RawGet::Answer(Response::empty(403));
        }
        let max_events = argument("maxev").map_or(1, |text| leading_number(&text));
        let max_events = usize::try_from(max_events).unwrap_or(usize::MAX);
        match self.poll(session, max_events, now) {
            Poll::Wait(ticket) => RawGet::Wait(ticket),
            Poll::Events(events) => RawGet::Events { events, max_events },
            Poll::UnknownSession => RawGet::Answer(Response::empty(404)),
        }
    }

    /// The registered name of the session in `path`, the path of a request.
    #[must_use]
    pub fn user(&self, path: &str) -> Option<&str> {
        let session = leading_number(Path::parse(path)?.session);
        let handles = &self.sessions.get(&session)?.handles;
        let mut entries = handles.iter().filter_map(|handle| self.handles.get(handle));
        entries.find_map(|entry| entry.party.name.as_deref())
    }

    /// The next end of this user's accepted call never comes: a rare bug of Janus shortly after the
    /// accept. Until its handle is detached, the user can neither call nor be called.
    pub fn wedge(&mut self, user: &str) {
        let handle = self.names.get(user).and_then(|handle| self.handles.get_mut(handle));
        if let Some(handle) = handle {
            handle.connection.stuck = true;
        }
    }

    /// This user's end of the media connection closes and sends a close alert (RFC 5246, section
    /// 7.2.1).
    pub fn hear_goodbye(&mut self, user: &str, now: Duration) {
        self.handle_timeout(now);
        if let Some(handle) = self.names.get(user).copied() {
            self.hang_up_connection(handle, "DTLS alert");
        }
    }

    /// Replaces the valid tokens. A waiting poll is not checked again.
    pub fn set_tokens(&mut self, tokens: Vec<String>) {
        self.options.tokens = tokens;
    }

    /// Drops every session, as a restart of the program does, without notification.
    pub fn restart(&mut self, now: Duration) {
        self.handle_timeout(now);
        self.sessions.clear();
        self.polls.clear();
        self.handles.clear();
        self.names.clear();
        self.work = WorkQueue::default();
    }

    /// Starts a poll for at most `max_events`. That keeps the session alive, as only a poll's start
    /// does.
    pub fn poll(&mut self, session: u64, max_events: usize, now: Duration) -> Poll {
        self.handle_timeout(now);
        let Some(entry) = self.sessions.get_mut(&session) else { return Poll::UnknownSession };
        entry.last_activity = self.now;
        let max_events = max_events.max(1);
        let events = entry.take_events(max_events);
        if !events.is_empty() {
            return Poll::Events(events);
        }
        self.polls_ever += 1;
        let (generation, deadline) = (entry.generation, self.now + POLL_LIMIT);
        let poll = WaitingPoll { session, generation, max_events, deadline, answer: None };
        self.polls.insert(self.polls_ever, poll);
        Poll::Wait(PollTicket { poll: self.polls_ever, max_events })
    }

    /// Checks a waiting poll again. After 30 s it is answered with a `keepalive`. A poll whose
    /// session was destroyed or claimed also waits until then, as in Janus.
    pub fn collect(&mut self, ticket: &PollTicket, now: Duration) -> Poll {
        self.handle_timeout(now);
        match self.polls.get_mut(&ticket.poll) {
            None => Poll::UnknownSession,
            Some(poll) => match poll.answer.take() {
                None => Poll::Wait(ticket.clone()),
                Some(events) => {
                    self.polls.remove(&ticket.poll);
                    Poll::Events(events)
                }
            },
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, if there is anything to
    /// wait for.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let ends = self.sessions.values().map(|session| self.end_of(session));
        let waiting = self.polls.values().filter(|poll| poll.answer.is_none());
        let limits = waiting.map(|poll| poll.deadline);
        ends.chain(limits).chain(self.work.next_due()).min()
    }

    /// Performs the work that is due by `now`: work of Janus' other threads, and the expiry of idle
    /// sessions and polls.
    pub fn handle_timeout(&mut self, now: Duration) {
        loop {
            let until = self.next_timeout().filter(|due| *due <= now);
            let Some(until) = until else { break };
            self.now = self.now.max(until);
            self.run_due();
            self.end_idle_sessions();
            self.end_vain_polls();
        }
        self.now = self.now.max(now);
    }

    pub(crate) fn run_due(&mut self) {
        while let Some((due, work)) = self.work.pop_due(self.now) {
            self.now = self.now.max(due);
            self.run(work);
        }
    }

    fn run(&mut self, work: Work) {
        match work {
            Work::PluginRequest { handle, transaction, body, jsep } => {
                self.plugin_request(handle, &transaction, &body, jsep.as_ref());
            }
            Work::CloseConnection { handle } => self.close_connection(handle),
            Work::EndConnection { handle } => self.end_connection(handle),
            Work::ConnectionUp { handle } => self.connection_up(handle),
            Work::Detach { handle } => {
                self.finish_cleaning(handle);
                self.party_left(handle);
                if let Some(left) = self.handles.remove(&handle) {
                    self.push(left.session, reply::detached(left.session, handle));
                }
            }
        }
    }

    /// Queues an event for a session, if it exists. Wakes all waiting polls: the oldest takes the
    /// event, and the others end without one.
    pub(crate) fn push(&mut self, id: u64, event: Value) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.events.push_back(event);
        for poll in self.polls.values_mut() {
            let hears = poll.session == id && poll.generation == session.generation;
            if hears && poll.answer.is_none() {
                let events = session.take_events(poll.max_events);
                poll.answer =
                    Some(if events.is_empty() { vec![reply::keepalive()] } else { events });
            }
        }
    }

    /// A valid secret or token is sufficient. If neither is configured, everyone is authorized.
    pub(crate) fn is_authorized(&self, secret: Option<&str>, token: Option<&str>) -> bool {
        let Options { api_secret, tokens, .. } = &self.options;
        let open = api_secret.is_none() && tokens.is_empty();
        let secret_fits = api_secret.is_some() && api_secret.as_deref() == secret;
        let token_fits = token.is_some_and(|token| tokens.iter().any(|valid| valid == token));
        open || secret_fits || token_fits
    }

    fn end_of(&self, session: &Session) -> Duration {
        session.last_activity + self.options.session_timeout
    }

    /// Only a waiting poll receives the `timeout`: the events are dropped with the session.
    fn end_idle_sessions(&mut self) {
        let idle: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| self.end_of(session) <= self.now)
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            self.push(id, reply::timeout(id));
            self.end_session(id);
        }
    }

    fn end_vain_polls(&mut self) {
        let now = self.now;
        for poll in self.polls.values_mut().filter(|poll| poll.deadline <= now) {
            poll.answer.get_or_insert_with(|| vec![reply::keepalive()]);
        }
        self.polls.retain(|_, poll| poll.deadline + UNCOLLECTED_LIMIT > now);
    }
}

impl Response {
    fn json(body: &Value) -> Self {
        Self { status: 200, body: body.to_string() }
    }

    fn empty(status: u16) -> Self {
        Self { status, body: String::new() }
    }

    /// A poll's answer: an array, or the bare event for a poll that asked for one.
    #[must_use]
    pub fn events(mut events: Vec<Value>, max_events: usize) -> Self {
        if max_events > 1 {
            return Self::json(&Value::Array(events));
        }
        Self::json(&events.pop().unwrap_or_else(reply::keepalive))
    }

    /// The answer to a poll without events.
    #[must_use]
    pub fn keepalive(max_events: usize) -> Self {
        Self::events(vec![reply::keepalive()], max_events)
    }
}

impl PollTicket {
    /// The requested maximum of events.
    #[must_use]
    pub fn max_events(&self) -> usize {
        self.max_events
    }
}

/// The components of a path; missing ones are empty.
struct Path<'a> {
    session: &'a str,
    handle: &'a str,
}

impl<'a> Path<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let mut components = path.trim_start_matches('/').splitn(3, '/');
        let mut next = || components.next().unwrap_or_default();
        let (session, handle, rest) = (next(), next(), next());
        rest.is_empty().then_some(Self { session, handle })
    }

    /// Ids may be in the path, in the body, or in both if they agree.
    fn target(&self, members: &Map<String, Value>) -> Result<Target, CoreError> {
        let one_of = |member: &str, component: &str, what: &str| {
            let in_path = leading_number(component);
            match members.get(member).and_then(Value::as_u64).unwrap_or_default() {
                0 => Ok(in_path),
                in_body if component.is_empty() || in_body == in_path => Ok(in_body),
                _ => Err(CoreError::new(457, format!("Conflicting {what} ID (payload and path)"))),
            }
        };
        let session = one_of("session_id", self.session, "session")?;
        let handle = one_of("handle_id", self.handle, "handle")?;
        let names_handle = handle > 0 || members.get("handle_id").is_some_and(|id| !id.is_null());
        Ok(Target { session, handle, names_handle })
    }
}

fn read(body: &str) -> Result<Map<String, Value>, CoreError> {
    match serde_json::from_str(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Array(_)) => Err(CoreError::new(455, "JSON error: not an object")),
        Ok(_) => Err(CoreError::new(454, "JSON error: on line 1: '[' or '{' expected")),
        Err(error) => {
            Err(CoreError::new(454, format!("JSON error: on line {}: {error}", error.line())))
        }
    }
}

/// The leading number of a text, 0 if there is none: how C parses an id.
fn leading_number(text: &str) -> u64 {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn query_argument(query: &str, name: &str) -> Option<String> {
    let mut arguments = query.split('&').filter_map(|argument| argument.split_once('='));
    arguments.find(|(key, _)| *key == name).map(|(_, value)| percent_decoded(value))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
