//! The session against a scripted gateway: connecting, deadlines, secrets and invalid answers.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod dice;

use std::time::Duration;

use serde_json::json;
use videortc::config::{GatewayConfig, Secret, ServerUrl, Token, UserName};
use videortc::error::{Code, Error};
use videortc::log::Level;
use videortc::signaling::{
    Answer, Candidate, Doubt, HttpRequest, HttpResponse, Io, Jsep, Output, Session,
};
use videortc::time::Time;
use videortc::usecase::video_call;
use videortc::usecase::video_call::Settings;

/// A session and its outputs.
struct Rig {
    session: Session<video_call::Request>,
    now: Time,
    requests: Vec<HttpRequest>,
    opened: Option<Result<(), Error>>,
    lost: Option<Error>,
    aborts: usize,
    troubles: usize,
    restored: usize,
    doubts: Vec<Doubt>,
    beacons: Vec<(String, String)>,
    answers: Vec<Result<Answer, Error>>,
    closed: bool,
    log: Vec<String>,
}

impl Rig {
    /// A session whose handle has requested the list of users, and that request.
    fn listing() -> (Self, HttpRequest) {
        let mut rig = Rig::open();
        rig.session.attach("janus.plugin.videocall", None, rig.now).unwrap();
        rig.drain();
        let attach = rig.requests.remove(1);
        rig.session.handle_http(attach.id, attached(&attach), rig.now);
        rig.drain();
        let Some(Ok(Answer::Attached(handle))) = rig.answers.pop() else { panic!("not attached") };
        rig.session.message(handle, video_call::Request::List, None, rig.now).unwrap();
        rig.drain();
        let list = rig.requests.remove(1);
        (rig, list)
    }

    fn new(config: GatewayConfig) -> Self {
        let mut rig = Self {
            session: Session::new(config, dice::loaded(1)),
            now: Time::from_millis(0),
            requests: Vec::new(),
            opened: None,
            lost: None,
            aborts: 0,
            troubles: 0,
            restored: 0,
            doubts: Vec::new(),
            beacons: Vec::new(),
            answers: Vec::new(),
            closed: false,
            log: Vec::new(),
        };
        rig.session.open(rig.now);
        rig.drain();
        rig
    }

    fn with_servers(servers: &[&str]) -> Self {
        Self::new(config(servers))
    }

    fn open() -> Self {
        let mut rig = Self::with_servers(&["https://a.test/janus"]);
        rig.answer(created);
        assert_eq!(rig.opened, Some(Ok(())));
        rig
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Io(Io::Fetch(request)) => self.requests.push(request),
                Output::Io(Io::Abort(_)) => self.aborts += 1,
                Output::Opened(result) => self.opened = Some(result.map_err(Error::from)),
                Output::Lost(error) => self.lost = Some(error.into()),
                Output::Closed => self.closed = true,
                Output::Log(level, line) => {
                    assert!(level <= Level::Trace);
                    self.log.push(line);
                }
                Output::Trouble(_) => self.troubles += 1,
                Output::Restored => self.restored += 1,
                Output::Doubt(doubt) => self.doubts.push(doubt),
                Output::Io(Io::Beacon { url, body }) => self.beacons.push((url, body)),
                Output::Answer(_, answer) => self.answers.push(answer.map_err(Error::from)),
                Output::Notice(..) | Output::AskToken(_) => {}
            }
        }
    }

    /// Answers the oldest request.
    fn answer(&mut self, response: impl FnOnce(&HttpRequest) -> HttpResponse) {
        let request = self.requests.remove(0);
        let response = response(&request);
        self.session.handle_http(request.id, response, self.now);
        self.drain();
    }

    /// Advances the time through all deadlines of the session.
    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }
}

fn config(servers: &[&str]) -> GatewayConfig {
    GatewayConfig::new(servers.iter().map(|url| ServerUrl::new(*url)).collect())
}

fn ok(body: &str) -> HttpResponse {
    HttpResponse::Answered { status: 200, body: body.into() }
}

fn body(request: &HttpRequest) -> serde_json::Value {
    serde_json::from_str(request.body.as_deref().unwrap()).unwrap()
}

/// The URL of a request, without the query.
fn path(request: &HttpRequest) -> &str {
    request.url.split('?').next().unwrap()
}

/// A parameter of a request's query.
fn argument<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let query = request.url.split_once('?')?.1;
    query.split('&').find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
}

/// Grants the requested session id, as Janus does.
fn created(request: &HttpRequest) -> HttpResponse {
    let body = body(request);
    let (transaction, id) = (&body["transaction"], &body["id"]);
    ok(&format!(r#"{{"janus":"success","transaction":{transaction},"data":{{"id":{id}}}}}"#))
}

#[test]
fn connects_with_one_request_and_starts_a_poll() {
    let mut rig = Rig::with_servers(&["https://a.test/janus"]);
    assert_eq!(rig.requests.len(), 1);
    assert_eq!(path(&rig.requests[0]), "https://a.test/janus");
    let create = body(&rig.requests[0]);
    assert_eq!(create["janus"], "create");
    let id = create["id"].as_u64().unwrap();
    assert!(id > 1 << 40, "the id takes its bits from the random source: {id}");
    assert!(id < 1 << 53);
    rig.answer(created);
    assert_eq!(path(&rig.requests[0]), format!("https://a.test/janus/{id}"));
    assert_eq!(argument(&rig.requests[0], "maxev"), Some("10"));
    assert_eq!(rig.requests[0].body, None);
}

/// Returns a handle's id.
fn attached(request: &HttpRequest) -> HttpResponse {
    let body = body(request);
    assert_eq!(body["janus"], "attach");
    let transaction = &body["transaction"];
    ok(&format!(r#"{{"janus":"success","transaction":{transaction},"data":{{"id":77}}}}"#))
}

/// The answer of Janus about an unknown session.
fn no_such_session(request: &HttpRequest) -> HttpResponse {
    let transaction = body(request)["transaction"].clone();
    ok(&format!(
        r#"{{"janus":"error","transaction":{transaction},"error":{{"code":458,"reason":"No such session"}}}}"#
    ))
}

/// A session that is requested together with a handle.
fn eager(servers: &[&str]) -> Rig {
    let mut rig = Rig::with_servers(servers);
    rig.session.attach("janus.plugin.videocall", None, rig.now).unwrap();
    rig.drain();
    assert_eq!(rig.requests.len(), 1, "the attach must not overtake the session");
    rig.run_for(Duration::from_millis(3));
    rig
}

#[test]
fn requests_a_handle_together_with_the_session() {
    let mut rig = eager(&["https://a.test/janus"]);
    let id = body(&rig.requests[0])["id"].clone();
    assert_eq!(path(&rig.requests[1]), format!("https://a.test/janus/{id}"));
    // The answers may come in either order.
    let attach = rig.requests.remove(1);
    let response = attached(&attach);
    rig.session.handle_http(attach.id, response, rig.now);
    rig.drain();
    assert!(matches!(rig.answers[..], [Ok(Answer::Attached(_))]));
    rig.answer(created);
    assert_eq!(rig.opened, Some(Ok(())));
    assert_eq!(rig.requests.len(), 1, "the poll and nothing else");
}

#[test]
fn repeats_a_request_for_a_handle_that_came_too_early() {
    for created_first in [true, false] {
        let mut rig = eager(&["https://a.test/janus"]);
        let attach = rig.requests.remove(1);
        if created_first {
            rig.answer(created);
        }
        rig.session.handle_http(attach.id, no_such_session(&attach), rig.now);
        rig.drain();
        if !created_first {
            assert_eq!(rig.requests.len(), 1, "the session comes first");
            rig.answer(created);
        }
        assert_eq!((rig.answers.len(), &rig.lost), (0, &None));
        let again = rig.requests.iter().position(|request| request.body.is_some()).unwrap();
        let again = rig.requests.remove(again);
        assert_eq!(again.url, attach.url);
        rig.session.handle_http(again.id, attached(&again), rig.now);
        rig.drain();
        assert!(matches!(rig.answers[..], [Ok(Answer::Attached(_))]));
    }
}

#[test]
fn requests_the_handle_from_the_server_of_the_session() {
    let mut rig = eager(&["https://a.test/janus", "https://b.test/janus"]);
    rig.answer(|_| HttpResponse::Failed("TypeError: Failed to fetch".into()));
    assert_eq!(rig.aborts, 1, "the attach at the first server is aborted");
    rig.run_for(Duration::from_millis(3));
    rig.requests.remove(0);
    rig.answer(created);
    assert!(rig.requests[0].url.starts_with("https://b.test/janus/"));
    rig.answer(attached);
    assert!(matches!(rig.answers[..], [Ok(Answer::Attached(_))]));
}

#[test]
fn keeps_the_request_for_a_handle_if_a_server_is_silent() {
    let mut rig = eager(&["https://a.test/janus", "https://b.test/janus"]);
    rig.run_for(Duration::from_secs(11));
    assert_eq!(rig.answers, []);
    let second = |request: &&HttpRequest| request.url.starts_with("https://b.test/janus/");
    assert_eq!(rig.requests.iter().filter(second).count(), 1);
}

#[test]
fn keeps_the_request_for_a_handle_if_two_servers_are_silent() {
    let mut rig = eager(&["https://a.test/janus", "https://b.test/janus", "https://c.test/janus"]);
    rig.run_for(Duration::from_secs(21));
    assert_eq!(rig.answers, []);
    let third = |request: &&HttpRequest| request.url.starts_with("https://c.test/janus/");
    assert_eq!(rig.requests.iter().filter(third).count(), 1);
}

#[test]
fn requests_the_handle_again_if_the_gateway_chose_another_session_id() {
    let mut rig = eager(&["https://a.test/janus"]);
    let attach = rig.requests.remove(1);
    rig.answer(|request| {
        let transaction = body(request)["transaction"].clone();
        ok(&format!(r#"{{"janus":"success","transaction":{transaction},"data":{{"id":5}}}}"#))
    });
    rig.session.handle_http(attach.id, no_such_session(&attach), rig.now);
    rig.drain();
    assert_eq!(path(rig.requests.last().unwrap()), "https://a.test/janus/5");
}

#[test]
fn fails_the_request_for_a_handle_if_no_server_answers() {
    let mut rig = eager(&["https://a.test/janus"]);
    rig.answer(|_| HttpResponse::Failed("TypeError: Failed to fetch".into()));
    assert_eq!(rig.opened.unwrap().unwrap_err().code(), Code::GatewayUnreachable);
    assert_eq!(rig.answers[0].as_ref().unwrap_err().code(), Code::GatewayUnreachable);
    assert_eq!(rig.session.poll_timeout(), None);
}

#[test]
fn writes_requests_in_the_format_of_janus() {
    let mut rig = Rig::open();
    rig.requests.clear();
    rig.session.attach("janus.plugin.videocall", None, rig.now).unwrap();
    rig.drain();
    rig.answer(attached);
    let Some(Ok(Answer::Attached(handle))) = rig.answers.pop() else { panic!("not attached") };
    let offer = Jsep::offer("v=0\r\n".into());
    let host = |mid: Option<&str>, line| Candidate::Found {
        candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(),
        mid: mid.map(str::to_owned),
        line,
    };
    let request = video_call::Request::Register { username: UserName::parse("Tom \"T\"").unwrap() };
    rig.session.message(handle, request, None, rig.now).unwrap();
    rig.drain();
    let written = |rig: &mut Rig| {
        let request = rig.requests.remove(0);
        let mut body = body(&request);
        assert!(body["transaction"].take().is_string());
        rig.session.handle_http(request.id, ok(r#"{"janus":"ack","transaction":"0"}"#), rig.now);
        rig.drain();
        body
    };
    assert_eq!(
        written(&mut rig),
        json!({ "janus": "message", "transaction": null,
            "body": { "request": "register", "username": "Tom \"T\"" } })
    );
    let settings = Settings { audio: Some(false), video: None, bitrate: Some(0) };
    for (request, jsep, wanted) in [
        (video_call::Request::List, None, json!({ "request": "list" })),
        (video_call::Request::Accept, Some(&offer), json!({ "request": "accept" })),
        (
            video_call::Request::Hangup { reason: "Hung up".into() },
            None,
            json!({ "request": "hangup", "reason": "Hung up" }),
        ),
        (
            video_call::Request::Set(settings),
            None,
            json!({ "request": "set", "audio": false, "bitrate": 0 }),
        ),
        (video_call::Request::Set(Settings::default()), Some(&offer), json!({ "request": "set" })),
    ] {
        rig.session.message(handle, request, jsep.cloned(), rig.now).unwrap();
        rig.drain();
        let body = written(&mut rig);
        assert_eq!(body["body"], wanted);
        match jsep {
            Some(_) => assert_eq!(body["jsep"], json!({ "type": "offer", "sdp": "v=0\r\n" })),
            None => assert_eq!(body.get("jsep"), None),
        }
    }
    let line = "candidate:1 1 udp 1 192.0.2.1 9 typ host";
    for (candidates, wanted) in [
        (vec![Candidate::End], json!({ "candidate": { "completed": true } })),
        (
            vec![host(Some("0"), Some(0))],
            json!({ "candidate": { "candidate": line, "sdpMid": "0", "sdpMLineIndex": 0 } }),
        ),
        (
            vec![host(None, None), Candidate::End],
            json!({ "candidates": [{ "candidate": line }, { "completed": true }] }),
        ),
    ] {
        rig.session.trickle(handle, candidates, rig.now).unwrap();
        rig.drain();
        let mut body = written(&mut rig);
        let fields = body.as_object_mut().unwrap();
        fields.retain(|key, _| !["janus", "transaction"].contains(&key.as_str()));
        assert_eq!(body, wanted);
    }
}

#[test]
fn tries_the_next_server_if_one_fails() {
    let mut rig = Rig::with_servers(&["https://a.test/janus", "https://b.test/janus"]);
    rig.answer(|_| HttpResponse::Failed("TypeError: Failed to fetch".into()));
    assert_eq!(path(&rig.requests[0]), "https://b.test/janus");
    rig.answer(created);
    assert_eq!(rig.opened, Some(Ok(())));
}

#[test]
fn lists_the_errors_of_all_servers_if_none_answers() {
    let mut rig = Rig::with_servers(&["https://a.test/janus", "https://b.test/janus"]);
    rig.answer(|_| HttpResponse::Failed("TypeError: Failed to fetch".into()));
    rig.answer(|_| HttpResponse::Answered { status: 502, body: "<html>Bad gateway".into() });
    let error = rig.opened.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::GatewayUnreachable);
    for part in ["https://a.test/janus: ", "https://b.test/janus: ", "502", "<html>Bad gateway"] {
        assert!(error.message().contains(part), "{} lacks {part}", error.message());
    }
}

#[test]
fn reports_an_unexpected_answer_to_create() {
    let cases = [
        (ok("<html>Hello</html>"), Code::GatewayProtocol),
        (ok(r#"{"janus":"succ"#), Code::GatewayProtocol),
        (ok(""), Code::GatewayProtocol),
        (ok("[]"), Code::GatewayProtocol),
        (ok("{}"), Code::GatewayProtocol),
        (ok(r#"{"janus":"ack","transaction":"1"}"#), Code::GatewayProtocol),
        (ok(r#"{"janus":"success","transaction":"1"}"#), Code::GatewayProtocol),
        (
            ok(r#"{"janus":"success","transaction":"1","data":{"id":9007199254740992}}"#),
            Code::GatewayProtocol,
        ),
        (ok(r#"{"janus":"success","transaction":"1","data":{"id":0}}"#), Code::GatewayProtocol),
        (ok(r#"{"janus":"success","transaction":"1","data":{"id":-4}}"#), Code::GatewayProtocol),
        (ok(r#"{"janus":"success","transaction":"1","data":{"id":1e300}}"#), Code::GatewayProtocol),
        (
            ok(r#"{"janus":"error","error":{"code":403,"reason":"Unauthorized"}}"#),
            Code::Unauthorized,
        ),
        (ok(r#"{"janus":"error","error":{"code":472,"reason":"Full"}}"#), Code::GatewayError),
        (HttpResponse::Answered { status: 500, body: String::new() }, Code::GatewayProtocol),
        (HttpResponse::Answered { status: 403, body: String::new() }, Code::Unauthorized),
        (HttpResponse::Failed("TypeError".into()), Code::GatewayUnreachable),
    ];
    for (response, code) in cases {
        let mut rig = Rig::with_servers(&["https://a.test/janus"]);
        rig.answer(|_| response.clone());
        let error = rig.opened.unwrap().unwrap_err();
        assert_eq!(error.code(), code, "{response:?}: {error}");
        assert!(error.message().contains("https://a.test/janus"), "{error}");
    }
}

#[test]
fn fails_if_the_gateway_is_silent_until_the_deadline() {
    let mut rig = Rig::with_servers(&["https://a.test/janus"]);
    rig.run_for(Duration::from_millis(9_999));
    assert_eq!(rig.opened, None);
    rig.run_for(Duration::from_millis(1));
    assert_eq!(rig.opened.unwrap().unwrap_err().code(), Code::GatewayTimeout);
    assert_eq!(rig.aborts, 1);
    assert_eq!(rig.session.poll_timeout(), None);
}

#[test]
fn chooses_another_session_id_if_one_is_taken() {
    let mut rig = Rig::with_servers(&["https://a.test/janus"]);
    let first = body(&rig.requests[0])["id"].clone();
    rig.answer(|_| {
        ok(r#"{"janus":"error","error":{"code":468,"reason":"Session ID already in use"}}"#)
    });
    assert_ne!(body(&rig.requests[0])["id"], first);
    rig.answer(created);
    assert_eq!(rig.opened, Some(Ok(())));
}

#[test]
fn sends_secrets_with_every_request_and_never_logs_them() {
    let mut config = config(&["https://a.test/janus"]);
    config.api_secret = Some(Secret::new("s3cret & more"));
    config.token = Token::Fixed(Secret::new("t0ken"));
    assert!(!format!("{config:?}").contains("s3cret"));
    let mut rig = Rig::new(config);
    assert_eq!(body(&rig.requests[0])["apisecret"], "s3cret & more");
    assert_eq!(body(&rig.requests[0])["token"], "t0ken");
    rig.answer(created);
    assert!(rig.requests[0].url.ends_with("&apisecret=s3cret%20%26%20more&token=t0ken"));
    rig.answer(|_| HttpResponse::Failed("TypeError".into()));
    rig.session.attach("janus.plugin.videocall", None, rig.now).unwrap();
    rig.drain();
    assert_eq!(body(&rig.requests[0])["token"], "t0ken");
    let log = rig.log.join("\n");
    assert!(!log.contains("s3cret") && !log.contains("t0ken"), "{log}");
}

#[test]
fn hides_secrets_in_an_answer_that_echoes_the_request() {
    let mut config = config(&["https://a.test/janus"]);
    config.api_secret = Some(Secret::new("s3cret & more"));
    let mut rig = Rig::new(config);
    rig.answer(created);
    let echo = |request: &HttpRequest| {
        let body = format!("Cannot GET {} with s3cret & more", request.url);
        HttpResponse::Answered { status: 502, body }
    };
    rig.answer(echo);
    rig.session.attach("janus.plugin.videocall", None, rig.now).unwrap();
    rig.drain();
    let url = rig.requests[0].url.clone();
    let id = url.rsplit('/').next().unwrap();
    let reason = format!("No such session {id} for s3cret & more");
    let body = format!(r#"{{"janus":"error","error":{{"code":458,"reason":"{reason}"}}}}"#);
    rig.answer(|_| ok(&body));
    assert_eq!(rig.lost.as_ref().map(Error::code), Some(Code::SessionLost));
    let said = format!("{:?}\n{:?}", rig.log, rig.lost);
    assert!(said.contains("502"), "{said}");
    assert!(!said.contains("s3cret") && !said.contains(id), "{said}");
}

#[test]
fn hides_a_secret_in_its_json_spelling() {
    let secret = "s3cret \"and\" more";
    let mut config = config(&["https://a.test/janus"]);
    config.api_secret = Some(Secret::new(secret));
    let mut rig = Rig::new(config);
    rig.answer(|request| {
        let body = request.body.clone().unwrap();
        HttpResponse::Answered { status: 502, body }
    });
    let error = rig.opened.unwrap().unwrap_err();
    assert!(error.message().contains("apisecret"), "{}", error.message());
    assert!(!error.message().contains("s3cret"), "{}", error.message());
    for text in [secret.to_owned(), serde_json::to_string(secret).unwrap()] {
        let said = rig.session.without_secrets(&serde_json::to_string(&text).unwrap());
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn logs_an_unknown_event_without_secrets() {
    let mut config = config(&["https://a.test/janus"]);
    config.token = Token::Fixed(Secret::new("t0ken"));
    let mut rig = Rig::new(config);
    rig.answer(created);
    rig.answer(|_| ok(r#"[{"janus":"strange t0ken"}]"#));
    let log = rig.log.join("\n");
    assert!(log.contains("strange") && !log.contains("t0ken"), "{log}");
}

#[test]
fn keeps_exactly_one_poll_open() {
    let mut rig = Rig::open();
    for _ in 0..5 {
        assert_eq!(rig.requests.len(), 1);
        rig.run_for(Duration::from_secs(30));
        assert_eq!(rig.requests.len(), 1);
        rig.answer(|_| ok(r#"[{"janus":"keepalive"}]"#));
    }
}

#[test]
fn pauses_between_polls_that_return_nothing_immediately() {
    let mut rig = Rig::open();
    for _ in 0..20 {
        rig.answer(|_| ok("[]"));
        assert_eq!(rig.requests.len(), 0);
        rig.run_for(Duration::from_millis(500));
        assert_eq!(rig.requests.len(), 1);
    }
}

#[test]
fn retries_failing_polls_and_finally_gives_up() {
    let mut rig = Rig::open();
    let mut tries = 0;
    while rig.lost.is_none() {
        rig.answer(|_| HttpResponse::Failed("TypeError".into()));
        tries += 1;
        if rig.lost.is_none() {
            rig.run_for(Duration::from_secs(5));
            // The poll, and the keepalive that probes the session.
            assert_eq!(rig.requests.len(), 2);
            let keepalive = rig.requests.pop().unwrap();
            assert_eq!(body(&keepalive)["janus"], "keepalive");
            let failed = HttpResponse::Failed("TypeError".into());
            rig.session.handle_http(keepalive.id, failed, rig.now);
            rig.drain();
            if rig.requests.is_empty() {
                tries += 1;
                rig.run_for(Duration::from_secs(5));
                rig.requests.truncate(1);
            }
        }
        assert!(tries < 100);
    }
    assert!(tries > 5, "{tries}");
    assert_eq!(rig.lost.unwrap().code(), Code::SessionLost);
    assert_eq!(rig.session.poll_timeout(), None);
}

#[test]
fn restarts_the_retry_limit_after_a_successful_poll() {
    let mut rig = Rig::open();
    for _ in 0..30 {
        rig.answer(|_| HttpResponse::Answered { status: 500, body: "<html>".into() });
        rig.run_for(Duration::from_secs(5));
        rig.answer(|_| ok(r#"[{"janus":"keepalive"}]"#));
        rig.run_for(Duration::from_secs(1));
    }
    assert_eq!(rig.lost, None);
}

#[test]
fn loses_a_forgotten_session_immediately() {
    let cases = [
        ok(r#"{"janus":"error","error":{"code":458,"reason":"No such session"}}"#),
        ok(r#"[{"janus":"timeout","session_id":1}]"#),
    ];
    for response in cases {
        let mut rig = Rig::open();
        rig.answer(|_| response.clone());
        assert_eq!(rig.lost.map(|error| error.code()), Some(Code::SessionLost), "{response:?}");
        assert_eq!(rig.requests.len(), 0);
    }
}

#[test]
fn closes_even_if_the_gateway_is_silent() {
    let mut rig = Rig::open();
    rig.session.close(rig.now);
    rig.drain();
    assert_eq!(body(&rig.requests[1])["janus"], "destroy");
    rig.run_for(Duration::from_secs(3));
    assert!(rig.closed);
    assert_eq!(rig.session.poll_timeout(), None);
}

/// A load balancer can hash the value, since `create` carries it too.
#[test]
fn marks_every_request_of_a_client_with_the_same_value() {
    let clients = ["https://a.test/janus", "https://b.test/janus"].map(|server| {
        let mut rig = eager(&[server]);
        let first = argument(&rig.requests[0], "client").unwrap().to_owned();
        rig.answer(created);
        rig.answer(attached);
        rig.session.attach("janus.plugin.videocall", None, rig.now).unwrap();
        rig.session.close(rig.now);
        rig.drain();
        assert_eq!(rig.requests.len(), 3, "a poll, a handle and the end");
        for request in &rig.requests {
            assert_eq!(argument(request, "client"), Some(first.as_str()));
        }
        rig.session.open(rig.now);
        rig.run_for(Duration::from_secs(5));
        rig.session.open(rig.now);
        rig.drain();
        assert_eq!(argument(rig.requests.last().unwrap(), "client"), Some(first.as_str()));
        first
    });
    // Both clients have the same random numbers.
    assert_eq!(clients[0], clients[1]);
    assert!(clients[0].len() >= 16);
}

const KEEPALIVE: &str = r#"[{"janus":"keepalive"}]"#;

#[test]
fn detects_a_lost_event_by_the_duration_of_a_poll() {
    for (millis, doubts) in [
        (100, vec![Doubt::Lost]),
        (15_000, vec![Doubt::Lost]),
        (29_500, vec![Doubt::Lost]),
        (30_000, vec![]),
        (31_000, vec![]),
        (40_000, vec![Doubt::Possible]),
    ] {
        let mut rig = Rig::open();
        rig.run_for(Duration::from_millis(millis));
        rig.answer(|_| ok(KEEPALIVE));
        assert_eq!(rig.doubts, doubts, "after {millis} ms");
        assert_eq!(rig.troubles, 0);
    }
}

#[test]
fn learns_that_the_polls_of_a_gateway_are_short() {
    let mut rig = Rig::open();
    for _ in 0..20 {
        rig.run_for(Duration::from_secs(20));
        rig.answer(|_| ok(KEEPALIVE));
    }
    assert_eq!(rig.doubts, [Doubt::Lost; 2]);
}

#[test]
fn probes_the_session_if_a_poll_is_overdue_and_keeps_the_poll() {
    let mut rig = Rig::open();
    rig.run_for(Duration::from_secs(40));
    assert_eq!(rig.doubts, [Doubt::Possible]);
    assert_eq!((rig.requests.len(), rig.aborts), (2, 0));
    assert_eq!(body(&rig.requests[1])["janus"], "keepalive");
    let keepalive = rig.requests.remove(1);
    let ack = ok(r#"{"janus":"ack","transaction":"0"}"#);
    rig.session.handle_http(keepalive.id, ack, rig.now);
    rig.run_for(Duration::from_secs(20));
    assert_eq!(rig.aborts, 0, "a repeated poll may take twice the time");
    rig.run_for(Duration::from_secs(10));
    assert_eq!((rig.aborts, rig.troubles), (1, 1));
}

#[test]
fn doubts_a_missing_answer_before_its_time_limit() {
    let (mut rig, list) = Rig::listing();
    let ack = ok(r#"{"janus":"ack","transaction":"0"}"#);
    rig.session.handle_http(list.id, ack, rig.now);
    rig.run_for(Duration::from_millis(1999));
    assert_eq!(rig.doubts, []);
    rig.run_for(Duration::from_secs(5));
    assert_eq!(rig.doubts, [Doubt::Possible]);
}

fn page(status: u16) -> HttpResponse {
    let body = "<!doctype html><html><head><title>Access denied</title></head></html>";
    HttpResponse::Answered { status, body: body.into() }
}

#[test]
fn quotes_the_title_of_a_web_page_in_place_of_an_answer() {
    for status in [200, 401, 403, 502] {
        let mut rig = Rig::with_servers(&["https://a.test/janus"]);
        rig.answer(|_| page(status));
        let error = rig.opened.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::GatewayProtocol);
        let message = error.message();
        for part in ["a web page", "Access denied", "https://a.test/janus"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

/// Answers the keepalive that probes the session.
fn answer_probe(rig: &mut Rig, response: impl FnOnce(&HttpRequest) -> HttpResponse) {
    let at = rig
        .requests
        .iter()
        .position(|request| request.body.as_ref().is_some_and(|body| body.contains("keepalive")));
    let probe = rig.requests.remove(at.unwrap());
    let response = response(&probe);
    rig.session.handle_http(probe.id, response, rig.now);
    rig.drain();
}

fn acked(_: &HttpRequest) -> HttpResponse {
    ok(r#"{"janus":"ack","transaction":"0"}"#)
}

fn unauthorized(request: &HttpRequest) -> HttpResponse {
    let transaction = body(request)["transaction"].clone();
    ok(&format!(
        r#"{{"janus":"error","transaction":{transaction},"error":{{"code":403,"reason":"Unauthorized"}}}}"#
    ))
}

#[test]
fn ends_the_session_after_a_refused_poll_only_if_the_gateway_confirms() {
    for (confirmed, refusal) in [
        (true, HttpResponse::Answered { status: 403, body: String::new() }),
        (false, HttpResponse::Answered { status: 403, body: String::new() }),
        (true, ok(r#"{"janus":"error","error":{"code":403,"reason":"Unauthorized"}}"#)),
        (
            true,
            ok(
                r#"[{"janus":"error","error":{"code":403,"reason":"Unauthorized"}},{"janus":"keepalive"}]"#,
            ),
        ),
    ] {
        let mut rig = Rig::open();
        rig.answer(|_| refusal.clone());
        assert_eq!(rig.lost, None);
        match confirmed {
            true => answer_probe(&mut rig, unauthorized),
            false => answer_probe(&mut rig, acked),
        }
        let lost = rig.lost.map(|error| error.code());
        assert_eq!(lost, confirmed.then_some(Code::Unauthorized), "{refusal:?}");
    }
}

#[test]
fn survives_web_pages_in_place_of_all_answers() {
    let mut rig = Rig::open();
    rig.answer(|_| page(403));
    rig.run_for(Duration::from_millis(300));
    answer_probe(&mut rig, |_| page(403));
    rig.run_for(Duration::from_secs(60));
    assert_eq!((rig.lost, rig.troubles), (None, 1));
}

/// A gateway may refuse polls only, such as those from the page's own origin with `enforce_cors`.
#[test]
fn finally_gives_up_if_only_polls_are_refused() {
    let mut rig = Rig::open();
    let mut end = 0;
    while rig.lost.is_none() {
        while let Some(request) = rig.requests.pop() {
            let response = match request.body {
                Some(_) => acked(&request),
                None => HttpResponse::Answered { status: 403, body: String::new() },
            };
            rig.session.handle_http(request.id, response, rig.now);
            rig.drain();
        }
        rig.run_for(Duration::from_millis(100));
        end += 1;
        assert!(end < 1300, "the session never ends");
    }
    assert_eq!((rig.troubles, rig.restored), (1, 0), "trouble is reported once");
    assert_eq!(rig.lost.unwrap().code(), Code::SessionLost);
}

/// A service worker may answer a repeated URL from its cache.
#[test]
fn gives_every_poll_its_own_address() {
    let mut rig = Rig::open();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        assert!(seen.insert(rig.requests[0].url.clone()), "{}", rig.requests[0].url);
        rig.run_for(Duration::from_secs(30));
        rig.answer(|_| ok(KEEPALIVE));
    }
}

#[test]
fn pauses_between_polls_that_repeat_the_same_event() {
    let mut rig = Rig::open();
    let mut polls = 0;
    let end = rig.now + Duration::from_secs(60);
    while rig.now < end {
        while !rig.requests.is_empty() {
            rig.answer(|_| ok(r#"[{"janus":"media","sender":77,"session_id":1}]"#));
            polls += 1;
            assert!(polls < 1000, "polls without a pause");
        }
        rig.run_for(Duration::from_millis(10));
    }
    assert!((60..130).contains(&polls), "{polls} polls in a minute");
}

#[test]
fn limits_the_rate_of_polls_in_a_flood_of_events() {
    let mut rig = Rig::open();
    let mut polls = 0;
    let end = rig.now + Duration::from_secs(60);
    while rig.now < end {
        while !rig.requests.is_empty() {
            polls += 1;
            assert!(polls < 1000, "polls without a pause");
            rig.answer(|_| ok(&format!(r#"[{{"janus":"media","sender":77,"n":{polls}}}]"#)));
        }
        rig.run_for(Duration::from_millis(10));
    }
    assert!((100..170).contains(&polls), "{polls} polls in a minute");
}

#[test]
fn fails_the_pending_request_if_an_answer_is_too_long() {
    let (mut rig, list) = Rig::listing();
    rig.session.handle_http(list.id, acked(&list), rig.now);
    rig.answer(|_| ok(&" ".repeat(videortc::signaling::LONGEST_BODY + 1)));
    let Some(Err(error)) = rig.answers.pop() else { panic!("{:?}", rig.answers) };
    assert_eq!(error.code(), Code::GatewayProtocol);
    let message = error.message();
    assert!(message.contains("1048577") && message.contains("this library"), "{message}");
    assert_eq!((rig.doubts, rig.troubles), (vec![Doubt::Lost], 0));
    assert_eq!(rig.requests.len(), 0, "the next poll follows after a pause");
}

/// nginx with `location /janus/` redirects a URL without the slash, and the POST becomes a GET.
#[test]
fn keeps_a_trailing_slash_of_the_address() {
    let mut rig = eager(&["https://a.test/janus/"]);
    assert_eq!(path(&rig.requests[0]), "https://a.test/janus/");
    let id = body(&rig.requests[0])["id"].clone();
    assert_eq!(path(&rig.requests[1]), format!("https://a.test/janus/{id}"));
    rig.answer(created);
    rig.answer(attached);
    assert_eq!(path(&rig.requests[0]), format!("https://a.test/janus/{id}"));
    let Some(Ok(Answer::Attached(handle))) = rig.answers.pop() else { panic!("not attached") };
    rig.session.message(handle, video_call::Request::List, None, rig.now).unwrap();
    rig.drain();
    assert_eq!(path(&rig.requests[1]), format!("https://a.test/janus/{id}/77"));
    rig.session.leave(&videortc::signaling::Error::PageLeft, rig.now);
    rig.drain();
    let beacon = rig.beacons[0].0.split('?').next().unwrap();
    assert_eq!(beacon, format!("https://a.test/janus/{id}"));
}

#[test]
fn reports_the_target_of_a_redirect() {
    for (status, text) in [(404, ""), (200, "<html>Hello</html>")] {
        let mut rig = Rig::with_servers(&["http://a.test/janus"]);
        rig.answer(|_| HttpResponse::Redirected {
            to: "https://a.test/janus/?token=s3cret".into(),
            status,
            body: text.into(),
        });
        let error = rig.opened.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::GatewayProtocol);
        let message = error.message();
        assert!(message.contains("\"https://a.test/janus/\""), "{message}");
        assert!(message.contains("slash"), "{message}");
    }
}

#[test]
fn accepts_a_redirect_that_leads_to_janus() {
    let mut rig = Rig::with_servers(&["http://a.test/janus"]);
    rig.answer(|request| match created(request) {
        HttpResponse::Answered { status, body } => {
            HttpResponse::Redirected { to: "https://a.test/janus".into(), status, body }
        }
        other => other,
    });
    assert_eq!(rig.opened, Some(Ok(())));
}
