//! The server over HTTP: faults on demand, files on the same origin, and an end that frees the port.
#![cfg(feature = "server")]
// A test that cannot go on says so and fails.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

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
    post(server, "", r#"{"janus":"create","transaction":"t","id":7}"#);
    let attach = r#"{"janus":"attach","transaction":"t","plugin":"janus.plugin.videocall"}"#;
    let answer = post(server, "/7", attach);
    let handle = answer.split(r#"{"id":"#).nth(1).unwrap().split('}').next().unwrap();
    let list = r#"{"janus":"message","transaction":"t","body":{"request":"list"}}"#;
    post(server, &format!("/7/{handle}"), list);
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
