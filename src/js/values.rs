//! What a value of the page is, whatever window it comes from.
//!
//! `instanceof` knows the classes of one window, and a page may pass elements, blobs and buffers of
//! its iframes. So a value is asked with a getter of this window's prototype, which reads what
//! really is of that kind and throws for all else (Web IDL, section 3.7.6; ECMAScript, 25.1.6.1).

use js_sys::{ArrayBuffer, Function, JsString, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob, Element, HtmlVideoElement};

use crate::browser::thrown::as_text;
use crate::log::excerpt;

/// How many UTF-16 units of a text are looked at for a message: more than [`excerpt`] keeps.
const LOOK: u32 = 256;

// With `catch`: it throws for a proxy that was revoked.
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

/// Whether it is an object with keys: no array, and no function.
pub(super) fn is_plain(value: &JsValue) -> bool {
    value.is_object() && !is_list(value)
}

/// A property of an object; nothing where there is none, or where it throws.
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

/// The name of a file.
pub(super) fn file_name(value: &JsValue) -> Option<String> {
    slot("File", "name", value)?.as_string()
}

/// The buffer behind a buffer, or behind a view of one.
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

pub(super) fn is_expression(value: &JsValue) -> bool {
    slot("RegExp", "source", value).is_some()
}

/// What a getter of this window's class reads from a value; nothing where the value is of another
/// class.
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

/// A promise for a value that may be a promise, whoever made it.
pub(super) fn settled(value: &JsValue) -> Promise {
    Promise::new(&mut |resolve, _| {
        // It does not throw: what a page's `then` throws rejects the promise.
        let _ = resolve.call1(&JsValue::UNDEFINED, value);
    })
}

/// A short text for a value.
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

/// A value as JavaScript writes it.
fn text(value: &JsValue) -> String {
    as_text(value).unwrap_or_default()
}
