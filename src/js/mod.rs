//! The classes that a page sees, thin over [`crate::api`].
//!
//! An argument is checked before anything is done with it, and what is wrong with it rejects the method's promise;
//! only `new VideoRTC` throws. The methods take `&self` and share what they need with their promise: a page may
//! drop an object, or free it, in the middle of something. What it drops goes on.

mod arguments;
mod call_arguments;
mod fields;
mod listeners;
mod transfers;
mod values;
mod video_call;
mod video_rtc;

pub use video_call::VideoCall;
pub use video_rtc::{Browser, UseCases, VideoRtc};

use std::cell::RefCell;

use js_sys::{Array, Function, JsString, Map, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::browser::{console, registry};
use crate::error::Error;
use crate::event::Settings;

// Less than half as large as the standard library's allocator, and it gives back and joins what is freed.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

thread_local! {
    static ERROR_CLASS: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Takes over what the loader has: the map of all that must be undone should the module break down, and the class of
/// errors, which is there before the module is.
#[wasm_bindgen]
pub fn adopt(held: Map, error_class: Function) {
    registry::keep_in(held);
    ERROR_CLASS.set(Some(error_class));
}

/// A value, or what is wrong with an argument.
type Checked<T> = Result<T, Error>;

/// The sentence of an error.
fn sentence(error: Error) -> String {
    error.message()
}

/// An error as the page gets it.
fn to_error(error: &Error) -> JsValue {
    let class = ERROR_CLASS.with_borrow(Clone::clone);
    let parts = Array::of4(
        &error.code().as_str().into(),
        &error.message().into(),
        &error.gateway_code().map_or(JsValue::UNDEFINED, |code| (code as f64).into()),
        &error.cause().map_or(JsValue::UNDEFINED, Into::into),
    );
    class.and_then(|class| Reflect::construct(&class, &parts).ok()).unwrap_or_else(|| plain(&parts))
}

/// The same without the loader, and so without its class.
fn plain(parts: &Array) -> JsValue {
    const NAME: &str = "VideoRTCError";
    let [code, message, gateway_code, cause] = [0, 1, 2, 3].map(|i| parts.get(i));
    let error = js_sys::Error::new(&message.as_string().unwrap_or_default());
    error.set_name(NAME);
    for (key, value) in [("code", &code), ("gatewayCode", &gateway_code), ("cause", &cause)] {
        if !value.is_undefined() {
            put(&error, key, value);
        }
    }
    let line = format!("{NAME} {}: {}", String::from(JsString::from(code)), error.message());
    let line = JsValue::from(line);
    // `toString` of a string gives that string.
    if let Some(to_string) =
        Reflect::get(&line, &"toString".into()).ok().and_then(|f| values::function(&f))
    {
        put(&error, "toString", &to_string.bind0(&line));
    }
    error.into()
}

#[wasm_bindgen]
extern "C" {
    /// `Function.prototype`, which is itself a function that does nothing (ECMAScript, section 20.2.3).
    #[wasm_bindgen(thread_local_v2, js_namespace = Function, js_name = prototype)]
    static NOTHING: Function;

    type Catching;
    #[wasm_bindgen(method, catch, js_name = catch)]
    fn catch_by(this: &Catching, handler: &Function) -> Result<JsValue, JsValue>;
}

/// A promise of the page for a command that was begun, or for what kept it from beginning.
fn promise<T: ToPage>(
    command: Checked<impl Future<Output = Result<T, Error>> + 'static>,
) -> Promise {
    promise_of(async move {
        let ended = match command {
            Ok(command) => command.await,
            Err(error) => Err(error),
        };
        ended.map(ToPage::to_page).map_err(|error| to_error(&error))
    })
}

/// A promise of the page. One that it ignores never becomes an unhandled rejection.
fn promise_of(ending: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let promise = future_to_promise(ending);
    let _ = NOTHING.with(|nothing| promise.unchecked_ref::<Catching>().catch_by(nothing));
    promise
}

/// What a promise resolves with.
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
    /// What was not set is absent.
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

/// Calls a function of the page, if it is one. What it throws is reported, and breaks nothing.
fn tell(name: &str, function: &JsValue, value: &JsValue) {
    let Some(function) = values::function(function) else { return };
    if let Err(thrown) = Reflect::apply(&function, &JsValue::UNDEFINED, &Array::of1(value)) {
        console::report(name, &thrown);
    }
}

/// Sets a property. The page may have frozen the object: then it keeps what it has.
fn put(object: &JsValue, key: &str, value: &JsValue) {
    let _ = Reflect::set(object, &key.into(), value);
}
