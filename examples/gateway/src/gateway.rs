//! The gateway itself: requests and polls come in with the time, answers come out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::Options;
use crate::connection::{Handle, TICK};
use crate::random::Random;
use crate::reply::{self, CoreError};
use crate::request::Target;
use crate::session::{Departed, Session};
use crate::work::{Work, WorkQueue};

/// How long the last words of a session are kept for a poll that was waiting.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// A gateway for any number of clients, without I/O and without a clock.
///
/// Every method that acts takes `now`, the time since a moment of the caller's choice, in steps that never go
/// back. After any call, [`next_timeout`](Self::next_timeout) tells when
/// [`handle_timeout`](Self::handle_timeout) has something to do.
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
    /// Sessions that timed out lately.
    pub(crate) departed: BTreeMap<u64, Departed>,
    /// All handles, those that have just left included.
    pub(crate) handles: BTreeMap<u64, Handle>,
    /// Who has which name.
    pub(crate) names: BTreeMap<String, u64>,
    pub(crate) work: WorkQueue,
    /// Where in a second the clock of the closing timer ticks.
    pub(crate) tick_offset: Duration,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status: 200 for all that Janus words as JSON, errors included.
    pub status: u16,
    /// JSON, or empty for every other status.
    pub body: String,
}

/// What a GET comes to.
#[derive(Debug)]
pub enum Get {
    /// An answer at once.
    Answer(Response),
    /// A poll that waits for events.
    Wait(PollTicket),
}

/// What a poll comes to.
#[derive(Debug)]
pub enum Poll {
    /// Events, at least one and at most as many as were asked for.
    Events(Vec<Value>),
    /// Nothing yet: ask again with the ticket.
    Wait(PollTicket),
    /// There is no such session (any more).
    UnknownSession,
}

/// A poll that waits. It may be thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollTicket {
    session: u64,
    generation: u64,
    queued: u64,
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
            departed: BTreeMap::new(),
            handles: BTreeMap::new(),
            names: BTreeMap::new(),
            work: WorkQueue::default(),
        }
    }

    /// Answers a POST. `path` is what follows the gateway's base: empty, `/SESSION` or `/SESSION/HANDLE`.
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

    /// Answers a GET: the server's description, or a poll. `query` is what follows the question mark.
    pub fn get(&mut self, path: &str, query: &str, now: Duration) -> Get {
        self.handle_timeout(now);
        let Some(path) = Path::parse(path) else { return Get::Answer(Response::empty(404)) };
        if path.session == "info" {
            return Get::Answer(Response::json(&reply::server_info(&self.options, "info")));
        }
        let session = leading_number(path.session);
        if session == 0 {
            return Get::Answer(Response::empty(404));
        }
        let argument = |name| query_argument(query, name);
        if !self.is_authorized(argument("apisecret").as_deref(), argument("token").as_deref()) {
            return Get::Answer(Response::empty(403));
        }
        let max_events = argument("maxev").map_or(1, |text| leading_number(&text));
        let max_events = usize::try_from(max_events).unwrap_or(usize::MAX);
        match self.poll(session, max_events, now) {
            Poll::Wait(ticket) => Get::Wait(ticket),
            Poll::Events(events) => Get::Answer(Response::events(events, max_events)),
            Poll::UnknownSession => Get::Answer(Response::empty(404)),
        }
    }

    /// Starts a poll for at most `max_events`. That keeps the session alive, as only a poll's start does.
    pub fn poll(&mut self, session: u64, max_events: usize, now: Duration) -> Poll {
        self.handle_timeout(now);
        let Some(entry) = self.sessions.get_mut(&session) else { return Poll::UnknownSession };
        entry.last_activity = self.now;
        entry.polled = true;
        let max_events = max_events.max(1);
        let Session { generation, queued, .. } = *entry;
        let ticket = PollTicket { session, generation, queued, max_events };
        let events = entry.take_events(max_events);
        if events.is_empty() { Poll::Wait(ticket) } else { Poll::Events(events) }
    }

    /// Looks again for a poll that waits. One whose session was destroyed or claimed waits in vain, as it
    /// does in Janus, until the transport's limit of 30 s ends it.
    pub fn collect(&mut self, ticket: &PollTicket, now: Duration) -> Poll {
        self.handle_timeout(now);
        if let Some(departed) = self.departed.remove(&ticket.session) {
            return Poll::Events(departed.events);
        }
        let session = self.sessions.get_mut(&ticket.session);
        let heard = session.filter(|session| {
            session.generation == ticket.generation && session.queued != ticket.queued
        });
        let Some(session) = heard else { return Poll::Wait(ticket.clone()) };
        let events = session.take_events(ticket.max_events);
        // An event wakes all polls of a session: the first takes it and the others leave with nothing.
        Poll::Events(if events.is_empty() { vec![reply::keepalive()] } else { events })
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, if there is anything to wait for.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let ends = self.sessions.values().map(|session| self.end_of(session));
        ends.chain(self.work.next_due()).min()
    }

    /// Does what has fallen due by `now`: work of Janus' other threads, and the end of idle sessions.
    pub fn handle_timeout(&mut self, now: Duration) {
        loop {
            let until = self.next_timeout().filter(|due| *due <= now);
            let Some(until) = until else { break };
            self.now = self.now.max(until);
            self.run_due();
            self.end_idle_sessions();
        }
        self.now = self.now.max(now);
        self.departed.retain(|_, departed| departed.at + LAST_WORDS > now);
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

    /// Queues an event for a session's next poll; there may be no such session any more.
    pub(crate) fn push(&mut self, session: u64, event: Value) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.queue(event);
        }
    }

    /// Secret or token: one that is right is enough. Nothing is asked where neither is set.
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

    /// Only a poll that is waiting hears the `timeout`: the events go with the session.
    fn end_idle_sessions(&mut self) {
        let idle: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| self.end_of(session) <= self.now)
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            self.push(id, reply::timeout(id));
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            if session.polled {
                let events = session.events.drain(..).collect();
                self.departed.insert(id, Departed { events, at: self.now });
            }
            self.end_session(id);
        }
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
        match events.pop() {
            Some(event) if max_events <= 1 => Self::json(&event),
            Some(event) => {
                events.push(event);
                Self::json(&Value::Array(events))
            }
            None => Self::keepalive(max_events),
        }
    }

    /// The answer to a poll that has waited in vain.
    #[must_use]
    pub fn keepalive(max_events: usize) -> Self {
        Self::events(vec![reply::keepalive()], max_events)
    }
}

impl PollTicket {
    /// How many events the poll asked for.
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

    /// Ids may stand in the path, in the body, or in both if they agree.
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

/// The number that a text begins with, 0 if it begins with none: how C reads an id.
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
