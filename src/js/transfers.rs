//! The transfer objects of the page, one for each message or file.

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};
use vecmap::VecMap;

use js_sys::{Object, Set};
use wasm_bindgen::prelude::*;

use super::call_arguments::Sending;
use super::listeners::Listeners;
use super::{Checked, put, tell, to_error, values};
use crate::api::{Direction, TransferId, TransferState, TransferStatus, VideoCall};
use crate::browser::listener::Listener;
use crate::error::Error;
use crate::table::sending::ON_PROGRESS;

/// The running transfers of one call, in both directions.
#[derive(Default)]
pub(super) struct Transfers {
    all: RefCell<VecMap<TransferId, Rc<Transfer>>>,
    /// The objects that the guard must fail: incoming transfers and outgoing files.
    listed: Set,
}

/// One transfer.
pub(super) struct Transfer {
    object: Object,
    /// The page's callback for this transfer alone, or `undefined`.
    on_progress: JsValue,
    /// Cancels the transfer when the page's signal is aborted.
    abort: RefCell<Option<Listener>>,
    error: OnceCell<JsValue>,
}

/// Sends a message or file. Resolves with the transfer object once the peer has received
/// everything.
pub(super) fn send(
    listeners: &Weak<Listeners>,
    call: &VideoCall,
    sending: Sending,
) -> Checked<impl Future<Output = Result<JsValue, JsValue>> + use<>> {
    let Sending { outgoing, is_file, on_progress, signal } = sending;
    if signal.as_ref().is_some_and(values::is_aborted) {
        return Err(crate::data::Error::Aborted.into());
    }
    let mut begun = None;
    let ended = call.send_with(outgoing, |status| {
        let transfer = Transfer::new(call, status, on_progress);
        if let Some(signal) = signal {
            let (call, id) = (call.clone(), status.id);
            let abort = Listener::new(&signal, "abort", move |_| call.cancel(id));
            transfer.abort.replace(Some(abort));
        }
        if let Some(listeners) = listeners.upgrade() {
            listeners.transfers.add(status.id, &transfer, is_file);
        }
        begun = Some(transfer);
    })?;
    let (listeners, id) = (listeners.clone(), ended.id());
    Ok(async move {
        let result = ended.await;
        // `send_with` always calls back before it returns.
        let transfer = begun.ok_or(JsValue::UNDEFINED)?;
        if let Some(listeners) = listeners.upgrade() {
            listeners.transfers.remove(id, &transfer);
        }
        match result {
            Ok(status) => {
                transfer.update(&status);
                Ok(transfer.object.clone().into())
            }
            Err(error) => Err(transfer.fail(&error)),
        }
    })
}

impl Transfers {
    /// The objects that the guard must fail if the module breaks down.
    pub(super) fn listed(&self) -> &Set {
        &self.listed
    }

    pub(super) fn get(&self, id: TransferId) -> Option<Rc<Transfer>> {
        self.all.borrow().get(&id).cloned()
    }

    fn add(&self, id: TransferId, transfer: &Rc<Transfer>, is_listed: bool) {
        let before = self.all.borrow_mut().insert(id, transfer.clone());
        drop(before);
        if is_listed {
            self.listed.add(&transfer.object);
        }
    }

    fn remove(&self, id: TransferId, transfer: &Transfer) {
        self.listed.delete(&transfer.object);
        let removed = self.all.borrow_mut().remove(&id);
        drop(removed);
    }

    /// Updates a transfer that made progress or ended. Creates the object of a new incoming one.
    pub(super) fn change(&self, call: &VideoCall, status: &TransferStatus) -> Rc<Transfer> {
        let transfer = self.get(status.id).unwrap_or_else(|| {
            let transfer = Transfer::new(call, status, JsValue::UNDEFINED);
            self.add(status.id, &transfer, true);
            transfer
        });
        transfer.update(status);
        if status.state != TransferState::Active {
            self.listed.delete(&transfer.object);
            // The last event and the promise of an outgoing one are still to come.
            if status.direction == Direction::Incoming {
                self.remove(status.id, &transfer);
            }
        }
        transfer
    }
}

impl Transfer {
    fn new(call: &VideoCall, status: &TransferStatus, on_progress: JsValue) -> Rc<Self> {
        let object = Object::new();
        let direction = match status.direction {
            Direction::Outgoing => "outgoing",
            Direction::Incoming => "incoming",
        };
        let filename = status.filename.as_deref().map_or(JsValue::UNDEFINED, Into::into);
        put(&object, "direction", &direction.into());
        put(&object, "type", &status.kind.as_str().into());
        put(&object, "filename", &filename);
        put(&object, "size", &(status.size as f64).into());
        let (call, id) = (call.clone(), status.id);
        let cancel = Closure::<dyn Fn()>::new(move || call.cancel(id));
        put(&object, "cancel", &cancel.into_js_value());
        let transfer =
            Self { object, on_progress, abort: RefCell::default(), error: OnceCell::new() };
        transfer.update(status);
        Rc::new(transfer)
    }

    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// The error of a failed transfer. Events, callbacks and the promise share one object.
    pub(super) fn error(&self) -> JsValue {
        self.error.get().cloned().unwrap_or_default()
    }

    fn update(&self, status: &TransferStatus) {
        let peer = status.peer.as_deref().map_or(JsValue::UNDEFINED, Into::into);
        put(&self.object, "userName", &peer);
        put(&self.object, "transferred", &(status.transferred as f64).into());
        match &status.state {
            TransferState::Active => put(&self.object, "state", &"active".into()),
            TransferState::Done => {
                self.stop_listening();
                put(&self.object, "state", &"done".into());
            }
            TransferState::Failed(error) => {
                self.fail(error);
            }
        }
    }

    fn fail(&self, error: &Error) -> JsValue {
        self.stop_listening();
        let error = self.error.get_or_init(|| to_error(error)).clone();
        put(&self.object, "state", &"failed".into());
        put(&self.object, "error", &error);
        error
    }

    fn stop_listening(&self) {
        let abort = self.abort.take();
        drop(abort);
    }

    pub(super) fn tell_progress(&self) {
        tell(ON_PROGRESS.name, &self.on_progress, &self.object);
    }
}
