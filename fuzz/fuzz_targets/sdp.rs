//! Parses any text as a session description.

#![no_main]

#[path = "../../tests/stranger/mod.rs"]
mod stranger;

libfuzzer_sys::fuzz_target!(|text: &str| stranger::sdp::check(text));
