//! The shell in a real browser, with a scripted gateway in place of `fetch` and a real peer
//! connection in the same page as the peer.

#![cfg(target_family = "wasm")]
// A failing test panics with the value.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);

mod web {
    mod api;
    mod far_end;
    mod gateway;
    mod page;

    mod arguments;
    mod guard;
    mod listeners;
    mod media;
    mod objects;
    mod requests;
    mod rust_api;
    mod rust_docs;
    mod sending;
    mod windows;
    mod words;
}
