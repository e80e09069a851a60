//! The page's listeners of one video call, and the call's record for the loader's guard.

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use super::transfers::Transfers;
use super::{ToPage, put, to_error, values};
use crate::api::{CallEvent, VideoCall};
use crate::browser::console;
use crate::browser::registry::{Held, hold};
use crate::table::{Field, events};

/// The listeners of one call. The call's event sink owns them, so they live until the call object
/// ends.
pub(super) struct Listeners {
    /// The page's object, or `undefined`.
    events: JsValue,
    call: OnceCell<VideoCall>,
    pub(super) transfers: Transfers,
    /// `{ events, peer, transfers }`: the guard uses it to report a breakdown to the page.
    record: Object,
    _held: Held,
}

impl Listeners {
    pub(super) fn new(events: JsValue) -> Rc<Self> {
        let record = Object::new();
        let transfers = Transfers::default();
        put(&record, "events", &events);
        put(&record, "peer", &JsValue::UNDEFINED);
        put(&record, "transfers", transfers.listed());
        let _held = hold(&record, "call");
        Rc::new(Self { events, call: OnceCell::new(), transfers, record, _held })
    }

    /// Sets the call object, which is created after its event sink.
    pub(super) fn attached(&self, call: VideoCall) {
        let _ = self.call.set(call);
    }

    /// Updates the peer in the record.
    pub(super) fn note_peer(&self) {
        let peer = self.call.get().and_then(VideoCall::peer);
        put(&self.record, "peer", &peer.map_or(JsValue::UNDEFINED, Into::into));
    }

    /// Passes an event to its listener.
    pub(super) fn hear(&self, event: CallEvent) {
        self.note_peer();
        let (listener, values) = match event {
            CallEvent::Registered { name, is_registered } => {
                (events::REGISTERED, Array::of2(&name.into(), &is_registered.into()))
            }
            CallEvent::Calling(peer) => (events::CALLING, Array::of1(&peer.into())),
            CallEvent::IncomingCall(peer) => (events::INCOMING_CALL, Array::of1(&peer.into())),
            CallEvent::Accepted(peer) => (events::ACCEPTED, Array::of1(&peer.into())),
            CallEvent::HangUp { peer, reason } => {
                (events::HANG_UP, Array::of2(&peer.into(), &reason.into()))
            }
            CallEvent::Set(settings) => (events::SET_CALL, Array::of1(&settings.to_page())),
            CallEvent::LocalStream(stream) => (events::READY_LOCAL_STREAM, Array::of1(&stream)),
            CallEvent::RemoteStream { stream, peer } => {
                (events::REMOTE_STREAM_READY, Array::of2(&stream, &peer.into()))
            }
            CallEvent::SlowLink { media, is_uplink, lost } => {
                let info = Object::new();
                put(&info, "media", &media.into());
                put(&info, "uplink", &is_uplink.into());
                put(&info, "lost", &(lost as f64).into());
                (events::SLOW_LINK, Array::of1(&info))
            }
            CallEvent::Reconnecting(cause) => (events::RECONNECTING, Array::of1(&to_error(&cause))),
            CallEvent::Reconnected => (events::RECONNECTED, Array::new()),
            CallEvent::Error(error) => (events::ERROR, Array::of1(&to_error(&error))),
            CallEvent::Text { kind, text, filename, peer } => {
                (events::DATA_RECEIVED, data(&kind, &text.into(), filename, &peer))
            }
            CallEvent::Data { kind, blob, filename, peer } => {
                (events::DATA_RECEIVED, data(&kind, &blob, filename, &peer))
            }
            CallEvent::Progress(status) => {
                let Some(call) = self.call.get() else { return };
                let transfer = self.transfers.change(call, &status);
                self.fire(&events::TRANSFER_PROGRESS, &Array::of1(transfer.object()));
                return transfer.tell_progress();
            }
            CallEvent::FileSent(status) => {
                let Some(transfer) = self.transfers.get(status.id) else { return };
                (events::FILE_TRANSFER_OK, Array::of1(transfer.object()))
            }
            CallEvent::FileFailed(status) => {
                let Some(transfer) = self.transfers.get(status.id) else { return };
                (events::FILE_TRANSFER_KO, Array::of2(transfer.object(), &transfer.error()))
            }
        };
        self.fire(&listener, &values);
    }

    /// Calls a listener as a method of the page's object. The page may replace it at any time, so
    /// it is looked up here.
    pub(super) fn fire(&self, listener: &Field, values: &Array) {
        if !self.events.is_object() {
            return;
        }
        let fired = Reflect::get(&self.events, &listener.name.into()).and_then(|found| {
            let Some(function) = values::function(&found) else { return Ok(JsValue::UNDEFINED) };
            Reflect::apply(&function, &self.events, values)
        });
        if let Err(thrown) = fired {
            console::report(listener.name, &thrown);
        }
    }
}

/// The arguments of `onDataReceived`.
fn data(kind: &str, content: &JsValue, filename: Option<String>, peer: &str) -> Array {
    let filename = filename.map_or(JsValue::UNDEFINED, Into::into);
    Array::of4(&kind.into(), content, &filename, &peer.into())
}
