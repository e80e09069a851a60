//! Objects that end early: dropped, closed or disconnected during a command.

use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;

use super::far_end::FarEnd;
use super::gateway::{ME, PEER, Request, Rig, Script, to_video_call};
use super::page::{
    Container, Devices, Listeners, UNDEFINED, assert_error, camera, fulfilled, has_ended, rejected,
    turn, until,
};

/// The gateway drops the session, which ends an object that nobody owns.
fn forget(gateway: &super::gateway::Gateway) {
    gateway.push(serde_json::json!({ "janus": "timeout" }));
}

#[wasm_bindgen_test]
async fn dropping_the_app_does_not_stop_connecting() {
    let Rig { gateway, app } = Rig::new("error", "{ retryLimit: 0 }");
    let connected = app.connect();
    drop(app);
    fulfilled(connected).await;
    gateway.request("poll").await;
    forget(&gateway);
}

#[wasm_bindgen_test]
async fn dropping_the_app_does_not_stop_attaching() {
    let Rig { gateway, app } = Rig::new("error", "{ retryLimit: 0 }");
    fulfilled(app.connect()).await;
    let listeners = Listeners::new();
    let made = app.video_call(&listeners.object, &UNDEFINED, &UNDEFINED);
    drop(app);
    let call = to_video_call(fulfilled(made).await);
    fulfilled(call.register(&ME.into())).await;
    assert_eq!(listeners.name("onRegistered").await, ME);
    forget(&gateway);
    listeners.heard("onError").await;
}

#[wasm_bindgen_test]
async fn dropping_the_app_does_not_stop_disconnecting() {
    let Rig { gateway, app } = Rig::connected().await;
    let disconnected = app.disconnect();
    drop(app);
    fulfilled(disconnected).await;
    assert_eq!(gateway.requests("destroy").len(), 1);
}

#[wasm_bindgen_test]
async fn dropping_a_call_settles_every_promise() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let promises = [
        call.register(&ME.into()),
        call.get_peers(),
        call.set_call(&true.into(), &UNDEFINED, &UNDEFINED),
    ];
    let refused = [call.accept_call(), call.hang_up(&UNDEFINED), call.toggle_audio()];
    drop(call);
    for promise in promises {
        fulfilled(promise).await;
    }
    for promise in refused {
        assert_error(&rejected(promise).await, "NO_CALL", "");
    }
    assert_eq!(listeners.name("onRegistered").await, ME);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn dropped_ringing_call_continues_until_disconnect() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let stream = camera().await;
    let devices = Devices::new();
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    let calling = call.call(&PEER.into());
    devices.asked().await;
    drop(call);
    devices.grant(&stream);
    fulfilled(calling).await;
    assert!(!has_ended(&stream));
    assert!(!container.is_empty());
    fulfilled(rig.app.disconnect()).await;
    assert!(has_ended(&stream));
    assert!(container.is_empty());
    listeners.hang_up().await;
}

#[wasm_bindgen_test]
async fn connect_and_disconnect_are_idempotent() {
    let rig = Rig::new("error", "{}");
    fulfilled(rig.app.disconnect()).await;
    let both = [rig.app.connect(), rig.app.connect()];
    for promise in both {
        fulfilled(promise).await;
    }
    fulfilled(rig.app.connect()).await;
    assert_eq!(rig.gateway.requests("create").len(), 1);
    let both = [rig.app.disconnect(), rig.app.disconnect()];
    for promise in both {
        fulfilled(promise).await;
    }
    fulfilled(rig.app.disconnect()).await;
    assert_eq!(rig.gateway.requests("destroy").len(), 1);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn disconnect_aborts_connect() {
    let rig = Rig::new("none", "{}");
    rig.gateway.script("create", Script::Silence);
    let connecting = rig.app.connect();
    rig.gateway.request("create").await;
    fulfilled(rig.app.disconnect()).await;
    assert_error(&rejected(connecting).await, "NOT_CONNECTED", "disconnect() came before");
    assert!(rig.gateway.request("create").await.is_aborted());
    fulfilled(rig.app.connect()).await;
    rig.end().await;
}

#[wasm_bindgen_test]
async fn connect_waits_for_a_running_disconnect() {
    let rig = Rig::connected().await;
    let leaving = rig.app.disconnect();
    let connecting = rig.app.connect();
    fulfilled(leaving).await;
    fulfilled(connecting).await;
    let count = |kind: &str| rig.gateway.requests(kind).len();
    assert_eq!((count("create"), count("destroy")), (2, 1));
    rig.end().await;
}

#[wasm_bindgen_test]
async fn disconnect_aborts_video_call() {
    let rig = Rig::new("none", "{}");
    rig.gateway.script("attach", Script::Silence);
    fulfilled(rig.app.connect()).await;
    let made = rig.app.video_call(&UNDEFINED, &UNDEFINED, &UNDEFINED);
    rig.gateway.request("attach").await;
    fulfilled(rig.app.disconnect()).await;
    assert_error(&rejected(made).await, "NOT_CONNECTED", "disconnect()");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn disconnect_aborts_register() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    rig.gateway.script("register", Script::Silence);
    let registering = call.register(&ME.into());
    rig.gateway.request("register").await;
    fulfilled(rig.app.disconnect()).await;
    assert_error(&rejected(registering).await, "NOT_CONNECTED", "");
    assert_eq!(listeners.heard("onRegistered").await, (ME.into(), false.into()));
    rig.end().await;
}

/// The ways to end a call while the permission prompt is open.
#[derive(Clone, Copy, Debug)]
enum End {
    HangUp,
    Close,
    Disconnect,
}

#[wasm_bindgen_test]
async fn closes_devices_that_open_too_late() {
    for (end, code, reason) in [
        (End::HangUp, "CALL_ENDED", "Cancelled"),
        (End::Close, "CLOSED", "Hung up"),
        (End::Disconnect, "NOT_CONNECTED", "Hung up"),
    ] {
        let rig = Rig::connected().await;
        let (listeners, container) = (Listeners::new(), Container::new());
        let call = rig.registered(&listeners, &container.dom_elements()).await;
        let stream = camera().await;
        let devices = Devices::new();
        let calling = call.call(&PEER.into());
        devices.asked().await;
        let ended = match end {
            End::HangUp => call.hang_up(&UNDEFINED),
            End::Close => call.close_usecase(),
            End::Disconnect => rig.app.disconnect(),
        };
        fulfilled(ended).await;
        assert_error(&rejected(calling).await, code, "");
        assert_eq!(listeners.hang_up().await, (PEER.to_owned(), reason.to_owned()), "{end:?}");
        devices.grant(&stream);
        until("the late devices are released", || has_ended(&stream)).await;
        turn().await;
        assert!(container.is_empty(), "{end:?}");
        assert_eq!(listeners.count("onReadyLocalStream"), 0, "{end:?}");
        assert!(rig.gateway.requests("call").is_empty(), "{end:?}");
        rig.end().await;
    }
}

#[wasm_bindgen_test]
async fn new_call_does_not_get_late_devices_of_the_previous_one() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let (late, fresh) = (camera().await, camera().await);
    let devices = Devices::new();
    let first = call.call(&PEER.into());
    devices.asked().await;
    fulfilled(call.hang_up(&UNDEFINED)).await;
    rejected(first).await;
    let second = call.call(&PEER.into());
    until("the second question", || devices.waiting() == 2).await;
    devices.grant(&late);
    devices.grant(&fresh);
    fulfilled(second).await;
    assert!(has_ended(&late));
    assert!(!has_ended(&fresh));
    rig.end().await;
    assert!(has_ended(&fresh));
}

#[wasm_bindgen_test]
async fn denied_devices_end_the_call_before_it_is_sent() {
    for (name, code) in [
        ("NotAllowedError", "PERMISSION_DENIED"),
        ("SecurityError", "PERMISSION_DENIED"),
        ("NotFoundError", "DEVICE_NOT_FOUND"),
        ("OverconstrainedError", "DEVICE_NOT_FOUND"),
        ("NotReadableError", "DEVICE_IN_USE"),
        ("AbortError", "DEVICE_IN_USE"),
        ("InvalidStateError", "DEVICE_ERROR"),
    ] {
        let rig = Rig::connected().await;
        let listeners = Listeners::new();
        let call = rig.registered(&listeners, &UNDEFINED).await;
        let devices = Devices::new();
        let calling = call.call(&PEER.into());
        devices.asked().await;
        devices.refuse(name);
        assert_error(&rejected(calling).await, code, &format!("{name}: no"));
        let reason = "Could not open the camera or the microphone";
        assert_eq!(listeners.hang_up().await, (PEER.to_owned(), reason.to_owned()));
        assert!(rig.gateway.requests("call").is_empty());
        rig.end().await;
    }
}

#[wasm_bindgen_test]
async fn callee_without_devices_reports_to_the_caller() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    let mut far = FarEnd::new().await;
    let devices = Devices::new();
    far.call(&rig.gateway).await;
    listeners.heard("onIncomingCall").await;
    let accepting = call.accept_call();
    devices.asked().await;
    devices.refuse("NotAllowedError");
    assert_error(&rejected(accepting).await, "PERMISSION_DENIED", "site settings");
    let told = rig.gateway.request("hangup").await;
    assert_eq!(told.body["body"]["reason"], "Could not open the camera or the microphone");
    assert!(rig.gateway.requests("accept").is_empty());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn disconnect_cancels_an_outgoing_call_first() {
    let rig = Rig::connected().await;
    let (listeners, container) = (Listeners::new(), Container::new());
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    fulfilled(call.call(&PEER.into())).await;
    let (stream, _) = listeners.heard("onReadyLocalStream").await;
    fulfilled(rig.app.disconnect()).await;
    listeners.hang_up().await;
    assert!(has_ended(stream.unchecked_ref()));
    assert!(container.is_empty());
    let kinds: Vec<_> =
        rig.gateway.all_requests().iter().map(|r: &Request| r.kind.clone()).collect();
    let at = |kind: &str| kinds.iter().position(|sent| sent == kind).expect(kind);
    assert!(at("hangup") < at("destroy"), "{kinds:?}");
}

#[wasm_bindgen_test]
async fn disconnect_declines_an_incoming_call_first() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.registered(&listeners, &UNDEFINED).await;
    rig.gateway.ring("v=0");
    assert_eq!(listeners.name("onIncomingCall").await, PEER);
    fulfilled(rig.app.disconnect()).await;
    assert_eq!(listeners.hang_up().await.0, PEER);
    assert_eq!(rig.gateway.requests("hangup").len(), 1);
    assert_error(&rejected(call.accept_call()).await, "CLOSED", "usecases.videoCall()");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn closed_call_rejects_commands_and_a_new_one_works() {
    let rig = Rig::connected().await;
    let call = rig.registered(&Listeners::new(), &UNDEFINED).await;
    let both = [call.close_usecase(), call.close_usecase()];
    for promise in both {
        fulfilled(promise).await;
    }
    fulfilled(call.close_usecase()).await;
    assert_eq!(rig.gateway.requests("detach").len(), 1);
    for promise in [
        call.register(&ME.into()),
        call.get_peers(),
        call.call(&PEER.into()),
        call.accept_call(),
        call.hang_up(&UNDEFINED),
        call.set_call(&true.into(), &UNDEFINED, &UNDEFINED),
        call.toggle_audio(),
        call.toggle_video(),
    ] {
        assert_error(&rejected(promise).await, "CLOSED", "usecases.videoCall()");
    }
    rig.registered(&Listeners::new(), &UNDEFINED).await;
    rig.end().await;
}
