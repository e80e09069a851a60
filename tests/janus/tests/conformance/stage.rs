//! Where a scenario plays: it sends requests to one gateway and writes down what comes back.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::{normal, sdp};

/// The longest that an expected event may take. Janus needs up to 750 ms for a hang-up.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a poll that may have been forgotten is listened to: longer than an idle session lives
/// here.
const SILENCE: Duration = Duration::from_secs(4);

const BASE: &str = "/janus";

/// The answer of a gateway at one step, prepared for the comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) what: String,
    pub(crate) value: Value,
}

/// A message as it came, with a name for its kind.
pub(crate) type Named = (String, Value);

/// One scenario's play against one gateway.
pub(crate) struct Stage {
    scenario: &'static str,
    gateway: &'static str,
    port: u16,
    steps: Vec<Step>,
    messages: Vec<Named>,
    ids: Vec<(u64, String)>,
    transactions: u32,
    clients: Vec<Client>,
}

/// A session with a handle, by its place on the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who(usize);

struct Client {
    name: String,
    session: u64,
    handle: u64,
    /// Events from polls that were not expected yet.
    inbox: VecDeque<Value>,
    /// Its session is over: nothing more is asked for it.
    gone: bool,
}

impl Stage {
    pub(crate) fn new(scenario: &'static str, gateway: &'static str, port: u16) -> Self {
        Self {
            scenario,
            gateway,
            port,
            steps: Vec::new(),
            messages: Vec::new(),
            ids: Vec::new(),
            transactions: 0,
            clients: Vec::new(),
        }
    }

    /// Hears whether anyone got an event that nobody expected, and ends the play.
    pub(crate) fn finish(mut self) -> (Vec<Step>, Vec<Named>) {
        let present: Vec<Who> =
            (0..self.clients.len()).filter(|index| !self.clients[*index].gone).map(Who).collect();
        for who in &present {
            // An answer that comes after all that was said before.
            self.plugin(*who, &json!({ "request": "nothing at all" }));
            self.expect(*who, &["error 472"]);
        }
        for who in present {
            self.end(who);
        }
        (self.steps, self.messages)
    }

    // Sessions.

    /// A client with a session, a handle and, as `name`, a registration. None of it is written
    /// down.
    pub(crate) fn client(&mut self, name: &str) -> Who {
        let who = self.nobody(name);
        self.plugin(who, &json!({ "request": "register", "username": self.full_name(name) }));
        self.expect(who, &["registered"]);
        who
    }

    /// A client without a name.
    pub(crate) fn nobody(&mut self, name: &str) -> Who {
        let create = json!({ "janus": "create" });
        let session = self.post("", "create", &create)["data"]["id"].as_u64().unwrap();
        self.know(session, &format!("session of {name}"));
        let attach = json!({ "janus": "attach", "plugin": "janus.plugin.videocall" });
        let path = format!("/{session}");
        let handle = self.post(&path, "attach", &attach)["data"]["id"].as_u64().unwrap();
        self.know(handle, &format!("handle of {name}"));
        let inbox = VecDeque::new();
        self.clients.push(Client { name: name.to_owned(), session, handle, inbox, gone: false });
        Who(self.clients.len() - 1)
    }

    /// The name under which a client is registered: scenarios do not meet each other's people.
    pub(crate) fn full_name(&self, name: &str) -> String {
        format!("{name} of {}", self.scenario)
    }

    pub(crate) fn name(&self, who: Who) -> String {
        self.full_name(&self.clients[who.0].name)
    }

    pub(crate) fn session(&self, who: Who) -> String {
        format!("/{}", self.clients[who.0].session)
    }

    pub(crate) fn session_id(&self, who: Who) -> u64 {
        self.clients[who.0].session
    }

    pub(crate) fn handle(&self, who: Who) -> String {
        let Client { session, handle, .. } = self.clients[who.0];
        format!("/{session}/{handle}")
    }

    /// Ends a client's session, and with it what it had.
    pub(crate) fn end(&mut self, who: Who) {
        let path = self.session(who);
        self.request(&path, &json!({ "janus": "destroy" }));
        self.clients[who.0].gone = true;
    }

    /// Calls an id by a name from now on.
    pub(crate) fn know(&mut self, id: u64, name: &str) {
        self.ids.push((id, format!("<{name}>")));
    }

    // Requests.

    /// A request to the plugin.
    pub(crate) fn plugin(&mut self, who: Who, body: &Value) {
        self.plugin_with(who, body, None);
    }

    /// A request to the plugin with a session description.
    pub(crate) fn plugin_with(&mut self, who: Who, body: &Value, jsep: Option<Value>) {
        let mut message = json!({ "janus": "message", "body": body });
        if let Some(jsep) = jsep {
            message["jsep"] = jsep;
        }
        let path = self.handle(who);
        self.request(&path, &message);
    }

    pub(crate) fn call(&mut self, who: Who, whom: &str) {
        self.plugin_with(who, &json!({ "request": "call", "username": whom }), Some(sdp::offer()));
    }

    pub(crate) fn accept(&mut self, who: Who) {
        self.plugin_with(who, &json!({ "request": "accept" }), Some(sdp::answer()));
    }

    pub(crate) fn hang_up(&mut self, who: Who) {
        self.plugin(who, &json!({ "request": "hangup" }));
    }

    /// Waits until the connection of an earlier call is gone to its last piece. Janus says `hangup`
    /// a moment before, and a call that comes in between can get lost: the caller hears `calling`,
    /// the callee nothing. What is left shows in how an answer that nobody asked for is refused.
    pub(crate) fn settle(&mut self, who: Who) {
        let started = Instant::now();
        let body = json!({ "request": "accept" });
        let mut probe = json!({ "janus": "message", "body": body, "jsep": sdp::answer() });
        probe["transaction"] = json!("probe");
        while !self.send("POST", &self.handle(who), "", &probe.to_string()).body.contains("469") {
            assert!(started.elapsed() < LIMIT, "{} on {}", self.scenario, self.gateway);
        }
    }

    /// `a` calls `b`, and it rings. Neither has a connection.
    pub(crate) fn ring(&mut self, a: Who, b: Who) {
        self.settle(a);
        self.settle(b);
        let whom = self.name(b);
        self.call(a, &whom);
        self.expect(b, &["incomingcall"]);
        self.expect(a, &["calling"]);
    }

    /// `a` calls `b`, and `b` accepts.
    pub(crate) fn connect(&mut self, a: Who, b: Who) {
        self.ring(a, b);
        self.accept(b);
        self.expect(a, &["accepted"]);
        self.expect(b, &["accepted"]);
    }

    /// A request whose answer is compared under its own words.
    pub(crate) fn request(&mut self, path: &str, request: &Value) -> Value {
        let what = normal::message(request, &self.ids).to_string();
        self.post(path, &what, request)
    }

    fn post(&mut self, path: &str, what: &str, request: &Value) -> Value {
        let mut request = request.clone();
        self.transactions += 1;
        if request.is_object() && request.get("transaction").is_none() {
            request["transaction"] = json!(format!("transaction {}", self.transactions));
        }
        let answer = self.send("POST", path, "", &request.to_string());
        let value = serde_json::from_str(&answer.body).unwrap_or_default();
        self.keep_answer(&request, &value);
        if what == "create" || what == "attach" {
            // Their ids are not known yet.
            return value;
        }
        self.note(what, &answer);
        value
    }

    /// A request as it is, compared with its head.
    pub(crate) fn raw(&mut self, what: &str, method: &str, path: &str, headers: &str, body: &str) {
        let answer = self.send(method, path, headers, body);
        self.note(what, &answer);
        if let Some(Step { value, .. }) = self.steps.last_mut() {
            value["headers"] = normal::message(&json!(answer.headers), &self.ids);
        }
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let path = format!("{BASE}{path}");
        http::exchange(self.port, method, &path, headers, body, LIMIT).unwrap_or_else(|error| {
            panic!("{} on {}: {method} {path} {body}: {error}", self.scenario, self.gateway)
        })
    }

    fn note(&mut self, what: &str, answer: &Answer) {
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body));
        let body = normal::message(&body, &self.ids);
        let value = json!({ "status": answer.status, "body": body });
        self.steps.push(Step { what: what.to_owned(), value });
    }

    // Events.

    /// Waits for these events and writes down all that came, in the order in which it came.
    pub(crate) fn expect(&mut self, who: Who, tags: &[&str]) {
        let events = self.wait_for(who, tags);
        self.note_events(who, &events);
    }

    /// Waits for this event and writes down it alone: what else comes is a race of Janus' threads.
    pub(crate) fn expect_among_others(&mut self, who: Who, tag: &str) {
        let mut events = self.wait_for(who, &[tag]);
        events.retain(|event| normal::tag(event) == tag);
        self.note_events(who, &events);
    }

    /// The same as [`expect`](Self::expect) where two of Janus' threads decide the order.
    pub(crate) fn expect_in_any_order(&mut self, who: Who, tags: &[&str]) {
        let mut events = self.wait_for(who, tags);
        events.sort_by_key(normal::tag);
        self.note_events(who, &events);
    }

    fn wait_for(&mut self, who: Who, tags: &[&str]) -> Vec<Value> {
        let started = Instant::now();
        let mut missing: Vec<&str> = tags.to_vec();
        let mut came = Vec::new();
        while !missing.is_empty() {
            assert!(
                started.elapsed() < LIMIT,
                "{} on {}: no {missing:?} after {came:?}",
                self.scenario,
                self.gateway
            );
            let Some(event) = self.clients[who.0].inbox.pop_front() else {
                let events = self.poll(who);
                self.clients[who.0].inbox.extend(events);
                continue;
            };
            let tag = normal::tag(&event);
            let jsep = event["jsep"]["type"].as_str().map(|kind| format!(" with {kind}"));
            let name = format!("event {tag}{}", jsep.unwrap_or_default());
            self.messages.push((name, event.clone()));
            if let Some(index) = missing.iter().position(|missing| *missing == tag) {
                missing.remove(index);
            }
            if !normal::is_left_out(&event) && tag != "core keepalive" {
                came.push(event);
            }
        }
        came
    }

    /// Polls until the session is gone, and writes down how that is told. What comes before is a
    /// race of Janus' threads: `detached`, `timeout`, both or nothing.
    pub(crate) fn expect_gone(&mut self, who: Who) {
        let path = self.session(who);
        let answer = loop {
            let path = format!("{BASE}{path}");
            // A poll that waits when the session goes may be forgotten with it.
            let Ok(answer) = http::exchange(self.port, "GET", &path, "", "", SILENCE) else {
                continue;
            };
            if answer.status != 200 {
                break answer;
            }
            let event: Value = serde_json::from_str(&answer.body).unwrap();
            self.messages.push((format!("event {}", normal::tag(&event)), event));
        };
        self.note("a poll on a session that is gone", &answer);
        self.clients[who.0].gone = true;
    }

    /// Two polls at once: an event wakes both, the first takes it and the other leaves with a
    /// keepalive. Whether both wait when the event comes cannot be seen from here: it is tried
    /// until they did.
    pub(crate) fn expect_keepalive_for_the_second_poll(&mut self, who: Who) {
        const ATTEMPTS: usize = 50;
        let poll_path = format!("{}?maxev=10", self.session(who));
        let body = json!({ "request": "list" });
        let ask = json!({ "janus": "message", "transaction": "wake", "body": body }).to_string();
        for _ in 0..ATTEMPTS {
            let answers = thread::scope(|scope| {
                let poll = || self.send("GET", &poll_path, "", "");
                let polls = [scope.spawn(poll), scope.spawn(poll)];
                while !polls.iter().all(|poll| poll.is_finished()) {
                    self.send("POST", &self.handle(who), "", &ask);
                }
                polls.map(|poll| poll.join().unwrap())
            });
            let keepalive = answers.iter().find(|answer| answer.body.contains("keepalive"));
            let found = keepalive.is_some();
            if let Some(answer) = keepalive.cloned() {
                let messages: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
                self.messages.push(("event core keepalive".to_owned(), messages[0].clone()));
                self.note("the second of two polls", &answer);
            }
            self.drain(who);
            if found {
                return;
            }
        }
    }

    /// Takes all that was said until now, and writes nothing down.
    fn drain(&mut self, who: Who) {
        let transaction = "the last word";
        let body = json!({ "request": "nothing at all" });
        let ask = json!({ "janus": "message", "transaction": transaction, "body": body });
        self.send("POST", &self.handle(who), "", &ask.to_string());
        self.wait_for(who, &["error 472"]);
    }

    /// The events of one poll; none if it waited in vain.
    fn poll(&self, who: Who) -> Vec<Value> {
        let path = format!("{BASE}{}?maxev=10", self.session(who));
        let Ok(answer) = http::exchange(self.port, "GET", &path, "", "", LIMIT) else {
            return Vec::new();
        };
        match serde_json::from_str(&answer.body) {
            Ok(Value::Array(events)) => events,
            other => panic!("a poll for many is answered with an array: {other:?} {answer:?}"),
        }
    }

    fn note_events(&mut self, who: Who, events: &[Value]) {
        let events: Value = events.iter().map(|event| normal::message(event, &self.ids)).collect();
        let what = format!("events of {}", self.clients[who.0].name);
        self.steps.push(Step { what, value: events });
    }

    fn keep_answer(&mut self, request: &Value, answer: &Value) {
        let asked = request["janus"].as_str().unwrap_or("nonsense");
        let name = match answer["error"]["code"].as_u64() {
            Some(code) => format!("error {code}"),
            None => format!("{} to {asked}", answer["janus"].as_str().unwrap_or("nothing")),
        };
        if answer.is_object() {
            self.messages.push((name, answer.clone()));
        }
    }
}
