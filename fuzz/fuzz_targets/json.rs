//! Any text, read as JSON by two readers.

#![no_main]

#[path = "../../tests/stranger/mod.rs"]
mod stranger;

libfuzzer_sys::fuzz_target!(|text: &str| stranger::json::check(text));
