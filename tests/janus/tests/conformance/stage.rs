//! Where a scenario plays: it sends requests to one gateway and writes down what comes back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::{normal, sdp};

/// The longest that an expected event may take. Janus needs up to 750 ms for a hang-up.
const LIMIT: Duration = Duration::from_secs(10);

const BASE: &str = "/janus";

/// What a gateway said at one step, ready to be compared.
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
    /// Its session is over: nothing more is asked for it.
    gone: bool,
}

impl Stage {
    pub(crate) fn new(scenario: &'static str, port: u16) -> Self {
        Self {
            scenario,
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
        for index in 0..self.clients.len() {
            if !self.clients[index].gone {
                let who = Who(index);
                // An answer that comes after all that was said before.
                self.plugin(who, &json!({ "request": "nothing at all" }));
                self.expect(who, &["error 472"]);
                self.end(who);
            }
        }
        (self.steps, self.messages)
    }

    // Sessions.

    /// A client with a session, a handle and, as `name`, a registration. None of it is written down.
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
        self.clients.push(Client { name: name.to_owned(), session, handle, gone: false });
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
        self.gone(who);
    }

    /// Nothing more is to be heard of this client.
    pub(crate) fn gone(&mut self, who: Who) {
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

    /// `a` calls `b`, and it rings.
    pub(crate) fn ring(&mut self, a: Who, b: Who) {
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
        let (headers, what) = (json!(answer.headers), format!("{what}: head"));
        let value = normal::message(&headers, &self.ids);
        self.steps.push(Step { what, value });
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        http::exchange(self.port, method, &format!("{BASE}{path}"), headers, body, LIMIT)
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

    /// The same where two of Janus' threads decide the order.
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
            assert!(started.elapsed() < LIMIT, "{}: no {missing:?} after {came:?}", self.scenario);
            for event in self.poll(who) {
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
        }
        came
    }

    /// Two polls at once: the first takes the event, the other leaves with a keepalive.
    pub(crate) fn two_polls(&mut self, who: Who, body: &Value) {
        let (port, path) = (self.port, format!("{BASE}{}?maxev=10", self.session(who)));
        let poll = || http::exchange(port, "GET", &path, "", "", LIMIT);
        let mut answers = std::thread::scope(|scope| {
            let polls = [scope.spawn(poll), scope.spawn(poll)];
            // Whether both wait already cannot be seen from here; one that comes late waits for the
            // second event.
            self.plugin(who, body);
            self.plugin(who, body);
            polls.map(|poll| poll.join().unwrap())
        });
        answers.sort_by_key(|answer| answer.body.contains("keepalive"));
        for answer in answers {
            for message in serde_json::from_str::<Vec<Value>>(&answer.body).unwrap() {
                self.messages.push((format!("event {}", normal::tag(&message)), message));
            }
        }
        // Who got which is a race: take the rest.
        self.plugin(who, &json!({ "request": "list" }));
        self.wait_for(who, &["list"]);
    }

    fn poll(&mut self, who: Who) -> Vec<Value> {
        let path = format!("{}?maxev=10", self.session(who));
        let answer = self.send("GET", &path, "", "");
        assert_eq!(answer.status, 200, "{}: {path}", self.scenario);
        match serde_json::from_str(&answer.body).unwrap() {
            Value::Array(events) => events,
            other => panic!("a poll for many is answered with an array: {other}"),
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
