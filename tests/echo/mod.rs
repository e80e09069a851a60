//! A page with an echo test, a small gateway whose answers are scripted, and a model of the browser's
//! media, joined on a virtual clock.

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

use serde_json::{Value, json};
use videortc::client::{Client, Outcome, Output, UseCaseId};
use videortc::config::{GatewayConfig, ServerUrl};
use videortc::data::{ChannelEvent, ChannelKind, ChannelMessage};
use videortc::error::Error;
use videortc::peer::{self, ConnectionId, ConnectionState, PeerCommand, PeerEvent, Stats};
use videortc::signaling::{Candidate, HttpId, HttpRequest, HttpResponse, Io, JsepKind};
use videortc::time::Time;
use videortc::usecase::echo_test::{EchoConfig, EchoTest, Event, Report};
use videortc::usecase::{self, Command, Reply};

const BASE: &str = "http://gateway.test/janus";
/// One way between the page and the gateway, in milliseconds as all times here.
const TRIP: u64 = 5;
/// How long the plugin takes for an answer.
const PLUGIN: u64 = 10;
/// How long the user and the browser take to open the devices.
pub(crate) const DEVICES: u64 = 30;
/// How long the browser takes to make a description without devices.
const DESCRIBE: u64 = 5;
/// How long ICE and DTLS take.
const CONNECT: u64 = 40;
/// How long the first packet takes to come back, and how long a probe does.
const MEDIA: u64 = 60;
pub(crate) const ROUND_TRIP: u64 = 4;
/// How long the browser takes to read its counters.
const MEASURE: u64 = 3;
/// How long the core takes to close a connection after DTLS' goodbye.
const HANG_UP: u64 = 30;
/// How long a browser waits for a lost path to come back.
const GIVE_UP: u64 = 10_000;
const POLL: u64 = 30_000;
pub(crate) const SECOND: u64 = 1000;

/// How the plugin answers an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    /// With an answer.
    Well,
    /// Not by an error's number of its own, but by this one.
    Refuses(i64),
    /// `"ok"`, without a description.
    WithoutAnswer,
    /// `"ok"`, with an offer in place of the answer.
    WithOffer,
    /// With another result.
    Strangely,
    /// The core refuses the message.
    RefusedByCore,
    /// It takes the offer, and says nothing.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Devices {
    Granted,
    Refused,
    /// The user leaves the browser's question open.
    Unanswered,
}

/// How the gateway treats data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    Unchanged,
    Changed,
    Lost,
}

enum Work {
    Arrive(HttpRequest),
    Respond(HttpId, HttpResponse),
    /// The gateway reports something.
    Report(Value),
    /// The gateway hears DTLS' goodbye.
    Goodbye(ConnectionId),
    Describe(ConnectionId, JsepKind),
    Connect(ConnectionId),
    GiveUp(ConnectionId),
    Peer(ConnectionId, PeerEvent),
    Channel(ConnectionId, ChannelEvent),
}

/// A connection in the browser.
#[derive(Clone, Copy, Debug, Default)]
struct Browser {
    is_up: bool,
    has_been_up: bool,
}

/// All of it.
pub(crate) struct Lab {
    client: Client,
    pub(crate) now: u64,
    work: BTreeMap<(u64, u64), Work>,
    sequence: u64,

    // The gateway.
    /// The session's id, while the gateway knows it.
    session: Option<String>,
    /// The handles, each with the connection that it has answered.
    handles: BTreeMap<u64, Option<ConnectionId>>,
    last_handle: u64,
    poll: Option<(HttpId, u64)>,
    events: Vec<Value>,
    pub(crate) plugin: Plugin,
    /// Whether the core closes its end, and says so.
    pub(crate) hangs_up: bool,
    /// Whether it answers the request to detach.
    pub(crate) detaches: bool,
    pub(crate) is_offline: bool,
    /// The offers that arrived, each with its handle.
    pub(crate) offers: Vec<u64>,
    pub(crate) trickles: usize,

    // The browser.
    connections: BTreeMap<ConnectionId, Browser>,
    pub(crate) devices: Devices,
    /// Whether ICE never gets through.
    pub(crate) is_walled_in: bool,
    pub(crate) returns_media: bool,
    pub(crate) has_channel: bool,
    pub(crate) echo: Echo,
    pub(crate) gives_stats: bool,
    /// The next counters, in order; then none are known.
    pub(crate) samples: VecDeque<Stats>,
    /// How often a first offer was asked for, a connection was closed, and the devices were released.
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    pub(crate) released: usize,
    pub(crate) probes: usize,

    // The page.
    pub(crate) test: UseCaseId,
    pub(crate) is_ended: bool,
    events_told: Vec<Event>,
    done: BTreeMap<Command, Result<Outcome, Error>>,
    pub(crate) open: BTreeSet<Command>,
    last_command: u64,
}

impl Lab {
    /// A page that is connected and has an echo test.
    pub(crate) fn new() -> Self {
        Self::with(EchoConfig::default())
    }

    /// A page whose test sends neither audio nor video.
    pub(crate) fn of_data() -> Self {
        Self::with(EchoConfig { sends_media: false, ..EchoConfig::default() })
    }

    pub(crate) fn with(config: EchoConfig) -> Self {
        let gateway = GatewayConfig::new(vec![ServerUrl::new(BASE)]);
        let mut lab = Self {
            client: Client::new(gateway, dice::loaded(7)),
            now: SECOND,
            work: BTreeMap::new(),
            sequence: 0,
            session: None,
            handles: BTreeMap::new(),
            last_handle: 100,
            poll: None,
            events: Vec::new(),
            plugin: Plugin::Well,
            hangs_up: true,
            detaches: true,
            is_offline: false,
            offers: Vec::new(),
            trickles: 0,
            connections: BTreeMap::new(),
            devices: Devices::Granted,
            is_walled_in: false,
            returns_media: true,
            has_channel: true,
            echo: Echo::Unchanged,
            gives_stats: true,
            samples: VecDeque::new(),
            opened: 0,
            closed: 0,
            released: 0,
            probes: 0,
            test: UseCaseId::default(),
            is_ended: false,
            events_told: Vec::new(),
            done: BTreeMap::new(),
            open: BTreeSet::new(),
            last_command: 0,
        };
        lab.connect();
        lab.run_for(100);
        let attach = lab.command(|client, command, now| client.echo_test(command, config, now));
        lab.run_for(100);
        match lab.done.get(&attach) {
            Some(Ok(Outcome::Attached(id))) => lab.test = *id,
            other => panic!("not attached: {other:?}"),
        }
        lab
    }

    /// A page whose media comes back.
    pub(crate) fn echoing() -> Self {
        let mut lab = Self::new();
        let start = lab.start();
        lab.run_for(SECOND);
        assert_eq!(lab.outcome(start), "done");
        assert_eq!(lab.told(), ["media"]);
        lab
    }

    // The page.

    pub(crate) fn command(&mut self, act: impl FnOnce(&mut Client, Command, Time)) -> Command {
        self.last_command += 1;
        let command = Command(self.last_command);
        self.open.insert(command);
        self.client(|client, now| act(client, command, now));
        command
    }

    fn act(&mut self, act: impl FnOnce(&mut EchoTest, Command, Time)) -> Command {
        let id = self.test;
        self.command(|client, command, now| {
            client.with_echo_test(id, Some(command), now, |test| act(test, command, now));
        })
    }

    pub(crate) fn connect(&mut self) -> Command {
        self.command(|client, command, now| client.connect(command, now))
    }

    pub(crate) fn start(&mut self) -> Command {
        self.act(|test, command, now| test.start(command, now))
    }

    pub(crate) fn stop(&mut self) -> Command {
        self.act(|test, command, now| test.stop(command, now))
    }

    pub(crate) fn close(&mut self) -> Command {
        self.act(|test, command, now| test.close(command, now))
    }

    pub(crate) fn disconnect(&mut self) -> Command {
        self.command(|client, command, now| client.disconnect(command, now))
    }

    pub(crate) fn hide(&mut self) {
        self.client(Client::handle_hide);
    }

    pub(crate) fn show(&mut self) {
        self.client(Client::handle_show);
    }

    /// The browser reports another network.
    pub(crate) fn online(&mut self) {
        self.client(Client::handle_online);
    }

    /// How a command ended, in short: `"done"`, an error's code, or `"open"`.
    pub(crate) fn outcome(&self, command: Command) -> &str {
        match self.done.get(&command) {
            Some(Ok(_)) => "done",
            Some(Err(error)) => error.code().as_str(),
            None => "open",
        }
    }

    pub(crate) fn error(&self, command: Command) -> String {
        self.done[&command].as_ref().unwrap_err().to_string()
    }

    pub(crate) fn report(&self, command: Command) -> Report {
        match self.done.get(&command) {
            Some(Ok(Outcome::Reply(Reply::EchoTest(report)))) => (**report).clone(),
            other => panic!("no report: {other:?}"),
        }
    }

    /// The events of the page since the last call, in short.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events_told).iter().map(short).collect()
    }

    /// Every connection is closed, and the devices were released after each run.
    pub(crate) fn assert_nothing_is_left(&self) {
        assert!(self.connections.is_empty(), "{:?}", self.connections);
        assert_eq!(self.closed, self.opened, "each connection is closed");
        assert_eq!(self.released, self.opened, "the devices are released after each run");
    }

    /// A new test works from start to end.
    pub(crate) fn assert_can_test(&mut self) {
        let start = self.start();
        self.run_for(5 * SECOND);
        assert_eq!(self.outcome(start), "done", "{:?}", self.done.get(&start));
        let stop = self.stop();
        self.run_for(SECOND);
        assert!(self.report(stop).duration.as_millis() > 2500);
        self.assert_nothing_is_left();
    }

    // The gateway.

    /// How many handles it has.
    pub(crate) fn handles(&self) -> usize {
        self.handles.len()
    }

    /// The handle of the test: that of the last offer, or the newest.
    fn handle(&self) -> u64 {
        self.handles.keys().copied().max().unwrap_or_default()
    }

    /// It forgets the session, and everything in it.
    pub(crate) fn forget_session(&mut self) {
        self.session = None;
        self.handles.clear();
        self.events.clear();
        if let Some((id, _)) = self.poll.take() {
            self.respond(id, HttpResponse::Failed("TypeError: Failed to fetch".into()));
        }
    }

    /// It closes the media connection, if it has one, for a reason of its own.
    pub(crate) fn hang_up(&mut self, reason: &str) {
        let handle = self.handle();
        let connection = self.handles.get_mut(&handle);
        if connection.and_then(Option::take).is_some() {
            self.deliver(json!({ "janus": "hangup", "sender": handle, "reason": reason }));
        }
    }

    pub(crate) fn detach(&mut self) {
        let handle = self.handle();
        self.handles.remove(&handle);
        self.deliver(json!({ "janus": "detached", "sender": handle }));
    }

    pub(crate) fn slow_link(&mut self, media: &str, uplink: bool, lost: u64) {
        let handle = self.handle();
        self.deliver(json!({ "janus": "slowlink", "sender": handle, "media": media,
            "uplink": uplink, "lost": lost }));
    }

    fn deliver(&mut self, event: Value) {
        self.events.push(event);
        self.answer_poll();
    }

    fn answer_poll(&mut self) {
        if self.events.is_empty() {
            return;
        }
        if let Some((id, _)) = self.poll.take() {
            let body = Value::Array(std::mem::take(&mut self.events)).to_string();
            self.respond(id, HttpResponse::Answered { status: 200, body });
        }
    }

    fn respond(&mut self, id: HttpId, response: HttpResponse) {
        self.schedule(TRIP, Work::Respond(id, response));
    }

    fn arrive(&mut self, request: &HttpRequest) {
        let path = request.url.split('?').next().unwrap().strip_prefix(BASE).unwrap();
        let mut path = path.split('/').skip(1);
        let (session, handle) = (path.next(), path.next().map(|id| id.parse::<u64>().unwrap()));
        let is_known = session.is_none_or(|id| self.session.as_deref() == Some(id));
        let Some(body) = &request.body else {
            if is_known {
                self.poll = Some((request.id, self.now + POLL));
                return self.answer_poll();
            }
            let (status, body) = (404, String::new());
            return self.respond(request.id, HttpResponse::Answered { status, body });
        };
        let body: Value = serde_json::from_str(body).unwrap();
        let code = if is_known { 459 } else { 458 };
        let is_known = is_known && handle.is_none_or(|id| self.handles.contains_key(&id));
        let answer = match is_known {
            true => self.answer(handle, &body),
            false => Some(refusal(code)),
        };
        if let Some(mut answer) = answer {
            answer["transaction"] = body["transaction"].clone();
            let body = answer.to_string();
            self.respond(request.id, HttpResponse::Answered { status: 200, body });
        }
    }

    fn answer(&mut self, handle: Option<u64>, body: &Value) -> Option<Value> {
        let success = |id: &Value| Some(json!({ "janus": "success", "data": { "id": id } }));
        match (body["janus"].as_str().unwrap(), handle) {
            ("create", _) => {
                self.session = Some(body["id"].to_string());
                success(&body["id"])
            }
            ("info", _) => Some(json!({ "janus": "server_info", "session-timeout": 60 })),
            ("attach", _) => {
                self.last_handle += 1;
                // The client asks for one of a video call with each session.
                if body["plugin"] == "janus.plugin.echotest" {
                    self.handles.insert(self.last_handle, None);
                }
                success(&json!(self.last_handle))
            }
            ("destroy", _) => {
                self.forget_session();
                success(&Value::Null)
            }
            ("detach", Some(handle)) => {
                if !self.detaches {
                    return None;
                }
                self.handles.remove(&handle);
                self.schedule(1, Work::Report(json!({ "janus": "detached", "sender": handle })));
                success(&Value::Null)
            }
            ("trickle", Some(_)) => {
                self.trickles += 1;
                Some(json!({ "janus": "ack" }))
            }
            ("message", Some(handle)) => Some(self.answer_offer(handle, body)),
            _ => Some(json!({ "janus": "ack" })),
        }
    }

    fn answer_offer(&mut self, handle: u64, body: &Value) -> Value {
        assert_eq!(body["body"], json!({}), "the request has no attributes");
        assert_eq!(body["jsep"]["type"], "offer");
        let sdp = body["jsep"]["sdp"].as_str().unwrap();
        let connection = ConnectionId(sdp.strip_prefix("offer of ").unwrap().parse().unwrap());
        let before = self.handles[&handle];
        assert!(before.is_none_or(|id| id == connection), "handle {handle} has a connection");
        self.offers.push(handle);
        let answer =
            |kind: &str| json!({ "type": kind, "sdp": format!("{kind} to {}", connection.0) });
        let result = |result: &str| json!({ "echotest": "event", "result": result });
        let (data, jsep) = match self.plugin {
            Plugin::Well => {
                self.handles.insert(handle, Some(connection));
                (result("ok"), Some(answer("answer")))
            }
            Plugin::Refuses(code) => {
                let error = "Message error: no supported attributes found";
                (json!({ "echotest": "event", "error_code": code, "error": error }), None)
            }
            Plugin::WithoutAnswer => (result("ok"), None),
            Plugin::WithOffer => (result("ok"), Some(answer("offer"))),
            Plugin::Strangely => (result("perhaps"), Some(answer("answer"))),
            Plugin::RefusedByCore => return refusal(465),
            Plugin::Never => return json!({ "janus": "ack" }),
        };
        let mut event = json!({ "janus": "event", "sender": handle,
            "transaction": body["transaction"],
            "plugindata": { "plugin": "janus.plugin.echotest", "data": data } });
        if let Some(jsep) = jsep {
            event["jsep"] = jsep;
        }
        self.schedule(PLUGIN, Work::Report(event));
        json!({ "janus": "ack" })
    }

    fn handle_goodbye(&mut self, connection: ConnectionId) {
        if !self.hangs_up {
            return;
        }
        let of = self.handles.iter_mut().find(|(_, of)| **of == Some(connection));
        let Some((&handle, of)) = of else { return };
        *of = None;
        // No transaction: nobody asked.
        let data = json!({ "echotest": "event", "result": "done" });
        self.deliver(json!({ "janus": "event", "sender": handle,
            "plugindata": { "plugin": "janus.plugin.echotest", "data": data } }));
        self.deliver(json!({ "janus": "hangup", "sender": handle, "reason": "DTLS alert" }));
    }

    // The browser.

    /// The connection that was made last.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connections.last_key_value().map_or(ConnectionId(0), |(id, _)| *id)
    }

    /// The browser reports something, whether the connection is open or not.
    pub(crate) fn peer(&mut self, id: ConnectionId, event: PeerEvent) {
        let test = self.test;
        self.client(|client, now| client.handle_peer(test, id, event, now));
    }

    pub(crate) fn channel(&mut self, id: ConnectionId, event: ChannelEvent) {
        let test = self.test;
        self.client(|client, now| client.handle_channel(test, id, event, now));
    }

    /// Nothing comes through the connection: a negotiation restores it, unless the page is walled in.
    pub(crate) fn cut_media(&mut self) {
        let id = self.connection();
        if let Some(browser) = self.connections.get_mut(&id).filter(|browser| browser.is_up) {
            browser.is_up = false;
            self.schedule(GIVE_UP, Work::GiveUp(id));
            self.peer(id, PeerEvent::State(ConnectionState::Disconnected));
        }
    }

    fn handle_peer_command(&mut self, id: ConnectionId, command: PeerCommand) {
        if command == PeerCommand::Offer {
            self.opened += 1;
            self.connections.insert(id, Browser::default());
            return self.schedule(DEVICES, Work::Describe(id, JsepKind::Offer));
        }
        assert!(self.connections.contains_key(&id), "{command:?} is for an open connection");
        match command {
            PeerCommand::Restart => self.schedule(DESCRIBE, Work::Describe(id, JsepKind::Offer)),
            PeerCommand::AcceptAnswer(sdp) => {
                assert_eq!(sdp, format!("answer to {}", id.0));
                self.schedule(CONNECT, Work::Connect(id));
            }
            PeerCommand::AddCandidates(_) => {}
            PeerCommand::Measure if self.gives_stats => {
                let stats = Box::new(self.samples.pop_front().unwrap_or_default());
                self.schedule(MEASURE, Work::Peer(id, PeerEvent::Stats(stats)));
            }
            PeerCommand::Measure => {}
            PeerCommand::Close => {
                self.closed += 1;
                if self.connections.remove(&id).is_some_and(|browser| browser.is_up) {
                    self.schedule(HANG_UP, Work::Goodbye(id));
                }
            }
            other => panic!("an echo test gets no offer: {other:?}"),
        }
    }

    fn describe(&mut self, id: ConnectionId, kind: JsepKind) {
        let result = match self.devices {
            Devices::Granted => Ok(format!("offer of {}", id.0)),
            Devices::Refused => Err(peer::Error::PermissionDenied { cause: "refused".into() }),
            Devices::Unanswered => return,
        };
        let is_ok = result.is_ok();
        self.peer(id, PeerEvent::Description(kind, result));
        if is_ok {
            let candidate = "candidate:1 1 udp 1 192.0.2.1 5000 typ host".into();
            let found = Candidate::Found { candidate, mid: None, line: Some(0) };
            self.peer(id, PeerEvent::Candidate(found));
            self.peer(id, PeerEvent::Candidate(Candidate::End));
        }
    }

    fn connect_media(&mut self, id: ConnectionId) {
        if self.is_walled_in {
            return;
        }
        let Some(browser) = self.connections.get_mut(&id) else { return };
        let is_first = !std::mem::replace(&mut browser.has_been_up, true);
        browser.is_up = true;
        self.peer(id, PeerEvent::State(ConnectionState::Connected));
        if is_first && self.has_channel {
            self.channel(id, ChannelEvent::Open(ChannelKind::Messages));
            self.channel(id, ChannelEvent::Open(ChannelKind::Bulk));
        }
        if is_first && self.returns_media {
            self.schedule(MEDIA, Work::Peer(id, PeerEvent::RemoteMedia));
        }
    }

    fn handle_message(&mut self, id: ConnectionId, message: ChannelMessage) {
        let ChannelMessage::Binary(ChannelKind::Messages, mut message) = message else {
            panic!("binary messages come back unchanged, texts do not");
        };
        let browser = self.connections[&id];
        assert!(browser.has_been_up, "nothing is sent on a channel that is not open");
        self.probes += 1;
        match self.echo {
            _ if !browser.is_up => return,
            Echo::Lost => return,
            Echo::Changed => *message.last_mut().unwrap() ^= 1,
            Echo::Unchanged => {}
        }
        self.schedule(ROUND_TRIP, Work::Channel(id, ChannelEvent::Binary(message)));
    }

    // The clock.

    fn client(&mut self, act: impl FnOnce(&mut Client, Time)) {
        act(&mut self.client, Time::from_millis(self.now));
        while let Some(output) = self.client.poll_output() {
            self.handle_output(output);
        }
    }

    fn handle_output(&mut self, output: Output) {
        let is_of_test = matches!(
            output,
            Output::Peer(..) | Output::Send(..) | Output::Release(_) | Output::Event(..)
        );
        assert!(!(is_of_test && self.is_ended), "nothing comes after the end of the object");
        match output {
            Output::Io(Io::Fetch(request)) if self.is_offline => {
                self.respond(request.id, HttpResponse::Failed("TypeError: Failed to fetch".into()));
            }
            Output::Io(Io::Fetch(request)) => self.schedule(TRIP, Work::Arrive(request)),
            Output::Io(Io::Abort(id)) => {
                self.work.retain(|_, work| !matches!(work, Work::Respond(of, _) if *of == id));
                self.poll.take_if(|(poll, _)| *poll == id);
            }
            Output::Io(Io::Beacon { .. }) => self.forget_session(),
            Output::Peer(_, id, command) => self.handle_peer_command(id, command),
            Output::Send(_, id, message) => self.handle_message(id, message),
            Output::Release(_) => self.released += 1,
            Output::Event(_, usecase::Event::EchoTest(event)) => self.events_told.push(event),
            Output::Done(command, result) => {
                assert!(self.open.remove(&command), "{command:?} ends once: {result:?}");
                self.done.insert(command, result);
            }
            Output::Ended(_) => {
                assert!(!self.is_ended, "the object ends once");
                self.is_ended = true;
                self.assert_nothing_is_left();
            }
            Output::Log(..) => {}
            _ => panic!("an echo test has no other outputs"),
        }
    }

    fn schedule(&mut self, delay: u64, work: Work) {
        self.sequence += 1;
        self.work.insert((self.now + delay, self.sequence), work);
    }

    pub(crate) fn run_for(&mut self, millis: u64) {
        let end = self.now + millis;
        let mut steps = 0;
        loop {
            let due = self.client.poll_timeout().map(Time::as_millis);
            let work = self.work.first_key_value().map(|((due, _), _)| *due);
            let poll = self.poll.map(|(_, until)| until);
            let next = [due, work, poll].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            steps = if next > self.now { 0 } else { steps + 1 };
            assert!(steps < 1000, "busy for ever at {}", self.now);
            self.now = self.now.max(next);
            while let Some(entry) = self.work.first_entry().filter(|e| e.key().0 <= self.now) {
                let work = entry.remove();
                self.handle_work(work);
            }
            if let Some((id, _)) = self.poll.take_if(|(_, until)| *until <= self.now) {
                let body = r#"[{"janus":"keepalive"}]"#.into();
                self.respond(id, HttpResponse::Answered { status: 200, body });
            }
            if self.client.poll_timeout().is_some_and(|due| due.as_millis() <= self.now) {
                self.client(Client::handle_timeout);
            }
        }
        self.now = end;
    }

    fn handle_work(&mut self, work: Work) {
        match work {
            Work::Arrive(request) => self.arrive(&request),
            Work::Respond(id, response) => {
                let response = match self.is_offline {
                    true => HttpResponse::Failed("TypeError: Failed to fetch".into()),
                    false => response,
                };
                self.client(|client, now| client.handle_http(id, response, now));
            }
            Work::Report(event) => {
                let sender = event["sender"].as_u64().unwrap();
                if self.handles.contains_key(&sender) || event["janus"] == "detached" {
                    self.deliver(event);
                }
            }
            Work::Goodbye(connection) => self.handle_goodbye(connection),
            Work::Describe(id, kind) if self.connections.contains_key(&id) => {
                self.describe(id, kind);
            }
            Work::Connect(id) => self.connect_media(id),
            Work::GiveUp(id) if self.connections.get(&id).is_some_and(|browser| !browser.is_up) => {
                self.peer(id, PeerEvent::State(ConnectionState::Failed));
            }
            Work::Peer(id, event) if self.connections.contains_key(&id) => self.peer(id, event),
            Work::Channel(id, event) if self.connections.contains_key(&id) => {
                self.channel(id, event);
            }
            Work::Describe(..) | Work::GiveUp(_) | Work::Peer(..) | Work::Channel(..) => {}
        }
    }
}

fn refusal(code: i64) -> Value {
    json!({ "janus": "error", "error": { "code": code, "reason": "No such thing" } })
}

/// An event in short: `media`, `slow video up 3`, `error SESSION_LOST`.
fn short(event: &Event) -> String {
    match event {
        Event::RemoteMedia => "media".into(),
        Event::SlowLink { media, uplink, lost } => {
            format!("slow {media} {} {lost}", if *uplink { "up" } else { "down" })
        }
        Event::Error(error) => format!("error {}", error.code().as_str()),
        other => format!("{other:?}"),
    }
}
