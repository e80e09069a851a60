//! The classes of a connection: `VideoRTC`, and the use cases that `connect()` resolves with.

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;
use web_sys::MediaDeviceInfo;

use super::listeners::Listeners;
use super::{EchoTest, VideoCall, arguments, echo_test, promise, put, to_error};
use crate::api;
use crate::browser::console::Console;

/// The base class of `VideoRTC`, for its static `getDevices()`: wasm-bindgen exports statics and
/// methods of a class under the same symbols, so one class cannot have both with the same name.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Browser;

#[wasm_bindgen]
impl Browser {
    /// Lists cameras, microphones and speakers.
    #[wasm_bindgen(js_name = getDevices)]
    pub fn get_devices(config: JsValue) -> Promise {
        promise(arguments::device_list(&config).map(|(kind, with_labels)| async move {
            let devices = api::VideoRtc::devices(kind, with_labels).await?;
            let list: Array = devices.iter().map(described).collect();
            Ok(JsValue::from(list))
        }))
    }
}

/// A connection to a Janus gateway: one session, with any number of objects in it.
#[wasm_bindgen(js_name = VideoRTC, extends = Browser)]
pub struct VideoRtc {
    app: api::VideoRtc,
    console: Console,
    /// Every `connect()` resolves with the same object.
    use_cases: Rc<OnceCell<JsValue>>,
}

#[wasm_bindgen(js_class = VideoRTC)]
impl VideoRtc {
    /// Checks the arguments. Does not access the network.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, with the value and the reason.
    #[wasm_bindgen(constructor)]
    pub fn new(
        servers: JsValue,
        ice_servers: JsValue,
        debug_level: JsValue,
        options: JsValue,
    ) -> Result<Self, JsValue> {
        let setup = arguments::connection(&servers, &ice_servers, &debug_level, &options)
            .map_err(|error| to_error(&error))?;
        let console = setup.console;
        let app = api::VideoRtc::with_setup(setup);
        Ok(Self { parent: Browser.into(), app, console, use_cases: Rc::default() })
    }

    /// Creates a session on the first server that answers.
    pub fn connect(&self) -> Promise {
        // A call must go on if the page drops its objects.
        self.app.keep_alive();
        let connecting = self.app.connect();
        let (use_cases, console) = (self.use_cases.clone(), self.console);
        promise(Ok(async move {
            let found = connecting.await?;
            Ok(use_cases.get_or_init(|| UseCases { use_cases: found, console }.into()).clone())
        }))
    }

    /// Ends calls, frees names, stops polling and releases every device.
    pub fn disconnect(&self) -> Promise {
        let disconnecting = self.app.disconnect();
        promise(Ok(async move {
            disconnecting.await;
            Ok(())
        }))
    }

    /// Lists cameras, microphones and speakers.
    #[wasm_bindgen(js_name = getDevices)]
    pub fn get_devices(&self, config: JsValue) -> Promise {
        Browser::get_devices(config)
    }

    /// The version of the library.
    #[wasm_bindgen(getter)]
    pub fn version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    /// Whether this browser and this page can make video calls.
    #[wasm_bindgen(js_name = isSupported)]
    pub fn is_supported() -> bool {
        api::VideoRtc::is_supported()
    }
}

/// Converts a device to a plain object, which a page can copy.
fn described(device: &MediaDeviceInfo) -> Object {
    let object = Object::new();
    put(&object, "deviceId", &device.device_id().into());
    put(&object, "groupId", &device.group_id().into());
    put(&object, "kind", &device.kind().into());
    put(&object, "label", &device.label().into());
    object
}

/// The use cases of a connection.
#[wasm_bindgen]
pub struct UseCases {
    use_cases: api::UseCases,
    console: Console,
}

#[wasm_bindgen]
impl UseCases {
    /// Attaches to the gateway's video call plugin.
    #[wasm_bindgen(js_name = videoCall)]
    pub fn video_call(
        &self,
        on_events: JsValue,
        dom_elements: JsValue,
        options: JsValue,
    ) -> Promise {
        let console = self.console;
        let setup = arguments::video_call(&on_events, &dom_elements, &options, console);
        promise(setup.map(|setup| {
            // The event sink owns the listeners, so they live until the call object ends.
            let listeners = Listeners::new(on_events);
            let page = Rc::downgrade(&listeners);
            let attaching =
                self.use_cases.attach(setup, Rc::new(move |event| listeners.hear(event)));
            async move {
                let call = attaching.await?;
                call.keep_alive();
                if let Some(listeners) = page.upgrade() {
                    listeners.attached(call.clone());
                }
                Ok(JsValue::from(VideoCall::new(call, page, console)))
            }
        }))
    }

    /// Attaches to the gateway's echo test plugin.
    #[wasm_bindgen(js_name = echoTest)]
    pub fn echo_test(
        &self,
        on_events: JsValue,
        dom_elements: JsValue,
        options: JsValue,
    ) -> Promise {
        let setup = arguments::echo_test(&on_events, &dom_elements, &options, self.console);
        promise(setup.map(|setup| {
            let attaching = self.use_cases.attach_echo_test(setup, echo_test::listener(on_events));
            async move {
                let test = attaching.await?;
                test.keep_alive();
                Ok(JsValue::from(EchoTest::new(test)))
            }
        }))
    }
}
