//! Methods that can throw although web-sys declares them infallible: on a closed connection, or on
//! an object that the page replaced. An uncaught exception would unwind through Rust frames and
//! break the module.

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

    #[wasm_bindgen(method, catch, js_name = getStats)]
    pub(crate) fn get_stats(this: &Connection) -> Result<JsValue, JsValue>;

    /// `RTCStatsReport` (W3C WebRTC, section 8.2). It is not a `Map`, but has the methods of a
    /// read-only one (Web IDL, "maplike").
    pub(crate) type StatsReport;
    #[wasm_bindgen(method, catch, js_name = forEach)]
    pub(crate) fn for_each(this: &StatsReport, act: &mut dyn FnMut(JsValue))
    -> Result<(), JsValue>;

    /// `Response` (WHATWG Fetch), or the result of a page's own `fetch`.
    pub(crate) type Answer;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn status(this: &Answer) -> Result<u16, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn body(this: &Answer) -> Result<Option<Readable>, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn redirected(this: &Answer) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn url(this: &Answer) -> Result<String, JsValue>;

    /// `ReadableStream` (WHATWG Streams). It may be locked to another reader.
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

    /// `HTMLMediaElement` (WHATWG HTML). A page's own `play()` may return something else than a
    /// promise.
    pub(crate) type Player;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn play(this: &Player) -> Result<JsValue, JsValue>;
}

/// Casts an object to a type whose methods return exceptions as errors.
pub(crate) fn throwing<T: JsCast>(object: &impl AsRef<JsValue>) -> &T {
    object.as_ref().unchecked_ref()
}
