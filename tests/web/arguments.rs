//! Arguments of the page: an error names the wrong value, and no request is sent.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::api::{self, VideoRtc};
use super::gateway::{ME, Rig, Script, to_video_call};
use super::page::{
    ConsoleSpy, Listeners, UNDEFINED, assert_error, fulfilled, get, js, rejected, text, turn,
};

const INVALID: &str = "INVALID_ARGUMENT";

/// Invalid names, as JavaScript expressions, and the messages about them.
const NO_NAMES: [(&str, &str); 6] = [
    ("''", "a user name must not be empty"),
    ("'   '", "a user name must not be empty"),
    ("'x'.repeat(129)", "has 129 characters; at most 128 are allowed"),
    ("'a\\u0000b'", "the user name \"a b\" holds a control character"),
    ("'a\\nb'", "holds a control character"),
    ("'a\\u007fb'", "holds a control character"),
];

#[wasm_bindgen_test]
async fn rejects_invalid_names() {
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
async fn accepts_names_of_any_script_and_markup_unchanged() {
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
async fn generates_a_guest_name() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let name = fulfilled(call.register(&UNDEFINED)).await.as_string().unwrap();
    assert_eq!(name.split('-').count(), 3, "{name}");
    assert_eq!(listeners.name("onRegistered").await, name);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn sends_and_reports_only_changed_settings() {
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
async fn filters_device_lists() {
    let list = fulfilled(api::get_devices(&js("{ kind: 'videoinput', labels: true }"))).await;
    let list: js_sys::Array = list.unchecked_into();
    assert!(list.length() > 0, "the browser has fake cameras");
    for device in list.iter() {
        assert_eq!(text(&device, "kind"), "videoinput");
        assert_ne!(text(&device, "label"), "");
    }
}

#[wasm_bindgen_test]
async fn errors_carry_the_reason_of_the_gateway() {
    let rig = Rig::connected().await;
    let made = rig.app.video_call(&UNDEFINED, &UNDEFINED, &UNDEFINED);
    let call = to_video_call(fulfilled(made).await);
    let error = rejected(call.register(&"".into())).await;
    assert_eq!(text(&error, "name"), "VideoRTCError");
    assert_eq!(text(&error, "code"), INVALID);
    assert_eq!(get(&error, "gatewayCode"), UNDEFINED);
    // Retried once, since a page that was just reloaded may still hold the name.
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

/// `new VideoRTC(…)` with arguments that are JavaScript expressions.
fn made(arguments: &str) -> Result<JsValue, JsValue> {
    let arguments: js_sys::Array = js(&format!("[{arguments}]")).unchecked_into();
    let [servers, ice_servers, level, options] = [0, 1, 2, 3].map(|i| arguments.get(i));
    VideoRtc::try_new(&servers, &ice_servers, &level, &options)
}

#[wasm_bindgen_test]
fn constructor_names_the_rejected_argument() {
    let must = "servers must be a gateway address, or an array of them, but is";
    for (servers, part) in [
        ("undefined", "undefined"),
        ("null", "null"),
        ("42", "the number 42"),
        ("NaN", "the number NaN"),
        ("true", "the boolean true"),
        ("{}", "an object"),
        ("new String('http://a.test')", "an object"),
        ("() => 1", "a function"),
        ("Symbol('x')", "a symbol"),
        ("10n", "a bigint"),
    ] {
        assert_error(&made(servers).unwrap_err(), INVALID, &format!("{must} {part}"));
    }
    for (arguments, part) in [
        ("[]", "servers is an empty array"),
        ("['http://a.test', 42]", "servers[1] must be a string, but is the number 42"),
        ("[['http://a.test']]", "servers[0] must be a string, but is an array"),
        ("new Array(1)", "servers[0] must be a string, but is undefined"),
        ("['http://a.test', 'ftp://b.test']", "it must begin with http:// or https://"),
        ("['wss://a.test']", "only the http and https transports are spoken here"),
        (
            "new Proxy([1], { get() { throw new Error('trap') } })",
            "servers.length threw when it was read",
        ),
        (
            "GATEWAY, 'stun:stun.test'",
            "iceServers must be an array of RTCIceServer, but is the string \"stun:stun.test\"",
        ),
        (
            "GATEWAY, { urls: 'stun:stun.test' }",
            "iceServers must be an array of RTCIceServer, but is an object",
        ),
        ("GATEWAY, [42]", "iceServers[0] must be an object, but is the number 42"),
        ("GATEWAY, [null]", "iceServers[0] must be an object, but is null"),
        (
            "GATEWAY, [{ urls: 'stun:a.test' }, {}]",
            "iceServers[1].urls must be a string or an array of them, but is undefined",
        ),
        (
            "GATEWAY, [{ url: 7 }]",
            "iceServers[0].urls must be a string or an array of them, but is the number 7",
        ),
        ("GATEWAY, [{ get urls() { throw 'trap' } }]", "iceServers[0].urls threw when it was read"),
        (
            "GATEWAY, [], 'loud'",
            "debugLevel must be one of \"none\", \"error\", \"warn\", \"info\", \"debug\", \
             \"trace\", or an array of them, but is the string \"loud\"",
        ),
        ("GATEWAY, [], 'ERROR'", "debugLevel must be one of"),
        ("GATEWAY, [], 3", "debugLevel must be one of"),
        ("GATEWAY, [], true", "debugLevel must be one of"),
        ("GATEWAY, [], ['error', 'loud']", "debugLevel[1] must be one of \"none\""),
        ("GATEWAY, [], 'error', []", "options must be an object, but is an array"),
        ("GATEWAY, [], 'error', () => 1", "options must be an object, but is a function"),
        (
            "GATEWAY, [], 'error', { apiSecret: 5 }",
            "options.apiSecret must be a string, but is the number 5",
        ),
        ("GATEWAY, [], 'error', { token: {} }", "options.token must be a string, but is an object"),
        (
            "GATEWAY, [], 'error', { account: false }",
            "options.account must be a string, but is the boolean false",
        ),
        (
            "GATEWAY, [], 'error', { withCredentials: 'yes' }",
            "options.withCredentials must be true or false, but is the string \"yes\"",
        ),
        (
            "GATEWAY, [], 'error', { iceTransportPolicy: 'none' }",
            "options.iceTransportPolicy must be one of \"all\", \"relay\", but",
        ),
        ("GATEWAY, [], 'error', { bundlePolicy: 'max' }", "options.bundlePolicy must be one of"),
        (
            "GATEWAY, [], 'error', { requestTimeout: 99 }",
            "options.requestTimeout must be a number of milliseconds from 100 to 3600000",
        ),
        ("GATEWAY, [], 'error', { requestTimeout: '5000' }", "but is the string \"5000\""),
        ("GATEWAY, [], 'error', { requestTimeout: NaN }", "but is the number NaN"),
        (
            "GATEWAY, [], 'error', { retryLimit: -1 }",
            "options.retryLimit must be a number of milliseconds from 0",
        ),
        ("GATEWAY, [], 'error', { retryLimit: Infinity }", "but is the number Infinity"),
        (
            "GATEWAY, [], 'error', { pollEvents: 0.5 }",
            "options.pollEvents must be a number of events from 1 to 100, but is the number 0.5",
        ),
        (
            "GATEWAY, [], 'error', { get token() { throw new Error('trap') } }",
            "options.token threw when it was read",
        ),
        (
            "GATEWAY, [], 'error', new Proxy({}, { ownKeys() { throw 1 } })",
            "options threw when its keys were read",
        ),
        (
            "GATEWAY, [], 'error', (({ proxy, revoke }) => (revoke(), proxy))(TRAP)",
            "options threw when its keys were read",
        ),
    ] {
        let arguments = arguments.replace("GATEWAY", "'http://gateway.test'");
        let arguments = arguments.replace("TRAP", "Proxy.revocable({}, {})");
        assert_error(&made(&arguments).expect_err(part), INVALID, part);
    }
    let thrown = made("'http://a.test', [], 'error', { get token() { throw new Error('trap') } }");
    assert_eq!(text(&thrown.unwrap_err(), "cause"), "Error: trap");
}

#[wasm_bindgen_test]
fn constructor_accepts_valid_arguments_without_a_warning() {
    let console = ConsoleSpy::new();
    for arguments in [
        "'http://gateway.test/janus/'",
        "['http://a.test', 'http://b.test'], null, null, null",
        "'http://gateway.test', [{ urls: 'stun:a.test' }, { url: 'stun:b.test' }]",
        "'http://gateway.test', [{ url: ['turn:a'], username: 'u', credential: 'c', other: 1 }]",
        "'http://gateway.test', () => []",
        "'http://gateway.test', [], []",
        "'http://gateway.test', [], ['error', 'none']",
        "'http://gateway.test', [], 'error', 'S3CRET'",
        "'http://gateway.test', [], 'error', { token: null, account: undefined, pollEvents: 3 }",
        "'http://gateway.test', [], 'error', { token: async () => 'T' }",
        "'http://gateway.test', [], 'error', Object.assign(Object.create(null), { token: 'T' })",
    ] {
        made(arguments).expect(arguments);
    }
    assert_eq!(console.count(), 0, "{}", console.all());
}

#[wasm_bindgen_test]
fn warns_about_unknown_options_at_every_level_but_none() {
    let console = ConsoleSpy::new();
    for level in ["error", "none"] {
        made(&format!(
            "'http://a.test', [], '{level}', {{ apisecret: 'S3CRET', token: 'a', toString: 1 }}"
        ))
        .unwrap();
    }
    for key in ["apisecret", "toString"] {
        let line = format!("options.{key} is not known here and has no effect");
        assert!(console.has("warn", &line), "{}", console.all());
    }
    assert_eq!(console.count(), 2, "{}", console.all());
    assert!(!console.all().contains("S3CRET"));
}

#[wasm_bindgen_test]
fn reads_each_option_once() {
    let options = js("{ reads: 0, get token() { this.reads += 1; return 'a'; } }");
    VideoRtc::new(&"http://a.test".into(), &UNDEFINED, &"none".into(), &options);
    assert_eq!(get(&options, "reads"), JsValue::from(1));
}

#[wasm_bindgen_test]
async fn video_call_names_the_rejected_argument() {
    let rig = Rig::connected().await;
    for (arguments, part) in [
        ("'onCalling'", "onEvents must be an object, but is the string \"onCalling\""),
        ("{ onCalling: 5 }", "onEvents.onCalling must be a function, but is the number 5"),
        ("{ onHangUp: {} }", "onEvents.onHangUp must be a function, but is an object"),
        ("{ get onError() { throw 'trap' } }", "onEvents.onError threw when it was read"),
        ("null, 'videos'", "domElements must be an object, but is the string \"videos\""),
        ("null, { videos: 5 }", "domElements.videos must be an element, but is the number 5"),
        ("null, { videos: {} }", "domElements.videos must be an element, but is an object"),
        ("null, { videos: document }", "domElements.videos must be an element, but is an object"),
        (
            "null, { videos: Object.create(Element.prototype) }",
            "domElements.videos must be an element, but is an object",
        ),
        ("null, { videos: document.createTextNode('a') }", "domElements.videos must be an element"),
        (
            "null, { videos: [document.body] }",
            "domElements.videos must be an element, but is an array",
        ),
        ("null, { localVideo: document.body }", "domElements.localVideo must be a <video> element"),
        ("null, { remoteVideo: new Audio() }", "domElements.remoteVideo must be a <video> element"),
        ("null, { local: document.body }", "domElements.local must be a <video> element"),
        ("null, { get videos() { throw 'trap' } }", "domElements.videos threw when it was read"),
        ("null, null, 7", "options must be an object, but is the number 7"),
        (
            "null, null, { ringTimeout: 999 }",
            "options.ringTimeout must be a number of milliseconds from 1000 to 3600000",
        ),
        ("null, null, { connectTimeout: true }", "options.connectTimeout must be a number of"),
        ("null, null, { account: 5 }", "options.account must be a string, but is the number 5"),
        (
            "null, null, { stream: true }",
            "options.stream must be an object, but is the boolean true",
        ),
        (
            "null, null, { stream: { audioEnabled: 1 } }",
            "options.stream.audioEnabled must be true or false",
        ),
        (
            "null, null, { stream: { videoEnabled: 'no' } }",
            "options.stream.videoEnabled must be true or false",
        ),
        (
            "null, null, { stream: { dataEnabled: 0 } }",
            "options.stream.dataEnabled must be true or false",
        ),
        ("null, null, { stream: { aDeviceId: 3 } }", "options.stream.aDeviceId must be a string"),
        (
            "null, null, { stream: { frameRate: 0 } }",
            "options.stream.frameRate must be a number of frames per second from 1 to 240",
        ),
        (
            "null, null, { stream: { voiceProcessor: 'on' } }",
            "options.stream.voiceProcessor must be",
        ),
        (
            "null, null, { dataChannel: 'yes' }",
            "options.dataChannel must be an object, but is the string",
        ),
        (
            "null, null, { dataChannel: { dataEnabled: 1 } }",
            "options.dataChannel.dataEnabled must be",
        ),
        (
            "null, null, { dataChannel: { allowedTypes: 'image/*' } }",
            "options.dataChannel.allowedTypes must be an array",
        ),
        (
            "null, null, { dataChannel: { allowedTypes: [''] } }",
            "options.dataChannel.allowedTypes must be an array",
        ),
        (
            "null, null, { dataChannel: { allowedTypes: new Array(4e9) } }",
            "options.dataChannel.allowedTypes must be an array",
        ),
        (
            "null, null, { dataChannel: { maxSize: 0.5 } }",
            "options.dataChannel.maxSize must be a whole number of bytes from 0 to 2^53 - 1",
        ),
        (
            "null, null, { dataChannel: { maxSize: -1 } }",
            "options.dataChannel.maxSize must be a whole number of bytes",
        ),
    ] {
        let arguments: js_sys::Array = js(&format!("[{arguments}]")).unchecked_into();
        let [events, elements, options] = [0, 1, 2].map(|i| arguments.get(i));
        let made = rig.app.video_call(&events, &elements, &options);
        assert_error(&rejected(made).await, INVALID, part);
    }
    for resolution in [
        "'640'",
        "'0x0'",
        "'640x8193'",
        "'HD'",
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
        let made = rig.app.video_call(&UNDEFINED, &UNDEFINED, &options);
        let part = "options.stream.resolution must be like \"640x480\"";
        assert_error(&rejected(made).await, INVALID, part);
    }
    assert_eq!(rig.gateway.requests("attach").len(), 1, "the one that came with the session");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn echo_test_names_the_rejected_argument() {
    let rig = Rig::connected().await;
    for (arguments, part) in [
        ("{ onError: 5 }", "onEvents.onError must be a function, but is the number 5"),
        ("null, { videos: 5 }", "domElements.videos must be an element, but is the number 5"),
        (
            "null, null, { connectTimeout: 999 }",
            "options.connectTimeout must be a number of milliseconds from 1000 to 3600000",
        ),
        ("null, null, { account: 7 }", "options.account must be a string, but is the number 7"),
        (
            "null, null, { stream: { audioEnabled: 1 } }",
            "options.stream.audioEnabled must be true or false, but is the number 1",
        ),
    ] {
        let arguments: js_sys::Array = js(&format!("[{arguments}]")).unchecked_into();
        let [events, elements, options] = [0, 1, 2].map(|i| arguments.get(i));
        let refused = rejected(rig.app.echo_test(&events, &elements, &options)).await;
        assert_error(&refused, INVALID, part);
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn warns_about_unknown_and_misspelled_keys() {
    let console = ConsoleSpy::new();
    let rig = Rig::connected().await;
    let made = rig.app.video_call(
        &js("{ onRing: 5 }"),
        &js("{ video: null }"),
        &js("{ stream: { audio: true }, recording: 1,
            dataChannel: { types: [], allowedTypes: ['text-plain', 'x-y', 'image/*'] } }"),
    );
    fulfilled(made).await;
    for key in [
        "onEvents.onRing",
        "options.recording",
        "options.dataChannel.types",
        "options.stream.audio",
        "domElements.video",
    ] {
        let line = format!("{key} is not known here and has no effect");
        assert!(console.has("warn", &line), "{}", console.all());
    }
    let taken = "the allowed type \"text-plain\" is taken for \"text/plain\" too";
    assert!(console.has("warn", taken), "{}", console.all());
    assert_eq!(console.count(), 6, "{}", console.all());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn methods_name_the_rejected_argument() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    for (name, part) in [
        ("42", "the user name must be a string, but is the number 42"),
        ("true", "the user name must be a string, but is the boolean true"),
        ("{}", "the user name must be a string, but is an object"),
        ("['Tom']", "the user name must be a string, but is an array"),
        ("'Tom\\ud800'", "holds half a surrogate pair"),
    ] {
        assert_error(&rejected(call.register(&js(name))).await, INVALID, part);
        assert_error(&rejected(call.call(&js(name))).await, INVALID, part);
    }
    let refused = rejected(call.hang_up(&js("{}"))).await;
    assert_error(&refused, INVALID, "the reason must be a string, but is an object");
    for (arguments, part) in [
        ("'on'", "audio must be true or false, but is the string \"on\""),
        ("null, 0", "video must be true or false, but is the number 0"),
        (
            "null, null, 'best'",
            "quality must be \"low\", \"medium\", \"high\", \"ultra\", \"max\" or bits per \
             second from 0 to 1000000000, but is the string",
        ),
        ("null, null, -1", "but is the number -1"),
        ("null, null, 1e10", "but is the number 10000000000"),
        ("null, null, NaN", "but is the number NaN"),
        ("null, null, true", "but is the boolean true"),
    ] {
        let arguments: js_sys::Array = js(&format!("[{arguments}]")).unchecked_into();
        let [audio, video, quality] = [0, 1, 2].map(|i| arguments.get(i));
        assert_error(&rejected(call.set_call(&audio, &video, &quality)).await, INVALID, part);
    }
    for (filter, order, part) in [
        ("7", "null", "filter must be a string, a RegExp or a function, but is the number 7"),
        ("{}", "null", "filter must be a string, a RegExp or a function, but is an object"),
        ("null", "'up'", "order must be \"asc\" or \"desc\", but is the string \"up\""),
        ("null", "1", "order must be \"asc\" or \"desc\", but is the number 1"),
        ("() => { throw new Error('trap') }", "null", "the filter function threw"),
    ] {
        let asked = call.get_peers_by(&js(filter), &js(order));
        assert_error(&rejected(asked).await, INVALID, part);
    }
    for (config, part) in [
        ("'videoinput'", "config must be an object, but is the string \"videoinput\""),
        (
            "{ kind: 'camera' }",
            "config.kind must be one of \"audioinput\", \"videoinput\", \"audiooutput\", but",
        ),
        ("{ labels: 1 }", "config.labels must be true or false, but is the number 1"),
    ] {
        assert_error(&rejected(api::get_devices(&js(config))).await, INVALID, part);
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn filters_and_orders_peers() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    for (filter, order, wanted) in [
        ("undefined", "undefined", "Tom,Jack,Zoe"),
        ("null", "'asc'", "Jack,Tom,Zoe"),
        ("''", "'desc'", "Zoe,Tom,Jack"),
        ("'o'", "null", "Tom,Zoe"),
        ("/^j/i", "null", "Jack"),
        ("/o/g", "null", "Tom,Zoe"),
        ("/o/y", "null", ""),
        ("(name) => name.length === 3", "'desc'", "Zoe,Tom"),
    ] {
        let list = fulfilled(call.get_peers_by(&js(filter), &js(order))).await;
        let list: js_sys::Array = list.unchecked_into();
        assert_eq!(String::from(list.join(",")), wanted, "{filter} {order}");
    }
    assert_eq!(listeners.count("onGotPeers"), 8);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn ignored_promise_causes_no_unhandled_rejection() {
    let rig = Rig::connected().await;
    let call = rig.video_call(&Listeners::new(), &UNDEFINED).await;
    let heard = js("{ count: 0 }");
    let listen = "(heard) => addEventListener('unhandledrejection', () => heard.count += 1)";
    let listen: js_sys::Function = js(listen).unchecked_into();
    listen.call1(&UNDEFINED, &heard).unwrap();
    let _ = (call.register(&js("42")), call.accept_call(), call.toggle_audio());
    let _ = (api::get_devices(&js("5")), call.hang_up(&UNDEFINED));
    for _ in 0..3 {
        turn().await;
    }
    assert_eq!(get(&heard, "count"), JsValue::from(0));
    rig.end().await;
}

#[wasm_bindgen_test]
async fn class_has_its_static_members() {
    let class = api::class();
    assert_eq!(text(&class, "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        js("(c) => c.isSupported()").unchecked_into::<js_sys::Function>().call1(&UNDEFINED, &class),
        Ok(JsValue::TRUE)
    );
    let list: js_sys::Array = fulfilled(api::get_devices(&UNDEFINED)).await.unchecked_into();
    assert!(list.length() > 0);
    let copied = js_sys::JSON::stringify(&list.get(0)).unwrap();
    let copied: serde_json::Value = serde_json::from_str(&String::from(copied)).unwrap();
    let keys: Vec<_> = copied.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["deviceId", "groupId", "kind", "label"]);
    let rig = Rig::connected().await;
    let (first, second) = (fulfilled(rig.app.connect()).await, fulfilled(rig.app.connect()).await);
    assert_eq!(first, second, "always the same use cases");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn error_converts_to_a_readable_string() {
    let error = made("5").unwrap_err();
    assert!(error.is_instance_of::<js_sys::Error>());
    let line = js("(error) => '' + error").unchecked_into::<js_sys::Function>();
    let line = line.call1(&UNDEFINED, &error).unwrap().as_string().unwrap();
    assert!(line.starts_with("VideoRTCError INVALID_ARGUMENT: servers must be"), "{line}");
}
