//! Option words of VideoRTC.js, and credentials from functions of the page.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::api::VideoRtc;
use super::far_end::FarEnd;
use super::gateway::{Gateway, ME, PEER, Rig};
use super::page::{
    ConsoleSpy, Container, Devices, Listeners, UNDEFINED, assert_error, fulfilled, get, js,
    rejected, set, text,
};

/// A page with these arguments after the address.
fn rig(ice_servers: &JsValue, level: &JsValue, options: &JsValue) -> Rig {
    let gateway = Gateway::new();
    let app = VideoRtc::new(&gateway.servers(), ice_servers, level, options);
    Rig { gateway, app }
}

#[wasm_bindgen_test]
async fn most_verbose_of_several_levels_counts() {
    for (level, is_talkative) in
        [("['error', 'debug', 'warn']", true), ("['none', 'error']", false), ("[]", false)]
    {
        let console = ConsoleSpy::new();
        let rig = rig(&UNDEFINED, &js(level), &UNDEFINED);
        fulfilled(rig.app.connect()).await;
        rig.end().await;
        assert_eq!(console.count() > 0, is_talkative, "{level}: {}", console.all());
    }
    // An empty array means the default level, which warns about unknown keys.
    let console = ConsoleSpy::new();
    rig(&UNDEFINED, &js("[]"), &js("{ unknown: 1 }"));
    assert_eq!(console.count(), 1);
}

#[wasm_bindgen_test]
async fn string_in_place_of_options_is_the_api_secret() {
    let console = ConsoleSpy::new();
    let rig = rig(&UNDEFINED, &"warn".into(), &"S3CRET".into());
    fulfilled(rig.app.connect()).await;
    assert_eq!(rig.gateway.request("create").await.body["apisecret"], "S3CRET");
    rig.end().await;
    assert_eq!(console.count(), 0, "{}", console.all());
}

#[wasm_bindgen_test]
async fn skips_websocket_addresses_if_there_is_another() {
    let console = ConsoleSpy::new();
    let gateway = Gateway::new();
    let servers = js("['wss://a.test/janus', 'ws://b.test']");
    servers.unchecked_ref::<js_sys::Array>().push(&gateway.address().into());
    let app = VideoRtc::new(&servers, &UNDEFINED, &"error".into(), &UNDEFINED);
    let rig = Rig { gateway, app };
    fulfilled(rig.app.connect()).await;
    rig.end().await;
    let line = "WebSocket addresses are skipped: only http and https are spoken here";
    assert!(console.has("warn", line), "{}", console.all());
    assert_eq!(console.count(), 1);
}

/// The constraints of `getUserMedia` for these options of `stream`, as JSON.
async fn constraints(stream: &str) -> String {
    let rig = Rig::connected().await;
    let options = format!("{{ stream: {stream} }}");
    let call = rig.video_call_with(&Listeners::new(), &UNDEFINED, &options).await;
    fulfilled(call.register(&ME.into())).await;
    let devices = Devices::new();
    let calling = call.call(&PEER.into());
    let asked = js_sys::JSON::stringify(&devices.asked().await).unwrap();
    rig.end().await;
    rejected(calling).await;
    asked.into()
}

#[wasm_bindgen_test]
async fn words_for_resolutions_become_constraints() {
    for (word, width, height) in [
        ("qvga", 320, 240),
        ("vga", 640, 480),
        ("fwvga", 854, 480),
        ("hd", 1280, 720),
        ("full-hd", 1920, 1080),
        ("4k", 3840, 2160),
        ("8k", 7680, 4320),
    ] {
        let asked = constraints(&format!("{{ resolution: '{word}' }}")).await;
        let wanted = format!("\"width\":{{\"ideal\":{width}}},\"height\":{{\"ideal\":{height}}}");
        assert!(asked.contains(&wanted), "{word}: {asked}");
    }
}

#[wasm_bindgen_test]
async fn empty_device_id_means_the_browsers_choice() {
    let asked = constraints("{ aDeviceId: '', vDeviceId: '' }").await;
    assert!(!asked.contains("deviceId"), "{asked}");
    assert!(asked.contains("\"video\":{}"), "{asked}");
}

#[wasm_bindgen_test]
async fn words_for_qualities_become_bits_per_second() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    for (word, bits) in
        [("low", 128_000), ("medium", 512_000), ("high", 2_000_000), ("ultra", 512_000), ("max", 0)]
    {
        let set = fulfilled(call.set_call(&UNDEFINED, &UNDEFINED, &word.into())).await;
        assert_eq!(get(&set, "bitrate"), JsValue::from(bits), "{word}");
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn elements_have_short_names_too() {
    let console = ConsoleSpy::new();
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let (local, remote, other) =
        (container.own_video(), container.own_video(), container.own_video());
    let elements = js("{ screenLocal: 'anything', screenRemote: null }");
    set(&elements, "local", &local);
    set(&elements, "remoteVideo", &remote);
    set(&elements, "remote", &other);
    let call = rig.registered(&listeners, &elements).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    listeners.heard("onRemoteStreamReady").await;
    assert!(local.src_object().is_some() && remote.src_object().is_some());
    assert!(other.src_object().is_none(), "the long name counts");
    rig.end().await;
    for line in [
        "domElements.remote has no effect beside domElements.remoteVideo",
        "domElements.screenLocal has no effect yet: screens cannot be shared yet",
    ] {
        assert!(console.has("warn", line), "no {line}: {}", console.all());
    }
}

#[wasm_bindgen_test]
async fn finds_a_container_by_selector_or_jquery() {
    let rig = Rig::connected().await;
    let container = Container::new();
    container.0.set_id("found-videos");
    container.0.set_inner_html("<p class=\"several\"></p><p class=\"several\"></p>");
    let jquery = |found: &str| {
        js(&format!("{{ videos: Object.assign({{ jquery: '3.7.1', length: 0 }}, {found}) }}"))
    };
    for (elements, part) in [
        (js("{ videos: '#no-such-element' }"), "but the selector \"#no-such-element\" finds none"),
        (js("{ videos: '.several' }"), "but the selector \".several\" finds 2"),
        (js("{ videos: '##' }"), "the browser cannot read the selector \"##\""),
        (jquery("{}"), "but the jQuery object holds none"),
        (jquery("{ length: 3 }"), "but the jQuery object holds 3"),
        (jquery("{ length: 1, 0: document }"), "but the jQuery object holds an object"),
    ] {
        let made = rig.app.video_call(&UNDEFINED, &elements, &UNDEFINED);
        let error = rejected(made).await;
        assert_error(&error, "INVALID_ARGUMENT", part);
        assert!(text(&error, "message").starts_with("domElements.videos"));
    }
    container.0.set_inner_html("");
    for elements in [
        js("{ videos: '#found-videos' }"),
        jquery("{ length: 1, 0: document.getElementById('found-videos') }"),
    ] {
        let listeners = Listeners::new();
        let call = rig.registered(&listeners, &elements).await;
        let calling = call.call(&PEER.into());
        listeners.heard("onReadyLocalStream").await;
        assert!(container.find("video.is-local-video").is_some());
        fulfilled(calling).await;
        fulfilled(call.close_usecase()).await;
        assert!(container.is_empty());
    }
    rig.end().await;
}

/// Calls, and returns the ICE servers of the peer connection as JSON, or the error of the call.
async fn ice_servers_of(ice_servers: &str) -> Result<String, JsValue> {
    let rig = rig(&js(ice_servers), &"none".into(), &UNDEFINED);
    fulfilled(rig.app.connect()).await;
    let call = rig.registered(&Listeners::new(), &UNDEFINED).await;
    let spy = js("(() => {
        const Real = RTCPeerConnection;
        const seen = {};
        globalThis.RTCPeerConnection = class extends Real {
            constructor(configuration) {
                super(configuration);
                seen.servers = JSON.stringify(configuration.iceServers);
            }
        };
        seen.end = () => { globalThis.RTCPeerConnection = Real; };
        return seen;
    })()");
    let called = super::page::settled(call.call(&PEER.into())).await;
    get(&spy, "end").unchecked_into::<js_sys::Function>().call0(&UNDEFINED).unwrap();
    rig.end().await;
    called.map(|_| text(&spy, "servers"))
}

#[wasm_bindgen_test]
async fn ice_servers_can_come_from_a_function() {
    let clean = "[{\"urls\":\"stun:127.0.0.1:3478\"}]";
    for ice_servers in [
        "[{ url: 'stun:127.0.0.1:3478', other: 1 }]",
        "() => [{ urls: 'stun:127.0.0.1:3478' }]",
        "async () => [{ url: 'stun:127.0.0.1:3478', other: 1 }]",
        "() => ({ then(resolve) { resolve([{ urls: 'stun:127.0.0.1:3478' }]) } })",
    ] {
        assert_eq!(ice_servers_of(ice_servers).await.unwrap(), clean, "{ice_servers}");
    }
    for none in ["() => null", "async () => undefined", "() => []"] {
        assert_eq!(ice_servers_of(none).await.unwrap(), "[]", "{none}");
    }
}

#[wasm_bindgen_test]
async fn failing_ice_server_function_fails_the_call() {
    for (ice_servers, cause) in [
        ("() => { throw new Error('no network') }", "Error: no network"),
        ("() => Promise.reject('no network')", "no network"),
        ("() => { throw { name: null, message: 5 } }", "null: 5"),
        ("async () => { throw { message: { toString() { throw 1 } } } }", "cannot be read"),
        ("() => ({ get then() { throw new Error('trap') } })", "Error: trap"),
        ("() => 'stun:a.test'", "iceServers must be an array of RTCIceServer, but is the string"),
        ("async () => [{ url: 5 }]", "iceServers[0].urls must be a string or an array of them"),
    ] {
        let error = ice_servers_of(ice_servers).await.expect_err(ice_servers);
        assert_error(&error, "MEDIA_FAILED", cause);
        assert!(text(&error, "cause").contains(cause), "{}", text(&error, "cause"));
    }
}

#[wasm_bindgen_test]
async fn token_can_come_from_a_method_of_the_options() {
    for options in [
        "{ word: 'T0KEN', token() { return this.word; } }",
        "{ word: 'T0KEN', async token() { return this.word; } }",
    ] {
        let rig = rig(&UNDEFINED, &"none".into(), &js(options));
        fulfilled(rig.app.connect()).await;
        assert_eq!(rig.gateway.request("create").await.body["token"], "T0KEN", "{options}");
        rig.end().await;
    }
}

#[wasm_bindgen_test]
async fn failing_token_function_is_unauthorized() {
    for (token, cause) in [
        ("() => { throw new Error('signed out') }", "Error: signed out"),
        ("async () => { throw 'signed out' }", "signed out"),
        ("() => 5", "options.token must be a string, but is the number 5"),
        ("() => null", "options.token must be a string, but is null"),
    ] {
        let rig = rig(&UNDEFINED, &"none".into(), &js(&format!("{{ token: {token} }}")));
        let error = rejected(rig.app.connect()).await;
        assert_error(&error, "UNAUTHORIZED", cause);
        assert!(rig.gateway.requests("create").is_empty());
        rig.end().await;
    }
}

#[wasm_bindgen_test]
async fn method_used_as_event_handler_ignores_the_event() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let click = js("new MouseEvent('click')");
    fulfilled(call.call(&PEER.into())).await;
    fulfilled(call.hang_up(&click)).await;
    assert_eq!(rig.gateway.request("hangup").await.body["body"]["reason"], "Cancelled");
    rig.gateway.ring("v=0");
    listeners.heard("onIncomingCall").await;
    // The page accepts: an invalid offer cannot be answered, and causes an error.
    assert_error(&rejected(call.call(&click)).await, "MEDIA_FAILED", "");
    rig.end().await;
}
