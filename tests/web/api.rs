//! The public classes, from the sources that every form of the package is put together from, over the module of
//! the tests.

use js_sys::{Array, Function, Promise, Reflect};
use videortc::boundary;
use wasm_bindgen::prelude::*;

use super::page::{UNDEFINED, get};

/// As in `xtask/src/package.rs`.
const PARTS: [&str; 14] = [
    include_str!("../../pkg-template/errors.js"),
    include_str!("../../pkg-template/arguments.js"),
    include_str!("../../pkg-template/call-arguments.js"),
    include_str!("../../pkg-template/http.js"),
    include_str!("../../pkg-template/media.js"),
    include_str!("../../pkg-template/view.js"),
    include_str!("../../pkg-template/channels.js"),
    include_str!("../../pkg-template/peer.js"),
    include_str!("../../pkg-template/transfers.js"),
    include_str!("../../pkg-template/call.js"),
    include_str!("../../pkg-template/presence.js"),
    include_str!("../../pkg-template/driver.js"),
    include_str!("../../pkg-template/loading.js"),
    include_str!("../../pkg-template/facade.js"),
];

/// `VideoRTC`, with `videoCall()` at hand.
const CLASS: &str = "
    async function load() {
        const core = { start: (setup) => Object.setPrototypeOf(core, makeCore(setup)) };
        return core;
    }
    const { VideoRTC } = createApi('0.0.0', load);
    return class extends VideoRTC {
        connect() {
            const connected = super.connect();
            connected.then((usecases) => { this.usecases = usecases; }, () => {});
            return connected;
        }
        videoCall(...args) {
            return this.usecases.videoCall(...args);
        }
    };";

/// As the module's exports: here many clients share an instance of it.
#[wasm_bindgen]
struct Core(boundary::Core);

#[wasm_bindgen]
#[expect(unreachable_pub, reason = "only public methods are exported")]
impl Core {
    pub fn input(&mut self, is_command: bool, line: Vec<u8>, bytes: Option<Vec<u8>>) {
        self.0.input(is_command, line, bytes);
    }

    #[wasm_bindgen(js_name = pollOutput)]
    pub fn poll_output(&mut self) -> Option<String> {
        self.0.poll_output()
    }

    #[wasm_bindgen(js_name = takeBytes)]
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.0.take_bytes()
    }

    #[wasm_bindgen(js_name = pollTimeout)]
    pub fn poll_timeout(&self) -> f64 {
        self.0.poll_timeout()
    }

    #[wasm_bindgen(js_name = isPresent)]
    pub fn is_present(&self) -> bool {
        self.0.is_present()
    }
}

thread_local! {
    static VIDEO_RTC: JsValue = class();
}

fn class() -> JsValue {
    let make_core = Closure::<dyn Fn(Vec<u8>) -> JsValue>::new(|setup: Vec<u8>| {
        Core(boundary::Core::new(setup)).into()
    });
    let body = format!("{}\n{CLASS}", PARTS.join("\n"));
    let make = Function::new_with_args("makeCore", &body);
    make.call1(&UNDEFINED, &make_core.into_js_value()).unwrap()
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = VideoRTC)]
    pub(crate) type VideoRtc;
    #[wasm_bindgen(method)]
    pub(crate) fn connect(this: &VideoRtc) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn disconnect(this: &VideoRtc) -> Promise;
    #[wasm_bindgen(method, js_name = videoCall)]
    pub(crate) fn video_call(
        this: &VideoRtc,
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

impl VideoRtc {
    pub(crate) fn new(
        servers: &JsValue,
        ice_servers: &JsValue,
        debug_level: &JsValue,
        options: &JsValue,
    ) -> Self {
        let arguments = Array::of4(servers, ice_servers, debug_level, options);
        let class = VIDEO_RTC.with(JsValue::clone);
        Reflect::construct(class.unchecked_ref::<Function>(), &arguments).unwrap().unchecked_into()
    }
}

/// `VideoRTC.getDevices()`.
pub(crate) fn get_devices(config: &JsValue) -> Promise {
    let class = VIDEO_RTC.with(JsValue::clone);
    let method: Function = get(&class, "getDevices").unchecked_into();
    method.call1(&class, config).unwrap().unchecked_into()
}
