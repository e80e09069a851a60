//! Errors, from the browser's to ours and from ours to JavaScript.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use super::object::{set, text};
use crate::error::{Code, Error};

thread_local! {
    /// Makes a `VideoRTCError`; the class lives in JavaScript, since only there can it extend `Error`.
    static FACTORY: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Takes the function `(code, message, gatewayCode, cause) => VideoRTCError`.
pub(crate) fn set_factory(factory: Function) {
    FACTORY.with(|slot| slot.replace(Some(factory)));
}

/// The JavaScript error for one of ours.
pub(crate) fn to_js(error: &Error) -> JsValue {
    let code = JsValue::from_str(error.code.as_str());
    let message = JsValue::from_str(&error.message);
    let gateway_code =
        error.gateway_code.map_or(JsValue::UNDEFINED, |code| JsValue::from_f64(code as f64));
    let cause = error.cause.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str);
    let factory = FACTORY.with(|slot| slot.borrow().clone());
    let made = factory
        .and_then(|make| make.call4(&JsValue::NULL, &code, &message, &gateway_code, &cause).ok());
    made.unwrap_or_else(|| {
        // Without the JavaScript entry files: a plain `Error` with the same properties.
        let plain: JsValue = js_sys::Error::new(&error.message).into();
        for (key, value) in [
            ("name", "VideoRTCError".into()),
            ("code", code),
            ("gatewayCode", gateway_code),
            ("cause", cause),
        ] {
            set(&plain, key, &value);
        }
        plain
    })
}

/// The browser's words for something thrown, for `cause`.
pub(crate) fn words(thrown: &JsValue) -> String {
    let read = |key: &str| text(thrown, key).unwrap_or_default();
    match (thrown.as_string(), thrown.is_object()) {
        (Some(text), _) => text,
        (None, true) => format!("{}: {}", read("name"), read("message")),
        (None, false) => "something that is no error".into(),
    }
}

/// What `getUserMedia` refused with (Media Capture and Streams, section 10.2).
pub(crate) fn from_devices(thrown: &JsValue) -> Error {
    let name = text(thrown, "name");
    let (code, message) = match name.as_deref() {
        Some("NotAllowedError" | "SecurityError") => (
            Code::PermissionDenied,
            "the camera or microphone was refused: allow it in the browser's site settings",
        ),
        Some("NotFoundError") => (
            Code::DeviceNotFound,
            "no camera or no microphone was found: plug one in, or set videoEnabled or audioEnabled to false",
        ),
        Some("OverconstrainedError") => (
            Code::DeviceNotFound,
            "no camera or microphone fits what was asked for: check aDeviceId, vDeviceId, resolution and frameRate",
        ),
        Some("NotReadableError" | "AbortError") => (
            Code::DeviceInUse,
            "the camera or microphone could not be started: close other programs that use it",
        ),
        _ => (Code::DeviceError, "the camera or microphone could not be opened"),
    };
    Error::new(code, message).with_cause(words(thrown))
}

/// What a peer connection refused with.
pub(crate) fn from_peer(what: &str, thrown: &JsValue) -> Error {
    Error::new(Code::MediaFailed, format!("the browser could not {what}")).with_cause(words(thrown))
}
