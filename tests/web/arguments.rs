//! What a page passes: what is wrong is named with its value, and nothing of it reaches the gateway.

use videortc::api::{self, VideoCall, VideoRtc};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::gateway::{ME, Rig, Script, to_video_call};
use super::page::{
    ConsoleSpy, Listeners, UNDEFINED, assert_error, fulfilled, get, js, rejected, text,
};

const INVALID: &str = "INVALID_ARGUMENT";

/// `new VideoRTC` is checked in JavaScript, and by tests/package; the core checks addresses again.
#[wasm_bindgen_test]
fn an_address_that_is_none_does_not_reach_the_core() {
    let error = refusal("['gateway.test/janus']");
    assert_error(&error, INVALID, "\"gateway.test/janus\" is not a gateway address");
}

fn refusal(servers: &str) -> JsValue {
    match VideoRtc::new(&js(servers), &UNDEFINED, &UNDEFINED, &UNDEFINED) {
        Ok(_) => panic!("taken: {servers}"),
        Err(error) => error,
    }
}

#[wasm_bindgen_test]
async fn what_video_call_cannot_use_is_refused() {
    let rig = Rig::connected().await;
    let none = "undefined";
    for (on_events, elements, options, part) in [
        ("'onCalling'", none, none, "onEvents must be an object, but is the string \"onCalling\""),
        (
            "{ onCalling: 5 }",
            none,
            none,
            "onEvents.onCalling must be a function, but is the number 5",
        ),
        ("{ onHangUp: {} }", none, none, "onEvents.onHangUp must be a function, but is an object"),
        (
            "{ get onError() { throw 'trap' } }",
            none,
            none,
            "onEvents.onError threw when it was read",
        ),
        (none, "'videos'", none, "domElements must be an object, but is the string \"videos\""),
        (
            none,
            "{ videos: '#videos' }",
            none,
            "domElements.videos must be an element, but is the str",
        ),
        (
            none,
            "{ videos: document }",
            none,
            "domElements.videos must be an element, but is an object",
        ),
        (none, "{ localVideo: document.body }", none, "domElements.localVideo must be a <video>"),
        (none, "{ remoteVideo: new Audio() }", none, "domElements.remoteVideo must be a <video>"),
        (
            none,
            "{ get videos() { throw 'trap' } }",
            none,
            "domElements.videos threw when it was rea",
        ),
        (none, none, "7", "options must be an object, but is the number 7"),
        (
            none,
            none,
            "{ ringTimeout: 999 }",
            "options.ringTimeout must be a number of milliseconds",
        ),
        (none, none, "{ connectTimeout: true }", "options.connectTimeout must be a number of"),
        (
            none,
            none,
            "{ stream: true }",
            "options.stream must be an object, but is the boolean true",
        ),
        (
            none,
            none,
            "{ stream: { audioEnabled: 1 } }",
            "options.stream.audioEnabled must be true or",
        ),
        (
            none,
            none,
            "{ stream: { videoEnabled: 'no' } }",
            "options.stream.videoEnabled must be true",
        ),
        (none, none, "{ stream: { aDeviceId: 3 } }", "options.stream.aDeviceId must be a string"),
        (
            none,
            none,
            "{ stream: { frameRate: 0 } }",
            "options.stream.frameRate must be a number of",
        ),
        (
            none,
            none,
            "{ stream: { voiceProcessor: 'on' } }",
            "options.stream.voiceProcessor must be",
        ),
        (
            none,
            none,
            "{ dataChannel: 'yes' }",
            "options.dataChannel must be an object, but is the st",
        ),
        (
            none,
            none,
            "{ dataChannel: { dataEnabled: 1 } }",
            "options.dataChannel.dataEnabled must be",
        ),
    ] {
        let made = rig.app.video_call(&js(on_events), &js(elements), &js(options));
        assert_error(&rejected(made).await, INVALID, part);
    }
    assert!(rig.gateway.requests("attach").is_empty());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn resolutions_are_two_whole_sides() {
    let rig = Rig::connected().await;
    for resolution in [
        "'640'",
        "'640x'",
        "'x480'",
        "'0x0'",
        "'640x-1'",
        "'640x8193'",
        "'640*480'",
        "640",
        "true",
        "{}",
        "{ width: 640 }",
        "{ width: 640, height: 480.5 }",
        "{ width: '640', height: 480 }",
        "[640, 480]",
        "{ get width() { throw 'trap' } }",
    ] {
        let options = js(&format!("{{ stream: {{ resolution: {resolution} }} }}"));
        let error = rejected(rig.app.video_call(&UNDEFINED, &UNDEFINED, &options)).await;
        assert_error(&error, INVALID, "options.stream.resolution must be like \"640x480\"");
    }
    for resolution in ["'640x480'", "' 640 x 480 '", "{ width: 1, height: 8192 }", "null"] {
        let options = js(&format!("{{ stream: {{ resolution: {resolution} }} }}"));
        fulfilled(rig.app.video_call(&UNDEFINED, &UNDEFINED, &options)).await;
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn what_is_unknown_to_video_call_is_warned_about() {
    let rig = Rig::new("warn", "{}");
    fulfilled(rig.app.connect()).await;
    let console = ConsoleSpy::new();
    let options = js("{ stream: { audio: true }, dataChannel: { types: [] }, recording: 1 }");
    let made = rig.app.video_call(&js("{ onRing: 5 }"), &js("{ video: null }"), &options);
    fulfilled(made).await;
    for path in [
        "onEvents.onRing",
        "domElements.video",
        "options.stream.audio",
        "options.dataChannel.types",
        "options.recording",
    ] {
        assert!(console.has("warn", &format!("{path} is not known here")), "{}", console.all());
    }
    assert_eq!(console.count(), 5, "{}", console.all());
    rig.end().await;
}

/// Names that no user has, as JavaScript expressions, and what is said of them.
const NO_NAMES: [(&str, &str); 11] = [
    ("''", "a user name must not be empty"),
    ("'   '", "a user name must not be empty"),
    ("'x'.repeat(129)", "has 129 characters; at most 128 are allowed"),
    ("'a\\u0000b'", "the user name \"a b\" holds a control character"),
    ("'a\\nb'", "holds a control character"),
    ("'a\\u007fb'", "holds a control character"),
    ("42", "the user name must be a string, but is the number 42"),
    ("true", "the user name must be a string, but is the boolean true"),
    ("{}", "the user name must be a string, but is an object"),
    ("['Tom']", "the user name must be a string, but is an array"),
    ("'Tom\\ud800'", "half a surrogate pair"),
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

async fn names(call: &VideoCall, filter: &str, order: &str) -> String {
    let list = fulfilled(call.get_peers(&js(filter), &js(order))).await;
    list.unchecked_into::<js_sys::Array>().join(" ").into()
}

#[wasm_bindgen_test]
async fn peers_are_filtered_and_ordered() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    for (filter, order, wanted) in [
        ("undefined", "undefined", "Tom Jack Zoe"),
        ("null", "'asc'", "Jack Tom Zoe"),
        ("''", "'desc'", "Zoe Tom Jack"),
        ("'o'", "null", "Tom Zoe"),
        ("/^j/i", "null", "Jack"),
        ("/o/g", "null", "Tom Zoe"),
        ("/o/y", "null", ""),
        ("(name) => name.length === 3", "'desc'", "Zoe Tom"),
    ] {
        assert_eq!(names(&call, filter, order).await, wanted, "{filter}, {order}");
    }
    assert_eq!(listeners.count("onGotPeers"), 8);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn filters_and_orders_that_are_none_are_refused() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    for (filter, order, part) in [
        ("7", "null", "filter must be a string, a RegExp or a function, but is the number 7"),
        ("{}", "null", "filter must be a string, a RegExp or a function, but is an object"),
        ("null", "'up'", "order must be \"asc\" or \"desc\", but is the string \"up\""),
        ("null", "1", "order must be \"asc\" or \"desc\", but is the number 1"),
        ("() => { throw new Error('trap') }", "null", "the filter function threw"),
    ] {
        let error = rejected(call.get_peers(&js(filter), &js(order))).await;
        assert_error(&error, INVALID, part);
    }
    assert_eq!(rig.gateway.requests("list").len(), 1, "only the one whose filter throws asks");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn settings_are_checked_and_words_become_bits() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let none = "undefined";
    for (audio, video, quality, part) in [
        ("'on'", none, none, "audio must be true or false, but is the string \"on\""),
        (none, "0", none, "video must be true or false, but is the number 0"),
        (none, none, "'best'", "quality must be \"low\", \"medium\", \"high\", \"max\" or bits"),
        (none, none, "-1", "but is the number -1"),
        (none, none, "1e10", "but is the number 10000000000"),
        (none, none, "NaN", "but is the number NaN"),
        (none, none, "true", "but is the boolean true"),
    ] {
        let error = rejected(call.set_call(&js(audio), &js(video), &js(quality))).await;
        assert_error(&error, INVALID, part);
    }
    assert!(rig.gateway.requests("set").is_empty());
    for (quality, bits) in [
        ("'low'", 128_000),
        ("'medium'", 512_000),
        ("'high'", 2_000_000),
        ("'max'", 0),
        ("64000", 64_000),
    ] {
        let set = fulfilled(call.set_call(&UNDEFINED, &UNDEFINED, &js(quality))).await;
        assert_eq!(get(&set, "bitrate"), JsValue::from(bits));
        assert_eq!(get(&set, "audio"), UNDEFINED, "what was not set is absent");
        assert_eq!(rig.gateway.request("set").await.body["body"]["bitrate"], bits);
    }
    fulfilled(call.set_call(&true.into(), &false.into(), &UNDEFINED)).await;
    let sent = rig.gateway.request("set").await.body["body"].clone();
    assert_eq!(sent, serde_json::json!({ "request": "set", "audio": true, "video": false }));
    assert_eq!(listeners.count("onSetCall"), 6);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn a_reason_is_a_string() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    let error = rejected(call.hang_up(&js("{}"))).await;
    assert_error(&error, INVALID, "the reason must be a string, but is an object");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn device_lists_are_checked_and_filtered() {
    for (config, part) in [
        ("'videoinput'", "config must be an object, but is the string \"videoinput\""),
        ("{ kind: 'camera' }", "config.kind must be one of"),
        ("{ labels: 1 }", "config.labels must be true or false, but is the number 1"),
    ] {
        assert_error(&rejected(api::get_devices(&js(config))).await, INVALID, part);
    }
    let list = fulfilled(api::get_devices(&js("{ kind: 'videoinput', labels: true }"))).await;
    let list: js_sys::Array = list.unchecked_into();
    assert!(list.length() > 0, "the browser has fake cameras");
    for device in list.iter() {
        assert_eq!(text(&device, "kind"), "videoinput");
        assert_ne!(text(&device, "label"), "");
    }
}

#[wasm_bindgen_test]
async fn without_the_facade_errors_are_plain_and_tell_the_same() {
    let error = refusal("['']");
    assert!(error.is_instance_of::<js_sys::Error>());
    assert_eq!(text(&error, "name"), "VideoRTCError");
    assert_eq!(text(&error, "code"), INVALID);
    assert_eq!(get(&error, "gatewayCode"), UNDEFINED);

    let rig = Rig::connected().await;
    let made = rig.app.video_call(&UNDEFINED, &UNDEFINED, &UNDEFINED);
    let call = to_video_call(fulfilled(made).await);
    rig.gateway.script("register", Script::Refusal(476, "Username 'Tom' already taken"));
    let error = rejected(call.register(&ME.into())).await;
    assert!(error.is_instance_of::<js_sys::Error>());
    assert_error(&error, "USERNAME_TAKEN", "somebody else holds the name \"Tom\"");
    assert_eq!(get(&error, "gatewayCode"), JsValue::from(476));
    assert_eq!(text(&error, "cause"), "Username 'Tom' already taken");
    rig.end().await;
}
