//! Messages and files, as a page sees them: objects, events and callbacks.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::api::VideoCall;
use super::far_end::FarEnd;
use super::gateway::{PEER, Rig};
use super::page::{
    ConsoleSpy, Listeners, UNDEFINED, assert_error, fulfilled, get, js, rejected, text, turn,
};

/// `sendData()` without callbacks.
pub(crate) fn send_data(
    call: &VideoCall,
    kind: &JsValue,
    data: &JsValue,
    optional: &JsValue,
) -> Promise {
    send_data_with(call, kind, data, [&UNDEFINED, &UNDEFINED], optional)
}

fn send_data_with(
    call: &VideoCall,
    kind: &JsValue,
    data: &JsValue,
    [c_ok, c_ko]: [&JsValue; 2],
    optional: &JsValue,
) -> Promise {
    let method: Function = get(call, "sendData").unchecked_into();
    let arguments = Array::of5(kind, data, c_ok, c_ko, optional);
    Reflect::apply(&method, call, &arguments).unwrap().unchecked_into()
}

/// Listeners and callbacks that record their names and arguments in `log`.
fn recorder() -> JsValue {
    js("(() => {
        const log = [];
        const note = (name) => (...values) => { log.push([name, ...values]); };
        return {
            log, note,
            names: () => log.map(([name]) => name).join(),
            onTransferProgress: note('onTransferProgress'),
            onFileTransferOk: note('onFileTransferOk'),
            onFileTransferKo: note('onFileTransferKo'),
        };
    })()")
}

fn call_method(object: &JsValue, name: &str, value: &JsValue) -> JsValue {
    get(object, name).unchecked_into::<Function>().call1(object, value).unwrap()
}

fn names(recorder: &JsValue) -> String {
    call_method(recorder, "names", &UNDEFINED).as_string().unwrap()
}

/// A value of the log: the entry and the argument.
fn logged(recorder: &JsValue, entry: u32, argument: u32) -> JsValue {
    let entry: Array = get(recorder, "log").unchecked_into::<Array>().get(entry).unchecked_into();
    entry.get(argument + 1)
}

/// A call that rings at `PEER`.
async fn ringing(rig: &Rig, events: &JsValue) -> VideoCall {
    let made = rig.app.video_call(events, &UNDEFINED, &UNDEFINED);
    let call = super::gateway::to_video_call(fulfilled(made).await);
    fulfilled(call.register(&"Tom".into())).await;
    fulfilled(call.call(&PEER.into())).await;
    call
}

#[wasm_bindgen_test]
async fn wrong_arguments_reject_and_call_c_ko_once() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    for (arguments, part) in [
        (
            "5, 'a'",
            "the type must be a text such as \"text/plain\", of 1 to 255 bytes and without control \
             characters, but is the number 5",
        ),
        ("' ', 'a'", "the type must be a text"),
        ("'a\\n', 'a'", "the type must be a text"),
        ("'x'.repeat(256), 'a'", "the type must be a text"),
        (
            "'a', 5",
            "data must be a string, a Blob, a File, an ArrayBuffer or a view of one, but is the \
             number 5",
        ),
        (
            "'a', 'x'.repeat(16 * 1024 * 1024 + 1)",
            "data is a string of 16777217 bytes, and at most 16777216 can be sent as a string: \
             send a Blob instead",
        ),
        (
            "'a', ((b) => { structuredClone(b, { transfer: [b] }); return b })(new ArrayBuffer(1))",
            "the browser cannot read data",
        ),
        (
            "'a', 'a', 5",
            "optional must be a file name or { filename, onProgress, signal }, but is the number 5",
        ),
        ("'a', 'a', []", "optional must be an object, but is an array"),
        ("'a', 'a', { filename: 5 }", "optional.filename must be a string, but is the number 5"),
        ("'a', 'a', { onProgress: 5 }", "optional.onProgress must be a function"),
        ("'a', 'a', { signal: {} }", "optional.signal must be an AbortSignal, but is an object"),
        (
            "'a', 'a', { signal: Object.create(AbortSignal.prototype) }",
            "optional.signal must be an AbortSignal",
        ),
        ("'a', 'a', { get signal() { throw 'trap' } }", "optional.signal threw when it was read"),
    ] {
        let arguments: Array = js(&format!("[{arguments}]")).unchecked_into();
        let [kind, data, optional] = [0, 1, 2].map(|i| arguments.get(i));
        let recorder = recorder();
        let [c_ok, c_ko] = ["cOk", "cKo"].map(|name| call_method(&recorder, "note", &name.into()));
        let sent = send_data_with(&call, &kind, &data, [&c_ok, &c_ko], &optional);
        assert_eq!(names(&recorder), "", "not before the method has returned");
        let error = rejected(sent).await;
        assert_error(&error, "INVALID_ARGUMENT", part);
        assert_eq!(names(&recorder), "cKo");
        assert_eq!(logged(&recorder, 0, 0), error, "the same error");
    }
    for (c_ok, c_ko, part) in
        [("5", "null", "cOk must be a function"), ("null", "{}", "cKo must be")]
    {
        let callbacks = [&js(c_ok), &js(c_ko)];
        let sent = send_data_with(&call, &"a".into(), &"a".into(), callbacks, &UNDEFINED);
        assert_error(&rejected(sent).await, "INVALID_ARGUMENT", part);
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn aborted_signal_sends_nothing() {
    let rig = Rig::connected().await;
    let call = ringing(&rig, &UNDEFINED).await;
    let optional = js("{ signal: AbortSignal.abort() }");
    let error = rejected(send_data(&call, &"a".into(), &"a".into(), &optional)).await;
    let part = "the signal was aborted before anything was sent";
    assert_error(&error, "TRANSFER_CANCELLED", part);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn signal_cancels_a_running_transfer() {
    let rig = Rig::connected().await;
    let recorder = recorder();
    let call = ringing(&rig, &recorder).await;
    let [c_ok, c_ko, on_progress] =
        ["cOk", "cKo", "onProgress"].map(|name| call_method(&recorder, "note", &name.into()));
    let controller = js("new AbortController()");
    let optional = js("{ filename: '../a.txt' }");
    super::page::set(&optional, "signal", &get(&controller, "signal"));
    super::page::set(&optional, "onProgress", &on_progress);
    let data = js("new File(['abc'], 'b.txt')");
    let sent = send_data_with(&call, &"text/plain".into(), &data, [&c_ok, &c_ko], &optional);
    turn().await;
    call_method(&controller, "abort", &UNDEFINED);
    let error = rejected(sent).await;
    assert_error(&error, "TRANSFER_CANCELLED", "");
    assert_eq!(names(&recorder), "onTransferProgress,onProgress,onFileTransferKo,cKo");
    let transfer = logged(&recorder, 0, 0);
    assert_eq!(logged(&recorder, 1, 0), transfer, "one object for all");
    assert_eq!(logged(&recorder, 2, 0), transfer);
    assert_eq!(logged(&recorder, 2, 1), error, "one error for all");
    assert_eq!(logged(&recorder, 3, 0), error);
    for (key, value) in [
        ("direction", "outgoing"),
        ("type", "text/plain"),
        ("filename", "a.txt"),
        ("state", "failed"),
        ("userName", PEER),
    ] {
        assert_eq!(text(&transfer, key), value, "{key}");
    }
    assert_eq!(get(&transfer, "size"), JsValue::from(3));
    assert_eq!(get(&transfer, "error"), error);
    // Both do nothing after the end.
    call_method(&transfer, "cancel", &UNDEFINED);
    call_method(&controller, "abort", &UNDEFINED);
    assert_eq!(names(&recorder), "onTransferProgress,onProgress,onFileTransferKo,cKo");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn transfer_can_be_cancelled_and_frozen_in_its_own_events() {
    let console = ConsoleSpy::new();
    let rig = Rig::connected().await;
    let recorder = recorder();
    let freeze = js(
        "(transfer) => { Object.freeze(transfer); transfer.cancel(); throw new Error('fault'); }",
    );
    super::page::set(&recorder, "onTransferProgress", &freeze);
    let call = ringing(&rig, &recorder).await;
    let data = js("new Uint8Array(3)");
    let sent = send_data(&call, &"a/b".into(), &data, &"a.bin".into());
    fulfilled(call.hang_up(&UNDEFINED)).await;
    let error = rejected(sent).await;
    assert_error(&error, "CALL_ENDED", "");
    assert_eq!(names(&recorder), "onFileTransferKo");
    assert_eq!(text(&logged(&recorder, 0, 0), "filename"), "a.bin");
    assert_eq!(logged(&recorder, 0, 1), error, "though the object is frozen");
    assert!(console.has("error", "onTransferProgress threw"), "{}", console.all());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn text_to_a_janus_js_peer_is_done_once_the_browser_has_it() {
    let rig = Rig::connected().await;
    let recorder = recorder();
    let call = ringing(&rig, &recorder).await;
    let mut far = FarEnd::new().await;
    let [c_ok, c_ko] = ["cOk", "cKo"].map(|name| call_method(&recorder, "note", &name.into()));
    let sent = send_data_with(&call, &"a".into(), &"hé".into(), [&c_ok, &c_ko], &UNDEFINED);
    far.answer(&rig.gateway).await;
    let transfer = fulfilled(sent).await;
    assert_eq!(names(&recorder), "cOk", "a text has no events of its own");
    assert_eq!(logged(&recorder, 0, 0), transfer);
    assert_eq!(text(&transfer, "state"), "done");
    assert_eq!(get(&transfer, "transferred"), JsValue::from(3));
    assert_eq!(get(&transfer, "filename"), UNDEFINED);
    let refused = send_data(&call, &"a".into(), &js("new Blob(['a'])"), &UNDEFINED);
    assert_error(&rejected(refused).await, "NOT_SUPPORTED_BY_PEER", "");
    rig.end().await;
}
