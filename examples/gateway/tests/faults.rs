//! The server over HTTP: faults on demand, files on the same origin, and freeing the port at the
//! end.
#![cfg(feature = "server")]
// A test that cannot go on says so and fails.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use videortc_gateway::server::{Fault, Server, ServerOptions};

const LIMIT: Duration = Duration::from_secs(5);
const PING: &str = r#"{"janus":"ping","transaction":"t"}"#;

fn server() -> Server {
    Server::start(ServerOptions::default()).unwrap()
}

fn exchange(
    server: &Server,
    method: &str,
    path: &str,
    body: &str,
    limit: Duration,
) -> io::Result<String> {
    let mut stream = TcpStream::connect(server.addr())?;
    stream.set_read_timeout(Some(limit))?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close");
    stream.write_all(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn ping(server: &Server) -> String {
    exchange(server, "POST", "/janus", PING, LIMIT).unwrap_or_default()
}

fn post(server: &Server, path: &str, body: &str) -> String {
    exchange(server, "POST", &format!("/janus{path}"), body, LIMIT).unwrap()
}

fn poll(server: &Server, limit: Duration) -> io::Result<String> {
    exchange(server, "GET", "/janus/7?maxev=5", "", limit)
}

/// A session 7 with an event in its queue.
fn with_event(server: &Server) {
    with_handle(server, 7);
    plugin(server, 7, r#"{"request":"list"}"#);
}

/// A session with a handle, whose id only the test's thread keeps.
fn with_handle(server: &Server, session: u64) {
    post(server, "", &format!(r#"{{"janus":"create","transaction":"t","id":{session}}}"#));
    let attach = r#"{"janus":"attach","transaction":"t","plugin":"janus.plugin.videocall"}"#;
    let answer = post(server, &format!("/{session}"), attach);
    let handle = answer.split(r#"{"id":"#).nth(1).unwrap().split('}').next().unwrap().to_owned();
    HANDLES.with_borrow_mut(|handles| handles.insert(session, handle));
}

fn plugin(server: &Server, session: u64, body: &str) {
    let handle = HANDLES.with_borrow(|handles| handles[&session].clone());
    let message = format!(r#"{{"janus":"message","transaction":"t","body":{body}}}"#);
    post(server, &format!("/{session}/{handle}"), &message);
}

thread_local! {
    static HANDLES: RefCell<HashMap<u64, String>> = RefCell::default();
}

#[test]
fn a_fault_is_met_once_and_in_order() {
    let server = server();
    let faults = server.faults();
    faults.next_post(Fault::Status(500));
    faults.next_post(Fault::Html502);
    faults.next_post(Fault::Body("{\"janus\":".to_owned()));
    faults.next_post(Fault::Empty);
    faults.next_post(Fault::CloseConnection);
    assert!(ping(&server).contains(" 500 "));
    assert!(ping(&server).contains("<h1>502"));
    assert!(ping(&server).ends_with("\r\n\r\n{\"janus\":"));
    assert!(ping(&server).ends_with("\r\n\r\n"));
    assert!(!ping(&server).contains("pong"));
    assert!(ping(&server).contains("pong"));
}

#[test]
fn half_an_answer_breaks_off() {
    let server = server();
    server.faults().next_post(Fault::HalfBody);
    let answer = ping(&server);
    assert!(answer.contains("{\"") && !answer.contains('}'), "{answer}");
}

#[test]
fn a_fault_for_all_lasts_until_it_is_cleared() {
    let server = server();
    server.faults().all(Fault::Status(503));
    assert!(ping(&server).contains(" 503 "));
    assert!(ping(&server).contains(" 503 "));
    server.faults().clear();
    assert!(ping(&server).contains("pong"));
}

#[test]
fn an_answer_may_hang_or_be_late() {
    let server = server();
    server.faults().next_post(Fault::Hang);
    let silence = exchange(&server, "POST", "/janus", PING, Duration::from_millis(200));
    assert_eq!(silence.unwrap_err().kind(), ErrorKind::WouldBlock);
    server.faults().next_post(Fault::Delay(Duration::from_millis(50)));
    assert!(ping(&server).contains("pong"));
}

#[test]
fn events_get_lost_and_sessions_forgotten() {
    let server = server();
    with_event(&server);
    server.faults().next_poll(Fault::DropEvents);
    assert!(poll(&server, LIMIT).unwrap().ends_with(r#"[{"janus":"keepalive"}]"#));
    let silence = poll(&server, Duration::from_millis(200)).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    server.faults().next_poll(Fault::ForgetSession);
    assert!(poll(&server, LIMIT).unwrap().contains(" 404 "));
    assert!(post(&server, "/7", r#"{"janus":"keepalive","transaction":"t"}"#).contains("458"));
}

/// The names of the events of session 7's next poll, in order.
fn events(server: &Server) -> Vec<String> {
    let Ok(answer) = poll(server, Duration::from_millis(300)) else { return Vec::new() };
    let known = ["\"list\"", "\"registered\"", "\"error_code\"", "keepalive"];
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let mut found: Vec<(usize, &str)> = known
        .iter()
        .flat_map(|name| body.match_indices(name).map(|(at, name)| (at, name.trim_matches('"'))))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn events_come_twice_or_in_another_order() {
    let server = server();
    let faults = server.faults();
    with_handle(&server, 7);
    let register = r#"{"request":"register","username":"Tom"}"#;

    faults.next_poll(Fault::RepeatEvents);
    plugin(&server, 7, r#"{"request":"list"}"#);
    assert_eq!(events(&server), ["list", "list"]);

    faults.next_poll(Fault::RepeatEventsLater);
    plugin(&server, 7, register);
    assert_eq!(events(&server), ["registered"]);
    assert_eq!(events(&server), ["registered"]);
    assert_eq!(events(&server), [""; 0]);

    // That poll was abandoned, and would take the next event.
    faults.clear();
    plugin(&server, 7, r#"{"request":"list"}"#);
    faults.next_poll(Fault::ReverseEvents);
    plugin(&server, 7, r#"{"request":"list"}"#);
    plugin(&server, 7, register);
    assert_eq!(events(&server), ["error_code", "list"]);
    assert!(faults.are_met());
}

#[test]
fn one_event_of_a_name_is_lost_and_the_poll_goes_on() {
    let server = server();
    with_handle(&server, 7);
    server.faults().lose_event("registered");
    plugin(&server, 7, r#"{"request":"register","username":"Tom"}"#);
    plugin(&server, 7, r#"{"request":"list"}"#);
    assert_eq!(events(&server), ["list"]);
    assert!(server.faults().are_met());

    // The dropped one came alone: its poll waits for the next.
    server.faults().lose_event("error");
    let listening = thread::scope(|scope| {
        let listening = scope.spawn(|| poll(&server, LIMIT).unwrap());
        plugin(&server, 7, r#"{"request":"nonsense"}"#);
        plugin(&server, 7, r#"{"request":"list"}"#);
        listening.join().unwrap()
    });
    assert!(listening.contains("\"list\"") && !listening.contains("error_code"), "{listening}");
}

#[test]
fn a_fault_may_be_for_one_user() {
    let server = server();
    for (session, name) in [(7, "Tom"), (8, "Jack")] {
        with_handle(&server, session);
        let register = format!(r#"{{"request":"register","username":"{name}"}}"#);
        plugin(&server, session, &register);
        // The plugin does it a moment after the request was answered.
        let told = exchange(&server, "GET", &format!("/janus/{session}?maxev=5"), "", LIMIT);
        assert!(told.unwrap().contains("registered"));
    }
    let keepalive = r#"{"janus":"keepalive","transaction":"t"}"#;
    server.faults().of("Jack").next_post(Fault::Status(500));
    server.faults().of("Tom").all(Fault::Status(503));
    assert!(ping(&server).contains("pong"));
    assert!(post(&server, "/7", keepalive).contains(" 503 "));
    assert!(post(&server, "/8", keepalive).contains(" 500 "));
    assert!(post(&server, "/8", keepalive).contains("ack"));
    assert!(post(&server, "/7", keepalive).contains(" 503 "));
}

#[test]
fn a_busy_server_names_its_time() {
    let server = server();
    server.faults().next_post(Fault::RetryAfter(3));
    let answer = ping(&server).to_ascii_lowercase();
    assert!(answer.contains(" 429 ") && answer.contains("\r\nretry-after: 3\r\n"), "{answer}");
    assert!(answer.contains("access-control-expose-headers: retry-after"), "{answer}");
}

#[test]
fn bodies_may_be_garbage_or_huge_or_slow() {
    let server = server();
    server.faults().next_post(Fault::Garbage);
    let garbage = exchange(&server, "POST", "/janus", PING, LIMIT);
    assert_eq!(garbage.unwrap_err().kind(), ErrorKind::InvalidData);

    const SPACES: u64 = 200_000;
    server.faults().next_post(Fault::Huge(SPACES));
    let spaces = ping(&server).matches(' ').count() as u64;
    assert!((SPACES..SPACES + 100).contains(&spaces), "{spaces}");

    let pause = Duration::from_millis(2);
    server.faults().next_post(Fault::Drip(pause));
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = PING.len();
    let head = "POST /janus HTTP/1.1\r\nHost: localhost\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{PING}").unwrap();
    let (mut reads, mut answer) = (0, Vec::new());
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        reads += 1;
        answer.extend_from_slice(&buffer[..length]);
    }
    assert!(reads > 2, "it came in {reads} pieces");
    // Each piece is a separate chunk: lines with its length and with its bytes alternate.
    let text = String::from_utf8(answer).unwrap();
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    let pieces: String = body.split("\r\n").skip(1).step_by(2).collect();
    assert!(pieces.contains(r#""pong""#), "{text}");
}

#[test]
fn a_stopped_gateway_goes_on_where_it_was() {
    let server = server();
    with_event(&server);
    server.faults().all(Fault::Stall);
    thread::scope(|scope| {
        let asking = scope.spawn(|| ping(&server));
        let listening = scope.spawn(|| poll(&server, LIMIT).unwrap());
        let silence = exchange(&server, "POST", "/janus", PING, Duration::from_millis(200));
        assert_eq!(silence.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(!asking.is_finished() && !listening.is_finished());
        server.faults().clear();
        assert!(asking.join().unwrap().contains("pong"));
        assert!(listening.join().unwrap().contains("\"list\""));
    });
}

#[test]
fn a_restart_forgets_everybody() {
    let server = server();
    with_handle(&server, 7);
    plugin(&server, 7, r#"{"request":"register","username":"Tom"}"#);
    server.faults().next_post(Fault::ForgetAll);
    assert!(ping(&server).contains("pong"));
    assert!(poll(&server, LIMIT).unwrap().contains(" 404 "));
    // The name is free.
    with_handle(&server, 7);
    plugin(&server, 7, r#"{"request":"register","username":"Tom"}"#);
    assert_eq!(events(&server), ["registered"]);
}

#[test]
fn a_poll_whose_reader_has_left_swallows_the_next_event() {
    let server = server();
    post(&server, "", r#"{"janus":"create","transaction":"t","id":7}"#);
    assert!(poll(&server, Duration::from_millis(200)).is_err());
    with_event(&server);
    // Nothing, or the keepalive of a poll that another one has beaten to the event.
    let answer = poll(&server, Duration::from_millis(200)).unwrap_or_default();
    assert!(!answer.contains("plugindata"), "{answer}");
}

#[test]
fn files_share_the_origin() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page.html"), "<p>a page</p>").unwrap();
    fs::write(folder.path().join("code.wasm"), "").unwrap();
    let roots = vec![("/".to_owned(), folder.path().to_owned())];
    let options = ServerOptions { static_roots: roots, ..ServerOptions::default() };
    let server = Server::start(options).unwrap();
    let get = |path| exchange(&server, "GET", path, "", LIMIT).unwrap();
    assert!(get("/page.html").ends_with("<p>a page</p>"));
    assert!(get("/code.wasm").contains("application/wasm"));
    assert!(get("/nothing").contains(" 404 "));
    assert!(get("/janus/info").contains("server_info"));
}

#[test]
fn a_dropped_server_ends_its_polls_and_frees_its_port() {
    let server = server();
    let addr = server.addr();
    post(&server, "", r#"{"janus":"create","transaction":"t","id":7}"#);
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"GET /janus/7 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let reader = thread::spawn(move || {
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    drop(server);
    assert_eq!(reader.join().unwrap(), "");
    Server::start(ServerOptions { addr, ..ServerOptions::default() }).unwrap();
}

#[tokio::test]
async fn a_server_starts_and_ends_within_a_runtime() {
    let server = server();
    assert!(ping(&server).contains("pong"));
}
