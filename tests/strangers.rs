//! Untrusted input: the fuzzers' corpus and random texts.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod stranger;

use proptest::prelude::*;

/// The fuzzers' corpus, by file.
fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = format!("{}/tests/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    for file in files {
        // The last line before a failure names the file.
        println!("{}", file.display());
        check(&std::fs::read(&file).unwrap());
    }
}

fn replay_texts(target: &str, check: impl Fn(&str)) {
    replay(target, |bytes| check(&String::from_utf8_lossy(bytes)));
}

#[test]
fn gateway_corpus_passes() {
    replay("gateway", stranger::gateway::check);
}

#[test]
fn description_corpus_passes() {
    replay_texts("sdp", stranger::sdp::check);
}

#[test]
fn limits_redials_that_a_peer_requests() {
    let calls = stranger::gateway::calls_of_a_peer_that_is_never_content();
    assert!((2..=6).contains(&calls), "{calls} calls");
}

proptest! {
    #[test]
    fn everything_settles_with_any_gateway(
        lines in prop::collection::vec(
            prop_oneof![
                "c[rglcahsxdeuyzovpq]",
                "t[ -~]",
                "k[stg]",
                "s30?",
                "[prs]2?<[$]J>",
                "[pr]\\{\"janus\":\"error\",\"transaction\":\"[$]T\",\"error\":\\{\"code\":403\\}\\}",
                "[prlsfg][ -~]{0,40}",
                "[pr]\\{\"janus\":\"(ack|success|hangup|timeout|error|event)\",\"transaction\":\"[$][TL]\",\"sender\":7\\}",
            ],
            0..30,
        ),
        stage in "[noiu]",
    ) {
        stranger::gateway::check(format!("{stage}\n{}", lines.join("\n")).as_bytes());
    }

    #[test]
    fn any_description_keeps_the_announced_version(
        lines in prop::collection::vec(
            prop_oneof![
                "m=(audio|application) [09] (UDP/DTLS/SCTP|RTP)( webrtc-datachannel)?",
                "a=(bundle-only|x-videortc-data:[0-9 ]{0,4}|mid:0)",
                "[ -~]{0,10}",
            ],
            0..12,
        ),
        end in prop::sample::select(vec!["\r\n", "\n", "\r\r\n"]),
    ) {
        stranger::sdp::check(&lines.join(end));
    }
}
