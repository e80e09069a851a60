//! What must hold of any text that is read as JSON, held against `serde_json`.
//!
//! Read otherwise, on purpose: numbers are not looked at closely, and only integers of 64 bits are kept, `-0`
//! among them; half a surrogate pair is U+FFFD; all fields of one name are kept; one level more may be nested.

use videortc::json::{List, Object, Value};

/// How deep the other reader follows safely.
const DEEP: usize = 120;

/// Reads it here and there, writes what was read, and reads that.
pub fn check(text: &str) {
    let ours = Value::parse(text);
    if let Some(value) = &ours {
        assert_eq!(Value::parse(&written(value)).as_ref(), Some(value), "written and read again");
    }
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > DEEP {
        return;
    }
    let plain: Result<serde_json::Value, _> = serde_json::from_str(&plain(text));
    assert_eq!(ours.is_some(), plain.is_ok(), "{plain:?}");
    if let (Some(ours), Ok(theirs)) = (&ours, &serde_json::from_str(text)) {
        compare(ours, theirs);
    }
}

fn compare(ours: &Value, theirs: &serde_json::Value) {
    use serde_json::Value as Json;
    match (ours, theirs) {
        (Value::Null, Json::Null) => {}
        (Value::Bool(ours), Json::Bool(theirs)) => assert_eq!(ours, theirs),
        (Value::Number(Some(0)), Json::Number(theirs)) => assert_eq!(theirs.as_f64(), Some(0.0)),
        (Value::Number(ours), Json::Number(theirs)) => assert_eq!(*ours, theirs.as_i64()),
        (Value::Text(ours), Json::String(theirs)) => assert_eq!(ours, theirs),
        (Value::List(ours), Json::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| compare(ours, theirs));
        }
        (Value::Object(fields), Json::Object(theirs)) => {
            for (key, wanted) in theirs {
                let mut named = fields.iter().filter(|(name, _)| name == key);
                let (first, second) = (named.next(), named.next());
                assert!(first.is_some(), "{key} is missing");
                if let (Some((_, value)), None) = (first, second) {
                    assert_eq!(ours.get(key), value);
                    compare(value, wanted);
                }
            }
            assert!(fields.iter().all(|(name, _)| theirs.contains_key(name)));
        }
        _ => panic!("{ours:?} is not {theirs:?}"),
    }
}

/// The text with what is read otherwise on purpose put plainly: every number is 0, every `\uXXXX` an A.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' if is_quoted => {
                plain.push('\\');
                let Some(escaped) = rest.next() else { continue };
                plain.push(escaped);
                if escaped == 'u' {
                    for _ in 0..4 {
                        match rest.next_if(|c| *c != '"') {
                            Some(c) if c.is_ascii_hexdigit() => plain.push('1'),
                            Some(c) => plain.push(c),
                            None => {}
                        }
                    }
                }
            }
            '"' => {
                is_quoted = !is_quoted;
                plain.push('"');
            }
            '-' | '0'..='9' if !is_quoted => {
                while rest
                    .next_if(|c| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
                    .is_some()
                {}
                plain.push('0');
            }
            c => plain.push(c),
        }
    }
    plain
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(Some(number)) => number.to_string(),
        Value::Number(None) => "0.5".to_owned(),
        Value::Text(text) => {
            let list = List::new(text).finish();
            list[1..list.len() - 1].to_owned()
        }
        Value::List(values) => {
            let mut list = List::empty();
            for value in values {
                list.raw(&written(value));
            }
            list.finish()
        }
        Value::Object(fields) => {
            let mut object = Object::empty();
            for (key, value) in fields {
                object.raw(key, &written(value));
            }
            object.finish()
        }
    }
}
