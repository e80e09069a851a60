//! Methods that throw where web-sys takes for granted that they do not: on a connection that was closed
//! meanwhile, or on an object of the page's own. What nobody catches would run over Rust and end the module.

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use web_sys::{
    MediaStream, MediaStreamTrack, ReadableStreamDefaultReader, RtcConfiguration, RtcDataChannel,
    RtcRtpTransceiverInit,
};

#[wasm_bindgen]
extern "C" {
    /// `RTCPeerConnection` (W3C WebRTC, section 4.4).
    pub(crate) type Connection;
    #[wasm_bindgen(method, catch, js_name = addTrack)]
    pub(crate) fn add_track(
        this: &Connection,
        track: &MediaStreamTrack,
        stream: &MediaStream,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = addTransceiver)]
    pub(crate) fn add_transceiver(
        this: &Connection,
        kind: &str,
        init: &RtcRtpTransceiverInit,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createDataChannel)]
    pub(crate) fn create_data_channel(
        this: &Connection,
        label: &str,
    ) -> Result<RtcDataChannel, JsValue>;
    #[wasm_bindgen(method, catch, js_name = setConfiguration)]
    pub(crate) fn set_configuration(
        this: &Connection,
        configuration: &RtcConfiguration,
    ) -> Result<(), JsValue>;

    /// `Response` (WHATWG Fetch), or what a page's own `fetch` gives.
    pub(crate) type Answer;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn status(this: &Answer) -> Result<u16, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn body(this: &Answer) -> Result<Option<Readable>, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn redirected(this: &Answer) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn url(this: &Answer) -> Result<String, JsValue>;

    /// `ReadableStream` (WHATWG Streams), which somebody else may read already.
    pub(crate) type Readable;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    pub(crate) fn get_reader(this: &Readable) -> Result<ReadableStreamDefaultReader, JsValue>;

    /// `Blob` (W3C File API).
    pub(crate) type Content;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn size(this: &Content) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub(crate) fn array_buffer(this: &Content) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn text(this: &Content) -> Result<Promise, JsValue>;

    /// `HTMLMediaElement` (WHATWG HTML). What `play()` of a page's own returns may be no promise.
    pub(crate) type Player;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn play(this: &Player) -> Result<JsValue, JsValue>;
}

/// Sees an object with the methods that throw.
pub(crate) fn throwing<T: JsCast>(object: &impl AsRef<JsValue>) -> &T {
    object.as_ref().unchecked_ref()
}
