//! The classes as a page sees them, with typed methods.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    type App;
    #[wasm_bindgen(method)]
    fn connect(this: &App) -> Promise;
    #[wasm_bindgen(method)]
    fn disconnect(this: &App) -> Promise;

    #[derive(Clone)]
    type UseCases;
    #[wasm_bindgen(method, js_name = videoCall)]
    fn video_call(
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

/// A `VideoRTC`, with `videoCall()` at hand.
pub(crate) struct VideoRtc {
    app: App,
    use_cases: Rc<RefCell<Option<UseCases>>>,
}

impl VideoRtc {
    pub(crate) fn new(
        servers: &JsValue,
        ice_servers: &JsValue,
        debug_level: &JsValue,
        options: &JsValue,
    ) -> Self {
        let [servers, ice_servers, debug_level, options] =
            [servers, ice_servers, debug_level, options].map(Clone::clone);
        let app = videortc::js::VideoRtc::new(servers, ice_servers, debug_level, options).unwrap();
        Self { app: JsValue::from(app).unchecked_into(), use_cases: Rc::default() }
    }

    pub(crate) fn connect(&self) -> Promise {
        let (connecting, use_cases) = (self.app.connect(), self.use_cases.clone());
        future_to_promise(async move {
            let found = JsFuture::from(connecting).await?;
            *use_cases.borrow_mut() = Some(found.clone().unchecked_into());
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
        let use_cases = self.use_cases.borrow().clone().expect("connect() first");
        use_cases.video_call(on_events, dom_elements, options)
    }
}

/// `VideoRTC.getDevices()`.
pub(crate) fn get_devices(config: &JsValue) -> Promise {
    videortc::js::Browser::get_devices(config.clone())
}
