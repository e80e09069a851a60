//! `VideoCall`: the action object.

use std::rc::Rc;

use js_sys::{Array, Function, Promise, Reflect, RegExp, Symbol};
use wasm_bindgen::prelude::*;

use super::arguments::{is_absent, text, user_name, wrong};
use super::{options, rejected, resolved, sending};
use crate::browser::call::settings_to_js;
use crate::browser::driver::Driver;
use crate::browser::failure;
use crate::call::{Call, Command, Reply};
use crate::client::{CallId, Outcome};
use crate::error::Error;
use crate::text::contains;
use crate::time::Time;

/// One video call object at the gateway: a name, and a call at a time.
#[wasm_bindgen]
pub struct VideoCall {
    driver: Rc<Driver>,
    id: CallId,
}

/// What a command does. Boxed, so that what is common to all stands in the module once.
type Act = Box<dyn FnOnce(&mut Call, Command, Time)>;

#[wasm_bindgen]
impl VideoCall {
    /// Takes a name; without one, a guest name. Resolves with the name.
    pub fn register(&self, user_name: &JsValue) -> Promise {
        match self::user_name(user_name) {
            Ok(name) => self.command(move |call, command, _| call.register(command, name)),
            Err(error) => rejected(&error),
        }
    }

    /// Asks for the names that the gateway knows. Resolves with an array.
    #[wasm_bindgen(js_name = getPeers)]
    pub fn get_peers(&self, filter: &JsValue, order: &JsValue) -> Promise {
        let filter = match Filter::new(filter, order) {
            Ok(filter) => filter,
            Err(error) => return rejected(&error),
        };
        let listeners = self.driver.call(self.id).map(|call| call.listeners().clone());
        let id = self.id;
        self.driver.command(
            move |outcome| {
                let Outcome::Reply(Reply::Names(names)) = outcome else {
                    return Ok(JsValue::UNDEFINED);
                };
                let names = filter.apply(names).map_err(|error| failure::to_js(&error))?;
                if let Some(listeners) = listeners {
                    listeners.fire("onGotPeers", std::slice::from_ref(&names));
                }
                Ok(names)
            },
            move |client, command, now| {
                client.with_call(id, Some(command), now, |call| call.list(command))
            },
        )
    }

    /// Calls somebody, or accepts the call that is ringing.
    pub fn call(&self, user_name: &JsValue) -> Promise {
        match self::user_name(user_name) {
            Ok(name) => self.command(move |call, command, now| call.call(command, name, now)),
            Err(error) => rejected(&error),
        }
    }

    /// Accepts the call that is ringing.
    #[wasm_bindgen(js_name = acceptCall)]
    pub fn accept_call(&self) -> Promise {
        self.command(|call, command, now| call.accept(command, now))
    }

    /// Hangs up, cancels or declines.
    #[wasm_bindgen(js_name = hangUp)]
    pub fn hang_up(&self, reason: &JsValue) -> Promise {
        match text("the reason", reason) {
            Ok(reason) => {
                let reason = reason.filter(|reason| !reason.is_empty());
                self.command(move |call, command, now| {
                    call.hang_up(command, reason.as_deref(), now)
                })
            }
            Err(error) => rejected(&error),
        }
    }

    /// Changes what the gateway relays of mine. Resolves with what was set.
    #[wasm_bindgen(js_name = setCall)]
    pub fn set_call(&self, audio: &JsValue, video: &JsValue, quality: &JsValue) -> Promise {
        match options::settings(audio, video, quality) {
            Ok(settings) => self.command(move |call, command, _| call.set(command, settings)),
            Err(error) => rejected(&error),
        }
    }

    /// Mutes or unmutes my microphone. Resolves with the new state: true if it is heard.
    #[wasm_bindgen(js_name = toggleAudio)]
    pub fn toggle_audio(&self) -> Promise {
        self.toggle("audio")
    }

    /// Stops or resumes my picture. Resolves with the new state: true if it is seen.
    #[wasm_bindgen(js_name = toggleVideo)]
    pub fn toggle_video(&self) -> Promise {
        self.toggle("video")
    }

    /// Sends a message or file. Resolves once the other side has it whole.
    #[wasm_bindgen(js_name = sendData)]
    pub fn send_data(&self, kind: &JsValue, data: &JsValue, optional: &JsValue) -> Promise {
        match sending::sending(self.driver.console(), kind, data, optional) {
            Ok(sending) => self.driver.send_data(self.id, sending),
            Err(error) => rejected(&error),
        }
    }

    /// Ends the call, frees the name and detaches.
    #[wasm_bindgen(js_name = closeUsecase)]
    pub fn close_usecase(&self) -> Promise {
        // Twice is once: where there is nothing to close any more, it is closed.
        if self.driver.call(self.id).is_none() {
            return resolved(&JsValue::UNDEFINED);
        }
        self.command(|call, command, now| call.close(command, now))
    }
}

impl VideoCall {
    pub(super) fn new(driver: Rc<Driver>, id: CallId) -> Self {
        Self { driver, id }
    }

    fn command(&self, act: impl FnOnce(&mut Call, Command, Time) + 'static) -> Promise {
        self.run(Box::new(act))
    }

    fn run(&self, act: Act) -> Promise {
        let id = self.id;
        self.driver.command(
            |outcome| {
                Ok(match outcome {
                    Outcome::Reply(Reply::Name(name)) => JsValue::from_str(name.as_str()),
                    Outcome::Reply(Reply::Set(settings)) => settings_to_js(&settings),
                    _ => JsValue::UNDEFINED,
                })
            },
            |client, command, now| {
                client.with_call(id, Some(command), now, |call| act(call, command, now));
            },
        )
    }

    fn toggle(&self, kind: &str) -> Promise {
        let call = self.driver.call(self.id).ok_or_else(Error::closed);
        match call.and_then(|call| call.toggle(kind)) {
            Ok(enabled) => resolved(&enabled.into()),
            Err(error) => rejected(&error),
        }
    }
}

/// Which names `getPeers()` gives, and in which order.
struct Filter {
    pattern: Pattern,
    order: Option<Order>,
}

enum Pattern {
    Any,
    Substring(String),
    Expression(RegExp),
    Predicate(Function),
}

#[derive(Clone, Copy)]
enum Order {
    Ascending,
    Descending,
}

impl Filter {
    fn new(filter: &JsValue, order: &JsValue) -> Result<Self, Error> {
        let pattern = if is_absent(filter) {
            Pattern::Any
        } else if let Some(part) = filter.as_string() {
            Pattern::Substring(part)
        } else if let Some(expression) = filter.dyn_ref::<RegExp>() {
            Pattern::Expression(expression.clone())
        } else if let Some(predicate) = filter.dyn_ref::<Function>() {
            Pattern::Predicate(predicate.clone())
        } else {
            return Err(wrong("filter", "a string, a RegExp or a function", filter));
        };
        let order = match order.as_string().as_deref() {
            Some("asc") => Some(Order::Ascending),
            Some("desc") => Some(Order::Descending),
            None if is_absent(order) => None,
            _ => return Err(wrong("order", "\"asc\" or \"desc\"", order)),
        };
        Ok(Self { pattern, order })
    }

    fn apply(&self, names: Vec<String>) -> Result<JsValue, Error> {
        let mut wanted: Vec<String> = Vec::new();
        for name in names {
            if self.pattern.matches(&name)? {
                // Put in its place at once: a sort of the standard library would be 3 kB of the module.
                let at = match self.order {
                    Some(Order::Ascending) => wanted.partition_point(|other| *other <= name),
                    Some(Order::Descending) => wanted.partition_point(|other| *other >= name),
                    None => wanted.len(),
                };
                wanted.insert(at, name);
            }
        }
        Ok(wanted.iter().map(|name| JsValue::from_str(name)).collect::<Array>().into())
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> Result<bool, Error> {
        match self {
            Self::Any => Ok(true),
            Self::Substring(part) => Ok(contains(name, part)),
            // `search` begins at the start, wherever `lastIndex` of a sticky or global one stands.
            Self::Expression(expression) => search(name, expression).map_err(|thrown| {
                Error::invalid("the filter expression threw").with_cause(failure::words(&thrown))
            }),
            Self::Predicate(predicate) => predicate
                .call1(&JsValue::UNDEFINED, &JsValue::from_str(name))
                .map(|answer| answer.is_truthy())
                .map_err(|thrown| {
                    Error::invalid("the filter function threw").with_cause(failure::words(&thrown))
                }),
        }
    }
}

/// `String.prototype.search`, with what it may throw: a frozen or subclassed expression can.
fn search(name: &str, expression: &RegExp) -> Result<bool, JsValue> {
    let search: Function = Reflect::get(expression, &Symbol::search())?.dyn_into()?;
    let found = search.call1(expression, &JsValue::from_str(name))?;
    Ok(found.as_f64().is_some_and(|at| at >= 0.0))
}
