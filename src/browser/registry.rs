//! Lists what must be undone after a breakdown: connections, tracks, requests, elements.
//!
//! After a trap, no code of the module runs any more, and so no destructor. The loader's guard in
//! JavaScript (`pkg-template/guard.js`) then undoes everything on this list. Without a guard,
//! nothing is listed.

use std::cell::RefCell;

use js_sys::Map;
use wasm_bindgen::prelude::*;

thread_local! {
    static LIST: RefCell<Option<Map>> = const { RefCell::new(None) };
}

/// Sets the map that holds the list.
#[cfg(feature = "js")]
pub(crate) fn keep_in(map: Map) {
    LIST.set(Some(map));
}

fn list() -> Option<Map> {
    LIST.with_borrow(Clone::clone)
}

/// An entry of the list. Removed on drop.
#[derive(Debug)]
pub(crate) struct Held(JsValue);

/// Lists an object with the action of the guard: `"close"`, `"stop"`, `"abort"`, `"remove"`,
/// `"clear"` or `"call"`.
pub(crate) fn hold(object: &JsValue, undo: &str) -> Held {
    if let Some(list) = list() {
        list.set(object, &undo.into());
    }
    Held(object.clone())
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(list) = list() {
            list.delete(&self.0);
        }
    }
}
