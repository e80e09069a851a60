//! The class of a video call.

use std::rc::Weak;

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

use super::listeners::Listeners;
use super::{call_arguments as arguments, promise, promise_of, tell, to_error, transfers};
use crate::api::{self, Track};
use crate::browser::console::Console;
use crate::table::events;

/// A video call: one name, and one call at a time.
#[wasm_bindgen]
pub struct VideoCall {
    call: api::VideoCall,
    /// Dropped when the call object ends.
    listeners: Weak<Listeners>,
    console: Console,
}

impl VideoCall {
    pub(super) fn new(call: api::VideoCall, listeners: Weak<Listeners>, console: Console) -> Self {
        Self { call, listeners, console }
    }
}

#[wasm_bindgen]
impl VideoCall {
    /// Registers a name, or a readable guest name.
    pub fn register(&self, user_name: JsValue) -> Promise {
        let name = arguments::user_name(&user_name);
        promise(name.map(|name| self.call.register(name.as_deref())))
    }

    /// Lists the names that are registered at the gateway.
    #[wasm_bindgen(js_name = getPeers)]
    pub fn get_peers(&self, filter: JsValue, order: JsValue) -> Promise {
        promise(arguments::selection(&filter, &order).map(|selection| {
            let (asking, listeners) = (self.call.peers(), self.listeners.clone());
            async move {
                let names = selection.of(asking.await?)?;
                let list: Array = names.iter().map(JsValue::from).collect();
                if let Some(listeners) = listeners.upgrade() {
                    listeners.fire(&events::GOT_PEERS, &Array::of1(&list));
                }
                Ok(JsValue::from(list))
            }
        }))
    }

    /// Calls a user, or accepts the incoming call.
    pub fn call(&self, user_name: JsValue) -> Promise {
        promise(arguments::user_name(&user_name).map(|name| {
            let calling = self.call.call(name.as_deref());
            if let Some(listeners) = self.listeners.upgrade() {
                listeners.note_peer();
            }
            calling
        }))
    }

    /// Accepts the incoming call.
    #[wasm_bindgen(js_name = acceptCall)]
    pub fn accept_call(&self) -> Promise {
        promise(Ok(self.call.accept()))
    }

    /// Hangs up, cancels or declines.
    #[wasm_bindgen(js_name = hangUp)]
    pub fn hang_up(&self, reason: JsValue) -> Promise {
        let reason = arguments::reason(&reason);
        promise(reason.map(|reason| self.call.hang_up(reason.as_deref())))
    }

    /// Sets whether the gateway forwards this side's audio and video, and the bitrate limit.
    #[wasm_bindgen(js_name = setCall)]
    pub fn set_call(&self, audio: JsValue, video: JsValue, quality: JsValue) -> Promise {
        let settings = arguments::settings(&audio, &video, &quality);
        promise(settings.map(|settings| self.call.set(settings)))
    }

    /// Mutes or unmutes the microphone.
    #[wasm_bindgen(js_name = toggleAudio)]
    pub fn toggle_audio(&self) -> Promise {
        promise(Ok(std::future::ready(self.call.toggle(Track::Audio))))
    }

    /// Mutes or unmutes the camera.
    #[wasm_bindgen(js_name = toggleVideo)]
    pub fn toggle_video(&self) -> Promise {
        promise(Ok(std::future::ready(self.call.toggle(Track::Video))))
    }

    /// Sends a message or a file to the peer. Calls either `c_ok` or `c_ko`, once.
    #[wasm_bindgen(js_name = sendData)]
    pub fn send_data(
        &self,
        kind: JsValue,
        data: JsValue,
        c_ok: JsValue,
        c_ko: JsValue,
        optional: JsValue,
    ) -> Promise {
        let sent = arguments::callback("cOk", &c_ok)
            .and_then(|()| arguments::callback("cKo", &c_ko))
            .and_then(|()| arguments::sending(&kind, &data, &optional, self.console))
            .and_then(|sending| transfers::send(&self.listeners, &self.call, sending));
        promise_of(Box::pin(async move {
            let ended = match sent {
                Ok(sent) => sent.await,
                Err(error) => Err(to_error(&error)),
            };
            match &ended {
                Ok(transfer) => tell("cOk", &c_ok, transfer),
                Err(error) => tell("cKo", &c_ko, error),
            }
            ended
        }))
    }

    /// Ends the call, frees the name and detaches. Idempotent.
    #[wasm_bindgen(js_name = closeUsecase)]
    pub fn close_usecase(&self) -> Promise {
        let closing = self.call.close();
        promise(Ok(async move {
            // An error means that the object is already closed.
            let _ = closing.await;
            Ok(())
        }))
    }
}
