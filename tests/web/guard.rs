//! The records that the loader's guard uses to end calls if the module breaks down.

use js_sys::{Function, Map};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::gateway::{PEER, Rig};
use super::page::{Listeners, UNDEFINED, fulfilled, get, js, rejected, text};
use super::sending::send_data;

/// As in `pkg-template/errors.js`.
const ERROR_CLASS: &str = "class VideoRTCError extends Error {
    constructor(code, message, gatewayCode, cause) {
        super(message);
        Object.assign(this, { code, gatewayCode, cause });
    }
    get name() { return 'VideoRTCError'; }
    toString() { return `${this.name} ${this.code}: ${this.message}`; }
}";

/// The only listed record of a call.
fn record(held: &Map) -> Option<JsValue> {
    let mut found = Vec::new();
    held.for_each(&mut |how, object| {
        if how == "call" {
            found.push(object);
        }
    });
    assert!(found.len() < 2, "one call, one record");
    found.pop()
}

#[wasm_bindgen_test]
async fn lists_a_call_with_its_peer_and_files_until_it_closes() {
    let held = Map::new();
    let class: Function = js(ERROR_CLASS).unchecked_into();
    videortc::js::adopt(held.clone(), class.clone());
    let rig = Rig::connected().await;
    assert!(record(&held).is_none());
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let record_of_call = record(&held).expect("a record");
    assert_eq!(get(&record_of_call, "events"), listeners.object);
    let peer = || get(&record_of_call, "peer");
    assert_eq!(peer(), UNDEFINED);

    let calling = call.call(&PEER.into());
    assert_eq!(peer(), JsValue::from(PEER), "before anything has come back");
    fulfilled(calling).await;
    let count = || get(&get(&record_of_call, "transfers"), "size");
    let message = send_data(&call, &"a".into(), &"short".into(), &UNDEFINED);
    let text_blob = send_data(&call, &"a".into(), &js("'x'.repeat(70_000)"), &UNDEFINED);
    assert_eq!(count(), JsValue::from(0), "texts have no event for their end");
    let file = send_data(&call, &"a".into(), &js("new Blob(['a'])"), &UNDEFINED);
    assert_eq!(count(), JsValue::from(1));
    fulfilled(call.hang_up(&UNDEFINED)).await;
    for sent in [message, text_blob, file] {
        let error = rejected(sent).await;
        assert_eq!(text(&error, "code"), "CALL_ENDED");
        assert_eq!(get(&error, "constructor"), JsValue::from(class.clone()), "the loader's class");
    }
    assert_eq!((peer(), count()), (UNDEFINED, JsValue::from(0)));
    fulfilled(call.close_usecase()).await;
    assert!(record(&held).is_none());

    let refused = rig.app.video_call(&js("{ onError: 5 }"), &UNDEFINED, &UNDEFINED);
    rejected(refused).await;
    assert!(record(&held).is_none());
    rig.end().await;
    assert_eq!(held.size(), 0, "nothing is left to undo");
}
