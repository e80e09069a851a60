//! The Rust API, as a Rust web app uses it.

use std::cell::RefCell;
use std::rc::Rc;

use futures::StreamExt;
use videortc::{CallEvent, CallOptions, Code, Events, Outgoing, Track, TransferState, VideoRtc};
use wasm_bindgen_test::wasm_bindgen_test;

use super::far_end::FarEnd;
use super::gateway::{Gateway, ME, PEER, Script};
use super::page::{has_ended, until};

/// Waits for the next event that the function maps to a value.
async fn next<T>(events: &mut Events, wanted: impl Fn(CallEvent) -> Option<T>) -> T {
    loop {
        let event = events.next().await.expect("events go on");
        if let Some(value) = wanted(event) {
            return value;
        }
    }
}

fn connection(gateway: &Gateway) -> VideoRtc {
    VideoRtc::builder(gateway.address()).log_level(None).build().unwrap()
}

#[wasm_bindgen_test]
async fn rust_app_registers_calls_and_hangs_up() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let (call, mut events) = usecases.video_call(CallOptions::new()).await.unwrap();
    assert_eq!(call.register(Some(ME)).await.unwrap(), ME);
    assert!(call.peers().await.unwrap().contains(&PEER.to_owned()));
    let mut far = FarEnd::new().await;
    call.call(Some(PEER)).await.unwrap();
    assert_eq!(call.peer().as_deref(), Some(PEER));
    far.answer(&gateway).await;
    let stream = next(&mut events, |event| match event {
        CallEvent::RemoteStream { stream, peer } if peer == PEER => Some(stream),
        _ => None,
    })
    .await;
    assert_eq!(call.remote_stream(), Some(stream));
    let local = call.local_stream().unwrap();
    assert!(!call.toggle(Track::Audio).unwrap());
    call.hang_up(Some("enough")).await.unwrap();
    let reason = next(&mut events, |event| match event {
        CallEvent::HangUp { peer, reason } if peer == PEER => Some(reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, "enough");
    assert!(has_ended(&local));
    app.disconnect().await;
    assert_eq!(gateway.requests("destroy").len(), 1);
}

#[wasm_bindgen_test]
async fn errors_have_a_code_and_a_message() {
    let error = VideoRtc::new("example.com/janus").err().unwrap();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.to_string().contains("it has no http://"), "{error}");
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let (call, _events) = usecases.video_call(CallOptions::new()).await.unwrap();
    for _ in 0..2 {
        gateway.script("register", Script::Refusal(476, "taken"));
    }
    assert_eq!(call.register(Some(ME)).await.unwrap_err().code(), Code::UsernameTaken);
    assert_eq!(call.register(Some("")).await.unwrap_err().code(), Code::InvalidArgument);
    let sent = call.send(Outgoing::text("text/plain", "hello")).unwrap().await;
    assert_eq!(sent.unwrap_err().code(), Code::NoCall);
    assert_eq!(call.toggle(Track::Video).unwrap_err().code(), Code::NoCall);
    call.close().await.unwrap();
    assert_eq!(call.register(None).await.unwrap_err().code(), Code::Closed);
    app.disconnect().await;
}

#[wasm_bindgen_test]
async fn command_starts_when_its_method_is_called() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let (call, _events) = usecases.video_call(CallOptions::new()).await.unwrap();
    drop(call.register(Some(ME)));
    gateway.request("register").await;
    app.disconnect().await;
}

#[wasm_bindgen_test]
async fn dropping_the_last_clone_closes_the_call_and_the_session() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let (call, events) = usecases.video_call(CallOptions::new()).await.unwrap();
    let clone = call.clone();
    drop((call, app, usecases));
    clone.register(Some(ME)).await.unwrap();
    assert!(gateway.requests("detach").is_empty());
    drop(clone);
    until("the end of the session", || !gateway.requests("destroy").is_empty()).await;
    drop(events);
}

#[wasm_bindgen_test]
async fn callback_can_call_any_method() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let heard = Rc::new(RefCell::new(Vec::new()));
    let call = Rc::new(RefCell::new(None));
    let made = {
        let (heard, call) = (heard.clone(), call.clone());
        let on_event = move |event| {
            let call: Option<videortc::VideoCall> = call.borrow().clone();
            if let (Some(call), CallEvent::Registered { .. }) = (call, &event) {
                drop(call.peers());
                assert!(call.toggle(Track::Audio).is_err());
            }
            heard.borrow_mut().push(format!("{event:?}"));
        };
        usecases.video_call_with(CallOptions::new(), on_event).await.unwrap()
    };
    *call.borrow_mut() = Some(made.clone());
    made.register(Some(ME)).await.unwrap();
    gateway.request("list").await;
    assert!(heard.borrow().iter().any(|event| event.starts_with("Registered")));
    app.disconnect().await;
    call.take();
}

#[wasm_bindgen_test]
async fn transfer_to_a_janus_js_peer_ends_with_its_status() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let (call, mut events) = usecases.video_call(CallOptions::new()).await.unwrap();
    call.register(Some(ME)).await.unwrap();
    let mut far = FarEnd::new().await;
    call.call(Some(PEER)).await.unwrap();
    let sending = call.send(Outgoing::text("text/plain", "hello")).unwrap();
    far.answer(&gateway).await;
    next(&mut events, |event| matches!(event, CallEvent::Accepted(_)).then_some(())).await;
    let status = sending.await.unwrap();
    assert_eq!((status.state, status.size, status.transferred), (TransferState::Done, 5, 5));
    app.disconnect().await;
}

#[wasm_bindgen_test]
async fn closes_a_call_object_whose_future_was_dropped() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    drop(usecases.video_call(CallOptions::new()));
    until("the handle is detached", || !gateway.requests("detach").is_empty()).await;
    app.disconnect().await;
}

#[wasm_bindgen_test]
async fn closing_during_offer_creation_ends_the_events() {
    let gateway = Gateway::new();
    let app = connection(&gateway);
    let usecases = app.connect().await.unwrap();
    let (call, mut events) = usecases.video_call(CallOptions::new()).await.unwrap();
    call.register(Some(ME)).await.unwrap();
    let calling = call.call(Some(PEER));
    let local = |event| matches!(event, CallEvent::LocalStream(_)).then_some(());
    next(&mut events, local).await;
    // The browser never settles operations that were pending when the connection was closed.
    call.close().await.unwrap();
    assert_eq!(calling.await.unwrap_err().code(), Code::Closed);
    drop(call);
    let rest: Vec<CallEvent> = events.collect().await;
    assert!(rest.iter().any(|event| matches!(event, CallEvent::HangUp { .. })), "{rest:?}");
    app.disconnect().await;
}
