//! Messages and files, between the core and the page's side of them, which is JavaScript: content never stands
//! whole in the module's memory.

use std::rc::Rc;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use super::call::CallShell;
use super::driver::Driver;
use super::failure;
use crate::call::{Command, Data, LegId, Transfer, TransferState};
use crate::client::CallId;
use crate::config::UserName;
use crate::error::{Code, Error};
use crate::log::Level;
use crate::transfer::{Content, Lane, Meta};

#[wasm_bindgen]
extern "C" {
    /// The class of `pkg-template/transfers.js`. A transfer's name is two numbers there, and what is sent is
    /// named by its command.
    pub(crate) type Transfers;
    #[wasm_bindgen(method)]
    fn begin(
        this: &Transfers,
        number: f64,
        sending: &JsValue,
        filename: Option<&str>,
        user_name: Option<&str>,
    );
    #[wasm_bindgen(method)]
    fn read(this: &Transfers, number: f64, offset: f64, length: f64);
    #[wasm_bindgen(method)]
    fn finish(this: &Transfers, number: f64, error: &JsValue);
    #[wasm_bindgen(method)]
    fn keep(this: &Transfers, leg: f64, number: f64, bytes: &[u8]);
    #[wasm_bindgen(method)]
    fn change(
        this: &Transfers,
        leg: f64,
        number: f64,
        kind: &str,
        filename: Option<&str>,
        size: f64,
        transferred: f64,
        user_name: &str,
        state: &str,
        error: &JsValue,
    );
    #[wasm_bindgen(method)]
    fn deliver(
        this: &Transfers,
        leg: f64,
        number: f64,
        kind: &str,
        filename: Option<&str>,
        size: f64,
        user_name: &str,
        is_text: bool,
    );
    #[wasm_bindgen(method)]
    fn give(this: &Transfers, kind: &str, data: &JsValue, filename: Option<&str>, user_name: &str);
}

impl Driver {
    /// Sends a short text, or what is read when it is asked for. The promise settles when the other side has it
    /// whole, or never will. `sending` is what JavaScript keeps of it.
    pub(crate) fn send_data(
        self: &Rc<Self>,
        id: CallId,
        meta: Meta,
        text: Option<String>,
        sending: JsValue,
    ) -> Promise {
        let shell = self.call(id);
        self.command(
            |_| Ok(JsValue::UNDEFINED),
            |client, command, now| {
                client.with_call(id, Some(command), now, |call| {
                    if let Some(transfers) = shell.as_ref().and_then(|shell| shell.transfers()) {
                        let (filename, peer) = (meta.filename.as_deref(), call.peer());
                        let peer = peer.map(UserName::as_str);
                        transfers.begin(command.0 as f64, &sending, filename, peer);
                    }
                    match text {
                        Some(text) => call.send_text(command, meta, text, now),
                        None => call.send_source(command, meta, now),
                    }
                });
            },
        )
    }

    /// The bytes that the core asked for, or why there are none.
    pub(crate) fn handle_read(
        self: &Rc<Self>,
        id: CallId,
        number: f64,
        offset: f64,
        bytes: Option<Vec<u8>>,
        cause: Option<String>,
    ) {
        let read = bytes.ok_or_else(|| {
            let error = "the file could not be read: it may have been changed or removed";
            Error::new(Code::TransferFailed, error).with_cause(cause.unwrap_or_default())
        });
        let command = Command(number as u64);
        self.tell(id, |call, now| call.handle_read(command, offset as u64, read, now));
    }
}

impl CallShell {
    /// Does what the core wants done with data.
    pub(super) fn handle_data(&self, driver: &Rc<Driver>, id: CallId, data: Data) {
        if let Data::Send(leg, lane, message) = &data {
            return self.send(driver, id, *leg, *lane, message);
        }
        let Some(transfers) = self.transfers() else { return };
        match data {
            Data::Send(..) => {}
            Data::SendText(leg, text) => {
                if let Some(peer) = self.peer(leg)
                    && let Some(Err(error)) =
                        peer.channels().map(|channels| channels.send_text(&text))
                {
                    driver.console().write(Level::Warn, &error.to_string());
                }
            }
            Data::Read { command, offset, length } => {
                transfers.read(command.0 as f64, offset as f64, length as f64);
            }
            Data::Keep(transfer, bytes) => {
                let (leg, number) = transfer.numbers();
                transfers.keep(leg as f64, number as f64, &bytes);
            }
            Data::Deliver(transfer, peer, content) => {
                let Meta { kind, filename, size, is_text } = &transfer.meta;
                let (filename, name) = (filename.as_deref(), peer.as_str());
                match content {
                    Content::Text(text) => {
                        transfers.give(kind, &text.into(), filename, name);
                        driver.tell(id, |call, now| call.handle_delivered(transfer.id, true, now));
                    }
                    Content::Kept => {
                        let (leg, number) = transfer.id.numbers();
                        let (leg, number) = (leg as f64, number as f64);
                        let size = *size as f64;
                        transfers.deliver(leg, number, kind, filename, size, name, *is_text);
                    }
                }
            }
            Data::PlainText(peer, text) => {
                transfers.give("text/plain", &text.into(), None, peer.as_str());
            }
            Data::PlainBytes(peer, bytes) => {
                let bytes = Uint8Array::from(bytes.as_slice());
                transfers.give("application/octet-stream", &bytes, None, peer.as_str());
            }
            Data::Changed(transfer, peer) => change(transfers, &transfer, &peer),
        }
    }

    fn send(&self, driver: &Rc<Driver>, id: CallId, leg: LegId, lane: Lane, message: &[u8]) {
        let Some(peer) = self.peer(leg) else { return };
        match peer.channels().map(|channels| channels.send(lane, message)) {
            Some(Ok(Some(buffered))) => {
                driver.tell(id, |call, now| call.handle_buffered(leg, buffered, now));
            }
            Some(Err(error)) => driver.console().write(Level::Warn, &error.to_string()),
            Some(Ok(None)) | None => {}
        }
    }

    /// The command that sent something ended: tells the page, before the promise does.
    pub(super) fn finish_transfer(&self, command: Command, result: Result<(), &Error>) {
        if let Some(transfers) = self.transfers() {
            let error = result.map_or_else(failure::to_js, |()| JsValue::UNDEFINED);
            transfers.finish(command.0 as f64, &error);
        }
    }
}

/// Tells the page how far a transfer is.
fn change(transfers: &Transfers, transfer: &Transfer, peer: &UserName) {
    let Transfer { id, meta, transferred, state } = transfer;
    let (leg, number) = id.numbers();
    let (state, error) = match state {
        TransferState::Active => ("active", JsValue::UNDEFINED),
        TransferState::Done => ("done", JsValue::UNDEFINED),
        TransferState::Failed(error) => ("failed", failure::to_js(error)),
    };
    transfers.change(
        leg as f64,
        number as f64,
        &meta.kind,
        meta.filename.as_deref(),
        meta.size as f64,
        *transferred as f64,
        peer.as_str(),
        state,
        &error,
    );
}
