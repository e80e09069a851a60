//! The JSON reader and writer, held against `serde_json`.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use proptest::prelude::*;
use videortc::json::{Object, Value};

/// What `serde_json` reads, in our words.
fn ours(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => Value::Number(number.as_i64()),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(values) => Value::List(values.iter().map(ours).collect()),
        serde_json::Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), ours(value))).collect())
        }
    }
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_json_is_read_as_another_reader_reads_it(value in value()) {
        prop_assert_eq!(Value::parse(&value.to_string()), Some(ours(&value)));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(Value::parse(&pretty), Some(ours(&value)));
    }

    #[test]
    fn what_is_cut_short_is_not_json(value in value(), at in any::<prop::sample::Index>()) {
        let text = serde_json::json!({ "value": value }).to_string();
        let short: String = text.chars().take(at.index(text.chars().count())).collect();
        prop_assert_eq!(Value::parse(&short), None);
    }

    #[test]
    fn what_another_reader_takes_is_taken(text in "[-\\[\\]{}:,\"\\\\ueE0-9a-f.truefalsn ]{0,24}") {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
            // Of two fields with one name the other reader keeps one, and -0 it takes for a fraction.
            if !text.contains(',') && !text.contains("-0") {
                prop_assert_eq!(Value::parse(&text), Some(ours(&value)));
            }
        }
    }

    #[test]
    fn what_is_written_is_read_the_same(key in any::<String>(), text in any::<String>(), number: u64) {
        let mut object = Object::new("first", &text);
        object.text(&key, &text);
        object.number("number", number);
        object.flag("flag", true);
        object.raw("nothing", "null");
        let read: serde_json::Value = serde_json::from_str(&object.finish()).unwrap();
        let wanted = serde_json::json!(
            { "first": text, key: text, "number": number, "flag": true, "nothing": null }
        );
        prop_assert_eq!(read, wanted);
    }
}

#[test]
fn escapes_are_read() {
    let read = |text: &str| Value::parse(text).and_then(|value| value.as_str().map(str::to_owned));
    assert_eq!(read(r#""\"\\\/\b\f\n\r\t""#).unwrap(), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(read(r#""\u00e9\u20AC\ud83d\ude00\udbff\udfff""#).unwrap(), "é€😀\u{10ffff}");
    for half in [r#""a\ud83db""#, r#""a\ude00b""#] {
        assert_eq!(read(half).unwrap(), "a\u{fffd}b");
    }
    assert_eq!(read(r#""\ud83d\u0041""#).unwrap(), "\u{fffd}A");
    for wrong in [r#""\x""#, r#""\u12g4""#, r#""\u12"#, r#""\"#, "\"\n\"", "\"a"] {
        assert_eq!(Value::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for wrong in [
        "",
        " ",
        "nul",
        "truely",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "1 2",
        "+1",
    ] {
        assert_eq!(Value::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_nest_deeper_than_the_stack_allows_is_refused() {
    let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Value::parse(&nest(128)).is_some());
    assert_eq!(Value::parse(&nest(129)), None);
    assert_eq!(Value::parse(&"[{\"a\":".repeat(1_000_000)), None);
}

#[test]
fn what_is_not_there_is_null() {
    let mut value =
        Value::parse(r#"{"a":{"b":7},"c":-1,"d":1e3,"e":9223372036854775808}"#).unwrap();
    assert_eq!(value.get("a").get("b").as_u64(), Some(7));
    assert_eq!(value.get("a").get("b").get("deeper"), &Value::Null);
    assert_eq!(value.get("c").as_i64(), Some(-1));
    for key in ["c", "d", "e", "nowhere"] {
        assert_eq!(value.get(key).as_u64(), None, "{key}");
    }
    assert_eq!(value.take("a").take("b"), Value::Number(Some(7)));
    assert!(value.get("a").is_null());
}
