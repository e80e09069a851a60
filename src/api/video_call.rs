//! `VideoCall`: the action object.

use std::rc::Rc;

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

use super::{options, rejected, resolved};
use crate::browser::call::settings_to_js;
use crate::browser::driver::Driver;
use crate::call::{Call, Command, Reply, TransferId};
use crate::client::{CallId, Outcome};
use crate::config::UserName;
use crate::error::Error;
use crate::time::Time;
use crate::transfer::{Meta, clean_filename};

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
    pub fn get_peers(&self) -> Promise {
        self.command(|call, command, _| call.list(command))
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
        let reason = reason.as_string().filter(|reason| !reason.is_empty());
        self.command(move |call, command, now| call.hang_up(command, reason.as_deref(), now))
    }

    /// Changes what the gateway relays of mine. Resolves with what was set.
    #[wasm_bindgen(js_name = setCall)]
    pub fn set_call(&self, audio: &JsValue, video: &JsValue, quality: &JsValue) -> Promise {
        let settings = options::settings(audio, video, quality);
        self.command(move |call, command, _| call.set(command, settings))
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

    /// Sends a message or file: a short text, or what is read when it is asked for. Resolves once the other side
    /// has it whole.
    #[wasm_bindgen(js_name = sendData)]
    pub fn send_data(
        &self,
        kind: String,
        text: Option<String>,
        size: f64,
        is_text: bool,
        filename: Option<String>,
        sending: JsValue,
    ) -> Promise {
        // As the other side would: so both see the same name, and it fits into its field.
        let filename = filename.as_deref().and_then(clean_filename);
        let meta = Meta { kind, filename, size: size as u64, is_text };
        self.driver.send_data(self.id, meta, text, sending)
    }

    /// The bytes of what is sent that were asked for, or why there are none.
    #[wasm_bindgen(js_name = handleRead)]
    pub fn handle_read(
        &self,
        number: f64,
        offset: f64,
        bytes: Option<Vec<u8>>,
        cause: Option<String>,
    ) {
        self.driver.handle_read(self.id, number, offset, bytes, cause);
    }

    /// What arrived was given to the page, or could not be kept.
    #[wasm_bindgen(js_name = handleDelivered)]
    pub fn handle_delivered(&self, leg: f64, number: f64, kept: bool) {
        let transfer = TransferId::of_numbers(leg as u64, number as u64);
        self.driver.tell(self.id, |call, now| call.handle_delivered(transfer, kept, now));
    }

    /// Takes back what is sent, or refuses the rest of what is coming.
    #[wasm_bindgen(js_name = cancelTransfer)]
    pub fn cancel_transfer(&self, leg: f64, number: f64) {
        let transfer = TransferId::of_numbers(leg as u64, number as u64);
        self.driver.tell(self.id, |call, now| call.cancel_transfer(transfer, now));
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
                    Outcome::Reply(Reply::Names(names)) => {
                        names.iter().map(|name| JsValue::from_str(name)).collect::<Array>().into()
                    }
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

/// A user name, or nothing; that it is a string has been checked.
fn user_name(value: &JsValue) -> Result<Option<UserName>, Error> {
    value.as_string().as_deref().map(UserName::parse).transpose()
}
