//! The events of one video call, as its listeners get them.

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::record::{Record, slow_link};
use super::transfers::Transfers;
use super::{ToPage, to_error};
use crate::api::{CallEvent, VideoCall};
use crate::table::{Field, events};

/// The listeners of one call. The call's event sink owns them, so they live until the call object
/// ends.
pub(super) struct Listeners {
    record: Record,
    call: OnceCell<VideoCall>,
    pub(super) transfers: Transfers,
}

impl Listeners {
    pub(super) fn new(events: JsValue) -> Rc<Self> {
        let transfers = Transfers::default();
        let record = Record::new(events, transfers.listed());
        Rc::new(Self { record, call: OnceCell::new(), transfers })
    }

    /// Sets the call object, which is created after its event sink.
    pub(super) fn attached(&self, call: VideoCall) {
        let _ = self.call.set(call);
    }

    /// Updates the peer in the record.
    pub(super) fn note_peer(&self) {
        self.record.note_peer(self.call.get().and_then(VideoCall::peer));
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
                (events::SLOW_LINK, Array::of1(&slow_link(&media, is_uplink, lost)))
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

    /// Calls a listener.
    pub(super) fn fire(&self, listener: &Field, values: &Array) {
        self.record.fire(listener, values);
    }
}

/// The arguments of `onDataReceived`.
fn data(kind: &str, content: &JsValue, filename: Option<String>, peer: &str) -> Array {
    let filename = filename.map_or(JsValue::UNDEFINED, Into::into);
    Array::of4(&kind.into(), content, &filename, &peer.into())
}
