//! The page around the library: console, devices, listeners, and waiting with a limit.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlVideoElement, MediaDevices, MediaStream};

/// The time limit of any wait.
const LIMIT: u32 = 8_000;
/// The polling interval of a condition.
const LOOK: u32 = 10;

pub(crate) const UNDEFINED: JsValue = JsValue::UNDEFINED;

/// The value of a JavaScript expression.
pub(crate) fn js(expression: &str) -> JsValue {
    js_sys::eval(&format!("({expression})")).expect(expression)
}

pub(crate) fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap()
}

pub(crate) fn text(object: &JsValue, key: &str) -> String {
    get(object, key).as_string().unwrap_or_default()
}

pub(crate) fn set(object: &JsValue, key: &str, value: &JsValue) {
    Reflect::set(object, &key.into(), value).unwrap();
}

/// A promise that is fulfilled after this many milliseconds, and its timer.
fn after(millis: u32) -> (Promise, Timeout) {
    let mut timer = None;
    let promise = Promise::new(&mut |resolve, _| {
        timer = Some(Timeout::new(millis, move || {
            resolve.call1(&UNDEFINED, &JsValue::from_str("too late")).unwrap();
        }));
    });
    (promise, timer.unwrap())
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..LIMIT / LOOK {
        if holds() {
            return;
        }
        let (promise, _timer) = after(LOOK);
        JsFuture::from(promise).await.unwrap();
    }
    panic!("waited in vain for: {what}");
}

/// The outcome of a promise.
pub(crate) async fn settled(promise: Promise) -> Result<JsValue, JsValue> {
    let (late, _timer) = after(LIMIT);
    let ended = JsFuture::from(Promise::race(&Array::of2(&promise, &late))).await;
    assert_ne!(ended, Ok(JsValue::from_str("too late")), "a promise did not settle");
    ended
}

pub(crate) async fn fulfilled(promise: Promise) -> JsValue {
    settled(promise).await.unwrap_or_else(|error| panic!("rejected: {}", words(&error)))
}

pub(crate) async fn rejected(promise: Promise) -> JsValue {
    settled(promise).await.expect_err("fulfilled")
}

/// Lets the reactions of all settled promises run.
pub(crate) async fn turn() {
    let (promise, _timer) = after(0);
    JsFuture::from(promise).await.unwrap();
}

/// An error as text, with code, message and cause.
pub(crate) fn words(error: &JsValue) -> String {
    format!("{} {} {}", text(error, "code"), text(error, "message"), text(error, "cause"))
}

/// Asserts that an error has a code, and that its message or cause holds a text.
#[track_caller]
pub(crate) fn assert_error(error: &JsValue, code: &str, part: &str) {
    assert_eq!(text(error, "code"), code, "{}", words(error));
    assert!(words(error).contains(part), "no {part:?} in {:?}", words(error));
}

/// A function of the page. Restores the replaced one on drop.
pub(crate) struct Patch {
    object: JsValue,
    key: &'static str,
    before: JsValue,
    _closure: Closure<dyn FnMut(JsValue, JsValue) -> JsValue>,
}

impl Patch {
    pub(crate) fn new(
        object: &JsValue,
        key: &'static str,
        act: impl FnMut(JsValue, JsValue) -> JsValue + 'static,
    ) -> Self {
        let closure = Closure::new(act);
        let before = get(object, key);
        set(object, key, closure.as_ref());
        Self { object: object.clone(), key, before, _closure: closure }
    }
}

impl Drop for Patch {
    fn drop(&mut self) {
        set(&self.object, self.key, &self.before);
    }
}

/// Records the console output while this value lives. The output is still written.
pub(crate) struct ConsoleSpy {
    lines: Rc<RefCell<Vec<(&'static str, String)>>>,
    _patches: Vec<Patch>,
}

impl ConsoleSpy {
    pub(crate) fn new() -> Self {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let console = get(&js_sys::global(), "console");
        let patch = |level: &'static str| {
            let (lines, console) = (lines.clone(), console.clone());
            let real: Function = get(&console, level).unchecked_into();
            Patch::new(&console.clone(), level, move |first, second| {
                let line = format!("{} {}", shown(&first), shown(&second));
                lines.borrow_mut().push((level, line));
                real.call2(&console, &first, &second).unwrap_or_default()
            })
        };
        let _patches = ["log", "debug", "info", "warn", "error"].map(patch).into();
        Self { lines, _patches }
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.borrow().len()
    }

    pub(crate) fn all(&self) -> String {
        self.lines.borrow().iter().map(|(_, line)| format!("{line}\n")).collect()
    }

    /// Whether a line of this level contains the text.
    pub(crate) fn has(&self, level: &str, part: &str) -> bool {
        self.lines.borrow().iter().any(|(at, line)| *at == level && line.contains(part))
    }
}

fn shown(value: &JsValue) -> String {
    value.as_string().unwrap_or_else(|| format!("{value:?}"))
}

/// The name of an event, and its arguments.
type Heard = (&'static str, JsValue, JsValue);

/// Listeners of a page that record their events.
pub(crate) struct Listeners {
    pub(crate) object: JsValue,
    heard: Rc<RefCell<Vec<Heard>>>,
    patches: RefCell<Vec<Patch>>,
}

impl Listeners {
    pub(crate) fn new() -> Self {
        let new = Self {
            object: Object::new().into(),
            heard: Rc::default(),
            patches: RefCell::default(),
        };
        for name in [
            "onRegistered",
            "onGotPeers",
            "onCalling",
            "onIncomingCall",
            "onAccepted",
            "onHangUp",
            "onSetCall",
            "onReadyLocalStream",
            "onRemoteStreamReady",
            "onSlowLink",
            "onReconnecting",
            "onReconnected",
            "onError",
        ] {
            new.on(name, |_, _| UNDEFINED);
        }
        new
    }

    /// Replaces a listener; its events are still recorded.
    pub(crate) fn on(
        &self,
        name: &'static str,
        mut act: impl FnMut(JsValue, JsValue) -> JsValue + 'static,
    ) {
        let heard = self.heard.clone();
        let patch = Patch::new(&self.object, name, move |first, second| {
            heard.borrow_mut().push((name, first.clone(), second.clone()));
            act(first, second)
        });
        self.patches.borrow_mut().push(patch);
    }

    /// Makes a listener throw; its events are still recorded.
    pub(crate) fn throws(&self, name: &str) {
        let wrap = "return (a, b) => { keep(a, b); throw new Error('a fault of the page'); }";
        let keep = get(&self.object, name);
        let throwing = Function::new_with_args("keep", wrap).call1(&UNDEFINED, &keep).unwrap();
        set(&self.object, name, &throwing);
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.heard.borrow().iter().filter(|(heard, ..)| *heard == name).count()
    }

    /// Waits for the first event of this name and returns its arguments.
    pub(crate) async fn heard(&self, name: &str) -> (JsValue, JsValue) {
        until(name, || self.count(name) > 0).await;
        let heard = self.heard.borrow();
        let (_, first, second) = heard.iter().find(|(heard, ..)| *heard == name).unwrap();
        (first.clone(), second.clone())
    }

    /// Waits for this event and returns its user name.
    pub(crate) async fn name(&self, name: &str) -> String {
        self.heard(name).await.0.as_string().unwrap()
    }

    /// User name and reason of the one `onHangUp`.
    pub(crate) async fn hang_up(&self) -> (String, String) {
        let (name, reason) = self.heard("onHangUp").await;
        assert_eq!(self.count("onHangUp"), 1, "one onHangUp per call");
        (name.as_string().unwrap(), reason.as_string().unwrap())
    }
}

/// A container for videos in the document. Removed on drop.
pub(crate) struct Container(pub(crate) Element);

impl Container {
    pub(crate) fn new() -> Self {
        let document = web_sys::window().unwrap().document().unwrap();
        let element = document.create_element("div").unwrap();
        let body: Element = get(&document, "body").unchecked_into();
        body.append_child(&element).unwrap();
        Self(element)
    }

    /// A video element of the page inside the container.
    pub(crate) fn own_video(&self) -> HtmlVideoElement {
        let document = self.0.owner_document().unwrap();
        let video = document.create_element("video").unwrap();
        self.0.append_child(&video).unwrap();
        video.unchecked_into()
    }

    pub(crate) fn dom_elements(&self) -> JsValue {
        let object = Object::new().into();
        set(&object, "videos", &self.0);
        object
    }

    pub(crate) fn find(&self, selector: &str) -> Option<HtmlVideoElement> {
        let find: Function = get(&self.0, "querySelector").unchecked_into();
        find.call1(&self.0, &selector.into()).unwrap().dyn_into().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.0.has_child_nodes()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// Waits until a video element has decoded frames.
pub(crate) async fn plays(what: &str, video: &HtmlVideoElement) {
    until(what, || video.video_width() > 0 && video.current_time() > 0.0).await;
}

pub(crate) fn tracks(stream: &MediaStream) -> Vec<web_sys::MediaStreamTrack> {
    stream.get_tracks().iter().map(JsCast::unchecked_into).collect()
}

/// Whether there are tracks and all have ended.
pub(crate) fn has_ended(stream: &MediaStream) -> bool {
    let tracks = tracks(stream);
    let ended = web_sys::MediaStreamTrackState::Ended;
    !tracks.is_empty() && tracks.iter().all(|track| track.ready_state() == ended)
}

fn media_devices() -> MediaDevices {
    web_sys::window().unwrap().navigator().media_devices().unwrap()
}

pub(crate) async fn camera() -> MediaStream {
    let constraints = web_sys::MediaStreamConstraints::new();
    constraints.set_audio(&true.into());
    constraints.set_video(&true.into());
    let opened = media_devices().get_user_media_with_constraints(&constraints).unwrap();
    fulfilled(opened).await.unchecked_into()
}

/// Devices that open or fail on demand of the test.
pub(crate) struct Devices {
    asked: Rc<RefCell<Vec<(JsValue, Function, Function)>>>,
    _patch: Patch,
}

impl Devices {
    /// Restores the browser's devices, also after a failed test.
    pub(crate) fn reset() {
        Reflect::delete_property(&media_devices(), &"getUserMedia".into()).unwrap();
    }

    pub(crate) fn new() -> Self {
        let asked: Rc<RefCell<Vec<_>>> = Rc::default();
        let patch = {
            let asked = asked.clone();
            Patch::new(&media_devices(), "getUserMedia", move |constraints, _| {
                let asked = asked.clone();
                Promise::new(&mut move |resolve, reject| {
                    asked.borrow_mut().push((constraints.clone(), resolve, reject));
                })
                .into()
            })
        };
        Self { asked, _patch: patch }
    }

    /// Waits for the request and returns its constraints.
    pub(crate) async fn asked(&self) -> JsValue {
        until("getUserMedia", || !self.asked.borrow().is_empty()).await;
        self.asked.borrow().last().unwrap().0.clone()
    }

    /// The number of pending requests.
    pub(crate) fn waiting(&self) -> usize {
        self.asked.borrow().len()
    }

    pub(crate) fn grant(&self, stream: &MediaStream) {
        let (_, resolve, _) = self.asked.borrow_mut().remove(0);
        resolve.call1(&UNDEFINED, stream).unwrap();
    }

    /// Rejects with a `DOMException` of this name.
    pub(crate) fn refuse(&self, name: &str) {
        let (_, _, reject) = self.asked.borrow_mut().remove(0);
        reject.call1(&UNDEFINED, &js(&format!("new DOMException('no', '{name}')"))).unwrap();
    }
}
