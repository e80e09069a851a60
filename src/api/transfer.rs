//! Outgoing content, and the future of its transfer.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::FutureExt;
use web_sys::{Blob, File};

use super::video_call::CallHandle;
use crate::browser::driver::Ended;
use crate::browser::event::TransferStatus;
use crate::error::Error;
use crate::usecase::video_call::TransferId;

/// A message or file to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(super) kind: String,
    pub(super) content: Content,
    pub(super) filename: Option<String>,
}

/// The content of a message or file.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text of at most 16 MiB.
    Text(String),
    /// A text in a blob of UTF-8. The peer receives it as a text.
    TextBlob(Blob),
    /// Anything else. The peer receives it as a blob.
    Blob(Blob),
}

impl Outgoing {
    /// Any content. `kind` is a MIME type or any other word of 1 to 255 bytes that both sides know.
    pub fn new(kind: impl Into<String>, content: Content) -> Self {
        Self { kind: kind.into(), content, filename: None }
    }

    /// A text.
    pub fn text(kind: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(kind, Content::Text(text.into()))
    }

    /// A blob.
    pub fn blob(kind: impl Into<String>, blob: Blob) -> Self {
        Self::new(kind, Content::Blob(blob))
    }

    /// A file, under its own name.
    pub fn file(kind: impl Into<String>, file: File) -> Self {
        let name = file.name();
        Self::blob(kind, file.into()).filename(name)
    }

    /// Sets the file name that the peer receives.
    #[must_use]
    pub fn filename(mut self, name: impl Into<String>) -> Self {
        self.filename = Some(name.into());
        self
    }
}

/// The future of a transfer. It is ready once the peer has everything or the transfer has failed.
/// Dropping it does not cancel the transfer.
#[must_use = "the transfer is running, and only this future reports its result"]
pub struct Transfer {
    call: Rc<CallHandle>,
    status: TransferStatus,
    ended: Ended<TransferStatus>,
}

impl Transfer {
    pub(super) fn new(
        call: Rc<CallHandle>,
        status: TransferStatus,
        ended: Ended<TransferStatus>,
    ) -> Self {
        Self { call, status, ended }
    }

    /// The id of the transfer, unique within its call.
    pub fn id(&self) -> TransferId {
        self.status.id
    }

    /// Cancels the transfer. Does nothing if it has ended.
    pub fn cancel(&self) {
        self.call.cancel(self.status.id);
    }
}

impl Future for Transfer {
    type Output = Result<TransferStatus, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.ended.poll_unpin(context).map(|ended| ended.unwrap_or(Err(Error::Dropped)))
    }
}
