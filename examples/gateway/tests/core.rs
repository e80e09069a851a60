//! The core on a virtual clock: the races of Janus' threads, each in every order.

// A test that cannot go on says so and fails.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use videortc_gateway::{CloseTimer, Gateway, Options, Poll, PollTicket, Timing};

const MS: Duration = Duration::from_millis(1);
const SDP: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

/// A gateway and its time.
struct World {
    gateway: Gateway,
    now: Duration,
    /// The waiting polls, by session.
    polls: BTreeMap<u64, PollTicket>,
}

#[derive(Clone, Copy)]
struct Client {
    session: u64,
    handle: u64,
}

impl World {
    fn new(timing: Timing) -> Self {
        let gateway = Gateway::new(Options { timing, ..Options::default() });
        Self { gateway, now: MS, polls: BTreeMap::new() }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.gateway.handle_timeout(self.now);
    }

    fn post(&mut self, path: &str, mut request: Value) -> Value {
        request["transaction"] = json!("t");
        let answer = self.gateway.post(path, &request.to_string(), self.now);
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn client(&mut self, name: &str) -> Client {
        let id = |answer: Value| answer["data"]["id"].as_u64().unwrap();
        let session = id(self.post("", json!({ "janus": "create" })));
        let attach = json!({ "janus": "attach", "plugin": videortc_gateway::PLUGIN });
        let handle = id(self.post(&format!("/{session}"), attach));
        let client = Client { session, handle };
        self.plugin(client, json!({ "request": "register", "username": name }), None);
        self.wait(MS * 2);
        assert_eq!(self.heard(client), ["registered"]);
        client
    }

    /// Sends a request to the plugin; returns the core's answer.
    fn plugin(&mut self, of: Client, body: Value, sdp: Option<&str>) -> String {
        let mut request = json!({ "janus": "message", "body": body });
        if let Some(kind) = sdp {
            request["jsep"] = json!({ "type": kind, "sdp": SDP });
        }
        let answer = self.post(&format!("/{}/{}", of.session, of.handle), request);
        match answer["error"]["code"].as_u64() {
            Some(code) => code.to_string(),
            None => answer["janus"].as_str().unwrap().to_owned(),
        }
    }

    fn call(&mut self, from: Client, whom: &str) -> String {
        self.plugin(from, json!({ "request": "call", "username": whom }), Some("offer"))
    }

    fn accept(&mut self, from: Client) -> String {
        self.plugin(from, json!({ "request": "accept" }), Some("answer"))
    }

    fn hang_up(&mut self, from: Client) -> String {
        self.plugin(from, json!({ "request": "hangup" }), None)
    }

    /// The answer of a poll in short. A poll without events continues.
    fn heard(&mut self, by: Client) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let poll = match self.polls.remove(&by.session) {
                Some(ticket) => self.gateway.collect(&ticket, self.now),
                None => self.gateway.poll(by.session, 100, self.now),
            };
            match poll {
                Poll::Events(events) => heard.extend(events.iter().map(in_short)),
                Poll::Wait(ticket) => {
                    self.polls.insert(by.session, ticket);
                    return heard;
                }
                Poll::UnknownSession => return vec!["unknown session".to_owned()],
            }
        }
    }

    fn collected(&mut self, ticket: &PollTicket) -> Option<Vec<String>> {
        match self.gateway.collect(ticket, self.now) {
            Poll::Events(events) => Some(events.iter().map(in_short).collect()),
            Poll::Wait(_) => None,
            Poll::UnknownSession => panic!("no such poll"),
        }
    }

    /// The waiting poll; from now on, [`heard`](Self::heard) uses another one.
    fn waiting_poll(&mut self, by: Client) -> PollTicket {
        assert!(self.heard(by).is_empty());
        self.polls.remove(&by.session).unwrap()
    }
}

fn in_short(event: &Value) -> String {
    let data = &event["plugindata"]["data"];
    let kind = event["janus"].as_str().unwrap();
    let reason = event["reason"].as_str().or(data["result"]["reason"].as_str());
    let name = match data["error_code"].as_u64() {
        Some(code) => code.to_string(),
        None => data["result"]["event"].as_str().unwrap_or(kind).to_owned(),
    };
    let by = if kind == "event" { "" } else { "core " };
    reason.map_or(name.clone(), |reason| format!("{by}{name}: {reason}"))
}

fn asynchronous() -> Timing {
    Timing {
        plugin: MS..=MS,
        close: CloseTimer::After(MS * 10..=MS * 10),
        cleanup: Duration::ZERO..=Duration::ZERO,
    }
}

#[test]
fn a_call_and_its_end() {
    let mut world = World::new(asynchronous());
    let (a, b) = (world.client("a"), world.client("b"));
    assert_eq!(world.call(a, "b"), "ack");
    assert!(world.heard(b).is_empty(), "the plugin has not got to it");
    world.wait(MS);
    assert_eq!(world.heard(b), ["incomingcall"]);
    assert_eq!(world.heard(a), ["calling"]);
    world.accept(b);
    world.wait(MS);
    assert_eq!(world.heard(a), ["accepted", "webrtcup"]);
    assert_eq!(world.heard(b), ["accepted", "webrtcup"]);
    world.hang_up(b);
    world.wait(MS);
    assert_eq!(world.heard(a), ["hangup: We did the hangup"]);
    assert_eq!(world.heard(b), ["hangup: Explicit hangup"]);
    world.wait(MS * 10);
    let end = ["core hangup: Close PC", "hangup: Remote WebRTC hangup"];
    for who in [a, b] {
        let mut heard = world.heard(who);
        heard.sort();
        assert_eq!(heard, end);
    }
    assert_eq!(world.call(a, "b"), "ack");
}

#[test]
fn the_second_of_two_crossing_calls_is_refused_once_the_first_rings() {
    let mut world = World::new(asynchronous());
    let (a, b) = (world.client("a"), world.client("b"));
    world.call(a, "b");
    world.wait(MS);
    assert_eq!(world.call(b, "a"), "490");
    world.accept(b);
    world.wait(MS);
    assert_eq!(world.heard(a), ["calling", "accepted", "webrtcup"]);
}

#[test]
fn two_calls_that_cross_in_the_plugin_kill_each_other() {
    let mut world = World::new(asynchronous());
    let (a, b) = (world.client("a"), world.client("b"));
    assert_eq!(world.call(a, "b"), "ack");
    assert_eq!(world.call(b, "a"), "ack");
    world.wait(MS);
    assert_eq!(world.heard(a), ["calling"]);
    assert_eq!(world.heard(b), ["incomingcall", "480"]);
    world.wait(MS * 20);
    assert_eq!(world.heard(a), ["hangup: Remote WebRTC hangup", "core hangup: Close PC"]);
    assert_eq!(world.heard(b), ["core hangup: Close PC", "hangup: Remote WebRTC hangup"]);
}

#[test]
fn a_call_before_the_old_connection_is_closed_is_refused_and_harms_nothing() {
    let mut world = World::new(asynchronous());
    let (a, b, c) = (world.client("a"), world.client("b"), world.client("c"));
    world.call(a, "b");
    world.wait(MS);
    world.hang_up(b);
    world.wait(MS);
    assert_eq!(world.call(a, "b"), "490");
    // For a third user, both are still busy.
    world.call(c, "b");
    world.wait(MS);
    assert_eq!(world.heard(c), ["hangup: User busy"]);
    world.wait(MS * 20);
    world.heard(a);
    world.heard(b);
    assert_eq!(world.call(a, "b"), "ack");
    world.wait(MS * 20);
    assert_eq!(world.heard(b), ["incomingcall"]);
    assert_eq!(world.heard(a), ["calling"]);
}

#[test]
fn the_two_ends_close_at_one_tick_of_janus_clock() {
    let mut world = World::new(Timing::like_janus());
    let (a, b) = (world.client("a"), world.client("b"));
    for _ in 0..20 {
        world.call(a, "b");
        world.wait(MS * 2);
        world.hang_up(a);
        let closed = |heard: &[String]| heard.iter().any(|event| event.starts_with("core"));
        let mut waited = Duration::ZERO;
        let mut at_a = Vec::new();
        while !closed(&at_a) {
            world.wait(MS);
            waited += MS;
            at_a.extend(world.heard(a));
            assert!(waited < Duration::from_millis(760), "{at_a:?}");
        }
        world.wait(MS * 2);
        let at_b = world.heard(b);
        assert!(closed(&at_b), "{at_b:?}");
        world.heard(a);
        world.wait(MS * 70);
    }
}

#[test]
fn an_idle_session_ends_with_a_word_to_the_poll_that_waits_and_frees_the_name() {
    let mut world = World::new(Timing::default());
    let short = Options { session_timeout: Duration::from_secs(10), ..Options::default() };
    world.gateway = Gateway::new(short);
    let a = world.client("a");
    let ticket = world.waiting_poll(a);
    world.wait(Duration::from_millis(9_999));
    assert_eq!(world.collected(&ticket), None);
    world.wait(MS);
    assert_eq!(world.collected(&ticket), Some(vec!["timeout".to_owned()]));
    assert_eq!(world.heard(a), ["unknown session"]);
    world.client("a");
}

#[test]
fn a_poll_is_answered_after_30_seconds_at_the_latest() {
    let mut world = World::new(Timing::default());
    let a = world.client("a");
    let ticket = world.waiting_poll(a);
    let limit = world.now + Duration::from_secs(30);
    assert_eq!(world.gateway.next_timeout(), Some(limit));
    world.wait(Duration::from_millis(29_999));
    assert_eq!(world.collected(&ticket), None);
    world.wait(MS);
    assert_eq!(world.collected(&ticket), Some(vec!["keepalive".to_owned()]));
}

#[test]
fn an_event_wakes_all_polls_and_the_oldest_takes_it_even_if_its_reader_has_left() {
    let mut world = World::new(Timing::default());
    let a = world.client("a");
    let _left = world.waiting_poll(a);
    let second = world.waiting_poll(a);
    world.plugin(a, json!({ "request": "list" }), None);
    assert_eq!(world.collected(&second), Some(vec!["keepalive".to_owned()]));
    assert!(world.heard(a).is_empty());
}

#[test]
fn a_poll_of_before_a_claim_or_a_destroy_is_deaf() {
    let mut world = World::new(Timing::default());
    let a = world.client("a");
    let ticket = world.waiting_poll(a);
    world.post(&format!("/{}", a.session), json!({ "janus": "claim" }));
    world.plugin(a, json!({ "request": "list" }), None);
    assert_eq!(world.collected(&ticket), None);
    assert_eq!(world.heard(a), ["event"]);
    let ticket = world.waiting_poll(a);
    world.post(&format!("/{}", a.session), json!({ "janus": "destroy" }));
    assert_eq!(world.collected(&ticket), None);
    world.wait(Duration::from_secs(30));
    assert_eq!(world.collected(&ticket), Some(vec!["keepalive".to_owned()]));
}

#[test]
fn candidates_reach_the_peer_as_soon_as_there_is_one() {
    let mut world = World::new(Timing::default());
    let (a, b) = (world.client("a"), world.client("b"));
    let candidate = json!({ "candidate": "candidate:1 1 udp 1 host.local 9 typ host", "sdpMid": "0",
        "sdpMLineIndex": 0, "usernameFragment": "abcd" });
    let trickle = |candidates: Value| json!({ "janus": "trickle", "candidates": candidates });
    let path = |of: Client| format!("/{}/{}", of.session, of.handle);
    world.post(&path(a), trickle(json!([candidate])));
    world.call(a, "b");
    assert_eq!(world.heard(b), ["incomingcall", "trickle"]);
    // Answers the waiting poll, so that the next events go to another one.
    let ticket = world.polls.remove(&a.session).unwrap();
    assert_eq!(world.collected(&ticket), Some(vec!["calling".to_owned()]));
    // The caller receives the callee's candidates before the answer.
    world.post(&path(b), trickle(json!([candidate, { "completed": true }])));
    let Poll::Events(events) = world.gateway.poll(a.session, 10, world.now) else {
        panic!("the candidates wait for a poll");
    };
    let sent: Vec<&Value> = events.iter().map(|event| &event["candidate"]).collect();
    let mut expected = candidate;
    expected.as_object_mut().unwrap().remove("usernameFragment");
    assert_eq!(sent, [&expected, &json!({ "completed": true })]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut world = World::new(Timing::like_janus());
        let (a, b) = (world.client("a"), world.client("b"));
        world.call(a, "b");
        world.wait(MS * 5);
        world.hang_up(b);
        world.wait(Duration::from_secs(1));
        (a.session, b.handle, world.heard(a), world.heard(b), world.now)
    };
    assert_eq!(run(), run());
}
