//! What a user may set: names, checked once.

#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs)]

use videortc::config::UserName;
use videortc::error::Code;

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
