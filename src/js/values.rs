//! Recognizes values of the page, whichever window they come from.
//!
//! `instanceof` knows the classes of one window only, but a page may pass elements, blobs and
//! buffers of its iframes. A getter of this window's prototype accepts values of the class from any
//! window, and throws for all others (Web IDL, section 3.7.6; ECMAScript, section 25.1.6.1).

use js_sys::{ArrayBuffer, Function, JsString, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob, Element, HtmlVideoElement};

use crate::browser::thrown::as_text;
use crate::log::excerpt;

/// UTF-16 units of a text to read for a message: more than [`excerpt`] keeps.
const LOOK: u32 = 256;

// `Array.isArray` throws for a revoked proxy.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = Array, js_name = isArray)]
    fn is_array(value: &JsValue) -> Result<bool, JsValue>;
}

pub(super) fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

pub(super) fn is_list(value: &JsValue) -> bool {
    is_array(value).unwrap_or(false)
}

/// An object that is neither an array nor a function.
pub(super) fn is_plain(value: &JsValue) -> bool {
    value.is_object() && !is_list(value)
}

/// A property of an object. `None` if it is absent or throws.
pub(super) fn property(object: &JsValue, key: &str) -> Option<JsValue> {
    let value =
        if object.is_object() { Reflect::get(object, &key.into()).ok()? } else { return None };
    (!is_absent(&value)).then_some(value)
}

pub(super) fn function(value: &JsValue) -> Option<Function> {
    value.is_function().then(|| value.clone().unchecked_into())
}

pub(super) fn element(value: &JsValue) -> Option<Element> {
    const ELEMENT_NODE: f64 = 1.0;
    let kind = slot("Node", "nodeType", value)?.as_f64()?;
    (kind == ELEMENT_NODE).then(|| value.clone().unchecked_into())
}

pub(super) fn video(value: &JsValue) -> Option<HtmlVideoElement> {
    slot("HTMLVideoElement", "videoWidth", value).map(|_| value.clone().unchecked_into())
}

pub(super) fn blob(value: &JsValue) -> Option<Blob> {
    slot("Blob", "size", value).map(|_| value.clone().unchecked_into())
}

/// The name of a `File`.
pub(super) fn file_name(value: &JsValue) -> Option<String> {
    slot("File", "name", value)?.as_string()
}

/// The buffer of a view, or the buffer itself.
pub(super) fn buffer(value: &JsValue) -> Option<JsValue> {
    if ArrayBuffer::is_view(value) {
        return property(value, "buffer");
    }
    slot("ArrayBuffer", "byteLength", value).map(|_| value.clone())
}

pub(super) fn signal(value: &JsValue) -> Option<AbortSignal> {
    slot("AbortSignal", "aborted", value).map(|_| value.clone().unchecked_into())
}

pub(super) fn is_aborted(signal: &AbortSignal) -> bool {
    slot("AbortSignal", "aborted", signal).is_some_and(|aborted| aborted.is_truthy())
}

pub(super) fn is_event(value: &JsValue) -> bool {
    slot("Event", "type", value).is_some()
}

pub(super) fn is_expression(value: &JsValue) -> bool {
    slot("RegExp", "source", value).is_some()
}

/// Calls a getter of this window's class on a value. `None` if the value is of another class.
fn slot(class: &str, key: &str, value: &JsValue) -> Option<JsValue> {
    if !value.is_object() {
        return None;
    }
    let class = Reflect::get(&js_sys::global(), &class.into()).ok()?;
    let prototype = Reflect::get(&class, &"prototype".into()).ok()?;
    let property =
        Reflect::get_own_property_descriptor::<JsValue>(prototype.unchecked_ref(), &key.into())
            .ok()?;
    let getter = Reflect::get(&property, &"get".into()).ok()?;
    Reflect::apply(&function(&getter)?, value, &js_sys::Array::new()).ok()
}

/// Turns a value, or a promise of any kind, into a promise.
pub(super) fn settled(value: &JsValue) -> Promise {
    Promise::new(&mut |resolve, _| {
        // `resolve` does not throw: an exception of the page's `then` rejects the promise.
        let _ = resolve.call1(&JsValue::UNDEFINED, value);
    })
}

/// A short description of a value.
pub(super) fn shown(value: &JsValue) -> String {
    if let Some(text) = value.dyn_ref::<JsString>() {
        return format!("the string \"{}\"", excerpt(&String::from(text.slice(0, LOOK))));
    }
    if is_absent(value) {
        return text(value);
    }
    if value.as_f64().is_some() {
        return format!("the number {}", text(value));
    }
    if value.as_bool().is_some() {
        return format!("the boolean {}", text(value));
    }
    if is_list(value) {
        return "an array".into();
    }
    if value.is_object() {
        return "an object".into();
    }
    format!("a {}", text(&value.js_typeof()))
}

/// The value as JavaScript's `String()` converts it.
fn text(value: &JsValue) -> String {
    as_text(value).unwrap_or_default()
}
