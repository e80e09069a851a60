//! Decodes any bytes as a frame.

#![no_main]

#[path = "../../tests/pair/mod.rs"]
mod pair;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pair::codec::check(bytes));
