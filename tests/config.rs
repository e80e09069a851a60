//! What a user may set: names, checked once.

#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs)]

use videortc::config::UserName;

#[test]
fn names_are_one_to_128_characters_without_control_characters() {
    for good in ["T", "<img src=x onerror=alert(1)>", "Σωκράτης 🏺", &"é".repeat(128)] {
        assert_eq!(UserName::parse(good).map(|name| name.to_string()), Some(good.to_owned()));
    }
    for bad in ["", "  ", "a\0b", "a\nb", "\u{7f}", &"é".repeat(129)] {
        assert_eq!(UserName::parse(bad), None, "{bad:?}");
    }
}
