//! What JavaScript sees, but for the names of the classes: those are in `pkg-template/facade.js`.

mod options;
mod video_call;
mod video_rtc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::browser::{failure, media};
use crate::error::Error;

pub use video_call::VideoCall;
pub use video_rtc::VideoRtc;

/// Lists cameras, microphones and speakers.
#[wasm_bindgen(js_name = getDevices)]
pub fn get_devices(config: &JsValue) -> Promise {
    let options = options::device_list(config);
    future_to_promise(
        async move { media::list(&options).await.map_err(|error| failure::to_js(&error)) },
    )
}

/// Takes the function `(code, message, gatewayCode, cause) => Error` that makes the errors.
#[wasm_bindgen(js_name = setErrorFactory)]
pub fn set_error_factory(factory: Function) {
    failure::set_factory(factory);
}

fn resolved(value: &JsValue) -> Promise {
    Promise::resolve(value)
}

fn rejected(error: &Error) -> Promise {
    Promise::reject(&failure::to_js(error))
}
