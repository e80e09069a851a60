//! What a user may set: addresses and names, checked once.

#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs)]

use videortc::config::{ServerUrl, UserName};
use videortc::error::Code;

#[test]
fn good_addresses_are_taken_and_lose_their_last_slash() {
    for (given, taken) in [
        ("https://example.com/janus", "https://example.com/janus"),
        ("http://localhost:8088/janus/", "http://localhost:8088/janus"),
        (" HTTPS://[::1]:8089/a/b// ", "HTTPS://[::1]:8089/a/b"),
        ("https://example.com/@janus", "https://example.com/@janus"),
        ("https://bücher.example/janus", "https://bücher.example/janus"),
    ] {
        assert_eq!(
            ServerUrl::parse(given).map(|url| url.as_str().to_owned()),
            Ok(taken.to_owned())
        );
    }
}

#[test]
fn bad_addresses_are_refused_by_name() {
    for given in [
        "",
        " ",
        "janus",
        "/janus",
        "example.com/janus",
        "ftp://example.com",
        "wss://example.com/janus",
        "https://",
        "https:///janus",
        "https://example.com:0x50/janus",
        "https://example.com:99999",
        "https://exa mple.com",
        "https://example.com/<img src=x>",
        "javascript:alert(1)",
    ] {
        let error = ServerUrl::parse(given).err();
        let error = error.unwrap_or_else(|| panic!("{given} was taken"));
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains(&format!("\"{given}\"")), "{}", error.message);
    }
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    for given in ["https://tom:pa55@example.com/janus", "https://example.com/janus?token=pa55"] {
        let error = ServerUrl::parse(given).err();
        assert!(error.is_some_and(|error| !error.message.contains("pa55")));
    }
}

#[test]
fn names_are_one_to_128_characters_without_control_characters() {
    for good in ["T", "<img src=x onerror=alert(1)>", "Σωκράτης 🏺", &"é".repeat(128)] {
        assert_eq!(UserName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
    }
    for bad in ["", "  ", "a\0b", "a\nb", "\u{7f}", &"é".repeat(129)] {
        let error = UserName::parse(bad).err();
        assert_eq!(error.map(|error| error.code), Some(Code::InvalidArgument), "{bad:?}");
    }
}
