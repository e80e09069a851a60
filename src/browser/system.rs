//! The clock, the dice, and whether the page may ask for devices.

use js_sys::{Uint8Array, global};
use wasm_bindgen::prelude::*;

use super::object::get;
use crate::error::{Code, Error};
use crate::time::Time;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &Uint8Array) -> Result<JsValue, JsValue>;
}

/// The monotonic clock (High Resolution Time).
pub(crate) fn now() -> Time {
    Time::from_millis(performance_now() as u64)
}

/// 64 bits from the browser's cryptographic source.
pub(crate) fn random() -> u64 {
    let bytes = Uint8Array::new_with_length(8);
    // `pkg-template/loading.js` has seen to it that the source is there.
    let _ = fill_random(&bytes);
    let mut eight = [0; 8];
    bytes.copy_to(&mut eight);
    u64::from_le_bytes(eight)
}

/// `navigator.mediaDevices`, or why there is none.
pub(crate) fn devices() -> Result<JsValue, Error> {
    let devices = get(&get(&global(), "navigator"), "mediaDevices");
    if devices.is_object() {
        return Ok(devices);
    }
    Err(Error::new(
        Code::NotSupported,
        "this page has no access to cameras and microphones: serve it over https or from localhost",
    ))
}
