//! A gateway that answers anything at any time, for hours: no sequence of answers makes a client ask more
//! often than its pauses allow, and every command ends within its limit.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};
use videortc::call::{Command, LegId, LegState, Media};
use videortc::client::{CallId, Client, Outcome, Output};
use videortc::config::{CallConfig, GatewayConfig, ServerUrl, UserName};
use videortc::error::Error;
use videortc::event::Event;
use videortc::proto::{Candidate, HttpId, HttpRequest, HttpResponse};
use videortc::time::Time;

const BASE: &str = "https://gateway.test/janus";
const SDP: &str = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";

/// The most requests in any minute. The rates that the core allows itself come to a little more.
const MOST_A_MINUTE: usize = 500;
/// How long a command may take: `retryLimit`, 120 s, and what a call needs besides.
const LONGEST: u64 = 300_000;

/// The kinds of request that a gateway may treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
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
enum Way {
    /// As Janus does.
    Well,
    /// Acknowledged, and no more.
    Ack,
    /// Refused by the core.
    Core(i64),
    /// Refused by the plugin, where it is asked.
    Plugin(i64),
    /// Another server answers.
    Page(u16),
    /// HTTP status, no body.
    Empty(u16),
    /// Nothing answers.
    Fails,
    /// Not even that.
    Never,
    /// A poll: an event nobody waits for, by number.
    Event(u8),
    /// A poll: nothing, at once.
    Nothing,
    /// A poll: the same body as before.
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

/// For each kind of request, what is answered in turn, each after so many milliseconds.
type Habits = Vec<Vec<(Way, u16)>>;

fn habits() -> impl Strategy<Value = Habits> {
    let delay = prop_oneof![4 => 0u16..20, 1 => 0u16..2000, 1 => 0u16..30_000];
    prop::collection::vec(prop::collection::vec((way(), delay), 1..4), KINDS.len())
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Register,
    List,
    Call,
    Accept,
    HangUp,
    Online,
    Visible,
    Path(LegState),
}

fn acts() -> impl Strategy<Value = Vec<(u32, Act)>> {
    let act = prop_oneof![
        2 => Just(Act::Register),
        1 => Just(Act::List),
        2 => Just(Act::Call),
        2 => Just(Act::Accept),
        1 => Just(Act::HangUp),
        1 => Just(Act::Online),
        1 => Just(Act::Visible),
        1 => prop::sample::select(vec![LegState::Connected, LegState::Disconnected, LegState::Failed])
            .prop_map(Act::Path),
    ];
    prop::collection::vec((0u32..600_000, act), 0..25)
}

/// What happens next, and when.
enum Work {
    Respond(HttpId, HttpResponse),
    Describe(CallId, LegId),
    Act(Act),
}

struct Storm {
    client: Client,
    now: u64,
    habits: Habits,
    turns: BTreeMap<Kind, usize>,
    work: BTreeMap<(u64, u64), Work>,
    sequence: u64,
    /// Events that the next poll brings.
    events: Vec<Value>,
    /// The poll that waits, and until when.
    poll: Option<(HttpId, u64)>,
    last_poll: String,
    /// Gateways take turns behind one address: each knows its own sessions.
    gateways: Option<[Vec<u64>; 2]>,
    turn: usize,
    call: Option<CallId>,
    leg: Option<LegId>,
    open: BTreeMap<Command, u64>,
    errors: Vec<Error>,
    last_command: u64,
    /// When the requests of the last minute went out.
    recent: VecDeque<u64>,
    most: usize,
    total: usize,
}

thread_local! {
    /// The most requests in a minute that any story has seen.
    static RECORD: RefCell<usize> = const { RefCell::new(0) };
}

impl Storm {
    fn new(habits: Habits, seed: u64) -> Self {
        let state = Cell::new(seed | 1);
        let random = Rc::new(move || {
            let mut x = state.get();
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
            state.set(x);
            x.wrapping_mul(0x2545_F491_4F6C_DD1D)
        });
        Self {
            client: Client::new(GatewayConfig::new(vec![ServerUrl::new(BASE)]), random),
            now: 1000,
            habits,
            turns: BTreeMap::new(),
            work: BTreeMap::new(),
            sequence: 0,
            events: Vec::new(),
            poll: None,
            last_poll: "[]".into(),
            gateways: None,
            turn: 0,
            call: None,
            leg: None,
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

    fn act(&mut self, act: Act) {
        let now = self.time();
        // A page has no object before that is attached.
        let Some(id) = self.call else { return };
        let name = || UserName::parse("Jack");
        match act {
            Act::Online => self.client.handle_online(now),
            Act::Visible => self.client.handle_visible(now),
            Act::Path(state) => {
                if let Some(leg) = self.leg {
                    self.client.with_call(id, None, now, |c| c.handle_leg_state(leg, state, now));
                }
            }
            _ => {
                self.command(|client, command, now| {
                    client.with_call(id, Some(command), now, |call| match act {
                        Act::Register => call.register(command, UserName::parse("Tom")),
                        Act::List => call.list(command),
                        Act::Call => call.call(command, name(), now),
                        Act::Accept => call.accept(command, now),
                        _ => call.hang_up(command, None, now),
                    });
                });
            }
        }
        self.drain();
    }

    fn schedule(&mut self, delay: u64, work: Work) {
        self.sequence += 1;
        self.work.insert((self.now + delay, self.sequence), work);
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Http(request) => self.request(&request),
                Output::Abort(id) => {
                    self.work.retain(|_, work| !matches!(work, Work::Respond(of, _) if *of == id));
                    self.poll.take_if(|(poll, _)| *poll == id);
                }
                Output::Media(id, Media::Offer(leg) | Media::Answer(leg, _)) => {
                    self.leg = Some(leg);
                    self.schedule(30, Work::Describe(id, leg));
                }
                Output::Media(id, Media::Restart(leg) | Media::Renegotiate(leg, _)) => {
                    self.schedule(5, Work::Describe(id, leg));
                }
                Output::Event(_, Event::Error(error)) => self.errors.push(error),
                Output::Done(command, result) => {
                    let since = self.open.remove(&command).unwrap();
                    assert!(self.now - since <= LONGEST, "{command:?} took {}", self.now - since);
                    match result {
                        // As pages do: a name as soon as there is an object.
                        Ok(Outcome::Attached(id)) => {
                            self.call = Some(id);
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

    fn request(&mut self, request: &HttpRequest) {
        self.total += 1;
        self.recent.push_back(self.now);
        while self.recent.front().is_some_and(|at| at + 60_000 <= self.now) {
            self.recent.pop_front();
        }
        self.most = self.most.max(self.recent.len());
        assert!(self.most <= MOST_A_MINUTE, "{} requests in a minute", self.most);
        let kind = kind_of(request);
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

    /// Where two gateways take turns, each knows only the sessions that it has made.
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
                let id = body.get("id").cloned().unwrap_or(json!(7));
                json!({ "janus": "success", "transaction": transaction, "data": { "id": id } })
            }
        };
        Some(HttpResponse::Answered { status: 200, body: answer.to_string() })
    }

    fn tell(&mut self, transaction: &Value, data: Value) {
        self.announce(json!({ "janus": "event", "sender": 7, "transaction": transaction,
            "plugindata": { "data": data } }));
    }

    /// Gives an event to the poll that waits, or to the next one.
    fn announce(&mut self, event: Value) {
        self.events.push(event);
        if let Some((id, _)) = self.poll.take() {
            self.bring(id, 1);
        }
    }

    fn bring(&mut self, id: HttpId, delay: u64) {
        self.last_poll = Value::Array(std::mem::take(&mut self.events)).to_string();
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
                let event = unasked(number, self.sequence);
                self.events.push(event);
                return self.bring(id, delay);
            }
            Way::Well | Way::Plugin(_) if !self.events.is_empty() => return self.bring(id, delay),
            Way::Well | Way::Plugin(_) => {
                self.poll = Some((id, self.now + 30_000));
                return;
            }
        };
        self.schedule(delay, Work::Respond(id, response));
    }

    fn run_until(&mut self, end: u64) {
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
            assert!(overdue.is_none(), "never ends: {overdue:?}");
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

    fn do_work(&mut self, work: Work) {
        let now = self.time();
        match work {
            Work::Act(act) => self.act(act),
            Work::Respond(id, response) => self.client.handle_http(id, response, now),
            Work::Describe(id, leg) => {
                self.client.with_call(id, None, now, |call| {
                    call.handle_description(leg, Ok(SDP.into()), now);
                    call.handle_candidate(leg, Candidate::End, now);
                });
            }
        }
        self.drain();
    }

    /// A page that connects, gets an object and a name, and does this and that.
    fn play(&mut self, acts: &[(u32, Act)], end: u64) {
        self.command(|client, command, now| client.connect(command, now));
        self.run_until(self.now + 100);
        self.command(|client, command, now| {
            client.video_call(command, CallConfig::default(), now);
        });
        self.run_until(self.now + 200);
        let mut acts = acts.to_vec();
        acts.sort_by_key(|(at, _)| *at);
        let begin = self.now;
        for (at, act) in acts {
            self.run_until(begin + u64::from(at));
            self.act(act);
        }
        self.run_until(begin + end);
        assert!(self.open.is_empty(), "{:?}", self.open);
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

/// Something that the gateway tells unasked.
fn unasked(number: u8, sequence: u64) -> Value {
    let plugin = |data: Value, jsep: Option<&str>| {
        let mut event = json!({ "janus": "event", "sender": 7,
            "plugindata": { "data": { "result": data } } });
        if let Some(kind) = jsep {
            event["jsep"] =
                json!({ "type": kind, "sdp": format!("{SDP}a=x-number:{sequence}\r\n") });
        }
        event
    };
    match number {
        0 => json!({ "janus": "timeout", "session_id": 1 }),
        1 => json!({ "janus": "hangup", "sender": 7, "reason": "DTLS alert" }),
        2 => json!({ "janus": "detached", "sender": 7 }),
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
        8 => json!({ "janus": "trickle", "sender": 7, "candidate": { "completed": true } }),
        9 => json!({ "janus": "media", "sender": 7, "number": sequence }),
        10 => plugin(json!({ "event": "accepted", "username": "Jack" }), Some("answer")),
        _ => json!({ "janus": "strange" }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        max_shrink_iters: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_gateway_makes_a_client_ask_without_a_pause_or_an_end(
        habits in habits(),
        acts in acts(),
        seed in any::<u64>(),
    ) {
        let mut storm = Storm::new(habits, seed);
        storm.play(&acts, 3_600_000);
        RECORD.with_borrow_mut(|record| if storm.most > *record {
            *record = storm.most;
            println!("{record} requests in a minute");
        });
    }
}

/// As Janus does, at once.
fn well() -> Habits {
    vec![vec![(Way::Well, 2)]; KINDS.len()]
}

#[test]
fn two_gateways_behind_one_address_are_told_within_the_limit() {
    for seed in 0..20 {
        let mut storm = Storm::new(well(), seed);
        storm.gateways = Some([Vec::new(), Vec::new()]);
        storm.play(&[], 600_000);
        assert!(storm.most < 250, "{} requests in a minute", storm.most);
        let told = storm
            .errors
            .iter()
            .any(|error| error.message().contains("two gateways behind one address"));
        assert!(told, "{:?}", storm.errors);
        println!("{} requests in the worst minute, {} in all", storm.most, storm.total);
    }
}

#[test]
fn a_session_that_is_lost_before_its_handle_costs_the_object_nothing() {
    let mut storm = Storm::new(well(), 1);
    let [well, unknown] = [Way::Well, Way::Core(458)].map(|way| (way, 2));
    // Turns are counted from one.
    storm.habits[Kind::Attach as usize] = vec![well, unknown, well];
    storm.command(|client, command, now| client.connect(command, now));
    storm.run_until(storm.now + 3);
    storm.command(|client, command, now| {
        client.video_call(command, CallConfig::default(), now);
    });
    storm.run_until(storm.now + 60_000);
    assert_eq!(storm.turns[&Kind::Create], 2);
    assert_eq!(storm.turns.get(&Kind::Register), Some(&1));
    assert!(
        storm.open.is_empty() && storm.errors.is_empty(),
        "{:?} {:?}",
        storm.open,
        storm.errors
    );
}

#[test]
fn a_handle_that_is_never_given_again_is_given_up_within_the_limit() {
    let mut storm = Storm::new(well(), 1);
    storm.play(&[], 60_000);
    storm.habits[Kind::Attach as usize] = vec![(Way::Never, 0)];
    storm.announce(json!({ "janus": "timeout", "session_id": 1 }));
    storm.run_until(storm.now + LONGEST);
    let codes: Vec<_> = storm.errors.iter().map(Error::code).collect();
    assert_eq!(codes, [videortc::error::Code::GatewayTimeout]);
    assert!(storm.most < 30, "{} requests in a minute", storm.most);
}

/// A name that is taken again and again is not what a list waits for.
#[test]
fn a_list_that_every_session_refuses_ends_though_each_takes_the_name() {
    let mut storm = Storm::new(well(), 1);
    storm.habits[Kind::Keepalive as usize] = vec![(Way::Core(457), 1)];
    storm.habits[Kind::Register as usize] = vec![(Way::Never, 0), (Way::Well, 0)];
    storm.habits[Kind::Message as usize] = vec![(Way::Page(200), 0), (Way::Core(458), 2)];
    storm.habits[Kind::Query as usize] =
        vec![(Way::Event(0), 0), (Way::Page(200), 0), (Way::Well, 0)];
    storm.habits[Kind::Poll as usize] =
        vec![(Way::Core(403), 1), (Way::Page(200), 0), (Way::Event(5), 0)];
    storm.play(&[(0, Act::List), (80_000, Act::List), (90_000, Act::List)], 900_000);
}

#[test]
fn a_page_that_asks_in_a_loop_is_held_to_the_rate_and_loses_nothing() {
    let mut storm = Storm::new(well(), 1);
    storm.play(&[], 60_000);
    let before = storm.total;
    for _ in 0..250 {
        storm.act(Act::List);
    }
    storm.run_until(storm.now + 3000);
    let posted = storm.turns[&Kind::Message];
    assert!((200..250).contains(&posted), "{posted} of 250 requests in 3 s");
    storm.run_until(storm.now + 7000);
    assert!(storm.open.is_empty() && storm.errors.is_empty(), "{:?}", storm.errors);
    assert!(storm.total - before >= 250);
}

#[test]
fn a_handle_that_was_given_up_is_detached_with_pauses_and_not_for_ever() {
    // Silence waits for `requestTimeout`; a line that fails says so at once.
    for (way, expected) in [(Way::Never, 8..=13), (Way::Fails, 40..=100)] {
        let mut storm = Storm::new(well(), 1);
        storm.play(&[], 60_000);
        storm.act(Act::Call);
        storm.run_until(storm.now + 500);
        storm.announce(unasked(10, 1));
        storm.run_until(storm.now + 500);
        storm.act(Act::Path(LegState::Connected));
        storm.act(Act::HangUp);
        // The core's word that the connection is closed never comes; nor does an answer to the detach that follows.
        storm.habits[Kind::Other as usize] = vec![(way, 0)];
        let before = storm.turns.get(&Kind::Other).copied().unwrap_or_default();
        let attached = storm.turns[&Kind::Attach];
        storm.run_until(storm.now + 600_000);
        assert_eq!(storm.turns[&Kind::Attach], attached + 1, "the handle was given up");
        let tries = storm.turns[&Kind::Other] - before;
        assert!(expected.contains(&tries), "{way:?}: {tries} tries in `retryLimit`, 120 s");
        assert!(storm.open.is_empty() && storm.errors.is_empty(), "{:?}", storm.errors);
    }
}
