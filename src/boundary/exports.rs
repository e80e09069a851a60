//! What the module exports: one [`Core`] as functions, since each client has an instance of the module for itself.

use std::cell::RefCell;

use wasm_bindgen::prelude::*;

use super::Core;

thread_local! {
    static CORE: RefCell<Option<Core>> = const { RefCell::new(None) };
}

fn with<T>(act: impl FnOnce(&mut Core) -> T) -> Option<T> {
    CORE.with_borrow_mut(|core| core.as_mut().map(act))
}

/// As [`Core::new`].
#[wasm_bindgen]
pub fn start(setup: Vec<u8>) {
    CORE.set(Some(Core::new(setup)));
}

/// As [`Core::input`].
#[wasm_bindgen]
pub fn input(is_command: bool, line: Vec<u8>, bytes: Option<Vec<u8>>) {
    with(|core| core.input(is_command, line, bytes));
}

/// As [`Core::poll_output`].
#[wasm_bindgen(js_name = pollOutput)]
pub fn poll_output() -> Option<String> {
    with(Core::poll_output)?
}

/// As [`Core::take_bytes`].
#[wasm_bindgen(js_name = takeBytes)]
pub fn take_bytes() -> Vec<u8> {
    with(Core::take_bytes).unwrap_or_default()
}

/// As [`Core::poll_timeout`].
#[wasm_bindgen(js_name = pollTimeout)]
pub fn poll_timeout() -> f64 {
    with(|core| core.poll_timeout()).unwrap_or_default()
}

/// As [`Core::is_present`].
#[wasm_bindgen(js_name = isPresent)]
pub fn is_present() -> bool {
    with(|core| core.is_present()).unwrap_or_default()
}
