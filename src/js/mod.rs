//! The classes that a page sees: thin wrappers around the Rust API.
//!
//! A wrong argument rejects the method's promise; only `new VideoRTC` throws. Every method takes
//! `&self`, clones the handle that it needs and returns a promise: a page may drop or free an
//! object while a command is under way. Dropping an object ends nothing.

mod arguments;
mod call_arguments;
mod echo_test;
mod fields;
mod listeners;
mod record;
mod transfers;
mod values;
mod video_call;
mod video_rtc;

pub use echo_test::EchoTest;
pub use video_call::VideoCall;
pub use video_rtc::{Browser, UseCases, VideoRtc};

use std::cell::RefCell;

use futures::future::LocalBoxFuture;
use js_sys::{Array, Function, Map, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::browser::{console, registry};
use crate::error::Error;
use crate::usecase::video_call::Settings;

// Less than half as large as the standard library's allocator; it also joins freed blocks.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

thread_local! {
    static ERROR_CLASS: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Called once by the loader. The map lists what the guard must undo if the module breaks down. The
/// class constructs all errors; it exists before the module does.
#[wasm_bindgen]
pub fn adopt(held: Map, error_class: Function) {
    registry::keep_in(held);
    ERROR_CLASS.set(Some(error_class));
}

/// A checked argument.
type Checked<T> = Result<T, Error>;

/// The message of an error.
fn sentence(error: Error) -> String {
    error.message()
}

/// Converts an error for the page.
fn to_error(error: &Error) -> JsValue {
    let class = ERROR_CLASS.with_borrow(Clone::clone);
    let parts = Array::of4(
        &error.code().as_str().into(),
        &error.message().into(),
        &error.gateway_code().map_or(JsValue::UNDEFINED, |code| (code as f64).into()),
        &error.cause().map_or(JsValue::UNDEFINED, Into::into),
    );
    let made = class.and_then(|class| Reflect::construct(&class, &parts).ok());
    made.unwrap_or_else(|| without_loader(error))
}

/// Converts an error if there is no loader, and so no error class.
fn without_loader(error: &Error) -> JsValue {
    const NAME: &str = "VideoRTCError";
    let made = js_sys::Error::new(&error.message());
    made.set_name(NAME);
    put(&made, "code", &error.code().as_str().into());
    if let Some(code) = error.gateway_code() {
        put(&made, "gatewayCode", &(code as f64).into());
    }
    if let Some(cause) = error.cause() {
        put(&made, "cause", &cause.into());
    }
    // `String.prototype.toString` bound to a string returns that string.
    let line = format!("{NAME} {}: {}", error.code().as_str(), error.message());
    let to_string = TO_STRING.with(|to_string| to_string.bind0(&line.into()));
    put(&made, "toString", &to_string);
    made.into()
}

#[wasm_bindgen]
extern "C" {
    /// `Function.prototype` is itself a function that does nothing (ECMAScript, section 20.2.3).
    #[wasm_bindgen(thread_local_v2, js_namespace = Function, js_name = prototype)]
    static NOTHING: Function;
    #[wasm_bindgen(thread_local_v2, js_namespace = ["String", "prototype"], js_name = toString)]
    static TO_STRING: Function;

    type Catching;
    #[wasm_bindgen(method, catch, js_name = catch)]
    fn catch_by(this: &Catching, handler: &Function) -> Result<JsValue, JsValue>;
}

/// The page's promise for a running command, or for a wrong argument.
fn promise<T: ToPage>(
    command: Checked<impl Future<Output = Result<T, Error>> + 'static>,
) -> Promise {
    promise_of(Box::pin(async move {
        let ended = match command {
            Ok(command) => command.await,
            Err(error) => Err(error),
        };
        ended.map(ToPage::to_page).map_err(|error| to_error(&error))
    }))
}

/// A promise for the page. It never causes an unhandled rejection if the page ignores it.
fn promise_of(ending: LocalBoxFuture<'static, Result<JsValue, JsValue>>) -> Promise {
    let promise = future_to_promise(ending);
    let _ = NOTHING.with(|nothing| promise.unchecked_ref::<Catching>().catch_by(nothing));
    promise
}

/// A value that a promise resolves with.
trait ToPage {
    fn to_page(self) -> JsValue;
}

impl ToPage for () {
    fn to_page(self) -> JsValue {
        JsValue::UNDEFINED
    }
}

impl ToPage for JsValue {
    fn to_page(self) -> JsValue {
        self
    }
}

impl ToPage for String {
    fn to_page(self) -> JsValue {
        self.into()
    }
}

impl ToPage for bool {
    fn to_page(self) -> JsValue {
        self.into()
    }
}

impl ToPage for Settings {
    /// Settings that were not set are absent.
    fn to_page(self) -> JsValue {
        let object = Object::new();
        for (key, flag) in [("audio", self.audio), ("video", self.video)] {
            if let Some(flag) = flag {
                put(&object, key, &flag.into());
            }
        }
        if let Some(bitrate) = self.bitrate {
            put(&object, "bitrate", &bitrate.into());
        }
        object.into()
    }
}

/// Calls a callback of the page, if it is a function. An exception goes to the console.
fn tell(name: &str, function: &JsValue, value: &JsValue) {
    let Some(function) = values::function(function) else { return };
    if let Err(thrown) = Reflect::apply(&function, &JsValue::UNDEFINED, &Array::of1(value)) {
        console::report(name, &thrown);
    }
}

/// Sets a property. It fails silently, since the page may have frozen the object.
fn put(object: &JsValue, key: &str, value: &JsValue) {
    let _ = Reflect::set(object, &key.into(), value);
}
