//! The gateway under test starts, ends, comes back and stops answering when it is told to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use videortc_janus::Janus;

/// A patient client's limit, and how long a stopped gateway is listened to.
const LIMIT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_millis(300);

fn ask(janus: &Janus, request: &str, limit: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", janus.port()))?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(
        format!(
            "POST /janus HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{request}",
            request.len()
        )
        .as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const PING: &str = r#"{"janus":"ping","transaction":"t"}"#;

#[test]
fn a_killed_gateway_comes_back_at_the_same_address() {
    let mut janus = Janus::start().unwrap();
    assert_eq!(janus.url(), format!("http://127.0.0.1:{}/janus", janus.port()));
    assert!(ask(&janus, PING, LIMIT).unwrap().contains("pong"));

    janus.kill();
    assert!(ask(&janus, PING, LIMIT).is_err());

    janus.restart().unwrap();
    assert!(ask(&janus, PING, LIMIT).unwrap().contains("pong"));
}

#[test]
fn a_paused_gateway_is_silent_until_it_goes_on() {
    let janus = Janus::start().unwrap();
    janus.pause().unwrap();
    assert!(ask(&janus, PING, SILENCE).is_err());
    janus.resume().unwrap();
    assert!(ask(&janus, PING, LIMIT).unwrap().contains("pong"));
}

#[test]
fn secret_and_token_open_the_gateway() {
    let create = |with: &str| format!(r#"{{"janus":"create","transaction":"t"{with}}}"#);
    let janus = Janus::options().api_secret("open sesame").token("ticket").start().unwrap();
    for (with, answer) in [
        ("", "403"),
        (r#","apisecret":"wrong""#, "403"),
        (r#","apisecret":"open sesame""#, "success"),
        (r#","token":"ticket""#, "success"),
    ] {
        let said = ask(&janus, &create(with), LIMIT).unwrap();
        assert!(said.contains(answer), "with {with}: {said}");
    }
}

#[test]
fn a_port_in_use_is_an_error_with_the_log() {
    let first = Janus::start().unwrap();
    let error = Janus::options().port(first.port()).start().unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("last words"), "{text}");
}
