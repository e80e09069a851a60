//! Audio and video, to and from a real peer connection in the same page.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{HtmlVideoElement, MediaStream};

use super::far_end::FarEnd;
use super::gateway::{PEER, Rig, Script};
use super::page::{
    Container, Devices, Listeners, UNDEFINED, assert_error, camera, fulfilled, has_ended, js,
    plays, rejected, set, tracks, until,
};

const LOCAL: &str = "video.videortc-video.is-local-video";
const REMOTE: &str = "video.videortc-video.is-remote-video";

async fn stream(listeners: &Listeners, event: &str) -> MediaStream {
    listeners.heard(event).await.0.unchecked_into()
}

/// Whether a track of a kind is being sent.
fn is_enabled(stream: &MediaStream, kind: &str) -> bool {
    tracks(stream).iter().find(|track| track.kind() == kind).unwrap().enabled()
}

#[wasm_bindgen_test]
async fn call_shows_both_videos_and_cleans_up() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    let mut far = FarEnd::new().await;
    assert!(container.is_empty(), "no device opens before the call");

    fulfilled(call.call(&PEER.into())).await;
    assert_eq!(listeners.name("onCalling").await, PEER);
    let local = container.find(LOCAL).expect("the local picture while it rings");
    assert!(container.find(REMOTE).is_none());
    far.answer(&rig.gateway).await;
    assert_eq!(listeners.name("onAccepted").await, PEER);
    let (remote_stream, peer) = listeners.heard("onRemoteStreamReady").await;
    assert_eq!(peer, JsValue::from(PEER));

    let remote = container.find(REMOTE).expect("the remote picture");
    plays("the local picture", &local).await;
    plays("the remote picture", &remote).await;
    far.receives("video").await;
    far.receives("audio").await;
    assert_eq!(tracks(remote_stream.unchecked_ref()).len(), 2);
    for (video, muted) in [(&local, true), (&remote, false)] {
        assert_eq!(video.muted(), muted);
        assert!(video.autoplay());
        assert!(video.has_attribute("playsinline"));
        assert!(!video.paused());
    }
    assert_eq!(listeners.count("onRemoteStreamReady"), 1, "once, though there are two tracks");

    let local_stream = stream(&listeners, "onReadyLocalStream").await;
    fulfilled(call.hang_up(&"dinner".into())).await;
    assert_eq!(listeners.hang_up().await, (PEER.to_owned(), "dinner".to_owned()));
    assert_eq!(rig.gateway.request("hangup").await.body["body"]["reason"], "dinner");
    assert!(container.is_empty());
    assert!(local.src_object().is_none() && remote.src_object().is_none());
    assert!(has_ended(&local_stream), "the devices are released");
    // The browser ends these tracks a moment after the connection is closed.
    until("the peer connection is closed", || has_ended(remote_stream.unchecked_ref())).await;
    rig.end().await;
    assert_eq!(listeners.count("onHangUp"), 1);
}

#[wasm_bindgen_test]
async fn call_inside_on_incoming_call_accepts_it() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = std::rc::Rc::new(rig.registered(&listeners, &container.dom_elements()).await);
    {
        let call = call.clone();
        listeners.on("onIncomingCall", move |_, _| call.call(&UNDEFINED).into());
    }
    let mut far = FarEnd::new().await;
    far.call(&rig.gateway).await;
    far.accepted(&rig.gateway).await;
    assert_eq!(listeners.name("onAccepted").await, PEER);
    plays("the remote picture", &container.find(REMOTE).unwrap()).await;
    far.receives("video").await;
    let local_stream = stream(&listeners, "onReadyLocalStream").await;
    rig.gateway.peer_hangs_up("We did the hangup");
    assert_eq!(listeners.hang_up().await, (PEER.to_owned(), "Hung up".to_owned()));
    assert!(container.is_empty());
    assert!(has_ended(&local_stream));
    rig.end().await;
    assert_eq!(listeners.count("onHangUp"), 1, "one for all three events of the gateway");
}

#[wasm_bindgen_test]
async fn buffers_candidates_until_the_devices_are_open() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    let mut far = FarEnd::new().await;
    let stream = camera().await;
    let devices = Devices::new();
    far.call(&rig.gateway).await;
    listeners.heard("onIncomingCall").await;
    let accepting = call.accept_call();
    devices.asked().await;
    until("all candidates have come", || far.has_gathered() && rig.gateway.is_polled()).await;
    devices.grant(&stream);
    // It receives no candidates of the page: only the page can find a path.
    far.take_answer(&rig.gateway).await;
    fulfilled(accepting).await;
    listeners.heard("onRemoteStreamReady").await;
    plays("the remote picture", &container.find(REMOTE).unwrap()).await;
    rig.end().await;
}

#[wasm_bindgen_test]
async fn uses_and_releases_elements_of_the_page() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let (local, remote) = (container.own_video(), container.own_video());
    let elements = container.dom_elements();
    set(&elements, "localVideo", &local);
    set(&elements, "remoteVideo", &remote);
    let call = rig.registered(&listeners, &elements).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    plays("the local picture", &local).await;
    plays("the remote picture", &remote).await;
    let same =
        |found: Option<HtmlVideoElement>, wanted: &HtmlVideoElement| found.as_ref() == Some(wanted);
    assert!(same(container.find(LOCAL), &local) && same(container.find(REMOTE), &remote));
    assert_eq!(container.0.child_element_count(), 2, "no third element");
    fulfilled(call.hang_up(&UNDEFINED)).await;
    assert_eq!(container.0.child_element_count(), 2, "they are the page's");
    assert!(container.find(".videortc-video").is_none());
    assert!(local.src_object().is_none() && remote.src_object().is_none());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn streams_come_with_their_events_without_elements() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    let own = Container::new();
    let video = own.own_video();
    video.set_muted(true);
    video.set_autoplay(true);
    video.set_src_object(Some(&stream(&listeners, "onRemoteStreamReady").await));
    plays("the page's own element", &video).await;
    rig.end().await;
}

#[wasm_bindgen_test]
async fn muting_disables_the_sent_tracks() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    for promise in [call.toggle_audio(), call.toggle_video()] {
        assert_error(&rejected(promise).await, "NO_CALL", "there is no call");
    }
    fulfilled(call.call(&PEER.into())).await;
    let local = stream(&listeners, "onReadyLocalStream").await;
    for wanted in [false, true] {
        assert_eq!(fulfilled(call.toggle_audio()).await, JsValue::from(wanted));
        assert_eq!((is_enabled(&local, "audio"), is_enabled(&local, "video")), (wanted, true));
    }
    for wanted in [false, true] {
        assert_eq!(fulfilled(call.toggle_video()).await, JsValue::from(wanted));
        assert_eq!((is_enabled(&local, "audio"), is_enabled(&local, "video")), (true, wanted));
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn stream_options_become_constraints() {
    let silent = "{ voiceProcessor: false, aDeviceId: 'mic', vDeviceId: 'cam', resolution: { width: 640, height: 480 }, frameRate: 15 }";
    for (options, wanted) in [
        ("{ videoEnabled: false }", "{\"audio\":ON,\"video\":false}"),
        ("{ audioEnabled: false }", "{\"audio\":false,\"video\":{}}"),
        ("{}", "{\"audio\":ON,\"video\":{}}"),
        (
            silent,
            "{\"audio\":{\"echoCancellation\":false,\"noiseSuppression\":false,\"autoGainControl\":false,\
             \"deviceId\":{\"exact\":\"mic\"}},\"video\":{\"deviceId\":{\"exact\":\"cam\"},\
             \"width\":{\"ideal\":640},\"height\":{\"ideal\":480},\"frameRate\":{\"ideal\":15}}}",
        ),
    ] {
        let on = "{\"echoCancellation\":true,\"noiseSuppression\":true,\"autoGainControl\":true}";
        let rig = Rig::connected().await;
        let options = format!("{{ stream: {options} }}");
        let call = rig.video_call_with(&Listeners::new(), &UNDEFINED, &options).await;
        fulfilled(call.register(&"Tom".into())).await;
        let devices = Devices::new();
        let calling = call.call(&PEER.into());
        let asked: String = js_sys::JSON::stringify(&devices.asked().await).unwrap().into();
        assert_eq!(asked, wanted.replace("ON", on), "{options}");
        rig.end().await;
        rejected(calling).await;
    }
}

#[wasm_bindgen_test]
async fn call_without_local_media_receives_media() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let options = "{ stream: { audioEnabled: false, videoEnabled: false } }";
    let call = rig.video_call_with(&listeners, &container.dom_elements(), options).await;
    fulfilled(call.register(&"Tom".into())).await;
    let mut far = FarEnd::new().await;
    let devices = Devices::new();
    fulfilled(call.call(&PEER.into())).await;
    assert_eq!(devices.waiting(), 0, "no device is asked for");
    far.answer(&rig.gateway).await;
    listeners.heard("onRemoteStreamReady").await;
    plays("the remote picture", &container.find(REMOTE).unwrap()).await;
    assert_error(&rejected(call.toggle_audio()).await, "DEVICE_NOT_FOUND", "sends no audio");
    assert_error(&rejected(call.toggle_video()).await, "DEVICE_NOT_FOUND", "sends no video");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn disconnect_during_a_call_releases_everything() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    let remote = stream(&listeners, "onRemoteStreamReady").await;
    let local = stream(&listeners, "onReadyLocalStream").await;
    rig.end().await;
    assert!(has_ended(&local));
    until("the peer connection is closed", || has_ended(&remote)).await;
    assert!(container.is_empty());
    listeners.hang_up().await;
}

#[wasm_bindgen_test]
async fn session_lost_during_a_call_releases_everything() {
    let rig = Rig::new("none", "{}");
    fulfilled(rig.app.connect()).await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    let remote = stream(&listeners, "onRemoteStreamReady").await;
    let local = stream(&listeners, "onReadyLocalStream").await;
    rig.gateway.push(serde_json::json!({ "janus": "timeout" }));
    assert_eq!(listeners.hang_up().await, (PEER.to_owned(), "Session lost".to_owned()));
    until("everything is released", || has_ended(&local) && has_ended(&remote)).await;
    assert!(container.is_empty());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn call_refused_by_the_gateway_releases_the_devices() {
    for (script, code, reason) in [
        (Script::Refusal(478, "No such username"), "NO_SUCH_USER", "No such user"),
        (
            Script::Result(serde_json::json!(
                { "event": "hangup", "username": "Tom", "reason": "User busy" }
            )),
            "USER_BUSY",
            "User busy",
        ),
    ] {
        let rig = Rig::new("none", "{}");
        fulfilled(rig.app.connect()).await;
        let (listeners, container) = (Listeners::new(), Container::new());
        let call = rig.registered(&listeners, &container.dom_elements()).await;
        rig.gateway.script("call", script);
        assert_error(&rejected(call.call(&PEER.into())).await, code, PEER);
        assert_eq!(listeners.hang_up().await, (PEER.to_owned(), reason.to_owned()));
        assert!(has_ended(&stream(&listeners, "onReadyLocalStream").await));
        assert!(container.is_empty());
        rig.end().await;
    }
}

#[wasm_bindgen_test]
async fn invalid_offer_fails_only_the_call() {
    let rig = Rig::new("none", "{}");
    fulfilled(rig.app.connect()).await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    rig.gateway.ring("this is no SDP");
    listeners.heard("onIncomingCall").await;
    let late = camera().await;
    let devices = Devices::new();
    assert_error(
        &rejected(call.accept_call()).await,
        "MEDIA_FAILED",
        "the other side's description",
    );
    assert_eq!(listeners.hang_up().await.1, "Media connection failed");
    devices.grant(&late);
    until("the late devices are released", || has_ended(&late)).await;
    assert!(container.is_empty());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn rejected_ice_server_fails_the_call() {
    let gateway = super::gateway::Gateway::new();
    let ice_servers = js("[{ urls: 'not an ice server' }]");
    let app =
        super::api::VideoRtc::new(&gateway.servers(), &ice_servers, &"none".into(), &UNDEFINED);
    let rig = Rig { gateway, app };
    fulfilled(rig.app.connect()).await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let late = camera().await;
    let devices = Devices::new();
    assert_error(&rejected(call.call(&PEER.into())).await, "MEDIA_FAILED", "check iceServers");
    devices.grant(&late);
    until("the devices are released", || has_ended(&late)).await;
    assert_eq!(listeners.count("onReadyLocalStream"), 0);
    assert!(rig.gateway.requests("call").is_empty());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn browser_without_connection_state_keeps_its_call() {
    // Firefox before 113.
    let state =
        js("Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'connectionState')");
    js("delete RTCPeerConnection.prototype.connectionState");
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call_with(&listeners, &UNDEFINED, "{ connectTimeout: 1000 }").await;
    fulfilled(call.register(&super::gateway::ME.into())).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    listeners.heard("onRemoteStreamReady").await;
    let past = js("performance.now() + 1500").as_f64().unwrap();
    until("connectTimeout has passed", || js("performance.now()").as_f64().unwrap() > past).await;
    let ends = listeners.count("onHangUp");
    let define = js(
        "(state) => Object.defineProperty(RTCPeerConnection.prototype, 'connectionState', state)",
    );
    define.unchecked_into::<js_sys::Function>().call1(&UNDEFINED, &state).unwrap();
    assert_eq!(ends, 0, "the call is up, and nobody ended it");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn does_not_toggle_an_ended_camera() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    fulfilled(call.call(&PEER.into())).await;
    let local = stream(&listeners, "onReadyLocalStream").await;
    tracks(&local).iter().filter(|track| track.kind() == "video").for_each(|track| track.stop());
    for _ in 0..2 {
        let error = rejected(call.toggle_video()).await;
        assert_error(&error, "DEVICE_NOT_FOUND", "this call sends no video");
    }
    assert_eq!(fulfilled(call.toggle_audio()).await, JsValue::FALSE);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn changed_bandwidth_estimate_is_not_a_network_change() {
    let rig = Rig::connected().await;
    js("navigator.connection?.dispatchEvent(new Event('change'))");
    // Firefox has no such object. A recovery request for a network change would be sent
    // immediately.
    assert!(rig.gateway.requests("keepalive").is_empty());
    rig.end().await;
}
