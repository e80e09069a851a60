//! Properties by name: every typed getter and setter would be an import of the module, and glue.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

/// A property of an object; `undefined` where it has none, or throws.
pub(crate) fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or_default()
}

/// A property that is a string.
pub(crate) fn text(object: &JsValue, key: &str) -> Option<String> {
    get(object, key).as_string()
}

/// Sets a property of an object that is ours or the browser's, which cannot fail.
pub(crate) fn set(object: &JsValue, key: &str, value: &JsValue) {
    let _ = Reflect::set(object, &key.into(), value);
}
