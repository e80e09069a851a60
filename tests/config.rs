//! Gateway addresses and user names.

#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use serde_json::Value;
use videortc::config::{ServerUrl, UserName};

/// The loader checks addresses too; its tests read the same table.
fn servers() -> Value {
    serde_json::from_str(include_str!("servers.json")).unwrap()
}

/// The message of an error, without its code.
fn refusal<T: std::fmt::Debug>(result: Result<T, videortc::error::Error>) -> String {
    let error = result.unwrap_err().to_string();
    error.strip_prefix("INVALID_ARGUMENT: ").expect(&error).to_owned()
}

#[test]
fn trims_white_space_and_repeated_slashes_of_an_address() {
    for (address, taken) in servers()["taken"].as_object().unwrap() {
        assert_eq!(ServerUrl::parse(address).unwrap().as_str(), taken, "{address:?}");
    }
}

#[test]
fn rejects_a_wrong_address_without_quoting_a_secret() {
    for (address, sentence) in servers()["refused"].as_object().unwrap() {
        let refusal = refusal(ServerUrl::parse(address));
        assert_eq!(&refusal, sentence, "{address:?}");
        assert!(!refusal.contains("S3CRET"));
    }
    let long = refusal(ServerUrl::parse(&"x".repeat(500)));
    assert!(long.starts_with(&format!("\"{}…\" is not", "x".repeat(120))), "{long}");
}

#[test]
fn skips_websocket_addresses_if_there_are_others() {
    for list in servers()["lists"].as_array().unwrap() {
        let texts: Vec<String> = serde_json::from_value(list["servers"].clone()).unwrap();
        let parsed = ServerUrl::parse_list(&texts);
        match list.get("taken") {
            Some(taken) => {
                let parsed: Vec<_> =
                    parsed.unwrap().iter().map(|url| url.as_str().into()).collect();
                assert_eq!(taken, &Value::Array(parsed), "{texts:?}");
            }
            None => assert_eq!(refusal(parsed), list["refused"], "{texts:?}"),
        }
    }
}

#[test]
fn joins_a_path_with_one_slash() {
    for (base, path, joined) in [
        ("https://gateway.test/janus", "12/3", "https://gateway.test/janus/12/3"),
        ("https://gateway.test/janus/", "12/3", "https://gateway.test/janus/12/3"),
        ("https://gateway.test/janus/", "/12", "https://gateway.test/janus/12"),
        ("https://gateway.test/janus", "", "https://gateway.test/janus"),
        ("https://gateway.test/janus/", "", "https://gateway.test/janus/"),
    ] {
        assert_eq!(ServerUrl::parse(base).unwrap().join(path), joined);
    }
}

#[test]
fn accepts_names_of_1_to_128_characters_without_controls() {
    let longest = "é".repeat(128);
    for good in ["T", " Tom ", "<img src=x onerror=alert(1)>", "Σωκράτης", longest.as_str()]
    {
        assert_eq!(UserName::checked(good).unwrap().as_str(), good);
        assert!(UserName::parse(good).is_some());
    }
    let long = "é".repeat(129);
    let too_long = format!(
        "the user name \"{}…\" has 129 characters; at most 128 are allowed",
        "é".repeat(120)
    );
    for (bad, sentence) in [
        ("", "a user name must not be empty"),
        (" \t\u{feff}", "a user name must not be empty"),
        ("a\0b", "the user name \"a b\" holds a control character; leave it out"),
        ("a\nb", "the user name \"a b\" holds a control character; leave it out"),
        ("a\u{7f}", "the user name \"a \" holds a control character; leave it out"),
        (long.as_str(), too_long.as_str()),
    ] {
        assert_eq!(refusal(UserName::checked(bad)), sentence, "{bad:?}");
        assert!(UserName::parse(bad).is_none());
    }
}
