//! The decoder, on messages captured from Janus 1.1.2 and on invalid ones.

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
use videortc::error::{Code, Error};
use videortc::signaling::{CoreCode, Message, Notice, parse_batch};
use videortc::usecase::video_call::{Refusal, parse_plugin_message};

/// Every captured message, and its expected meaning.
const EXPECTED: &str = include_str!("wire/expected.txt");

/// The captures use words as transactions; the library uses numbers.
fn numbered(text: &str) -> String {
    text.replace("\"transaction ", "\"")
}

fn summary(message: &Message) -> String {
    let plugin = |data| match parse_plugin_message(data) {
        Ok(event) => format!("{event:?}"),
        Err(Refusal { code, reason }) => format!("refusal {code} \"{reason}\""),
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
        Message::ServerInfo { session_timeout, .. } => {
            format!("server info, session timeout {session_timeout:?}")
        }
        Message::Error { code, reason, .. } => format!("error {code} \"{reason}\""),
        other => format!("{other:?}"),
    }
}

#[test]
fn parses_every_captured_message() {
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
fn unknown_event_does_not_break_its_batch() {
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
fn describes_a_foreign_answer_in_one_short_sentence() {
    for body in
        ["", "<html><body>Bad gateway</body></html>", "{\"janus\":", "\u{0}", &"x".repeat(9_999)]
    {
        let error = Error::from(parse_batch(body).unwrap_err());
        assert_eq!(error.code(), Code::GatewayProtocol);
        assert!(error.message().chars().count() < 300, "{}", error.message());
        assert!(!error.message().contains('\n'));
    }
}

#[test]
fn does_not_parse_an_oversized_body() {
    let body = format!("[{}]", "0,".repeat(4_200_000));
    let error = Error::from(parse_batch(&body).unwrap_err());
    assert!(error.message().contains("8400002 bytes"), "{}", error.message());
}

/// A batch with a hang-up after a message with this reason.
fn with_reason(reason: &str) -> String {
    format!(
        r#"[{{"janus":"hangup","sender":7,"reason":"{reason}"}},{{"janus":"webrtcup","sender":7}}]"#
    )
}

fn hang_up_reason(batch: &[Message]) -> &str {
    match batch {
        [
            Message::Notice { notice: Notice::Hangup(reason), .. },
            Message::Notice { notice: Notice::WebrtcUp, .. },
        ] => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn parses_escapes() {
    let read = |reason: &str| {
        hang_up_reason(
            &parse_batch(&with_reason(reason)).unwrap_or_else(|e| panic!("{reason}: {e}")),
        )
        .to_owned()
    };
    assert_eq!(read(r#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(read(r"\u00e9\u20AC\ud83d\ude00\udbff\udfff"), "é€😀\u{10ffff}");
}

#[test]
fn unpaired_surrogate_loses_no_message() {
    for (reason, wanted) in [
        (r"a\ud83db", "a\u{fffd}b"),
        (r"a\ude00b", "a\u{fffd}b"),
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83d\u0041", "\u{fffd}A"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (r"\ud83d\ude00\ude00", "😀\u{fffd}"),
        (r"\ud83d\\ud83d", "\u{fffd}\\ud83d"),
        (r"\\\ud83d\n", "\\\u{fffd}\n"),
        (r"é\uDBFFé", "é\u{fffd}é"),
    ] {
        assert_eq!(hang_up_reason(&parse_batch(&with_reason(reason)).unwrap()), wanted, "{reason}");
    }
    let list = r#"{"janus":"event","sender":7,"transaction":"1","plugindata":{"data":{
        "videocall":"event","result":{"list":["Tom","J\ud800ck","Anna"]}}}}"#;
    let batch = parse_batch(list).unwrap();
    let [Message::Reply { data, .. }] = &batch[..] else { panic!("{batch:?}") };
    assert_eq!(
        format!("{:?}", parse_plugin_message(data)),
        "Ok(List([\"Tom\", \"J\u{fffd}ck\", \"Anna\"]))"
    );
}

#[test]
fn rejects_invalid_json() {
    let reasons = [r"\x", r"\u12g4", r"\u12", r"\", "\n", r"\ud83d\x", r"\ud83d\u12", "\\é"];
    for reason in reasons {
        assert!(parse_batch(&with_reason(reason)).is_err(), "{reason}");
    }
    for body in ["nul", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{} {}"] {
        assert!(parse_batch(body).is_err(), "{body}");
    }
}

#[test]
fn rejects_too_deeply_nested_json() {
    let nest = |depth: usize| {
        format!(
            r#"{{"janus":"hangup","sender":7,"reason":"Close PC","deep":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert!(matches!(parse_batch(&nest(120)).unwrap()[..], [Message::Notice { .. }]));
    assert!(parse_batch(&nest(200)).is_err());
    assert!(parse_batch(&"[{\"a\":".repeat(150_000)).is_err());
}

/// Session ids are limited to the integers that JavaScript represents exactly.
#[test]
fn parses_ids_exactly() {
    for id in [1, 4_294_967_296, 9_007_199_254_740_991_u64] {
        let body = format!(r#"{{"janus":"success","transaction":"1","data":{{"id":{id}}}}}"#);
        let batch = parse_batch(&body).unwrap();
        assert!(matches!(batch[..], [Message::Success { id: Some(read), .. }] if read == id));
    }
}

#[test]
fn field_of_the_wrong_type_loses_only_that_field() {
    let slow = |lost: &str| {
        let body = format!(
            r#"{{"janus":"slowlink","sender":7,"media":"audio","uplink":true,"lost":{lost}}}"#
        );
        match parse_batch(&body).unwrap().remove(0) {
            Message::Notice { notice: Notice::SlowLink { lost, .. }, .. } => lost,
            other => panic!("{lost}: {other:?}"),
        }
    };
    assert_eq!(slow("3"), 3);
    for lost in ["3.0", "1e3", "-1", "18446744073709551616", "\"3\"", "null", "[3]"] {
        assert_eq!(slow(lost), 0, "{lost}");
    }
    let jsep = r#"{"janus":"event","sender":7,"plugindata":{"data":{"result":{"event":"update"}}},
        "jsep":{"type":"offer","sdp":17}}"#;
    assert!(matches!(
        &parse_batch(jsep).unwrap()[..],
        [Message::Notice { notice: Notice::Event { jsep: None, .. }, .. }]
    ));
    let error = r#"{"janus":"error","transaction":"5","error":{"code":"four","reason":["Full"]}}"#;
    assert!(matches!(
        &parse_batch(error).unwrap()[..],
        [Message::Error { transaction: Some(5), code: CoreCode::UNKNOWN, reason }] if reason.is_empty()
    ));
}

/// RFC 8259, section 4, does not define which duplicate counts.
#[test]
fn duplicate_field_loses_no_message() {
    let body = r#"{"janus":"hangup","sender":7,"reason":"a","reason":"b","sender":7}"#;
    assert!(matches!(
        &parse_batch(body).unwrap()[..],
        [Message::Notice { notice: Notice::Hangup(reason), .. }] if ["a", "b"].contains(&reason.as_str())
    ));
}

proptest! {
    #[test]
    fn decoder_never_panics_on_text(body in ".{0,400}") {
        let _ = parse_batch(&body);
    }

    /// Every string that JSON can represent arrives, however it is escaped.
    #[test]
    fn reason_round_trips(reason in any::<String>(), escapes in any::<bool>()) {
        let mut body = serde_json::json!([
            {"janus": "hangup", "sender": 7, "reason": reason},
            {"janus": "webrtcup", "sender": 7},
        ])
        .to_string();
        if escapes {
            body = body
                .chars()
                .flat_map(|c| match c {
                    ..='~' => vec![c],
                    _ => c.encode_utf16(&mut [0; 2]).iter()
                        .flat_map(|unit| format!("\\u{unit:04x}").chars().collect::<Vec<_>>())
                        .collect(),
                })
                .collect();
        }
        let batch = parse_batch(&body).unwrap();
        prop_assert_eq!(hang_up_reason(&batch), &reason);
    }

    #[test]
    fn decoder_never_panics_on_json(body in json(4)) {
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

/// JSON that resembles a gateway's, to reach every branch.
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
