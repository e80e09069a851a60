//! The JavaScript classes, as a page uses them.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use videortc::js;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::page::{UNDEFINED, get};

#[wasm_bindgen]
extern "C" {
    type App;
    #[wasm_bindgen(method)]
    fn connect(this: &App) -> Promise;
    #[wasm_bindgen(method)]
    fn disconnect(this: &App) -> Promise;

    type UseCases;
    #[wasm_bindgen(method, js_name = videoCall)]
    fn video_call(
        this: &UseCases,
        on_events: &JsValue,
        dom_elements: &JsValue,
        options: &JsValue,
    ) -> Promise;
    #[wasm_bindgen(method, js_name = echoTest)]
    fn echo_test(
        this: &UseCases,
        on_events: &JsValue,
        dom_elements: &JsValue,
        options: &JsValue,
    ) -> Promise;

    pub(crate) type VideoCall;
    #[wasm_bindgen(method)]
    pub(crate) fn register(this: &VideoCall, user_name: &JsValue) -> Promise;
    #[wasm_bindgen(method, js_name = getPeers)]
    pub(crate) fn get_peers(this: &VideoCall) -> Promise;
    #[wasm_bindgen(method, js_name = getPeers)]
    pub(crate) fn get_peers_by(this: &VideoCall, filter: &JsValue, order: &JsValue) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn call(this: &VideoCall, user_name: &JsValue) -> Promise;
    #[wasm_bindgen(method, js_name = acceptCall)]
    pub(crate) fn accept_call(this: &VideoCall) -> Promise;
    #[wasm_bindgen(method, js_name = hangUp)]
    pub(crate) fn hang_up(this: &VideoCall, reason: &JsValue) -> Promise;
    #[wasm_bindgen(method, js_name = setCall)]
    pub(crate) fn set_call(
        this: &VideoCall,
        audio: &JsValue,
        video: &JsValue,
        quality: &JsValue,
    ) -> Promise;
    #[wasm_bindgen(method, js_name = toggleAudio)]
    pub(crate) fn toggle_audio(this: &VideoCall) -> Promise;
    #[wasm_bindgen(method, js_name = toggleVideo)]
    pub(crate) fn toggle_video(this: &VideoCall) -> Promise;
    #[wasm_bindgen(method, js_name = closeUsecase)]
    pub(crate) fn close_usecase(this: &VideoCall) -> Promise;
}

/// `VideoRTC`, with a shortcut for `videoCall()`.
pub(crate) struct VideoRtc {
    app: App,
    use_cases: Rc<RefCell<JsValue>>,
}

impl VideoRtc {
    pub(crate) fn new(
        servers: &JsValue,
        ice_servers: &JsValue,
        debug_level: &JsValue,
        options: &JsValue,
    ) -> Self {
        let app = Self::try_new(servers, ice_servers, debug_level, options).unwrap();
        Self { app: app.unchecked_into(), use_cases: Rc::default() }
    }

    /// `new VideoRTC(…)`, which may throw.
    pub(crate) fn try_new(
        servers: &JsValue,
        ice_servers: &JsValue,
        debug_level: &JsValue,
        options: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let [servers, ice_servers] = [servers, ice_servers].map(Clone::clone);
        let [debug_level, options] = [debug_level, options].map(Clone::clone);
        js::VideoRtc::new(servers, ice_servers, debug_level, options).map(Into::into)
    }

    pub(crate) fn connect(&self) -> Promise {
        let (connected, use_cases) = (self.app.connect(), self.use_cases.clone());
        future_to_promise(async move {
            let found = JsFuture::from(connected).await?;
            use_cases.replace(found.clone());
            Ok(found)
        })
    }

    pub(crate) fn disconnect(&self) -> Promise {
        self.app.disconnect()
    }

    pub(crate) fn video_call(
        &self,
        on_events: &JsValue,
        dom_elements: &JsValue,
        options: &JsValue,
    ) -> Promise {
        let use_cases = self.use_cases.borrow().clone();
        use_cases.unchecked_ref::<UseCases>().video_call(on_events, dom_elements, options)
    }

    pub(crate) fn echo_test(
        &self,
        on_events: &JsValue,
        dom_elements: &JsValue,
        options: &JsValue,
    ) -> Promise {
        let use_cases = self.use_cases.borrow().clone();
        use_cases.unchecked_ref::<UseCases>().echo_test(on_events, dom_elements, options)
    }
}

/// The class itself.
pub(crate) fn class() -> JsValue {
    let app = VideoRtc::try_new(&"http://gateway.test".into(), &UNDEFINED, &UNDEFINED, &UNDEFINED);
    get(&app.unwrap(), "constructor")
}

/// `VideoRTC.getDevices()`.
pub(crate) fn get_devices(config: &JsValue) -> Promise {
    let method: Function = get(&class(), "getDevices").unchecked_into();
    method.call1(&class(), config).unwrap().unchecked_into()
}
