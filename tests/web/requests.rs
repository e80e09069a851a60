//! HTTP requests, their secrets in the console, and answers that are not a gateway's.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::api::VideoRtc;
use super::gateway::{Gateway, ME, PEER, Rig, Script};
use super::page::{
    ConsoleSpy, Listeners, UNDEFINED, assert_error, fulfilled, get, js, rejected, text, words,
};

/// The headers of a body that needs no preflight.
fn plain() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "text/plain;charset=UTF-8".to_owned())]
}

#[wasm_bindgen_test]
async fn no_request_needs_a_preflight() {
    let rig = Rig::connected().await;
    let call = rig.registered(&Listeners::new(), &UNDEFINED).await;
    fulfilled(call.get_peers()).await;
    fulfilled(call.close_usecase()).await;
    fulfilled(rig.app.disconnect()).await;
    let requests = rig.gateway.all_requests();
    for kind in ["create", "attach", "register", "list", "detach", "destroy", "poll"] {
        assert!(requests.iter().any(|request| request.kind == kind), "no {kind}");
    }
    for request in requests {
        let (method, headers) = match request.kind.as_str() {
            "poll" => ("GET", vec![]),
            _ => ("POST", plain()),
        };
        assert_eq!(
            (request.method.as_str(), &request.headers),
            (method, &headers),
            "{}",
            request.kind
        );
        assert_eq!(request.credentials, "same-origin");
    }
}

#[wasm_bindgen_test]
async fn sends_cookies_if_requested() {
    let rig = Rig::new("error", "{ withCredentials: true }");
    fulfilled(rig.app.connect()).await;
    assert_eq!(rig.gateway.request("create").await.credentials, "include");
    assert_eq!(rig.gateway.request("poll").await.credentials, "include");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn secrets_are_in_every_request_and_in_no_log_line() {
    let console = ConsoleSpy::new();
    let gateway = Gateway::new();
    let app = VideoRtc::new(
        &gateway.servers(),
        &js("[{ urls: 'turn:127.0.0.1:3478', username: 'turn-user', credential: 'TURN-WORD' }]"),
        &"trace".into(),
        &js("{ apiSecret: 'S3CRET &?#é', token: 'T0KEN+/=', account: 'Tom of the shop' }"),
    );
    let rig = Rig { gateway, app };
    fulfilled(rig.app.connect()).await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    rig.gateway.script("call", Script::Refusal(478, "No such username"));
    let error = rejected(call.call(&PEER.into())).await;
    listeners.hang_up().await;
    let create = rig.gateway.request("create").await;
    let poll = rig.gateway.request("poll").await;
    let requests = rig.gateway.all_requests();
    let offer = rig.gateway.request("call").await;
    rig.end().await;

    let id = create.body["id"].to_string();
    assert!(poll.url.contains(&format!("/{id}?client=")), "{}", poll.url);
    assert!(poll.url.contains("&maxev=10&"), "{}", poll.url);
    assert!(poll.url.contains("apisecret=S3CRET%20%26%3F%23%C3%A9"), "{}", poll.url);
    assert!(poll.url.contains("token=T0KEN%2B%2F%3D"), "{}", poll.url);
    for request in requests.iter().filter(|request| request.method == "POST") {
        assert_eq!(request.body["apisecret"], "S3CRET &?#é", "{}", request.kind);
        assert_eq!(request.body["token"], "T0KEN+/=", "{}", request.kind);
        assert!(!request.url.contains('&'), "no more than the client: {}", request.url);
    }

    assert!(console.has("debug", "POST"), "something was traced: {}", console.all());
    let ice_key = offer.sdp().split("a=ice-pwd:").nth(1).unwrap();
    let ice_key = ice_key.split_whitespace().next().unwrap();
    for secret in ["S3CRET", "T0KEN", "TURN-WORD", id.as_str(), ice_key, "a=fingerprint"] {
        assert!(!console.all().contains(secret), "{secret} in the console: {}", console.all());
        assert!(!words(&error).contains(secret), "{secret} in an error");
    }
}

#[wasm_bindgen_test]
async fn silent_level_writes_nothing() {
    let console = ConsoleSpy::new();
    let rig = Rig::new("none", "{ unknown: 1 }");
    fulfilled(rig.app.connect()).await;
    let call = rig.registered(&Listeners::new(), &UNDEFINED).await;
    rejected(call.call(&ME.into())).await;
    rig.end().await;
    assert_eq!(console.count(), 0, "{}", console.all());
}

#[wasm_bindgen_test]
async fn distinguishes_answers_that_are_not_a_gateways() {
    for (script, code, part) in [
        (Script::NoNetwork, "GATEWAY_UNREACHABLE", "Failed to fetch"),
        (Script::NoResponse, "GATEWAY_UNREACHABLE", "fetch gave no response"),
        (
            Script::Http(200, "<!doctype html><p>Hello"),
            "GATEWAY_PROTOCOL",
            "<!doctype html><p>Hello",
        ),
        (Script::Http(200, "{\"janus\":\"succ"), "GATEWAY_PROTOCOL", "it is not JSON"),
        (Script::Http(200, ""), "GATEWAY_PROTOCOL", "an empty body"),
        (Script::Http(200, "[]"), "GATEWAY_PROTOCOL", "the JSON is not an object"),
        (
            Script::Http(500, "out of order"),
            "GATEWAY_PROTOCOL",
            "HTTP status 500, \"out of order\"",
        ),
        (Script::Http(404, ""), "GATEWAY_PROTOCOL", "HTTP status 404"),
        (Script::Http(403, ""), "UNAUTHORIZED", "check apiSecret and token"),
    ] {
        let rig = Rig::new("none", "{}");
        rig.gateway.script("create", script);
        assert_error(&rejected(rig.app.connect()).await, code, part);
        fulfilled(rig.app.connect()).await;
        rig.end().await;
    }
}

#[wasm_bindgen_test]
async fn stops_reading_an_endless_body() {
    let rig = Rig::new("none", "{}");
    rig.gateway.script("create", Script::Endless);
    let error = rejected(rig.app.connect()).await;
    assert_error(&error, "GATEWAY_PROTOCOL", "reads at most 1048576");
}

#[wasm_bindgen_test]
async fn leaving_ends_the_session_and_returning_resumes() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let turn = |event: &str| {
        js(&format!("dispatchEvent(new PageTransitionEvent('{event}', {{ persisted: true }}))"))
    };
    turn("pagehide");
    // Immediately, and with `keepalive`.
    let goodbyes = rig.gateway.requests("destroy");
    assert_eq!(goodbyes.len(), 1);
    assert!(goodbyes[0].is_kept_alive);
    assert_eq!(goodbyes[0].headers, plain());
    turn("pageshow");
    listeners.heard("onReconnected").await;
    fulfilled(call.get_peers()).await;
    fulfilled(rig.app.disconnect()).await;
    let said = rig.gateway.requests("destroy").len();
    turn("pagehide");
    assert_eq!(rig.gateway.requests("destroy").len(), said, "nobody listens after disconnect()");
}

#[wasm_bindgen_test]
async fn gives_up_on_a_silent_gateway() {
    let rig = Rig::new("none", "{ requestTimeout: 100 }");
    rig.gateway.script("create", Script::Silence);
    assert_error(
        &rejected(rig.app.connect()).await,
        "GATEWAY_TIMEOUT",
        "the gateway did not answer Create within",
    );
    assert!(rig.gateway.request("create").await.is_aborted());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn uses_the_second_server_if_the_first_is_down() {
    let gateway = Gateway::new();
    let servers = js_sys::Array::of2(&"http://down.test/janus".into(), &gateway.address().into());
    let app = VideoRtc::new(&servers, &UNDEFINED, &"none".into(), &UNDEFINED);
    let rig = Rig { gateway, app };
    fulfilled(rig.app.connect()).await;
    rig.gateway.request("poll").await;
    rig.end().await;

    let both = js("['http://down.test/janus', 'http://also-down.test']");
    let app = VideoRtc::new(&both, &UNDEFINED, &"none".into(), &UNDEFINED);
    let _gateway = Gateway::new();
    let error = rejected(app.connect()).await;
    assert_error(&error, "GATEWAY_UNREACHABLE", "http://down.test/janus: nothing answered");
    assert_error(&error, "GATEWAY_UNREACHABLE", "http://also-down.test: nothing answered");
}

#[wasm_bindgen_test]
async fn restores_a_lost_session_with_its_name() {
    let rig = Rig::new("none", "{}");
    fulfilled(rig.app.connect()).await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    rig.gateway.push(serde_json::json!({ "janus": "timeout" }));
    let (cause, _) = listeners.heard("onReconnecting").await;
    assert_error(&cause, "SESSION_LOST", "");
    listeners.heard("onReconnected").await;
    fulfilled(call.get_peers()).await;
    let count = |kind: &str| rig.gateway.requests(kind).len();
    assert_eq!((count("create"), count("attach"), count("register")), (2, 2, 2));
    assert_eq!(listeners.count("onError"), 0);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn reports_a_session_lost_for_good_and_allows_reconnecting() {
    let rig = Rig::new("none", "{ retryLimit: 0 }");
    fulfilled(rig.app.connect()).await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    rig.gateway.push(serde_json::json!({ "janus": "timeout" }));
    let (error, _) = listeners.heard("onError").await;
    assert_error(&error, "SESSION_LOST", "call connect() again");
    assert_error(&rejected(call.call(&PEER.into())).await, "CLOSED", "usecases.videoCall()");
    let made = rig.app.video_call(&UNDEFINED, &UNDEFINED, &UNDEFINED);
    assert_error(&rejected(made).await, "NOT_CONNECTED", "call connect() first");
    fulfilled(rig.app.connect()).await;
    rig.registered(&Listeners::new(), &UNDEFINED).await;
    let id = |i: usize| rig.gateway.requests("create")[i].body["id"].clone();
    assert_ne!(id(0), id(1), "every session has an id of its own");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn unknown_events_break_nothing() {
    let rig = Rig::new("none", "{}");
    fulfilled(rig.app.connect()).await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    for event in [
        serde_json::json!({ "janus": "novelty", "sender": 1 }),
        serde_json::json!({ "janus": "event", "sender": 999, "plugindata": {} }),
        serde_json::json!({ "no": "janus" }),
        serde_json::json!(42),
    ] {
        rig.gateway.push(event);
    }
    let info = serde_json::json!(
        { "janus": "slowlink", "sender": 1, "media": "video", "uplink": true, "lost": 25 }
    );
    rig.gateway.push(info);
    let (info, _) = listeners.heard("onSlowLink").await;
    assert_eq!(text(&info, "media"), "video");
    assert_eq!(get(&info, "uplink"), JsValue::FALSE);
    assert_eq!(get(&info, "lost"), JsValue::from(25));
    fulfilled(call.get_peers()).await;
    rig.end().await;
}

#[wasm_bindgen_test]
async fn call_can_have_its_own_account() {
    let rig = Rig::new("error", "{ account: 'the shop' }");
    fulfilled(rig.app.connect()).await;
    for (options, account) in [("{}", "the shop"), ("{ account: 'desk 7' }", "desk 7")] {
        rig.video_call_with(&Listeners::new(), &UNDEFINED, options).await;
        assert_eq!(rig.gateway.request("attach").await.body["opaque_id"], account);
    }
    rig.end().await;
}
