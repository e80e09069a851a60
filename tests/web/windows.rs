//! Values of other windows of the page, whose classes differ from those of this window.

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::HtmlVideoElement;

use super::far_end::FarEnd;
use super::gateway::{PEER, Rig};
use super::page::{Container, Listeners, UNDEFINED, fulfilled, get, js, rejected, set, text};
use super::sending::send_data;

/// An iframe in the document. Removed on drop.
struct Frame {
    window: JsValue,
    _container: Container,
}

impl Frame {
    fn new() -> Self {
        let container = Container::new();
        let document = web_sys::window().unwrap().document().unwrap();
        let frame = document.create_element("iframe").unwrap();
        container.0.append_child(&frame).unwrap();
        Self { window: get(&frame, "contentWindow"), _container: container }
    }

    /// Evaluates an expression in the iframe.
    fn js(&self, expression: &str) -> JsValue {
        let eval: Function = get(&self.window, "eval").unchecked_into();
        eval.call1(&self.window, &format!("({expression})").into()).unwrap()
    }
}

fn video(value: JsValue) -> HtmlVideoElement {
    value.unchecked_into()
}

#[wasm_bindgen_test]
async fn accepts_elements_of_an_iframe_and_adopted_ones() {
    let frame = Frame::new();
    let adopt: Function =
        js("(node) => document.body.appendChild(document.adoptNode(node))").unchecked_into();
    let adopted = adopt.call1(&UNDEFINED, &frame.js("document.createElement('video')")).unwrap();
    let there = frame.js("document.body.appendChild(document.createElement('div'))");
    assert!(!there.is_instance_of::<web_sys::Element>(), "it is of another window's class");
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let elements = js("{}");
    set(&elements, "localVideo", &adopted);
    set(&elements, "videos", &there);
    let call = rig.registered(&listeners, &elements).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    listeners.heard("onRemoteStreamReady").await;
    let adopted = video(adopted);
    assert!(adopted.src_object().is_some());
    assert!(get(&get(&there, "firstChild"), "srcObject").is_truthy(), "the remote video");
    rig.end().await;
    assert!(adopted.src_object().is_none());
    assert!(get(&there, "firstChild").is_null());
    adopted.remove();
}

#[wasm_bindgen_test]
async fn accepts_objects_and_functions_of_an_iframe() {
    let frame = Frame::new();
    let rig = Rig::connected().await;
    let events = frame.js("{ names: [], onGotPeers(names) { this.names.push(...names); } }");
    let options = frame.js("{ stream: { resolution: { width: 640, height: 480 } },
            dataChannel: { allowedTypes: ['a/b'] } }");
    let made = rig.app.video_call(&events, &frame.js("{}"), &options);
    let call = super::gateway::to_video_call(fulfilled(made).await);
    for filter in ["/^J/", "(name) => name === 'Jack'", "'Ja'"] {
        let list = fulfilled(call.get_peers_by(&frame.js(filter), &UNDEFINED)).await;
        let list: js_sys::Array = list.unchecked_into();
        assert_eq!(list.to_vec(), [JsValue::from("Jack")], "{filter}");
    }
    assert_eq!(get(&get(&events, "names"), "length"), JsValue::from(3));
    rig.end().await;
}

/// Without a call, accepted data is rejected with that error; other data is rejected earlier.
#[wasm_bindgen_test]
async fn accepts_data_of_an_iframe() {
    let frame = Frame::new();
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    for data in [
        "new Blob(['a'])",
        "new File(['a'], 'a.txt')",
        "new ArrayBuffer(8)",
        "new Uint8Array(8)",
        "new DataView(new ArrayBuffer(8))",
        "'text'",
    ] {
        for value in [js(data), frame.js(data)] {
            let options = frame.js("{ signal: new AbortController().signal, onProgress() {} }");
            let refused = rejected(send_data(&call, &"a/b".into(), &value, &options)).await;
            assert_eq!(text(&refused, "code"), "NO_CALL", "{data}");
        }
    }
    for data in ["{ size: 1, type: '' }", "Object.create(Blob.prototype)", "[1]", "5", "null"] {
        let refused = rejected(send_data(&call, &"a/b".into(), &js(data), &UNDEFINED)).await;
        assert_eq!(text(&refused, "code"), "INVALID_ARGUMENT", "{data}");
    }
    rig.end().await;
}
