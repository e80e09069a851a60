//! What a page passes: what is wrong is named with its value, and nothing of it reaches the gateway. Most of that
//! is checked in JavaScript, and there by tests/package.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::api;
use super::gateway::{ME, Rig, Script, to_video_call};
use super::page::{Listeners, UNDEFINED, assert_error, fulfilled, get, js, rejected, text};

const INVALID: &str = "INVALID_ARGUMENT";

/// Names that no user has, as JavaScript expressions, and what is said of them.
const NO_NAMES: [(&str, &str); 6] = [
    ("''", "a user name must not be empty"),
    ("'   '", "a user name must not be empty"),
    ("'x'.repeat(129)", "has 129 characters; at most 128 are allowed"),
    ("'a\\u0000b'", "the user name \"a b\" holds a control character"),
    ("'a\\nb'", "holds a control character"),
    ("'a\\u007fb'", "holds a control character"),
];

#[wasm_bindgen_test]
async fn names_that_are_none_are_refused() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    for (name, part) in NO_NAMES {
        assert_error(&rejected(call.register(&js(name))).await, INVALID, part);
    }
    assert!(rig.gateway.requests("register").is_empty());
    fulfilled(call.register(&ME.into())).await;
    for (name, part) in NO_NAMES {
        assert_error(&rejected(call.call(&js(name))).await, INVALID, part);
    }
    assert!(rig.gateway.requests("call").is_empty());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn names_of_any_script_and_markup_are_taken_as_they_are() {
    let rig = Rig::connected().await;
    for name in ["<img src=x onerror=alert(1)>", "Zoë \u{1f44b}", " Tom ", &"\u{1f44b}".repeat(128)]
    {
        let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
        let taken = fulfilled(call.register(&name.into())).await;
        assert_eq!(taken.as_string().as_deref(), Some(name));
        assert_eq!(rig.gateway.request("register").await.body["body"]["username"], name);
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn without_a_name_a_guest_name_is_made_up() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let name = fulfilled(call.register(&UNDEFINED)).await.as_string().unwrap();
    assert_eq!(name.split('-').count(), 3, "{name}");
    assert_eq!(listeners.name("onRegistered").await, name);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn only_what_was_set_is_sent_and_told() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let set = fulfilled(call.set_call(&UNDEFINED, &UNDEFINED, &64_000.into())).await;
    assert_eq!(get(&set, "bitrate"), JsValue::from(64_000));
    assert_eq!(get(&set, "audio"), UNDEFINED, "what was not set is absent");
    assert_eq!(rig.gateway.request("set").await.body["body"]["bitrate"], 64_000);
    fulfilled(call.set_call(&true.into(), &false.into(), &UNDEFINED)).await;
    let sent = rig.gateway.request("set").await.body["body"].clone();
    assert_eq!(sent, serde_json::json!({ "request": "set", "audio": true, "video": false }));
    assert_eq!(listeners.count("onSetCall"), 2);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn device_lists_are_filtered() {
    let list = fulfilled(api::get_devices(&js("{ kind: 'videoinput', labels: true }"))).await;
    let list: js_sys::Array = list.unchecked_into();
    assert!(list.length() > 0, "the browser has fake cameras");
    for device in list.iter() {
        assert_eq!(text(&device, "kind"), "videoinput");
        assert_ne!(text(&device, "label"), "");
    }
}

#[wasm_bindgen_test]
async fn errors_tell_what_the_gateway_said() {
    let rig = Rig::connected().await;
    let made = rig.app.video_call(&UNDEFINED, &UNDEFINED, &UNDEFINED);
    let call = to_video_call(fulfilled(made).await);
    let error = rejected(call.register(&"".into())).await;
    assert_eq!(text(&error, "name"), "VideoRTCError");
    assert_eq!(text(&error, "code"), INVALID);
    assert_eq!(get(&error, "gatewayCode"), UNDEFINED);
    // It is asked for once more, since a page just reloaded may hold it for a moment.
    for _ in 0..2 {
        rig.gateway.script("register", Script::Refusal(476, "Username 'Tom' already taken"));
    }
    let error = rejected(call.register(&ME.into())).await;
    assert!(error.is_instance_of::<js_sys::Error>());
    assert_error(&error, "USERNAME_TAKEN", "somebody else holds the name \"Tom\"");
    assert_eq!(get(&error, "gatewayCode"), JsValue::from(476));
    assert_eq!(text(&error, "cause"), "Username 'Tom' already taken");
    rig.end().await;
}
