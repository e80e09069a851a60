//! The page's listeners: looked up when an event fires, and never able to break anything.

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::*;

use super::console;

/// The object with the listeners, as the page gave it. It may change it at any time.
#[derive(Clone)]
pub(crate) struct Listeners(pub(crate) JsValue);

impl Listeners {
    /// Calls a listener, if the page has one.
    pub(crate) fn fire(&self, name: &str, arguments: &[JsValue]) {
        if !self.0.is_object() {
            return;
        }
        let called = Reflect::get(&self.0, &name.into()).and_then(|listener| {
            match listener.dyn_ref::<Function>() {
                Some(function) => function.apply(&self.0, &arguments.iter().collect::<Array>()),
                None => Ok(JsValue::UNDEFINED),
            }
        });
        if let Err(thrown) = called {
            console::report_thrown(name, &thrown);
        }
    }
}
