//! Listeners of the page: they may throw, change and call back.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use serde_json::json;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use super::api::VideoCall;
use super::far_end::FarEnd;
use super::gateway::{ME, PEER, Rig};
use super::page::{
    ConsoleSpy, Container, Listeners, Patch, UNDEFINED, assert_error, fulfilled, get, js, rejected,
    set, text, until,
};

/// A video call that its own listeners can use, and the promises of their calls.
#[derive(Clone, Default)]
struct Action {
    call: Rc<RefCell<Option<VideoCall>>>,
    promises: Rc<RefCell<Vec<Promise>>>,
}

impl Action {
    /// A listener that acts on the call.
    fn act<F>(&self, act: F) -> impl FnMut(JsValue, JsValue) -> JsValue + use<F>
    where
        F: Fn(&VideoCall) -> Promise + 'static,
    {
        let (call, promises) = (self.call.clone(), self.promises.clone());
        move |_, _| {
            if let Some(call) = call.borrow().as_ref() {
                promises.borrow_mut().push(act(call));
            }
            UNDEFINED
        }
    }

    fn take(&self, call: VideoCall) {
        *self.call.borrow_mut() = Some(call);
    }

    async fn all_fulfilled(&self) -> usize {
        let promises = self.promises.take();
        for promise in &promises {
            fulfilled(promise.clone()).await;
        }
        promises.len()
    }
}

#[wasm_bindgen_test]
async fn call_survives_throwing_listeners() {
    let console = ConsoleSpy::new();
    let rig = Rig::connected().await;
    let container = Container::new();
    let listeners = Listeners::new();
    let events = [
        "onRegistered",
        "onSetCall",
        "onReadyLocalStream",
        "onCalling",
        "onAccepted",
        "onRemoteStreamReady",
        "onHangUp",
    ];
    for event in events {
        listeners.throws(event);
    }
    let call = rig.registered(&listeners, &container.dom_elements()).await;
    fulfilled(call.get_peers()).await;
    fulfilled(call.set_call(&UNDEFINED, &UNDEFINED, &128_000.into())).await;
    let mut far = FarEnd::new().await;
    fulfilled(call.call(&PEER.into())).await;
    far.answer(&rig.gateway).await;
    listeners.heard("onRemoteStreamReady").await;
    fulfilled(call.hang_up(&UNDEFINED)).await;
    assert!(container.is_empty());
    for event in events {
        assert_eq!(listeners.count(event), 1, "{event}");
        assert!(console.has("error", &format!("{event} threw")), "{event}: {}", console.all());
    }
    rig.end().await;
}

#[wasm_bindgen_test]
async fn throwing_listener_getter_breaks_nothing() {
    let console = ConsoleSpy::new();
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let trap = js("(object) => Object.defineProperty(object, 'onRegistered', {
        get() { throw new Error('trap'); } })");
    let trap: js_sys::Function = trap.unchecked_into();
    trap.call1(&UNDEFINED, &listeners.object).unwrap();
    fulfilled(call.register(&ME.into())).await;
    assert!(console.has("error", "onRegistered threw"), "{}", console.all());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn listeners_can_be_replaced_removed_and_added_at_any_time() {
    let rig = Rig::connected().await;
    let first = Listeners::new();
    let call = rig.registered(&first, &UNDEFINED).await;
    let second = Listeners::new();
    for event in ["onIncomingCall", "onSetCall"] {
        set(&first.object, event, &get(&second.object, event));
    }
    rig.gateway.ring("v=0");
    assert_eq!(second.name("onIncomingCall").await, PEER);
    set(&first.object, "onHangUp", &"no function".into());
    fulfilled(call.get_peers()).await;
    fulfilled(call.set_call(&true.into(), &UNDEFINED, &UNDEFINED)).await;
    fulfilled(call.hang_up(&UNDEFINED)).await;
    let counts =
        |of: &Listeners| ["onIncomingCall", "onSetCall", "onHangUp"].map(|event| of.count(event));
    assert_eq!((counts(&first), counts(&second)), ([0; 3], [1, 1, 0]));
    rig.end().await;
}

#[wasm_bindgen_test]
async fn calls_a_listener_as_a_method_of_its_object() {
    let rig = Rig::connected().await;
    let object = js("{ names: [], onRegistered(name, ok) { this.names.push(name, ok); } }");
    let made = rig.app.video_call(&object, &UNDEFINED, &UNDEFINED);
    let call = super::gateway::to_video_call(fulfilled(made).await);
    fulfilled(call.register(&ME.into())).await;
    let heard: js_sys::Array = get(&object, "names").unchecked_into();
    assert_eq!(heard.to_vec(), [JsValue::from(ME), JsValue::TRUE]);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn reports_a_taken_name_by_event_and_promise() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    for _ in 0..2 {
        rig.gateway.script("register", super::gateway::Script::Refusal(476, "taken"));
    }
    assert_error(&rejected(call.register(&ME.into())).await, "USERNAME_TAKEN", ME);
    assert_eq!(listeners.heard("onRegistered").await, (ME.into(), JsValue::FALSE));
    assert_eq!(listeners.count("onError"), 0, "a promise was there to report it");
    rig.end().await;
}

#[wasm_bindgen_test]
async fn every_method_can_be_called_inside_a_listener() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let action = Action::default();
    listeners.on("onRegistered", action.act(|call| call.call(&PEER.into())));
    listeners.on("onReadyLocalStream", action.act(VideoCall::toggle_audio));
    listeners.on("onCalling", action.act(|call| call.hang_up(&"changed my mind".into())));
    listeners.on("onHangUp", action.act(VideoCall::close_usecase));
    let call = rig.video_call(&listeners, &UNDEFINED).await;
    let registered = call.register(&ME.into());
    action.take(call);
    fulfilled(registered).await;
    assert_eq!(listeners.hang_up().await, (PEER.to_owned(), "changed my mind".to_owned()));
    assert_eq!(action.all_fulfilled().await, 4);
    until("the handle is detached", || !rig.gateway.requests("detach").is_empty()).await;
    let sent: Vec<_> = rig.gateway.all_requests().into_iter().map(|r| r.kind).collect();
    let messages: Vec<_> =
        sent.iter().filter(|k| !["poll", "trickle"].contains(&k.as_str())).collect();
    assert_eq!(messages, ["create", "attach", "register", "call", "hangup", "detach"]);
    rig.end().await;
}

#[wasm_bindgen_test]
async fn disconnect_can_be_called_inside_a_listener() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let rig = Rc::new(rig);
    let promise = Rc::new(RefCell::new(None));
    {
        let (rig, promise) = (Rc::downgrade(&rig), promise.clone());
        listeners.on("onIncomingCall", move |_, _| {
            *promise.borrow_mut() = Some(rig.upgrade().unwrap().app.disconnect());
            UNDEFINED
        });
    }
    let call = rig.registered(&listeners, &UNDEFINED).await;
    rig.gateway.ring("v=0");
    listeners.hang_up().await;
    let promise = promise.take().unwrap();
    fulfilled(promise).await;
    assert_error(&rejected(call.accept_call()).await, "CLOSED", "");
    assert_eq!(rig.gateway.request("hangup").await.body["body"]["reason"], "Hung up");
    assert_eq!(rig.gateway.requests("destroy").len(), 1);
}

#[wasm_bindgen_test]
async fn texts_of_the_peer_reach_the_page_unchanged() {
    let rig = Rig::connected().await;
    let listeners = Listeners::new();
    let container = Container::new();
    rig.registered(&listeners, &container.dom_elements()).await;
    let hostile = "<img src=x onerror=alert(1)>";
    let alarm = Rc::new(RefCell::new(false));
    let _alert = {
        let alarm = alarm.clone();
        Patch::new(&js_sys::global(), "alert", move |_, _| {
            *alarm.borrow_mut() = true;
            UNDEFINED
        })
    };
    let ring = json!({ "event": "incomingcall", "username": hostile });
    rig.gateway.push_plugin(&ring, Some(json!({ "type": "offer", "sdp": "v=0" })));
    assert_eq!(listeners.name("onIncomingCall").await, hostile);
    rig.gateway.peer_hangs_up(hostile);
    assert_eq!(listeners.hang_up().await, (hostile.to_owned(), hostile.to_owned()));
    assert!(container.is_empty());
    assert!(!*alarm.borrow());
    rig.end().await;
}

#[wasm_bindgen_test]
async fn reports_errors_without_a_promise_to_on_error() {
    let rig = Rig::new("none", "{ retryLimit: 0 }");
    fulfilled(rig.app.connect()).await;
    let listeners = Listeners::new();
    rig.video_call(&listeners, &UNDEFINED).await;
    rig.gateway.script("poll", super::gateway::Script::NoNetwork);
    // It ends the open poll, and the next one fails.
    rig.gateway.push(json!({ "janus": "keepalive" }));
    let (error, _) = listeners.heard("onError").await;
    assert_eq!(text(&error, "code"), "SESSION_LOST");
    rig.end().await;
}
