//! `VideoRTC`: the connection to the gateway.

use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::*;

use super::options;
use super::video_call::VideoCall;
use crate::browser::driver::Driver;
use crate::client::Outcome;

/// A connection to a gateway.
///
/// Every method takes what it needs before it returns, so that JavaScript may free the object in the
/// middle of an operation.
#[wasm_bindgen(js_name = VideoRTC)]
pub struct VideoRtc {
    driver: Rc<Driver>,
}

#[wasm_bindgen(js_class = VideoRTC)]
impl VideoRtc {
    /// Takes arguments that the JavaScript class has checked; touches neither network nor device.
    #[wasm_bindgen(constructor)]
    pub fn new(
        servers: &JsValue,
        ice_servers: &JsValue,
        debug_level: &JsValue,
        options: &JsValue,
    ) -> VideoRtc {
        let setup = options::setup(servers, ice_servers, debug_level, options);
        Self {
            driver: Driver::new(
                setup.gateway,
                setup.console,
                setup.configuration,
                setup.with_credentials,
            ),
        }
    }

    /// Makes a session on the first server that answers.
    pub fn connect(&self) -> Promise {
        self.driver.command(
            |_| Ok(JsValue::UNDEFINED),
            |client, command, now| client.connect(command, now),
        )
    }

    /// Ends the calls and the session.
    pub fn disconnect(&self) -> Promise {
        self.driver.command(
            |_| Ok(JsValue::UNDEFINED),
            |client, command, now| client.disconnect(command, now),
        )
    }

    /// Attaches a video call, with arguments that the JavaScript class has checked.
    #[wasm_bindgen(js_name = videoCall)]
    pub fn video_call(
        &self,
        on_events: &JsValue,
        dom_elements: &JsValue,
        options: &JsValue,
    ) -> Promise {
        let (call, config) = options::video_call(on_events, dom_elements, options);
        let driver = self.driver.clone();
        self.driver.video_call(call, config, move |outcome| {
            Ok(match outcome {
                Outcome::Attached(id) => VideoCall::new(driver, id).into(),
                Outcome::Reply(_) => JsValue::UNDEFINED,
            })
        })
    }
}
