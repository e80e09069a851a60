//! A gateway that sends anything at any time, decoded from bytes, to a page that is registered or
//! in a call.

#![no_main]

#[path = "../../tests/stranger/mod.rs"]
mod stranger;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stranger::gateway::check(bytes));
