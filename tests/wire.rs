//! The decoder on messages captured from Janus 1.1.2, and on what no gateway should send.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use videortc::call::parse_plugin_message;
use videortc::error::Code;
use videortc::proto::{Message, Notice, parse_batch};

/// Every captured message, and what it is taken for.
const EXPECTED: &str = include_str!("wire/expected.txt");

/// The captures name their transactions in words; the library's are numbers.
fn numbered(text: &str) -> String {
    text.replace("\"transaction ", "\"")
}

fn summary(message: &Message) -> String {
    let plugin = |data| match parse_plugin_message(data) {
        Ok(event) => format!("{event:?}"),
        Err((code, words)) => format!("refusal {code} \"{words}\""),
    };
    match message {
        Message::Reply { data, jsep, .. } => {
            format!("reply {}{}", plugin(data), jsep.as_ref().map_or("", |jsep| jsep.kind.as_str()))
        }
        Message::Notice { notice: Notice::Event { data, jsep }, .. } => {
            let jsep = jsep.as_ref().map_or("", |jsep| jsep.kind.as_str());
            format!("event {} {jsep}", plugin(data)).trim_end().to_owned()
        }
        Message::Notice { notice, .. } => format!("notice {notice:?}"),
        Message::Success { id, data, .. } => {
            format!("success, id {}, data {}", id.is_some(), data.is_some())
        }
        Message::Ack { .. } => "ack".into(),
        Message::Error { code, reason, .. } => format!("error {code} \"{reason}\""),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_captured_message_is_understood() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire");
    let mut seen = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let body = numbered(&fs::read_to_string(&path).unwrap());
            let batch = parse_batch(&body).unwrap();
            assert_eq!(batch.len(), 1, "{path:?}");
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            seen.insert(name, summary(&batch[0]));
        }
    }
    let seen: String = seen.iter().map(|(name, summary)| format!("{name}: {summary}\n")).collect();
    assert_eq!(seen, EXPECTED, "\n{seen}");
}

#[test]
fn the_unknown_does_not_break_its_batch() {
    let body = r#"[
        {"janus":"event","sender":7,"plugindata":{"plugin":"p","data":{"videocall":"event","result":{"event":"calling"}}}},
        {"janus":"telepathy","sender":7},
        17, null, "text", [], {},
        {"janus":"event","sender":"seven"},
        {"janus":"hangup","sender":7,"reason":"Close PC","surprise":{"deep":[1,2,3]}}
    ]"#;
    let batch = parse_batch(body).unwrap();
    assert_eq!(batch.len(), 9);
    let unknown = batch.iter().filter(|m| matches!(m, Message::Unknown(_))).count();
    assert_eq!(unknown, 7);
    assert!(
        matches!(&batch[8], Message::Notice { notice: Notice::Hangup(words), .. } if words == "Close PC")
    );
}

#[test]
fn what_is_not_janus_is_told_in_one_short_sentence() {
    for body in
        ["", "<html><body>Bad gateway</body></html>", "{\"janus\":", "\u{0}", &"x".repeat(9_999)]
    {
        let error = parse_batch(body).unwrap_err();
        assert_eq!(error.code, Code::GatewayProtocol);
        assert!(error.message.chars().count() < 300, "{}", error.message);
        assert!(!error.message.contains('\n'));
    }
}

#[test]
fn a_body_beyond_all_measure_is_not_parsed() {
    let body = format!("[{}]", "0,".repeat(4_200_000));
    let error = parse_batch(&body).unwrap_err();
    assert!(error.message.contains("8400002 bytes"), "{}", error.message);
}

proptest! {
    #[test]
    fn no_text_makes_the_decoder_panic(body in ".{0,400}") {
        let _ = parse_batch(&body);
    }

    #[test]
    fn no_json_makes_the_decoder_panic(body in json(4)) {
        if let Ok(batch) = parse_batch(&body.to_string()) {
            for message in batch {
                if let Message::Notice { notice: Notice::Event { data, .. }, .. }
                | Message::Reply { data, .. } = message
                {
                    let _ = parse_plugin_message(&data);
                }
            }
        }
    }
}

/// JSON that looks like a gateway's often enough to get into every corner.
fn json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ -~]{0,8}".prop_map(Into::into),
        prop::sample::select(vec!["event", "hangup", "trickle", "1", "offer", "incomingcall"])
            .prop_map(Into::into),
    ];
    leaf.prop_recursive(depth, 64, 8, |inner| {
        let key = prop::sample::select(vec![
            "janus",
            "transaction",
            "sender",
            "plugindata",
            "data",
            "result",
            "event",
            "jsep",
            "type",
            "sdp",
            "candidate",
            "candidates",
            "error",
            "code",
            "reason",
            "username",
            "list",
            "id",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}
