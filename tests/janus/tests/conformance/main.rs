//! The embedded gateway answers as Janus answers: one script of HTTP exchanges runs against both,
//! and what they say is compared field by field.
//!
//! With `VIDEORTC_CAPTURE=1` the run also writes each distinct message of the real Janus to
//! `tests/wire/`, where the tests of the library's decoder find it.

// A test that cannot go on says so and fails.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod capture;
mod http;
mod normal;
mod scenarios;
mod sdp;
mod stage;

use std::time::Duration;

use videortc_gateway::server::{Server, ServerOptions};
use videortc_janus::Janus;

use self::capture::Capture;
use self::scenarios::Scenario;
use self::stage::{Stage, Step};

/// Where the embedded gateway differs on purpose: the step, and why.
const DELIBERATE: &[(&str, &str)] = &[
    ("POST with an empty body", "Janus drops the connection; a status tells the same, and better"),
    ("POST to a path that is too long", "Janus drops the connection; a status tells the same"),
    ("PUT", "Janus drops the connection; a status tells the same"),
];

/// `normal.rs` lists the differences that are ignored at every step, with the reasons.
#[test]
fn the_embedded_gateway_answers_as_janus_does() {
    let janus = Janus::start().unwrap();
    let embedded = Server::start(ServerOptions::default()).unwrap();
    compare(scenarios::ALL, janus.port(), embedded.addr().port());
}

#[test]
fn both_guard_themselves_with_secret_and_token() {
    let janus = Janus::options().api_secret("sesame").token("ticket").start().unwrap();
    let mut options = ServerOptions::default();
    options.gateway.api_secret = Some("sesame".to_owned());
    options.gateway.tokens = vec!["ticket".to_owned()];
    let embedded = Server::start(options).unwrap();
    compare(scenarios::WITH_SECRET, janus.port(), embedded.addr().port());
}

#[test]
fn both_end_an_idle_session() {
    // Longer than a busy machine takes between two steps.
    let timeout = Duration::from_secs(3);
    let janus = Janus::options().session_timeout(timeout).start().unwrap();
    let mut options = ServerOptions::default();
    options.gateway.session_timeout = timeout;
    let embedded = Server::start(options).unwrap();
    compare(scenarios::WITH_SHORT_TIMEOUT, janus.port(), embedded.addr().port());
}

fn compare(scenarios: &[Scenario], janus: u16, embedded: u16) {
    let mut differences = Vec::new();
    let mut capture = Capture::from_env();
    for Scenario { name, play } in scenarios {
        let perform = |gateway, port| {
            let mut stage = Stage::new(name, gateway, port);
            play(&mut stage);
            stage.finish()
        };
        let (expected, messages) = perform("Janus", janus);
        let (found, _) = perform("embedded", embedded);
        capture.keep(messages);
        assert_eq!(expected.len(), found.len(), "{name}: both plays have the same steps");
        for (expected, found) in expected.iter().zip(&found) {
            let deliberate = DELIBERATE.iter().any(|(step, _)| *step == expected.what);
            if deliberate {
                assert_ne!(
                    expected, found,
                    "{} differs no more: take it from the list",
                    found.what
                );
            } else if expected != found {
                differences.push(difference(name, expected, found));
            }
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    capture.write();
}

fn difference(scenario: &str, expected: &Step, found: &Step) -> String {
    let pretty = |step: &Step| serde_json::to_string_pretty(&step.value).unwrap();
    format!(
        "--- {scenario}: {}\nJanus:    {}\nembedded: {}",
        expected.what,
        pretty(expected),
        pretty(found)
    )
}
