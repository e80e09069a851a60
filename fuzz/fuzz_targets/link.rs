//! A scenario with two pages, a faulty channel and an attacker, decoded from bytes.

#![no_main]

#[path = "../../tests/pair/mod.rs"]
mod pair;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pair::story::check(&pair::story::read(bytes), 0));
