//! Tokens from a function of the page: when the function is called, which requests wait for it, and
//! what happens if the token is late, missing or refused.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod world;

use std::time::Duration;

use serde_json::{Value, json};
use videortc::config::{GatewayConfig, Secret, ServerUrl, Token};
use videortc::error::{Code, Error};
use videortc::signaling::{
    Answer, HandleId, HttpRequest, HttpResponse, Io, Output, Session, TokenRequest,
};
use videortc::time::Time;
use videortc::usecase::video_call::{self, CallConfig};
use videortc_gateway::Timing;
use world::World;

const SECOND: Duration = Duration::from_secs(1);

/// A session and its outputs. The test is the gateway.
struct Rig {
    session: Session<video_call::Request>,
    now: Time,
    /// The requests without an answer, oldest first.
    requests: Vec<HttpRequest>,
    /// The requests for a token without an answer.
    asked: Vec<TokenRequest>,
    opened: Option<Result<(), Error>>,
    lost: Option<Error>,
    answers: Vec<Result<Answer, Error>>,
    troubles: usize,
    beacons: Vec<String>,
    closed: bool,
    said: String,
}

impl Rig {
    /// A session that waits for its first token.
    fn opening() -> Self {
        let mut config = GatewayConfig::new(vec![ServerUrl::new("https://a.test/janus")]);
        config.token = Token::Asked;
        Self::with(config)
    }

    fn with(config: GatewayConfig) -> Self {
        let mut rig = Self {
            session: Session::new(config, world::dice::loaded(1)),
            now: Time::from_millis(0),
            requests: Vec::new(),
            asked: Vec::new(),
            opened: None,
            lost: None,
            answers: Vec::new(),
            troubles: 0,
            beacons: Vec::new(),
            closed: false,
            said: String::new(),
        };
        rig.tell(|session, now| session.open(now));
        rig
    }

    /// An open session with a poll and a handle. Its token is "old".
    fn open() -> (Self, HandleId) {
        let mut rig = Self::opening();
        rig.give("old");
        rig.answer_success("create");
        assert_eq!(rig.opened, Some(Ok(())));
        rig.tell(|session, now| drop(session.attach("janus.plugin.videocall", None, now)));
        rig.answer_success("attach");
        let Some(Ok(Answer::Attached(handle))) = rig.answers.pop() else { panic!("not attached") };
        assert_eq!(rig.kinds(), ["poll old"]);
        (rig, handle)
    }

    fn tell(&mut self, act: impl FnOnce(&mut Session<video_call::Request>, Time)) {
        act(&mut self.session, self.now);
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Io(Io::Fetch(request)) => self.requests.push(request),
                Output::Io(Io::Abort(id)) => self.requests.retain(|request| request.id != id),
                Output::AskToken(request) => self.asked.push(request),
                Output::Opened(result) => self.opened = Some(result.map_err(Error::from)),
                Output::Lost(error) => self.lost = Some(error.into()),
                Output::Answer(_, answer) => self.answers.push(answer.map_err(Error::from)),
                Output::Trouble(_) => self.troubles += 1,
                Output::Io(Io::Beacon { body, .. }) => self.beacons.push(body),
                Output::Closed => self.closed = true,
                Output::Log(_, line) => self.said.push_str(&line),
                Output::Restored | Output::Doubt(_) | Output::Notice(..) => {}
            }
        }
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            steps = if due > self.now { 0 } else { steps + 1 };
            assert!(steps < 100, "busy for ever");
            self.now = self.now.max(due);
            self.tell(|session, now| session.handle_timeout(now));
        }
        self.now = end;
    }

    // The page.

    fn send(&mut self, handle: HandleId, reason: &str) {
        let request = video_call::Request::Hangup { reason: reason.to_owned() };
        self.tell(|session, now| drop(session.message(handle, request, None, now)));
    }

    /// The page returns the token that was requested last.
    fn give(&mut self, token: &str) {
        let request = self.asked.pop().unwrap();
        self.tell(|session, now| session.handle_token(request, Ok(Secret::new(token)), now));
    }

    fn throw(&mut self, words: &str) {
        let request = self.asked.pop().unwrap();
        self.tell(|session, now| session.handle_token(request, Err(words.to_owned()), now));
    }

    // The gateway.

    /// The kinds of the requests with their tokens: `create old`, `poll old`, `message old`.
    fn kinds(&self) -> Vec<String> {
        self.requests.iter().map(kind).collect()
    }

    /// The reasons of the open messages, by which the tests tell them apart.
    fn messages(&self) -> Vec<String> {
        let bodies = self.requests.iter().filter_map(|request| request.body.as_deref());
        let bodies = bodies.map(|body| serde_json::from_str(body).unwrap());
        bodies
            .filter_map(|body: Value| Some(body.pointer("/body/reason")?.as_str()?.to_owned()))
            .collect()
    }

    fn answer(&mut self, wanted: &str, response: impl FnOnce(&HttpRequest) -> HttpResponse) {
        let is_wanted = |request: &HttpRequest| kind(request).split(' ').next() == Some(wanted);
        let at = self.requests.iter().position(is_wanted);
        let request = self.requests.remove(at.unwrap_or_else(|| panic!("no {wanted}")));
        let response = response(&request);
        self.tell(|session, now| session.handle_http(request.id, response, now));
    }

    fn answer_success(&mut self, wanted: &str) {
        self.answer(wanted, |request| {
            let id = &field(request, "id");
            let id = if id.is_null() { &json!(77) } else { id };
            answered(request, json!({ "janus": "success", "data": { "id": id } }))
        });
    }

    /// Refuses like Janus 1.1.2: a poll by an HTTP status without a body, other requests in JSON.
    fn refuse(&mut self, wanted: &str) {
        self.answer(wanted, |request| match request.body {
            None => HttpResponse::Answered { status: 403, body: String::new() },
            Some(_) => {
                let reason = "Unauthorized request (wrong or missing secret/token)";
                let error = json!({ "code": 403, "reason": reason });
                answered(request, json!({ "janus": "error", "error": error }))
            }
        });
    }

    fn acknowledge(&mut self) {
        self.answer("message", |request| answered(request, json!({ "janus": "ack" })));
    }

    /// Asserts that the page noticed nothing.
    fn assert_calm(&self) {
        assert_eq!((&self.lost, self.troubles, self.closed), (&None, 0, false));
        assert_eq!(self.answers, []);
    }
}

fn field(request: &HttpRequest, name: &str) -> Value {
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
    body[name].clone()
}

fn kind(request: &HttpRequest) -> String {
    match &request.body {
        None => {
            let token = request.url.split_once("&token=").map_or("", |(_, token)| token);
            format!("poll {token}")
        }
        Some(_) => {
            let words = [field(request, "janus"), field(request, "token")];
            words.map(|word| word.as_str().unwrap_or("none").to_owned()).join(" ")
        }
    }
}

fn answered(request: &HttpRequest, mut body: Value) -> HttpResponse {
    body["transaction"] = field(request, "transaction");
    HttpResponse::Answered { status: 200, body: body.to_string() }
}

// Connecting.

#[test]
fn requests_a_token_before_the_first_request() {
    let mut rig = Rig::opening();
    rig.tell(|session, now| drop(session.attach("janus.plugin.videocall", None, now)));
    rig.run_for(SECOND);
    assert_eq!((rig.asked.len(), rig.requests.len()), (1, 0));
    rig.give("one");
    assert_eq!(rig.kinds(), ["create one"], "the attach follows after a pause");
    rig.run_for(Duration::from_millis(3));
    assert_eq!(rig.kinds(), ["create one", "attach one"]);
    rig.answer_success("create");
    rig.answer_success("attach");
    assert_eq!(rig.kinds(), ["poll one"]);
    rig.run_for(SECOND);
    assert_eq!(rig.asked.len(), 0, "the token is requested once");
}

#[test]
fn does_not_count_the_time_of_the_token_function_as_the_gateways() {
    let mut rig = Rig::opening();
    rig.run_for(9 * SECOND);
    rig.give("one");
    rig.run_for(9 * SECOND);
    rig.answer_success("create");
    assert_eq!(rig.opened, Some(Ok(())));
}

#[test]
fn fails_to_connect_with_the_exception_of_the_token_function() {
    let mut rig = Rig::opening();
    rig.throw("Error: not signed in");
    let error = rig.opened.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unauthorized);
    assert_eq!(error.cause().as_deref(), Some("Error: not signed in"));
    assert!(error.message().contains("function token"), "{error}");
    assert_eq!((rig.requests.len(), rig.session.poll_timeout()), (0, None));
}

#[test]
fn fails_to_connect_if_the_token_function_never_answers() {
    let mut rig = Rig::opening();
    rig.run_for(10 * SECOND - Duration::from_millis(1));
    assert_eq!(rig.opened, None);
    rig.run_for(Duration::from_millis(1));
    let error = rig.opened.take().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unauthorized);
    assert!(error.message().contains("within 10000 ms"), "{error}");
    rig.give("too late");
    assert_eq!((&rig.opened, rig.requests.len()), (&None, 0));
    assert_eq!(rig.session.poll_timeout(), None);
}

#[test]
fn requests_no_other_token_if_the_first_is_refused() {
    let mut rig = Rig::opening();
    rig.give("wrong");
    rig.refuse("create");
    let error = rig.opened.unwrap().unwrap_err();
    assert_eq!((error.code(), error.gateway_code()), (Code::Unauthorized, Some(403)));
    assert_eq!(rig.asked.len(), 0);
}

#[test]
fn requests_a_token_for_each_connection_and_ignores_stale_answers() {
    let mut rig = Rig::opening();
    let before = rig.asked.pop().unwrap();
    rig.tell(|session, now| session.close(now));
    assert_eq!(rig.opened.take().unwrap().unwrap_err().code(), Code::NotConnected);
    assert!(rig.closed);
    rig.tell(|session, now| {
        session.forget_token();
        session.open(now);
    });
    assert_eq!(rig.asked.len(), 1);
    rig.tell(|session, now| session.handle_token(before, Err("AbortError".into()), now));
    rig.tell(|session, now| session.handle_token(before, Ok(Secret::new("stale")), now));
    assert_eq!((&rig.opened, rig.requests.len()), (&None, 0));
    rig.give("fresh");
    assert_eq!(rig.kinds(), ["create fresh"]);
}

// A token that expires.

#[test]
fn continues_a_refused_poll_with_a_fresh_token() {
    let (mut rig, _) = Rig::open();
    let url = rig.requests[0].url.clone();
    rig.refuse("poll");
    assert_eq!((rig.asked.len(), rig.requests.len()), (1, 0));
    rig.run_for(5 * SECOND);
    assert_eq!(rig.requests.len(), 0, "nothing is polled without a token");
    rig.give("new");
    assert_eq!(rig.kinds(), ["poll new"]);
    let path = |url: &str| url.split('?').next().map(str::to_owned);
    assert_eq!(path(&rig.requests[0].url), path(&url), "in the same session");
    assert!(rig.requests[0].url.contains("token=new"));
    rig.assert_calm();
}

#[test]
fn repeats_a_refused_request_in_its_order() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "first");
    rig.send(handle, "second");
    let transaction = field(&rig.requests[1], "transaction");
    rig.refuse("message");
    rig.send(handle, "third");
    assert_eq!((rig.asked.len(), rig.kinds()), (1, vec!["poll old".to_owned()]));
    rig.give("new");
    for message in ["first", "second", "third"] {
        assert_eq!(rig.messages(), [message]);
        assert_eq!(rig.kinds(), ["poll old", "message new"]);
        if message == "first" {
            assert_eq!(field(&rig.requests[1], "transaction"), transaction);
        }
        rig.acknowledge();
    }
    rig.assert_calm();
}

#[test]
fn requests_one_token_after_several_refusals() {
    let (mut rig, handle) = Rig::open();
    rig.tell(|session, now| drop(session.attach("janus.plugin.videocall", None, now)));
    rig.answer_success("attach");
    let Some(Ok(Answer::Attached(_))) = rig.answers.pop() else { panic!("not attached") };
    rig.send(handle, "first");
    rig.tell(|session, now| drop(session.attach("janus.plugin.videocall", None, now)));
    rig.tell(|session, now| session.look(now));
    assert_eq!(rig.kinds(), ["poll old", "message old", "attach old", "keepalive old"]);
    for kind in ["message", "attach", "poll", "keepalive"] {
        rig.refuse(kind);
        assert_eq!(rig.asked.len(), 1);
    }
    rig.give("new");
    assert_eq!(rig.kinds(), ["message new", "attach new", "keepalive new", "poll new"]);
    rig.assert_calm();
}

#[test]
fn repeats_a_request_that_was_refused_for_the_previous_token() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "late");
    let late = rig.requests.remove(1);
    rig.refuse("poll");
    rig.give("new");
    rig.requests.push(late);
    rig.refuse("message");
    assert_eq!((rig.asked.len(), rig.kinds()), (0, vec!["poll new".into(), "message new".into()]));
    rig.assert_calm();
}

/// Janus refuses immediately. A gateway may also acknowledge a request first, and refuse it by the
/// poll.
#[test]
fn handles_a_refusal_that_arrives_by_the_poll() {
    let (mut rig, handle) = Rig::open();
    let refusals = |transactions: &[Value]| {
        let error = json!({ "code": 403, "reason": "Unauthorized" });
        let refusal =
            |t: &Value| json!({ "janus": "error", "transaction": t, "error": error.clone() });
        let body = Value::from_iter(transactions.iter().map(refusal)).to_string();
        HttpResponse::Answered { status: 200, body }
    };
    let mut transactions = Vec::new();
    for message in ["first", "second"] {
        rig.send(handle, message);
        transactions.push(field(rig.requests.last().unwrap(), "transaction"));
        rig.acknowledge();
    }
    rig.answer("poll", |_| refusals(&transactions[..1]));
    rig.give("new");
    assert_eq!(rig.messages(), ["first"]);
    rig.acknowledge();
    rig.answer("poll", |_| refusals(&transactions[1..]));
    assert_eq!((rig.asked.len(), rig.messages()), (0, vec!["second".to_owned()]));
    rig.assert_calm();
}

#[test]
fn replaces_tokens_that_expire_repeatedly() {
    let (mut rig, handle) = Rig::open();
    for token in ["a", "b", "c"] {
        rig.send(handle, token);
        rig.refuse("message");
        // Frequent requests to the page have pauses.
        rig.run_for(SECOND);
        rig.give(token);
        rig.acknowledge();
        rig.refuse("poll");
        assert_eq!(rig.asked.len(), 0, "the poll was refused for the previous token");
        rig.answer("poll", |_| HttpResponse::Answered { status: 200, body: "[]".into() });
        rig.run_for(SECOND);
    }
    rig.assert_calm();
}

#[test]
fn requests_no_token_after_an_http_403_of_a_proxy() {
    let (mut rig, _) = Rig::open();
    let body = "<html>Forbidden by the proxy</html>".to_owned();
    rig.answer("poll", |_| HttpResponse::Answered { status: 403, body });
    assert_eq!(rig.asked.len(), 0);
    assert_eq!(rig.lost, None);
    rig.run_for(SECOND);
    rig.answer("poll", |_| HttpResponse::Answered { status: 200, body: "[]".into() });
    assert_eq!(rig.troubles, 1);
}

#[test]
fn treats_an_http_403_with_the_json_of_janus_as_a_refusal() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "first");
    rig.answer("message", |request| {
        let error = json!({ "code": 403, "reason": "Unauthorized" });
        match answered(request, json!({ "janus": "error", "error": error })) {
            HttpResponse::Answered { body, .. } => HttpResponse::Answered { status: 403, body },
            other => other,
        }
    });
    rig.give("new");
    assert_eq!(rig.messages(), ["first"]);
    rig.assert_calm();
}

#[test]
fn loses_the_session_if_a_fixed_token_is_refused() {
    let mut config = GatewayConfig::new(vec![ServerUrl::new("https://a.test/janus")]);
    config.token = Token::Fixed(Secret::new("fixed"));
    let mut rig = Rig::with(config);
    assert_eq!(rig.kinds(), ["create fixed"]);
    rig.answer_success("create");
    rig.refuse("poll");
    rig.refuse("keepalive");
    assert_eq!(rig.asked.len(), 0);
    assert_eq!(rig.lost.map(|error| error.code()), Some(Code::Unauthorized));
}

/// Any delay is possible between the page and the gateway.
#[test]
fn replaces_an_unused_token_that_expired() {
    let (mut rig, handle) = Rig::open();
    rig.refuse("poll");
    rig.give("unused");
    rig.answer("poll", |_| HttpResponse::Failed("TypeError: offline".into()));
    rig.run_for(40 * SECOND);
    rig.send(handle, "first");
    rig.refuse("message");
    rig.give("new");
    assert_eq!(rig.messages(), ["first"]);
    assert_eq!((&rig.lost, rig.answers.len()), (&None, 0));
}

// Tokens that do not help.

#[test]
fn fails_a_request_whose_fresh_token_is_refused() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "first");
    rig.refuse("message");
    rig.give("as bad");
    rig.refuse("message");
    let [Err(error)] = &rig.answers[..] else { panic!("{:?}", rig.answers) };
    assert_eq!((error.code(), error.gateway_code()), (Code::Unauthorized, Some(403)));
    assert_eq!((rig.asked.len(), &rig.lost), (0, &None));
    // The poll and the keepalive decide about the session.
    rig.refuse("poll");
    rig.refuse("poll");
    rig.refuse("keepalive");
    assert_eq!(rig.asked.len(), 0);
    assert_eq!(rig.lost.map(|error| error.code()), Some(Code::Unauthorized));
}

#[test]
fn stops_requesting_tokens_for_a_request_that_is_always_refused() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "first");
    rig.refuse("message");
    rig.give("new");
    // Other requests are accepted.
    rig.tell(|session, now| session.look(now));
    rig.answer("keepalive", |request| answered(request, json!({ "janus": "ack" })));
    rig.refuse("message");
    assert_eq!(rig.asked.len(), 0);
    let [Err(error)] = &rig.answers[..] else { panic!("{:?}", rig.answers) };
    assert_eq!(error.code(), Code::Unauthorized);
}

#[test]
fn loses_the_session_with_the_exception_of_the_token_function() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "first");
    rig.refuse("message");
    rig.throw("Error: signed out");
    let error = rig.lost.unwrap();
    assert_eq!(error.code(), Code::Unauthorized);
    assert_eq!(error.cause().as_deref(), Some("Error: signed out"));
    assert_eq!(rig.answers, [Err(error)]);
    assert_eq!((rig.requests.len(), rig.session.poll_timeout()), (0, None));
}

#[test]
fn loses_the_session_if_the_token_function_never_answers() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "first");
    rig.acknowledge();
    rig.refuse("poll");
    rig.send(handle, "second");
    rig.run_for(10 * SECOND - Duration::from_millis(1));
    rig.assert_calm();
    rig.run_for(Duration::from_millis(1));
    let error = rig.lost.clone().unwrap();
    assert_eq!(error.code(), Code::Unauthorized);
    assert_eq!(rig.answers, [Err(error.clone()), Err(error)]);
    rig.give("too late");
    assert_eq!((rig.requests.len(), rig.session.poll_timeout()), (0, None));
}

#[test]
fn pauses_deadlines_while_the_token_function_runs() {
    let (mut rig, handle) = Rig::open();
    rig.send(handle, "taken");
    rig.acknowledge();
    rig.run_for(5 * SECOND);
    rig.refuse("poll");
    rig.send(handle, "waits");
    rig.run_for(9 * SECOND);
    rig.give("new");
    assert_eq!(rig.kinds(), ["message new", "poll new"]);
    let late = |rig: &mut Rig, seconds: u32| {
        rig.run_for(seconds * SECOND);
        let answers = rig.answers.iter();
        answers.map(|answer| answer.as_ref().unwrap_err().code()).collect::<Vec<_>>()
    };
    // The first request had used five of its ten seconds. The second one was sent when the function
    // was called.
    assert_eq!(late(&mut rig, 4), []);
    assert_eq!(late(&mut rig, 1), [Code::GatewayTimeout]);
    assert_eq!(late(&mut rig, 4), [Code::GatewayTimeout]);
    assert_eq!(late(&mut rig, 1), [Code::GatewayTimeout, Code::GatewayTimeout]);
}

// Closing while a token is requested.

#[test]
fn closes_the_session_with_a_fresh_token_that_comes_in_time() {
    let (mut rig, _) = Rig::open();
    rig.refuse("poll");
    rig.tell(|session, now| session.close(now));
    assert_eq!((rig.closed, rig.requests.len()), (false, 0));
    rig.run_for(2 * SECOND);
    rig.give("new");
    assert_eq!(rig.kinds(), ["destroy new"]);
    rig.answer("destroy", |request| answered(request, json!({ "janus": "success" })));
    assert!(rig.closed);
    assert_eq!(rig.session.poll_timeout(), None);
}

#[test]
fn limits_the_wait_for_a_token_when_closing() {
    let (mut rig, _) = Rig::open();
    rig.refuse("poll");
    rig.tell(|session, now| session.close(now));
    rig.run_for(3 * SECOND);
    assert!(rig.closed);
    assert_eq!((&rig.lost, rig.session.poll_timeout()), (&None, None));
    rig.give("too late");
    assert_eq!(rig.requests.len(), 0);
}

#[test]
fn closes_immediately_if_the_token_function_throws() {
    let (mut rig, _) = Rig::open();
    rig.tell(|session, now| session.close(now));
    rig.refuse("destroy");
    assert_eq!((rig.asked.len(), rig.closed), (1, false));
    rig.throw("Error: signed out");
    assert!(rig.closed);
    assert_eq!((&rig.lost, rig.session.poll_timeout()), (&None, None));
}

#[test]
fn sends_a_beacon_if_the_page_is_left_while_a_token_is_requested() {
    let (mut rig, _) = Rig::open();
    rig.refuse("poll");
    rig.tell(|session, now| session.leave(&videortc::signaling::Error::PageLeft, now));
    let [body] = &rig.beacons[..] else { panic!("{:?}", rig.beacons) };
    assert!(body.contains("destroy"), "{body}");
    assert_eq!(rig.session.poll_timeout(), None);
    rig.give("too late");
    assert_eq!(rig.requests.len(), 0);
    // The old token was refused, so a new one is requested.
    rig.tell(|session, now| session.open(now));
    assert_eq!((rig.asked.len(), rig.requests.len()), (1, 0));
}

// Secrets.

#[test]
fn hides_earlier_tokens() {
    let (mut rig, handle) = Rig::open();
    for token in ["tok \"1\"", "tok \"2\"", "tok \"3\""] {
        rig.send(handle, "x");
        rig.refuse("message");
        rig.run_for(SECOND);
        rig.give(token);
        rig.acknowledge();
    }
    for text in ["old", "tok \"1\"", "tok \"2\"", "tok \"3\"", "tok%20%222%22", r#"tok \"1\""#] {
        let said = rig.session.without_secrets(&format!("<{text}>"));
        assert_eq!(said, "<…>", "{text}");
    }
    assert!(!rig.said.contains("tok \""), "{}", rig.said);
    rig.answer("poll", |request| {
        let body = format!("Cannot GET {}", request.url);
        HttpResponse::Answered { status: 502, body }
    });
    assert!(rig.said.contains("502") && !rig.said.contains("old"), "{}", rig.said);
}

// Two pages.

fn in_call() -> World {
    let mut world = World::with_tokens(&["Tom", "Jack"], Timing::like_janus(), 1);
    world.call(0, "Jack");
    world.run_for(SECOND);
    world.accept(1);
    world.run_for(SECOND);
    assert_eq!(world.told(0), ["calling Jack", "accepted Jack"]);
    assert_eq!(world.told(1), ["incoming Tom", "accepted Tom"]);
    for page in &mut world.pages {
        page.token_requests = 0;
    }
    world
}

#[test]
fn keeps_a_call_when_tokens_expire() {
    let mut world = in_call();
    for _ in 0..3 {
        world.revoke_token();
        world.run_for(Duration::from_secs(90));
    }
    for page in 0..2 {
        assert_eq!(world.told(page), [""; 0], "the pages notice nothing");
        assert_eq!(world.pages[page].token_requests, 3, "one request for each token");
    }
    world.revoke_token();
    let hang_up = world.hang_up(0);
    world.run_for(SECOND);
    assert_eq!(world.outcome(0, hang_up), "done");
    assert_eq!(world.told(0), ["hang-up Jack: Hung up"]);
    assert_eq!(world.told(1), ["hang-up Tom: Hung up"]);
}

#[test]
fn rings_although_both_tokens_have_expired() {
    let mut world = World::with_tokens(&["Tom", "Jack"], Timing::like_janus(), 1);
    world.revoke_token();
    let call = world.call(0, "Jack");
    world.run_for(SECOND);
    assert_eq!(world.outcome(0, call), "done");
    // The poll that was open when the token expired still delivers the event.
    assert_eq!(world.told(1), ["incoming Tom"]);
    let accept = world.accept(1);
    world.run_for(SECOND);
    assert_eq!(world.outcome(1, accept), "done");
    assert_eq!(world.told(0), ["calling Jack", "accepted Jack"]);
}

#[test]
fn restores_a_lost_session_with_a_fresh_token() {
    let mut world = World::with_tokens(&["Tom", "Jack"], Timing::like_janus(), 1);
    world.revoke_token();
    world.restart_gateway();
    world.run_for(Duration::from_secs(5));
    for page in 0..2 {
        let told = world.told(page);
        assert_eq!(told.last().map(String::as_str), Some("reconnected"), "{told:?}");
    }
    let call = world.call(0, "Jack");
    world.run_for(SECOND);
    assert_eq!(world.outcome(0, call), "done");
}

#[test]
fn reports_why_the_call_of_a_signed_out_page_ends() {
    let mut world = in_call();
    world.pages[0].has_no_token = true;
    world.revoke_token();
    world.run_for(Duration::from_secs(40));
    let told = world.told(0);
    assert_eq!(told, ["error UNAUTHORIZED", "hang-up Jack: Session lost"]);
    assert!(world.pages[0].is_ended);
    // After signing in again, the page can connect.
    world.pages[0].has_no_token = false;
    let connect = world.command(0, |client, command, now| client.connect(command, now));
    world.run_for(SECOND);
    assert_eq!(world.outcome(0, connect), "done");
    world.attach(0, CallConfig::default());
}

#[test]
fn disconnects_while_the_token_function_never_answers() {
    let mut world = in_call();
    world.revoke_token();
    world.pages[0].never_gives_token = true;
    let hang_up = world.hang_up(0);
    let disconnect = world.disconnect(0);
    world.run_for(Duration::from_secs(6));
    assert_eq!(world.outcome(0, hang_up), "done");
    assert_eq!(world.outcome(0, disconnect), "done");
    assert_eq!(world.told(0), ["hang-up Jack: Hung up"]);
    assert_eq!((world.pages[0].connections.len(), world.pages[0].devices), (0, false));
}

/// Secrets are removed from texts for people, not from the messages that are parsed.
#[test]
fn reads_answers_although_the_secret_is_a_word_of_janus() {
    for secret in ["janus", "error", "403", "code", "a", "\""] {
        let mut config = GatewayConfig::new(vec![ServerUrl::new("https://a.test/janus")]);
        config.token = Token::Fixed(Secret::new(secret));
        let mut rig = Rig::with(config);
        rig.refuse("create");
        let error = rig.opened.unwrap().unwrap_err();
        assert_eq!((error.code(), error.gateway_code()), (Code::Unauthorized, Some(403)));
    }
}
