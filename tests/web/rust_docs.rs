//! Runs the samples of `docs/rust.md`. `tests/docs.rs` checks that each of them occurs here or in
//! `examples/rust-app`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join;
use futures::{FutureExt, StreamExt};
use js_sys::Array;
use videortc::data::Policy;
use videortc::log::Level;
use videortc::{
    CallEvent, CallOptions, Code, Error, Outgoing, Source, StreamOptions, TransferState, UseCases,
    VideoCall, VideoRtc,
};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Blob, HtmlElement};

use super::far_end::FarEnd;
use super::gateway::{Gateway, ME, PEER, Script};
use super::page::{js, until};

/// Gives the gateway the address of the samples.
async fn connected(gateway: &Gateway) -> UseCases {
    VideoRtc::new(gateway.address()).unwrap().connect().await.unwrap()
}

async fn registered(gateway: &Gateway, options: CallOptions) -> (VideoCall, videortc::Events) {
    let (call, events) = connected(gateway).await.video_call(options).await.unwrap();
    call.register(Some(ME)).await.unwrap();
    (call, events)
}

async fn end(gateway: &Gateway, call: VideoCall) {
    drop(call);
    until("the end of the session", || !gateway.requests("destroy").is_empty()).await;
}

fn configured(server: &str, fallback: &str) -> Result<VideoRtc, Error> {
    let app = VideoRtc::builder(server)
        .server(fallback)
        .stun_server("stun:stun.example.com")
        .turn_server("turn:turn.example.com", "tom", "secret")
        .request_timeout(Duration::from_secs(5))
        .log_level(Some(Level::Warn))
        .build()?;
    Ok(app)
}

fn call_options() -> CallOptions {
    let stream = StreamOptions { resolution: Some((1280, 720)), ..StreamOptions::default() };
    let allowed = Some(vec!["text/plain".into(), "image/*".into()]);
    let data = Policy { allowed, max_size: 10 << 20, ..Policy::default() };
    CallOptions::new().stream(stream).data(data).ring_timeout(Duration::from_secs(30))
}

#[wasm_bindgen_test]
async fn builder_sets_the_options_of_connections_and_calls() {
    let gateway = Gateway::new();
    let app = configured("http://gateway.invalid/janus", gateway.address()).unwrap();
    let usecases = app.connect().await.unwrap();
    let (call, _events) = usecases.video_call(call_options()).await.unwrap();
    call.register(Some(ME)).await.unwrap();
    drop((app, usecases));
    end(&gateway, call).await;
}

async fn call_back(usecases: &UseCases, status: HtmlElement) -> Result<VideoCall, Error> {
    let show = status.clone();
    let call = usecases
        .video_call_with(CallOptions::new(), move |event| match event {
            CallEvent::IncomingCall(peer) => show.set_inner_text(&format!("{peer} calls")),
            CallEvent::HangUp { reason, .. } => show.set_inner_text(&reason),
            _ => {}
        })
        .await?;
    Ok(call)
}

#[wasm_bindgen_test]
async fn callback_receives_the_events() {
    let gateway = Gateway::new();
    let status: HtmlElement = js("document.createElement('p')").into();
    let call = call_back(&connected(&gateway).await, status.clone()).await.unwrap();
    call.register(Some(ME)).await.unwrap();
    let mut far = FarEnd::new().await;
    far.call(&gateway).await;
    until("the ring", || status.inner_text() == format!("{PEER} calls")).await;
    gateway.peer_hangs_up("enough");
    until("the end", || status.inner_text() == "enough").await;
    end(&gateway, call).await;
}

async fn take_name(call: &VideoCall, wanted: &str) -> Result<String, Error> {
    match call.register(Some(wanted)).await {
        // Somebody else has it: the library makes up a guest name.
        Err(error) if error.code() == Code::UsernameTaken => call.register(None).await,
        result => result,
    }
}

#[wasm_bindgen_test]
async fn code_identifies_the_error() {
    let gateway = Gateway::new();
    for _ in 0..2 {
        gateway.script("register", Script::Refusal(476, "taken"));
    }
    let usecases = connected(&gateway).await;
    let (call, _events) = usecases.video_call(CallOptions::new()).await.unwrap();
    assert_ne!(take_name(&call, ME).await.unwrap(), ME);
    drop(usecases);
    end(&gateway, call).await;
}

#[wasm_bindgen_test]
async fn command_continues_if_its_future_is_dropped() {
    let gateway = Gateway::new();
    let (call, _events) = registered(&gateway, CallOptions::new()).await;
    let calling = call.call(Some("Jack")); // asked for, before it is awaited
    drop(call.hang_up(None)); // as well, and nobody waits for it
    assert_eq!(calling.await.unwrap_err().code(), Code::CallEnded);
    end(&gateway, call).await;
}

async fn send_both(call: &VideoCall, picture: Blob) -> Result<(), Error> {
    let message = call.send(Outgoing::text("text/plain", "Here it is."))?;
    let picture = call.send(Outgoing::blob("image/png", picture).filename("chart.png"))?;
    message.await?; // the other side has it whole
    picture.await?;
    Ok(())
}

#[wasm_bindgen_test]
async fn transfer_is_a_future() {
    let gateway = Gateway::new();
    let (call, events) = registered(&gateway, CallOptions::new()).await;
    let mut far = FarEnd::new().await;
    call.call(Some(PEER)).await.unwrap();
    let picture: Blob = js("new Blob(['png'])").into();
    let sending = send_both(&call, picture);
    let (sent, ()) = join(sending, far.answer(&gateway)).await;
    // The peer of these tests does not use videortc.
    assert_eq!(sent.unwrap_err().code(), Code::NotSupportedByPeer);
    drop(events);
    end(&gateway, call).await;
}

#[wasm_bindgen_test]
async fn dropped_transfer_continues_and_a_held_one_keeps_the_call() {
    let gateway = Gateway::new();
    let (call, events) = registered(&gateway, CallOptions::new()).await;
    let mut far = FarEnd::new().await;
    call.call(Some(PEER)).await.unwrap();
    let dropped: Blob = js("new Blob(['dropped'])").into();
    drop(call.send(Outgoing::blob("text/plain", dropped)).unwrap());
    let held = call.send(Outgoing::text("text/plain", "held")).unwrap();
    drop(call);
    far.answer(&gateway).await;
    assert_eq!(held.await.unwrap().state, TransferState::Done);
    until("the end of the session", || !gateway.requests("destroy").is_empty()).await;
    let heard: Vec<_> = events.collect().await;
    // The peer accepts no blobs, so this is the expected error.
    assert!(heard.iter().any(|event| matches!(event, CallEvent::FileFailed(_))), "{heard:?}");
    assert!(matches!(heard.last(), Some(CallEvent::HangUp { .. })), "{heard:?}");
}

#[wasm_bindgen_test]
async fn call_continues_without_its_events() {
    let gateway = Gateway::new();
    let (call, events) = registered(&gateway, CallOptions::new()).await;
    drop(events);
    let mut far = FarEnd::new().await;
    call.call(Some(PEER)).await.unwrap();
    far.answer(&gateway).await;
    until("the video of the other side", || call.remote_stream().is_some()).await;
    end(&gateway, call).await;
}

fn asking(server: &str) -> Result<VideoRtc, Error> {
    let token: Source<String> = Rc::new(|| fetch_token().boxed_local());
    let ice_servers: Source<Array> = Rc::new(|| fetch_ice_servers().boxed_local());
    let app = VideoRtc::builder(server).token_from(token).ice_servers_from(ice_servers).build()?;
    Ok(app)
}

thread_local! {
    static ASKED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static TOKENS: Cell<u32> = const { Cell::new(0) };
}

async fn fetch_token() -> Result<String, String> {
    ASKED.with_borrow_mut(|asked| asked.push("token"));
    TOKENS.set(TOKENS.get() + 1);
    Ok(format!("token {}", TOKENS.get()))
}

async fn fetch_ice_servers() -> Result<Array, String> {
    ASKED.with_borrow_mut(|asked| asked.push("ICE servers"));
    Ok(Array::new())
}

#[wasm_bindgen_test]
async fn requests_ice_servers_before_each_peer_connection() {
    let gateway = Gateway::new();
    ASKED.take();
    let app = asking(gateway.address()).unwrap();
    let usecases = app.connect().await.unwrap();
    let (call, _events) = usecases.video_call(CallOptions::new()).await.unwrap();
    call.register(Some(ME)).await.unwrap();
    let asked = |what| ASKED.with_borrow(|asked| asked.iter().filter(|one| **one == what).count());
    assert_eq!(asked("ICE servers"), 0);
    call.call(Some(PEER)).await.unwrap();
    assert_eq!(asked("ICE servers"), 1);
    drop((app, usecases));
    end(&gateway, call).await;
}

#[wasm_bindgen_test]
async fn requests_a_token_when_connecting() {
    let gateway = Gateway::new();
    let app = asking(gateway.address()).unwrap();
    app.connect().await.unwrap();
    let create = gateway.requests("create").pop().unwrap();
    assert_eq!(create.body["token"], format!("token {}", TOKENS.get()));
    app.disconnect().await;
}
