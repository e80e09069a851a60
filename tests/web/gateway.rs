//! A scripted gateway in the page: it replaces `fetch` and answers like Janus.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::api::{VideoCall, VideoRtc};
use super::page::{Devices, Listeners, Patch, UNDEFINED, fulfilled, get, js, set, text, until};

/// The user's own name, in every script.
pub(crate) const ME: &str = "Tom";
/// The callee.
pub(crate) const PEER: &str = "Jack";

/// A request as the browser would have sent it.
#[derive(Clone)]
pub(crate) struct Request {
    /// The kind: the core's `janus` word, the plugin's `request` word, or `"poll"`.
    pub(crate) kind: String,
    pub(crate) url: String,
    pub(crate) method: String,
    /// Names and values of the headers that the page sets.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) credentials: String,
    /// Whether it has `keepalive`.
    pub(crate) is_kept_alive: bool,
    pub(crate) body: Value,
    signal: JsValue,
}

impl Request {
    fn read(url: &JsValue, init: &JsValue) -> Self {
        let class: Function = get(&js_sys::global(), "Request").unchecked_into();
        let real = Reflect::construct(&class, &Array::of2(url, init)).unwrap();
        let pairs: Function = js("(request) => [...request.headers]").unchecked_into();
        let pairs: Array = pairs.call1(&UNDEFINED, &real).unwrap().unchecked_into();
        let part = |pair: &JsValue, i| pair.unchecked_ref::<Array>().get(i).as_string().unwrap();
        let body = get(init, "body").as_string();
        let body = body.map_or(Value::Null, |body| serde_json::from_str(&body).unwrap());
        let method = text(&real, "method");
        let kind = match (method.as_str(), body["janus"].as_str()) {
            ("GET", _) => "poll",
            (_, Some("message")) => body["body"]["request"].as_str().unwrap(),
            (_, other) => other.unwrap(),
        };
        Self {
            kind: kind.to_owned(),
            url: text(&real, "url"),
            headers: pairs.iter().map(|pair| (part(&pair, 0), part(&pair, 1))).collect(),
            credentials: text(&real, "credentials"),
            is_kept_alive: get(&real, "keepalive").is_truthy(),
            signal: get(init, "signal"),
            method,
            body,
        }
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.signal.unchecked_ref::<AbortSignal>().aborted()
    }

    /// The offer or answer of the request.
    pub(crate) fn sdp(&self) -> &str {
        self.body["jsep"]["sdp"].as_str().unwrap()
    }

    fn transaction(&self) -> &Value {
        &self.body["transaction"]
    }
}

/// A scripted reaction to the next request of a kind, in place of Janus' behaviour.
pub(crate) enum Script {
    /// Never answers.
    Silence,
    /// Fails as an unreachable host does.
    NoNetwork,
    /// Resolves with `undefined`, as a page's own `fetch` might.
    NoResponse,
    /// Answers with this HTTP status and body.
    Http(u16, &'static str),
    /// Answers with endless white space.
    Endless,
    /// A refusal of the plugin, with code and reason.
    Refusal(i64, &'static str),
    /// A plugin's `result`.
    Result(Value),
}

struct State {
    base: String,
    requests: RefCell<Vec<Request>>,
    scripts: RefCell<Vec<(String, Script)>>,
    events: RefCell<VecDeque<Value>>,
    /// The open poll's `resolve`.
    poll: RefCell<Option<Function>>,
    last_handle: Cell<u64>,
}

/// The scripted gateway. Restores the browser's `fetch` on drop.
pub(crate) struct Gateway {
    state: Rc<State>,
    _fetch: Patch,
}

thread_local! {
    /// Every gateway has its own address, so that leftovers of an earlier test cannot reach it.
    static LAST: Cell<u32> = const { Cell::new(0) };
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Devices::reset();
        let number = LAST.get() + 1;
        LAST.set(number);
        let state = Rc::new(State {
            base: format!("http://gateway-{number}.test/janus"),
            requests: RefCell::default(),
            scripts: RefCell::default(),
            events: RefCell::default(),
            poll: RefCell::default(),
            last_handle: Cell::default(),
        });
        let fetch = {
            let state = state.clone();
            Patch::new(&js_sys::global(), "fetch", move |url, init| state.fetch(&url, &init).into())
        };
        Self { state, _fetch: fetch }
    }

    pub(crate) fn address(&self) -> &str {
        &self.state.base
    }

    /// The `servers` argument of `new VideoRTC`.
    pub(crate) fn servers(&self) -> JsValue {
        Array::of1(&self.address().into()).into()
    }

    /// Scripts the reaction to the next request of a kind; repeated calls queue up.
    pub(crate) fn script(&self, kind: &str, script: Script) {
        self.state.scripts.borrow_mut().push((kind.to_owned(), script));
    }

    pub(crate) fn requests(&self, kind: &str) -> Vec<Request> {
        self.state.requests.borrow().iter().filter(|r| r.kind == kind).cloned().collect()
    }

    pub(crate) fn all_requests(&self) -> Vec<Request> {
        self.state.requests.borrow().clone()
    }

    /// Whether a poll waits for events.
    pub(crate) fn is_polled(&self) -> bool {
        let open = self.state.poll.borrow().is_some();
        open && self.requests("poll").last().is_some_and(|poll| !poll.is_aborted())
    }

    /// Waits for a request of a kind and returns the newest one.
    pub(crate) async fn request(&self, kind: &str) -> Request {
        until(kind, || !self.requests(kind).is_empty()).await;
        self.requests(kind).pop().unwrap()
    }

    /// Delivers an event to the page, through the poll.
    pub(crate) fn push(&self, event: Value) {
        self.state.push(event);
    }

    /// Delivers an unsolicited plugin event to the page.
    pub(crate) fn push_plugin(&self, result: &Value, jsep: Option<Value>) {
        let handle = self.state.last_handle.get();
        self.push(plugin_event(
            handle,
            None,
            &json!({ "videocall": "event", "result": result }),
            jsep,
        ));
    }

    /// `PEER` calls.
    pub(crate) fn ring(&self, offer: &str) {
        let result = json!({ "event": "incomingcall", "username": PEER });
        self.push_plugin(&result, Some(json!({ "type": "offer", "sdp": offer })));
    }

    /// `PEER` accepts.
    pub(crate) fn pick_up(&self, answer: &str) {
        let result = json!({ "event": "accepted", "username": PEER });
        self.push_plugin(&result, Some(json!({ "type": "answer", "sdp": answer })));
    }

    /// `PEER` hangs up: all three events of Janus.
    pub(crate) fn peer_hangs_up(&self, reason: &str) {
        self.push_plugin(&json!({ "event": "hangup", "username": PEER, "reason": reason }), None);
        self.state.push_end_of_media();
    }

    /// A function that delivers candidates of `PEER` to the page.
    pub(crate) fn candidate_pusher(&self) -> impl Fn(Value) + use<> {
        let state = self.state.clone();
        move |candidate| {
            let sender = state.last_handle.get();
            state.push(json!({ "janus": "trickle", "sender": sender, "candidate": candidate }));
        }
    }

    /// All candidates of the page, once it has sent the end of candidates.
    pub(crate) async fn candidates(&self) -> Vec<Value> {
        let all = || -> Vec<Value> {
            let several = |r: Request| match r.body["candidates"].as_array() {
                Some(several) => several.clone(),
                None => vec![r.body["candidate"].clone()],
            };
            self.requests("trickle").into_iter().flat_map(several).collect()
        };
        until("the end of candidates", || all().iter().any(|c| c["completed"] == true)).await;
        all().into_iter().filter(|c| c["completed"] != true).collect()
    }
}

impl State {
    fn fetch(&self, url: &JsValue, init: &JsValue) -> Promise {
        let request = Request::read(url, init);
        if !request.url.starts_with(&self.base) {
            return no_network();
        }
        self.requests.borrow_mut().push(request.clone());
        let mut scripts = self.scripts.borrow_mut();
        let at = scripts.iter().position(|(kind, _)| *kind == request.kind);
        let script = at.map(|at| scripts.remove(at).1);
        drop(scripts);
        match script {
            Some(Script::Silence) => until_aborted(&request, |_| ()),
            Some(Script::NoNetwork) => no_network(),
            Some(Script::NoResponse) => Promise::resolve(&UNDEFINED),
            Some(Script::Http(status, body)) => Promise::resolve(&response(status, body)),
            Some(Script::Endless) => Promise::resolve(&js("new Response(new ReadableStream({
                pull(controller) { controller.enqueue(new Uint8Array(1 << 20).fill(32)); } }))")),
            Some(Script::Refusal(code, words)) => {
                let data = json!({ "videocall": "event", "error_code": code, "error": words });
                self.answer_message(&request, &data)
            }
            Some(Script::Result(result)) => {
                self.answer_message(&request, &json!({ "videocall": "event", "result": result }))
            }
            None if request.kind == "poll" => self.answer_poll(&request),
            None => self.answer(&request),
        }
    }

    /// The default answers of Janus.
    fn answer(&self, request: &Request) -> Promise {
        let name = &request.body["body"]["username"];
        let result = match request.kind.as_str() {
            "create" => return success(request, json!({ "id": request.body["id"] })),
            "attach" => {
                self.last_handle.set(self.last_handle.get() + 1);
                return success(request, json!({ "id": self.last_handle.get() }));
            }
            "trickle" => return acknowledged(request),
            "detach" | "destroy" => return success(request, Value::Null),
            "info" => {
                let info = json!({
                    "janus": "server_info",
                    "transaction": request.transaction(),
                    "session-timeout": 60,
                });
                return Promise::resolve(&response(200, &info.to_string()));
            }
            "list" => json!({ "list": [ME, PEER, "Zoe"] }),
            "register" => json!({ "event": "registered", "username": name }),
            "call" => json!({ "event": "calling" }),
            "accept" => json!({ "event": "accepted" }),
            "set" => json!({ "event": "set" }),
            "hangup" => json!({ "event": "hangup", "username": ME, "reason": "Explicit hangup" }),
            other => panic!("the library asks for {other:?}, which Janus does not know"),
        };
        let answer =
            self.answer_message(request, &json!({ "videocall": "event", "result": result }));
        if request.kind == "hangup" {
            self.push_end_of_media();
        }
        answer
    }

    fn answer_message(&self, request: &Request, data: &Value) -> Promise {
        let path = request.url.split('?').next().unwrap();
        let handle = path.rsplit('/').next().unwrap().parse().unwrap();
        self.push(plugin_event(handle, Some(request.transaction()), data, None));
        acknowledged(request)
    }

    /// The gateway closed the media connections on both sides.
    fn push_end_of_media(&self) {
        let sender = self.last_handle.get();
        self.push(json!({ "janus": "hangup", "sender": sender, "reason": "Close PC" }));
        let gone = json!({ "event": "hangup", "username": PEER, "reason": "Remote WebRTC hangup" });
        self.push(plugin_event(
            sender,
            None,
            &json!({ "videocall": "event", "result": gone }),
            None,
        ));
    }

    fn answer_poll(&self, request: &Request) -> Promise {
        let promise = until_aborted(request, |resolve| {
            *self.poll.borrow_mut() = Some(resolve);
        });
        self.flush();
        promise
    }

    fn push(&self, event: Value) {
        self.events.borrow_mut().push_back(event);
        self.flush();
    }

    fn flush(&self) {
        if self.events.borrow().is_empty() {
            return;
        }
        if let Some(resolve) = self.poll.take() {
            let events: Vec<Value> = self.events.take().into();
            let body = Value::Array(events).to_string();
            resolve.call1(&UNDEFINED, &response(200, &body)).unwrap();
        }
    }
}

fn plugin_event(
    handle: u64,
    transaction: Option<&Value>,
    data: &Value,
    jsep: Option<Value>,
) -> Value {
    let mut event = json!({
        "janus": "event",
        "sender": handle,
        "plugindata": { "plugin": "janus.plugin.videocall", "data": data },
    });
    if let Some(transaction) = transaction {
        event["transaction"] = transaction.clone();
    }
    if let Some(jsep) = jsep {
        event["jsep"] = jsep;
    }
    event
}

fn success(request: &Request, data: Value) -> Promise {
    let body = json!({ "janus": "success", "transaction": request.transaction(), "data": data });
    Promise::resolve(&response(200, &body.to_string()))
}

fn acknowledged(request: &Request) -> Promise {
    let body = json!({ "janus": "ack", "transaction": request.transaction() });
    Promise::resolve(&response(200, &body.to_string()))
}

fn response(status: u16, body: &str) -> JsValue {
    let class: Function = get(&js_sys::global(), "Response").unchecked_into();
    let init = Object::new().into();
    set(&init, "status", &status.into());
    Reflect::construct(&class, &Array::of2(&body.into(), &init)).unwrap()
}

fn no_network() -> Promise {
    Promise::reject(&js("new TypeError('Failed to fetch')"))
}

/// A promise that is rejected when the request is aborted, as with `fetch`.
fn until_aborted(request: &Request, mut take: impl FnMut(Function)) -> Promise {
    Promise::new(&mut |resolve, reject| {
        request.signal.unchecked_ref::<AbortSignal>().set_onabort(Some(&reject));
        take(resolve);
    })
}

/// A page with a connection to a scripted gateway.
pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) app: VideoRtc,
}

impl Rig {
    /// Before `connect()`; `options` is a JavaScript expression.
    pub(crate) fn new(level: &str, options: &str) -> Self {
        let gateway = Gateway::new();
        let app = VideoRtc::new(&gateway.servers(), &UNDEFINED, &level.into(), &js(options));
        Self { gateway, app }
    }

    pub(crate) async fn connected() -> Self {
        let rig = Self::new("error", "{}");
        fulfilled(rig.app.connect()).await;
        rig
    }

    pub(crate) async fn video_call(&self, listeners: &Listeners, elements: &JsValue) -> VideoCall {
        self.video_call_with(listeners, elements, "{}").await
    }

    pub(crate) async fn video_call_with(
        &self,
        listeners: &Listeners,
        elements: &JsValue,
        options: &str,
    ) -> VideoCall {
        let made = self.app.video_call(&listeners.object, elements, &js(options));
        to_video_call(fulfilled(made).await)
    }

    /// A video call with the name `ME`.
    pub(crate) async fn registered(&self, listeners: &Listeners, elements: &JsValue) -> VideoCall {
        let call = self.video_call(listeners, elements).await;
        fulfilled(call.register(&ME.into())).await;
        call
    }

    /// Ends the session as a page does.
    pub(crate) async fn end(self) {
        fulfilled(self.app.disconnect()).await;
        assert!(!self.gateway.is_polled(), "a poll goes on after disconnect()");
    }
}

pub(crate) fn to_video_call(value: JsValue) -> VideoCall {
    value.unchecked_into()
}
