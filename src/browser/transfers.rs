//! The page's side of messages and files: the objects that tell how far they are, what is read from, and
//! what has arrived.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::vec_map::VecMap;
use js_sys::{Function, Object};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortSignal, Blob};

use super::call::CallShell;
use super::driver::Driver;
use super::file::{self, Parts};
use super::listener::Listener;
use super::object::{get, set};
use super::{console, failure};
use crate::call::{Command, Data, LegId, Transfer, TransferId, TransferState};
use crate::client::CallId;
use crate::config::UserName;
use crate::error::{Code, Error};
use crate::log::Level;
use crate::transfer::{Content, Lane, Meta};

/// What a page sends.
pub(crate) struct Sending {
    pub(crate) kind: String,
    pub(crate) content: Source,
    pub(crate) filename: Option<String>,
    pub(crate) on_progress: Option<Function>,
    pub(crate) signal: Option<AbortSignal>,
}

/// Where the content of what is sent comes from.
pub(crate) enum Source {
    Text(String),
    /// What has to be read; true if it was a string.
    Blob(Blob, bool),
}

/// The transfers of a call, in both directions.
#[derive(Default)]
pub(super) struct Transfers {
    outgoing: RefCell<VecMap<Command, Outgoing>>,
    incoming: RefCell<VecMap<TransferId, Incoming>>,
    /// What has come of them: the first of it comes before the page is told of the transfer.
    parts: RefCell<VecMap<TransferId, Parts>>,
    last_number: Cell<u32>,
}

struct Outgoing {
    number: u32,
    object: Object,
    source: Option<Blob>,
    is_file: bool,
    on_progress: Option<Function>,
    /// Alive as long as the transfer.
    _abort: Option<Listener>,
}

struct Incoming {
    number: u32,
    object: Object,
}

impl Transfers {
    fn next_number(&self) -> u32 {
        self.last_number.set(self.last_number.get().wrapping_add(1));
        self.last_number.get()
    }

    fn keep(&self, transfer: TransferId, bytes: &[u8]) -> Result<(), JsValue> {
        let mut parts = self.parts.borrow_mut();
        if !parts.contains_key(&transfer) {
            parts.insert(transfer, Parts::default());
        }
        parts.get_mut(&transfer).map_or(Ok(()), |parts| parts.push(bytes))
    }

    fn by_number(&self, number: u32) -> Option<TransferId> {
        let outgoing = self.outgoing.borrow();
        let sent = outgoing.iter().find(|(_, transfer)| transfer.number == number);
        if let Some((command, _)) = sent {
            return Some(TransferId::Outgoing(*command));
        }
        let incoming = self.incoming.borrow();
        incoming.iter().find(|(_, transfer)| transfer.number == number).map(|(id, _)| *id)
    }
}

impl Driver {
    /// Sends a message or file. The promise settles when the other side has it whole, or never will.
    pub(crate) fn send_data(self: &Rc<Self>, id: CallId, sending: Sending) -> js_sys::Promise {
        let Some(shell) = self.call(id) else {
            return js_sys::Promise::reject(&failure::to_js(&Error::closed()));
        };
        if sending.signal.as_ref().is_some_and(AbortSignal::aborted) {
            let error = Error::new(
                Code::TransferCancelled,
                "the signal was aborted before anything was sent",
            );
            return js_sys::Promise::reject(&failure::to_js(&error));
        }
        let meta = sending.meta();
        let number = shell.transfers.next_number();
        let object = describe(&meta, "outgoing", &shell.canceller(self, id), number);
        let sent = object.clone();
        let driver = self.clone();
        self.command(
            move |_| Ok(sent.into()),
            move |client, command, now| {
                let Sending { content, on_progress, signal, .. } = sending;
                let abort = signal.map(|signal| {
                    Listener::new(&signal, "abort", move |_| {
                        let transfer = TransferId::Outgoing(command);
                        driver.tell(id, |call, now| call.cancel_transfer(transfer, now));
                    })
                });
                let (source, is_file, text) = match content {
                    Source::Text(text) => (None, false, Some(text)),
                    Source::Blob(blob, is_text) => (Some(blob), !is_text, None),
                };
                let shown = object.clone();
                let outgoing =
                    Outgoing { number, object, source, is_file, on_progress, _abort: abort };
                shell.transfers.outgoing.borrow_mut().insert(command, outgoing);
                client.with_call(id, Some(command), now, |call| {
                    if let Some(peer) = call.peer() {
                        set(&shown, "userName", &JsValue::from_str(peer.as_str()));
                    }
                    match text {
                        Some(text) => call.send_text(command, meta, text, now),
                        None => call.send_source(command, meta, now),
                    }
                });
            },
        )
    }
}

impl Sending {
    fn meta(&self) -> Meta {
        let (kind, filename) = (self.kind.clone(), self.filename.clone());
        let (size, is_text) = match &self.content {
            Source::Text(text) => (text.len() as u64, true),
            Source::Blob(blob, is_text) => (blob.size() as u64, *is_text),
        };
        Meta { kind, filename, size, is_text }
    }
}

impl CallShell {
    /// Does what the core wants done with data.
    pub(super) fn handle_data(self: &Rc<Self>, driver: &Rc<Driver>, id: CallId, data: Data) {
        match data {
            Data::Send(leg, lane, message) => self.send(driver, id, leg, lane, &message),
            Data::SendText(leg, text) => {
                if let Some(peer) = self.peer(leg)
                    && let Some(Err(error)) =
                        peer.channels().map(|channels| channels.send_text(&text))
                {
                    driver.console().write(Level::Warn, &error.to_string());
                }
            }
            Data::Read { command, offset, length } => {
                self.read(driver, id, command, offset, length)
            }
            Data::Keep(transfer, bytes) => {
                if let Err(thrown) = self.transfers.keep(transfer, &bytes) {
                    self.cannot_keep(driver, id, transfer, &thrown);
                }
            }
            Data::Deliver(transfer, peer, content) => {
                self.deliver(driver, id, &transfer, &peer, content)
            }
            Data::PlainText(peer, text) => self.give("text/plain", &text.into(), None, &peer),
            Data::PlainBytes(peer, bytes) => {
                let kind = "application/octet-stream";
                let mut parts = Parts::default();
                if let Ok(blob) = parts.push(&bytes).and_then(|()| parts.finish(kind)) {
                    self.give(kind, &blob.into(), None, &peer);
                }
            }
            Data::Changed(transfer, peer) => self.show(driver, id, &transfer, &peer),
        }
    }

    fn send(
        self: &Rc<Self>,
        driver: &Rc<Driver>,
        id: CallId,
        leg: LegId,
        lane: Lane,
        message: &[u8],
    ) {
        let Some(peer) = self.peer(leg) else { return };
        match peer.channels().map(|channels| channels.send(lane, message)) {
            Some(Ok(Some(buffered))) => {
                driver.tell(id, |call, now| call.handle_buffered(leg, buffered, now));
            }
            Some(Err(error)) => driver.console().write(Level::Warn, &error.to_string()),
            Some(Ok(None)) | None => {}
        }
    }

    fn read(
        self: &Rc<Self>,
        driver: &Rc<Driver>,
        id: CallId,
        command: Command,
        offset: u64,
        length: u64,
    ) {
        let source =
            self.transfers.outgoing.borrow().get(&command).and_then(|it| it.source.clone());
        let (Some(source), driver) = (source, driver.clone()) else { return };
        spawn_local(async move {
            let read = file::read(&source, offset, length).await.map_err(|thrown| {
                let error = "the file could not be read: it may have been changed or removed";
                Error::new(Code::TransferFailed, error).with_cause(failure::words(&thrown))
            });
            driver.tell(id, |call, now| call.handle_read(command, offset, read, now));
        });
    }

    fn deliver(
        self: &Rc<Self>,
        driver: &Rc<Driver>,
        id: CallId,
        transfer: &Transfer,
        peer: &UserName,
        content: Content,
    ) {
        let (meta, name) = (transfer.meta.clone(), transfer.id);
        if let Content::Text(text) = content {
            self.give(&meta.kind, &text.into(), meta.filename.as_deref(), peer);
            return driver.tell(id, |call, now| call.handle_delivered(name, true, now));
        }
        self.show(driver, id, transfer, peer);
        self.transfers.incoming.borrow_mut().remove(&name);
        let parts = self.transfers.parts.borrow_mut().remove(&name).unwrap_or_default();
        let blob = match parts.finish(&meta.kind) {
            Ok(blob) => blob,
            Err(thrown) => return self.cannot_keep(driver, id, name, &thrown),
        };
        if !meta.is_text {
            self.give(&meta.kind, &blob.into(), meta.filename.as_deref(), peer);
            return driver.tell(id, |call, now| call.handle_delivered(name, true, now));
        }
        let (shell, driver, peer) = (self.clone(), driver.clone(), peer.clone());
        spawn_local(async move {
            match file::text(&blob).await {
                Ok(text) => {
                    shell.give(&meta.kind, &text, meta.filename.as_deref(), &peer);
                    driver.tell(id, |call, now| call.handle_delivered(name, true, now));
                }
                Err(thrown) => shell.cannot_keep(&driver, id, name, &thrown),
            }
        });
    }

    fn cannot_keep(&self, driver: &Rc<Driver>, id: CallId, transfer: TransferId, thrown: &JsValue) {
        driver
            .console()
            .write(Level::Error, &format!("data could not be kept: {}", failure::words(thrown)));
        driver.tell(id, |call, now| call.handle_delivered(transfer, false, now));
    }

    fn give(&self, kind: &str, data: &JsValue, filename: Option<&str>, peer: &UserName) {
        let filename = filename.map_or(JsValue::UNDEFINED, JsValue::from_str);
        let arguments = [kind.into(), data.clone(), filename, peer.as_str().into()];
        self.listeners().fire("onDataReceived", &arguments);
    }

    /// Tells the page how far a transfer is.
    fn show(
        self: &Rc<Self>,
        driver: &Rc<Driver>,
        id: CallId,
        transfer: &Transfer,
        peer: &UserName,
    ) {
        let (object, on_progress) = match transfer.id {
            TransferId::Outgoing(command) => {
                let outgoing = self.transfers.outgoing.borrow();
                let Some(outgoing) = outgoing.get(&command) else { return };
                (outgoing.object.clone(), outgoing.on_progress.clone())
            }
            incoming => (self.incoming(driver, id, incoming, &transfer.meta), None),
        };
        set(&object, "userName", &JsValue::from_str(peer.as_str()));
        set(&object, "transferred", &JsValue::from_f64(transfer.transferred as f64));
        match &transfer.state {
            TransferState::Active => {}
            TransferState::Done => set(&object, "state", &"done".into()),
            TransferState::Failed(error) => {
                set(&object, "state", &"failed".into());
                set(&object, "error", &failure::to_js(error));
                self.transfers.incoming.borrow_mut().remove(&transfer.id);
                self.transfers.parts.borrow_mut().remove(&transfer.id);
            }
        }
        self.tell_progress(&object, on_progress.as_ref());
    }

    fn tell_progress(&self, object: &Object, on_progress: Option<&Function>) {
        self.listeners().fire("onTransferProgress", &[object.into()]);
        if let Some(on_progress) = on_progress
            && let Err(thrown) = on_progress.call1(&JsValue::UNDEFINED, object)
        {
            console::report_thrown("onProgress", &thrown);
        }
    }

    /// The page's object for something that arrives.
    fn incoming(
        self: &Rc<Self>,
        driver: &Rc<Driver>,
        id: CallId,
        name: TransferId,
        meta: &Meta,
    ) -> Object {
        if let Some(incoming) = self.transfers.incoming.borrow().get(&name) {
            return incoming.object.clone();
        }
        let number = self.transfers.next_number();
        let object = describe(meta, "incoming", &self.canceller(driver, id), number);
        let incoming = Incoming { number, object: object.clone() };
        self.transfers.incoming.borrow_mut().insert(name, incoming);
        object
    }

    /// The command that sent something ended: tells the page, before the promise does.
    pub(super) fn finish_transfer(&self, command: Command, result: Result<(), &Error>) {
        let Some(outgoing) = self.transfers.outgoing.borrow_mut().remove(&command) else { return };
        let Outgoing { object, source, is_file, on_progress, .. } = &outgoing;
        let error = match result {
            Ok(()) => {
                let size = get(object, "size");
                set(object, "transferred", &size);
                set(object, "state", &"done".into());
                None
            }
            Err(error) => {
                let error = failure::to_js(error);
                set(object, "state", &"failed".into());
                set(object, "error", &error);
                Some(error)
            }
        };
        if source.is_some() {
            self.tell_progress(object, on_progress.as_ref());
        }
        if *is_file {
            match error {
                None => self.listeners().fire("onFileTransferOk", &[object.into()]),
                Some(error) => self.listeners().fire("onFileTransferKo", &[object.into(), error]),
            }
        }
    }

    /// The function behind every `transfer.cancel()` of this call. It does nothing where there is nothing
    /// to cancel any more.
    fn canceller(self: &Rc<Self>, driver: &Rc<Driver>, id: CallId) -> Function {
        self.canceller
            .borrow_mut()
            .get_or_insert_with(|| {
                let (shell, driver) = (Rc::downgrade(self), Rc::downgrade(driver));
                let cancel = move |number: u32| {
                    let (Some(shell), Some(driver)) = (shell.upgrade(), driver.upgrade()) else {
                        return;
                    };
                    if let Some(transfer) = shell.transfers.by_number(number) {
                        driver.tell(id, |call, now| call.cancel_transfer(transfer, now));
                    }
                };
                // The page may keep it for as long as it likes: the garbage collector frees it.
                Closure::<dyn Fn(u32)>::new(cancel).into_js_value().unchecked_into()
            })
            .clone()
    }
}

/// The object that a page sees of a transfer.
fn describe(meta: &Meta, direction: &str, canceller: &Function, number: u32) -> Object {
    let object = Object::new();
    set(&object, "direction", &direction.into());
    set(&object, "type", &JsValue::from_str(&meta.kind));
    set(
        &object,
        "filename",
        &meta.filename.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str),
    );
    set(&object, "size", &JsValue::from_f64(meta.size as f64));
    set(&object, "transferred", &JsValue::from_f64(0.0));
    set(&object, "state", &"active".into());
    set(&object, "cancel", &canceller.bind1(&JsValue::UNDEFINED, &number.into()));
    object
}
