//! The browser side of a call's transfers: their sources, their received content and their state.
//!
//! All content is in blobs of the browser. The core decides what is sent when and how a transfer
//! ends.

use std::cell::RefCell;
use std::rc::Rc;
use vecmap::VecMap;

use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use super::blob::{self, Arriving};
use super::event::{CallEvent, Direction, TransferState, TransferStatus};
use super::thrown;
use super::video_call::VideoCall;
use crate::config::UserName;
use crate::data::{Content, Meta};
use crate::error::Error;
use crate::log::Level;
use crate::usecase::Command;
use crate::usecase::video_call::{Data, Transfer, TransferId};

/// The source of outgoing content.
pub(crate) enum Source {
    /// A text that fits into one message.
    Text(String),
    /// A blob that is read while it is sent. `is_text` if the peer receives it as a text.
    Blob { blob: Blob, is_text: bool },
}

/// The running transfers of both directions.
#[derive(Default)]
pub(crate) struct Transfers {
    outgoing: RefCell<VecMap<Command, Sending>>,
    incoming: RefCell<VecMap<TransferId, Arriving>>,
}

struct Sending {
    status: TransferStatus,
    source: Option<Blob>,
    is_text: bool,
}

impl Transfers {
    /// Starts an outgoing transfer.
    pub(crate) fn begin(&self, status: TransferStatus, source: Source) {
        let TransferId::Outgoing(command) = status.id else { return };
        let (source, is_text) = match source {
            Source::Text(_) => (None, true),
            Source::Blob { blob, is_text } => (Some(blob), is_text),
        };
        self.outgoing.borrow_mut().insert(command, Sending { status, source, is_text });
    }

    /// Ends an outgoing transfer, just before its command ends. Returns the final status.
    pub(crate) fn finish(
        &self,
        command: Command,
        result: Result<(), &Error>,
        emit: impl Fn(CallEvent),
    ) -> Option<TransferStatus> {
        let sending = self.outgoing.borrow_mut().remove(&command);
        // Absent if the core refused the transfer before it began.
        let Sending { mut status, source, is_text } = sending?;
        match result {
            Ok(()) => (status.state, status.transferred) = (TransferState::Done, status.size),
            Err(error) => status.state = TransferState::Failed(error.clone()),
        }
        if source.is_some() {
            emit(CallEvent::Progress(status.clone()));
        }
        if !is_text {
            emit(match result {
                Ok(()) => CallEvent::FileSent(status.clone()),
                Err(_) => CallEvent::FileFailed(status.clone()),
            });
        }
        Some(status)
    }

    /// Executes a data command of the core or reports its event.
    pub(crate) fn handle(call: &Rc<VideoCall>, data: Data) {
        match data {
            Data::Read { command, offset, length } => read(call, command, offset, length),
            Data::Keep(id, bytes) => keep(call, id, &bytes),
            Data::Deliver(transfer, peer, content) => deliver(call, transfer, &peer, content),
            Data::PlainText(peer, text) => call.emit(CallEvent::Text {
                kind: "text/plain".into(),
                text,
                filename: None,
                peer: peer.to_string(),
            }),
            Data::PlainBytes(peer, bytes) => give_bytes(call, &peer, &bytes),
            Data::Changed(transfer, peer) => change(call, transfer, &peer),
        }
    }
}

fn read(call: &Rc<VideoCall>, command: Command, offset: u64, length: u64) {
    let source = {
        let outgoing = call.transfers.outgoing.borrow();
        outgoing.get(&command).and_then(|sending| sending.source.clone())
    };
    let Some(source) = source else { return };
    let call = call.clone();
    spawn_local(async move {
        let read = blob::read(&source, offset, length).await;
        let read = read.map_err(|thrown| thrown::words(&thrown));
        call.input(|core, now| core.handle_read(command, offset, read, now));
    });
}

fn keep(call: &Rc<VideoCall>, id: TransferId, bytes: &[u8]) {
    let incoming = &call.transfers.incoming;
    let arriving = incoming.borrow_mut().remove(&id);
    let mut arriving = arriving.unwrap_or_else(Arriving::new);
    match arriving.push(bytes) {
        Ok(()) => drop(incoming.borrow_mut().insert(id, arriving)),
        Err(thrown) => lose(call, id, &thrown),
    }
}

fn lose(call: &Rc<VideoCall>, id: TransferId, thrown: &wasm_bindgen::JsValue) {
    call.log(Level::Error, &format!("data could not be kept: {}", thrown::words(thrown)));
    call.input(|core, now| core.handle_delivered(id, false, now));
}

/// Delivers a complete transfer: a short text, or the stored content. Confirms it to the core once
/// the page has it.
fn deliver(call: &Rc<VideoCall>, transfer: Transfer, peer: &UserName, content: Content) {
    let (id, peer) = (transfer.id, peer.to_string());
    let Meta { kind, filename, is_text, .. } = transfer.meta.clone();
    if let Content::Text(text) = content {
        call.emit(CallEvent::Text { kind, text, filename, peer });
        return call.input(|core, now| core.handle_delivered(id, true, now));
    }
    let arriving = call.transfers.incoming.borrow_mut().remove(&id);
    let blob = match arriving.unwrap_or_else(Arriving::new).finish(&kind) {
        Ok(blob) => blob,
        Err(thrown) => return lose(call, id, &thrown),
    };
    let mut status = status_of(transfer, &peer);
    status.transferred = status.size;
    status.state = TransferState::Done;
    let give = move |call: &Rc<VideoCall>, event: CallEvent| {
        call.emit(CallEvent::Progress(status));
        call.emit(event);
        call.input(|core, now| core.handle_delivered(id, true, now));
    };
    if !is_text {
        return give(call, CallEvent::Data { kind, blob, filename, peer });
    }
    let call = call.clone();
    spawn_local(async move {
        match blob::read_text(&blob).await {
            Ok(text) => give(&call, CallEvent::Text { kind, text, filename, peer }),
            Err(thrown) => lose(&call, id, &thrown),
        }
    });
}

/// Delivers bytes from a peer that does not use this library.
fn give_bytes(call: &Rc<VideoCall>, peer: &UserName, bytes: &[u8]) {
    let kind = "application/octet-stream";
    let mut arriving = Arriving::new();
    match arriving.push(bytes).and_then(|()| arriving.finish(kind)) {
        Ok(blob) => call.emit(CallEvent::Data {
            kind: kind.into(),
            blob,
            filename: None,
            peer: peer.to_string(),
        }),
        Err(thrown) => {
            call.log(Level::Error, &format!("data could not be kept: {}", thrown::words(&thrown)));
        }
    }
}

/// Reports progress, or the failure of an incoming transfer.
fn change(call: &Rc<VideoCall>, transfer: Transfer, peer: &UserName) {
    let status = match transfer.id {
        TransferId::Outgoing(command) => {
            let mut outgoing = call.transfers.outgoing.borrow_mut();
            let Some(sending) = outgoing.get_mut(&command) else { return };
            sending.status.peer = Some(peer.to_string());
            sending.status.transferred = transfer.transferred;
            sending.status.clone()
        }
        TransferId::Incoming(..) => {
            if matches!(transfer.state, TransferState::Failed(_)) {
                let arrived = call.transfers.incoming.borrow_mut().remove(&transfer.id);
                drop(arrived);
            }
            status_of(transfer, peer.as_str())
        }
    };
    call.emit(CallEvent::Progress(status));
}

fn status_of(transfer: Transfer, peer: &str) -> TransferStatus {
    let Transfer { id, meta, transferred, state } = transfer;
    TransferStatus {
        id,
        direction: match id {
            TransferId::Outgoing(_) => Direction::Outgoing,
            TransferId::Incoming(..) => Direction::Incoming,
        },
        kind: meta.kind,
        filename: meta.filename,
        size: meta.size,
        transferred,
        state,
        peer: Some(peer.to_owned()),
    }
}
