//! Describes JavaScript exceptions in words.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Converts a value to a string. An object of the page may throw.
    #[wasm_bindgen(catch, js_name = String)]
    pub(crate) fn as_text(value: &JsValue) -> Result<String, JsValue>;
}

/// Describes an exception in one line, for a `cause`. Any value can be thrown, and reading it may
/// throw again.
pub(crate) fn words(thrown: &JsValue) -> String {
    if let Some(text) = thrown.as_string() {
        return text;
    }
    if !thrown.is_object() && !thrown.is_function() {
        return "something that is no error".into();
    }
    match (text(thrown, "name"), text(thrown, "message")) {
        (Ok(name), Ok(message)) => format!("{name}: {message}"),
        _ => "something that cannot be read".into(),
    }
}

/// The name of an exception, such as `NotAllowedError`.
pub(crate) fn name(thrown: &JsValue) -> String {
    text(thrown, "name").unwrap_or_default()
}

fn text(thrown: &JsValue, key: &str) -> Result<String, JsValue> {
    as_text(&Reflect::get(thrown, &key.into())?)
}
