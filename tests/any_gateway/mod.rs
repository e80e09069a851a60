//! A simulator: a gateway that answers anything at any time, and a page that does anything.

// A test may panic: that is how it fails.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../dice/mod.rs"]
mod dice;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::{Value, json};
use videortc::client::{Client, Outcome, Output, UseCaseId};
use videortc::config::{GatewayConfig, Secret, ServerUrl, Token, UserName};
use videortc::error::Error;
use videortc::peer::{ConnectionId, ConnectionState, PeerCommand, PeerEvent};
use videortc::signaling::{Candidate, HttpId, HttpRequest, HttpResponse, Io, TokenRequest};
use videortc::time::Time;
use videortc::usecase::video_call::{CallConfig, Event, Settings};
use videortc::usecase::{self, Command, Plugin};

const BASE: &str = "https://gateway.test/janus";
const SDP: &str = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";

/// The maximum of requests per minute for a page with one object.
const MOST_OF_ONE: usize = 500;
/// The same with several objects. The core allows bursts of 200 POSTs and 40 polls, and then 8 and
/// 2 per second.
const MOST_OF_MANY: usize = 200 + 8 * 60 + 40 + 2 * 60;
/// The time limit of a command: `retryLimit`, 120 s, plus the time limits of a call.
pub(crate) const LONGEST: u64 = 300_000;

/// The kinds of requests that a gateway may treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Create,
    Attach,
    Keepalive,
    Register,
    Message,
    Query,
    Other,
    Poll,
    Info,
}

const KINDS: [Kind; 9] = [
    Kind::Create,
    Kind::Attach,
    Kind::Keepalive,
    Kind::Register,
    Kind::Message,
    Kind::Query,
    Kind::Other,
    Kind::Poll,
    Kind::Info,
];

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// As Janus does.
    Well,
    /// An ack and no event.
    Ack,
    /// Refused by the core.
    Core(i64),
    /// Refused by the plugin, for plugin requests.
    Plugin(i64),
    /// An answer of another server.
    Page(u16),
    /// An HTTP status without a body.
    Empty(u16),
    /// A network failure.
    Fails,
    /// No response at all.
    Never,
    /// For a poll: an unexpected event, by number.
    Event(u8),
    /// For a poll: no events, immediately.
    Nothing,
    /// For a poll: the same body as before.
    Same,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        4 => Just(Way::Well),
        1 => Just(Way::Ack),
        1 => Just(Way::Core(458)),
        2 => prop::sample::select(vec![403, 457, 459, 468, 469, 472, 490]).prop_map(Way::Core),
        1 => prop::sample::select(vec![473, 476, 477, 478, 480, 481, 482]).prop_map(Way::Plugin),
        1 => prop::sample::select(vec![200, 401, 403, 404, 502]).prop_map(Way::Page),
        1 => prop::sample::select(vec![200, 403, 404, 500]).prop_map(Way::Empty),
        1 => Just(Way::Fails),
        1 => Just(Way::Never),
        2 => (0u8..12).prop_map(Way::Event),
        1 => Just(Way::Nothing),
        1 => Just(Way::Same),
    ]
}

/// The answers per kind of request, in turn, each with its delay in milliseconds.
pub(crate) type Habits = Vec<Vec<(Way, u16)>>;

pub(crate) fn habits() -> impl Strategy<Value = Habits> {
    let delay = prop_oneof![4 => 0u16..20, 1 => 0u16..2000, 1 => 0u16..30_000];
    prop::collection::vec(prop::collection::vec((way(), delay), 1..4), KINDS.len())
}

/// An action of a page or its browser.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Connect,
    Disconnect,
    /// With or without its own account.
    VideoCall(bool),
    Register,
    List,
    Set,
    Call,
    Accept,
    HangUp,
    Close,
    Online,
    Visible,
    Hide,
    Show,
    Path(ConnectionState),
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<(u32, Act)>> {
    let at = prop_oneof![1 => 0u32..600_000, 2 => 0u32..2000, 1 => 0u32..60_000];
    let act = prop_oneof![
        2 => Just(Act::Connect),
        1 => Just(Act::Disconnect),
        2 => any::<bool>().prop_map(Act::VideoCall),
        2 => Just(Act::Register),
        1 => Just(Act::List),
        1 => Just(Act::Set),
        2 => Just(Act::Call),
        2 => Just(Act::Accept),
        1 => Just(Act::HangUp),
        1 => Just(Act::Close),
        1 => Just(Act::Online),
        1 => Just(Act::Visible),
        1 => Just(Act::Hide),
        2 => Just(Act::Show),
        1 => prop::sample::select(vec![ConnectionState::Connected, ConnectionState::Disconnected, ConnectionState::Failed])
            .prop_map(Act::Path),
    ];
    prop::collection::vec((at, act), 0..30)
}

/// The next events in the simulation, by time.
enum Work {
    Respond(HttpId, HttpResponse),
    Describe(UseCaseId, ConnectionId, PeerCommand),
    Act(Act),
    Token(TokenRequest),
}

pub(crate) struct Storm {
    client: Client,
    pub(crate) now: u64,
    pub(crate) habits: Habits,
    pub(crate) turns: BTreeMap<Kind, usize>,
    work: BTreeMap<(u64, u64), Work>,
    sequence: u64,
    /// The events for the next poll.
    news: Vec<Value>,
    /// The waiting poll and its limit.
    poll: Option<(HttpId, u64)>,
    last_poll: String,
    /// Gateways behind one address take turns: each knows only its own sessions.
    pub(crate) gateways: Option<[Vec<u64>; 2]>,
    turn: usize,
    /// The attached handles with their accounts.
    pub(crate) handles: Vec<(u64, String)>,
    /// The handle of the current request.
    handle: u64,
    /// The delay of the page's token function; absent if there is none.
    token_delay: Option<u64>,
    pub(crate) tokens: u64,
    /// The number of objects that the page requested.
    objects: usize,
    /// Those that it has, and those that are at their end.
    pub(crate) calls: Vec<UseCaseId>,
    ended: BTreeSet<UseCaseId>,
    /// Whose page was told that it is reconnecting.
    told: BTreeSet<UseCaseId>,
    pub(crate) events: Vec<(UseCaseId, Event)>,
    is_hidden: bool,
    connection: Option<ConnectionId>,
    pub(crate) open: BTreeMap<Command, u64>,
    pub(crate) errors: Vec<Error>,
    last_command: u64,
    /// The times of the requests of the last minute.
    recent: VecDeque<u64>,
    pub(crate) most: usize,
    pub(crate) total: usize,
}

impl Storm {
    pub(crate) fn new(habits: Habits, seed: u64) -> Self {
        Self::with(GatewayConfig::new(vec![ServerUrl::new(BASE)]), habits, seed)
    }

    /// A page with an object and a name, at a gateway that behaves like Janus.
    pub(crate) fn ready() -> Self {
        let mut storm = Self::new(well(), 1);
        storm.begin();
        storm
    }

    /// A page with a token function that takes this many milliseconds.
    pub(crate) fn with_tokens(delay: u64, habits: Habits, seed: u64) -> Self {
        let mut config = GatewayConfig::new(vec![ServerUrl::new(BASE)]);
        config.token = Token::Asked;
        Self { token_delay: Some(delay), ..Self::with(config, habits, seed) }
    }

    fn with(config: GatewayConfig, habits: Habits, seed: u64) -> Self {
        Self {
            client: Client::new(config, dice::loaded(seed)),
            now: 1000,
            habits,
            turns: BTreeMap::new(),
            work: BTreeMap::new(),
            sequence: 0,
            news: Vec::new(),
            poll: None,
            last_poll: "[]".into(),
            gateways: None,
            turn: 0,
            handles: Vec::new(),
            handle: 0,
            token_delay: None,
            tokens: 0,
            objects: 0,
            calls: Vec::new(),
            ended: BTreeSet::new(),
            told: BTreeSet::new(),
            events: Vec::new(),
            is_hidden: false,
            connection: None,
            open: BTreeMap::new(),
            errors: Vec::new(),
            last_command: 0,
            recent: VecDeque::new(),
            most: 0,
            total: 0,
        }
    }

    fn time(&self) -> Time {
        Time::from_millis(self.now)
    }

    fn command(&mut self, act: impl FnOnce(&mut Client, Command, Time)) -> Command {
        self.last_command += 1;
        let command = Command(self.last_command);
        self.open.insert(command, self.now);
        let now = self.time();
        act(&mut self.client, command, now);
        self.drain();
        command
    }

    pub(crate) fn act(&mut self, act: Act) {
        let now = self.time();
        // A hidden page runs no code.
        let is_browsers = matches!(act, Act::Show | Act::Online | Act::Visible);
        if self.is_hidden && !is_browsers {
            return;
        }
        match act {
            Act::Online => self.client.handle_online(now),
            Act::Visible => self.client.handle_visible(now),
            Act::Hide => {
                self.is_hidden = true;
                self.client.handle_hide(now);
            }
            Act::Show => {
                self.is_hidden = false;
                // The poll was abandoned meanwhile.
                self.open.values_mut().for_each(|since| *since = now.as_millis());
                self.client.handle_show(now);
            }
            Act::Connect => {
                self.command(|client, command, now| client.connect(command, now));
            }
            Act::Disconnect => {
                self.command(|client, command, now| client.disconnect(command, now));
            }
            Act::VideoCall(has_account) => {
                self.objects += 1;
                let account = has_account.then(|| "own".into());
                let config = CallConfig { account, ..CallConfig::default() };
                self.command(|client, command, now| client.video_call(command, config, now));
            }
            // The page has no object before it is attached.
            _ => {
                self.sequence += 1;
                let count = self.calls.len().max(1);
                if let Some(&id) = self.calls.get(self.sequence as usize % count) {
                    self.act_on(id, act);
                }
            }
        }
        self.drain();
    }

    pub(crate) fn act_on(&mut self, id: UseCaseId, act: Act) {
        if let Act::Path(state) = act {
            let (Some(connection), now) = (self.connection, self.time()) else { return };
            self.client.with_video_call(id, None, now, |call| {
                call.handle_peer(connection, PeerEvent::State(state), now)
            });
            return self.drain();
        }
        self.command(|client, command, now| {
            client.with_video_call(id, Some(command), now, |call| match act {
                Act::Register => call.register(command, UserName::parse("Tom"), now),
                Act::List => call.list(command),
                Act::Set => call.set(command, Settings::default()),
                Act::Call => call.call(command, UserName::parse("Jack"), now),
                Act::Accept => call.accept(command, now),
                Act::Close => call.close(command, now),
                _ => call.hang_up(command, None, now),
            });
        });
    }

    fn schedule(&mut self, delay: u64, work: Work) {
        self.sequence += 1;
        self.work.insert((self.now + delay, self.sequence), work);
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Io(Io::Fetch(request)) => self.request(&request),
                Output::Io(Io::Abort(id)) => {
                    self.work.retain(|_, work| !matches!(work, Work::Respond(of, _) if *of == id));
                    self.poll.take_if(|(poll, _)| *poll == id);
                }
                Output::Peer(id, connection, command) => {
                    if matches!(command, PeerCommand::Offer | PeerCommand::Answer(_)) {
                        self.connection = Some(connection);
                        self.schedule(30, Work::Describe(id, connection, command));
                    } else if command.describes().is_some() {
                        self.schedule(5, Work::Describe(id, connection, command));
                    }
                }
                Output::AskToken(request) => {
                    self.tokens += 1;
                    if let Some(delay) = self.token_delay {
                        self.schedule(delay, Work::Token(request));
                    }
                }
                Output::Ended(id) => {
                    assert!(self.ended.insert(id), "ends twice: {id:?}");
                    self.calls.retain(|call| *call != id);
                }
                Output::Event(id, usecase::Event::VideoCall(event)) => self.handle_event(id, event),
                Output::Done(command, result) => {
                    let since = self.open.remove(&command).unwrap();
                    let took = self.now - since;
                    assert!(self.is_hidden || took <= LONGEST, "{command:?} took {took}");
                    match result {
                        // Like most pages: register as soon as there is an object.
                        Ok(Outcome::Attached(id)) => {
                            self.calls.push(id);
                            self.schedule(0, Work::Act(Act::Register));
                        }
                        Ok(_) => {}
                        Err(error) => self.errors.push(error),
                    }
                }
                _ => {}
            }
        }
    }

    fn handle_event(&mut self, id: UseCaseId, event: Event) {
        assert!(!self.ended.contains(&id), "an event after the end: {event:?}");
        match &event {
            Event::Error(error) => self.errors.push(error.clone()),
            Event::Reconnecting(_) => assert!(self.told.insert(id), "reconnecting twice"),
            Event::Reconnected => assert!(self.told.remove(&id), "reconnected from nothing"),
            _ => {}
        }
        self.events.push((id, event));
    }

    fn request(&mut self, request: &HttpRequest) {
        self.total += 1;
        self.recent.push_back(self.now);
        while self.recent.front().is_some_and(|at| at + 60_000 <= self.now) {
            self.recent.pop_front();
        }
        self.most = self.most.max(self.recent.len());
        let limit = if self.objects < 2 { MOST_OF_ONE } else { MOST_OF_MANY };
        assert!(self.most <= limit, "{} requests in a minute", self.most);
        let kind = kind_of(request);
        let path = request.url.split('?').next().unwrap().strip_prefix(BASE).unwrap();
        self.handle = path.split('/').nth(2).and_then(|id| id.parse().ok()).unwrap_or_default();
        let turn = self.turns.entry(kind).or_default();
        *turn += 1;
        let habit = &self.habits[kind as usize];
        let (way, delay) = habit[*turn % habit.len()];
        let way = self.misrouted(request).unwrap_or(way);
        if kind == Kind::Poll {
            return self.poll(request.id, way, delay.into());
        }
        let Some(body) = self.answer(request, kind, way) else { return };
        self.schedule(delay.into(), Work::Respond(request.id, body));
    }

    /// If two gateways take turns, each knows only its own sessions.
    fn misrouted(&mut self, request: &HttpRequest) -> Option<Way> {
        let gateways = self.gateways.as_mut()?;
        self.turn += 1;
        let sessions = &mut gateways[self.turn % 2];
        let path = request.url.strip_prefix(BASE).unwrap().split(['?', '/']).nth(1);
        match path.and_then(|id| id.parse().ok()) {
            None => {
                let body: Value = serde_json::from_str(request.body.as_deref()?).unwrap();
                sessions.extend(body["id"].as_u64());
                None
            }
            Some(id) if sessions.contains(&id) => None,
            Some(_) if request.body.is_none() => Some(Way::Empty(404)),
            Some(_) => Some(Way::Core(458)),
        }
    }

    fn answer(&mut self, request: &HttpRequest, kind: Kind, way: Way) -> Option<HttpResponse> {
        let body: Value = match &request.body {
            Some(body) => serde_json::from_str(body).unwrap(),
            None => json!({}),
        };
        let transaction = &body["transaction"];
        let ack = json!({ "janus": "ack", "transaction": transaction });
        let is_plugins = matches!(kind, Kind::Register | Kind::Message | Kind::Query);
        let answer = match way {
            Way::Core(code) => json!({ "janus": "error", "transaction": transaction,
                "error": { "code": code, "reason": "No such thing" } }),
            Way::Page(status) => {
                let body = "<html><head><title>Access denied</title></head></html>".to_owned();
                return Some(HttpResponse::Answered { status, body });
            }
            Way::Empty(status) => {
                return Some(HttpResponse::Answered { status, body: String::new() });
            }
            Way::Fails => return Some(HttpResponse::Failed("TypeError".into())),
            Way::Never => return None,
            Way::Ack => ack,
            _ if kind == Kind::Info => json!({ "janus": "server_info", "transaction": transaction,
                "session-timeout": self.sequence % 40 }),
            Way::Plugin(code) if is_plugins => {
                self.tell(
                    transaction,
                    json!({ "error_code": code, "error": "Already registered (Tom)" }),
                );
                ack
            }
            _ if is_plugins => {
                let event = match body.pointer("/body/request").and_then(Value::as_str) {
                    Some("list") => json!({ "result": { "list": ["Tom"] } }),
                    Some("register") => json!({ "result": { "event": "registered" } }),
                    Some("call") => json!({ "result": { "event": "calling" } }),
                    Some("accept") if body.get("jsep").is_none() => {
                        json!({ "error_code": 481, "error": "No call" })
                    }
                    Some("accept") => json!({ "result": { "event": "accepted" } }),
                    Some("hangup") => json!({ "result": { "event": "hangup", "reason": "" } }),
                    _ => json!({ "result": { "event": "set" } }),
                };
                self.tell(transaction, event);
                ack
            }
            _ => {
                let id = body.get("id").cloned().unwrap_or_else(|| json!(self.attach(&body)));
                json!({ "janus": "success", "transaction": transaction, "data": { "id": id } })
            }
        };
        Some(HttpResponse::Answered { status: 200, body: answer.to_string() })
    }

    fn attach(&mut self, body: &Value) -> usize {
        let id = self.handles.len() + 7;
        let account = body["opaque_id"].as_str().unwrap_or_default();
        self.handles.push((id as u64, account.to_owned()));
        id
    }

    fn tell(&mut self, transaction: &Value, data: Value) {
        self.announce(json!({ "janus": "event", "sender": self.handle, "transaction": transaction,
            "plugindata": { "data": data } }));
    }

    /// Delivers an event to the waiting poll or the next one.
    pub(crate) fn announce(&mut self, event: Value) {
        self.news.push(event);
        if let Some((id, _)) = self.poll.take() {
            self.bring(id, 1);
        }
    }

    fn bring(&mut self, id: HttpId, delay: u64) {
        self.last_poll = Value::Array(std::mem::take(&mut self.news)).to_string();
        let body = self.last_poll.clone();
        self.schedule(delay, Work::Respond(id, HttpResponse::Answered { status: 200, body }));
    }

    fn poll(&mut self, id: HttpId, way: Way, delay: u64) {
        assert!(self.poll.is_none(), "one poll at a time");
        let response = match way {
            Way::Fails => HttpResponse::Failed("TypeError".into()),
            Way::Never => return,
            Way::Page(status) => HttpResponse::Answered { status, body: "<html>".into() },
            Way::Empty(status) => HttpResponse::Answered { status, body: String::new() },
            Way::Core(code) => HttpResponse::Answered {
                status: 200,
                body: json!({ "janus": "error", "error": { "code": code, "reason": "" } })
                    .to_string(),
            },
            Way::Nothing => HttpResponse::Answered { status: 200, body: "[]".into() },
            Way::Same => HttpResponse::Answered { status: 200, body: self.last_poll.clone() },
            Way::Ack => {
                HttpResponse::Answered { status: 200, body: r#"[{"janus":"keepalive"}]"#.into() }
            }
            Way::Event(number) => {
                self.sequence += 1;
                let event = self.unasked(number);
                self.news.push(event);
                return self.bring(id, delay);
            }
            Way::Well | Way::Plugin(_) if !self.news.is_empty() => return self.bring(id, delay),
            Way::Well | Way::Plugin(_) => {
                self.poll = Some((id, self.now + 30_000));
                return;
            }
        };
        self.schedule(delay, Work::Respond(id, response));
    }

    pub(crate) fn run_until(&mut self, end: u64) {
        let mut steps = 0;
        loop {
            let due = self.client.poll_timeout().map(Time::as_millis);
            let work = self.work.first_key_value().map(|((due, _), _)| *due);
            let poll = self.poll.map(|(_, until)| until);
            let Some(next) = [due, work, poll].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            steps = if next > self.now { 0 } else { steps + 1 };
            assert!(steps < 1000, "busy for ever");
            self.now = self.now.max(next);
            let overdue = self.open.iter().find(|(_, since)| self.now - **since > LONGEST);
            assert!(self.is_hidden || overdue.is_none(), "never ends: {overdue:?}");
            while let Some(entry) = self.work.first_entry().filter(|e| e.key().0 <= self.now) {
                let work = entry.remove();
                self.do_work(work);
            }
            if let Some((id, _)) = self.poll.take_if(|(_, until)| *until <= self.now) {
                let body = r#"[{"janus":"keepalive"}]"#.into();
                self.schedule(0, Work::Respond(id, HttpResponse::Answered { status: 200, body }));
            }
            if self.client.poll_timeout().is_some_and(|due| due <= self.time()) {
                let now = self.time();
                self.client.handle_timeout(now);
                self.drain();
            }
        }
        self.now = end;
    }

    pub(crate) fn run_for(&mut self, duration: u64) {
        self.run_until(self.now + duration);
    }

    fn do_work(&mut self, work: Work) {
        let now = self.time();
        match work {
            Work::Act(act) => self.act(act),
            Work::Token(request) => {
                let token = Secret::new(format!("token {}", self.tokens));
                self.client.handle_token(request, Ok(token), now);
            }
            Work::Respond(id, response) => self.client.handle_http(id, response, now),
            Work::Describe(id, connection, command) => {
                let Some(kind) = command.describes() else { return };
                self.client.with_video_call(id, None, now, |call| {
                    call.handle_peer(connection, PeerEvent::Description(kind, Ok(SDP.into())), now);
                    call.handle_peer(connection, PeerEvent::Candidate(Candidate::End), now);
                });
            }
        }
        self.drain();
    }

    /// A page that connects and gets an object and a name.
    pub(crate) fn begin(&mut self) {
        self.act(Act::Connect);
        self.run_for(100);
        self.act(Act::VideoCall(false));
        self.run_for(200);
    }

    /// The same page, which then performs actions and leaves.
    pub(crate) fn play(&mut self, acts: &[(u32, Act)], end: u64) {
        self.begin();
        let mut acts = acts.to_vec();
        acts.sort_by_key(|(at, _)| *at);
        let begin = self.now;
        for (at, act) in acts {
            self.run_until(begin + u64::from(at));
            self.act(act);
        }
        self.run_until(begin + end);
        self.act(Act::Show);
        self.run_for(LONGEST);
        assert!(self.open.is_empty(), "{:?}", self.open);
        self.act(Act::Disconnect);
        self.run_for(20_000);
        assert!(self.open.is_empty() && self.calls.is_empty(), "{:?}", self.open);
    }

    /// An unsolicited event of the gateway, by number.
    pub(crate) fn happens(&mut self, number: u8) {
        let event = self.unasked(number);
        self.announce(event);
    }

    /// Unsolicited events of a gateway about any handle.
    fn unasked(&self, number: u8) -> Value {
        let count = self.handles.len().max(1);
        let handle = self.handles.get(self.sequence as usize % count).map_or(0, |(id, _)| *id);
        unasked(number, handle, self.sequence)
    }
}

fn kind_of(request: &HttpRequest) -> Kind {
    let Some(body) = &request.body else { return Kind::Poll };
    let body: Value = serde_json::from_str(body).unwrap();
    match (body["janus"].as_str().unwrap(), body.pointer("/body/request").and_then(Value::as_str)) {
        ("create", _) => Kind::Create,
        ("info", _) => Kind::Info,
        ("attach", _) => Kind::Attach,
        ("keepalive", _) => Kind::Keepalive,
        (_, Some("register")) => Kind::Register,
        (_, Some("accept")) if body.get("jsep").is_none() => Kind::Query,
        (_, Some(_)) => Kind::Message,
        _ => Kind::Other,
    }
}

fn unasked(number: u8, handle: u64, sequence: u64) -> Value {
    let plugin = |data: Value, jsep: Option<&str>| {
        let mut event = json!({ "janus": "event", "sender": handle,
            "plugindata": { "data": { "result": data } } });
        if let Some(kind) = jsep {
            event["jsep"] =
                json!({ "type": kind, "sdp": format!("{SDP}a=x-number:{sequence}\r\n") });
        }
        event
    };
    match number {
        0 => json!({ "janus": "timeout", "session_id": 1 }),
        1 => json!({ "janus": "hangup", "sender": handle, "reason": "DTLS alert" }),
        2 => json!({ "janus": "detached", "sender": handle }),
        3 => plugin(json!({ "event": "incomingcall", "username": "Jack" }), Some("offer")),
        4 => plugin(json!({ "event": "incomingcall", "username": "Jack" }), None),
        5 => plugin(
            json!({ "event": "hangup", "username": "Jack", "reason": "videortc: once more" }),
            None,
        ),
        6 => plugin(
            json!({ "event": "hangup", "username": "Jack", "reason": "videortc: crossing calls" }),
            None,
        ),
        7 => plugin(json!({ "event": "update" }), Some("offer")),
        8 => json!({ "janus": "trickle", "sender": handle, "candidate": { "completed": true } }),
        9 => json!({ "janus": "media", "sender": handle, "number": sequence }),
        10 => plugin(json!({ "event": "accepted", "username": "Jack" }), Some("answer")),
        _ => json!({ "janus": "strange" }),
    }
}

/// Answers like Janus, immediately.
pub(crate) fn well() -> Habits {
    vec![vec![(Way::Well, 2)]; KINDS.len()]
}
