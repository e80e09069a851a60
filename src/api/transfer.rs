//! What is sent, and the future that tells how it ended.

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

/// A message or file to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(super) kind: String,
    pub(super) content: Content,
    pub(super) filename: Option<String>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text, of at most 16 MiB.
    Text(String),
    /// A text that is held in a blob of UTF-8. It arrives as a text.
    TextBlob(Blob),
    /// Anything else. It arrives as a blob.
    Blob(Blob),
}

impl Outgoing {
    /// Any content, under a MIME type or any other word of 1 to 255 bytes that both sides know.
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

    /// Sets the name under which the other side gets it.
    #[must_use]
    pub fn filename(mut self, name: impl Into<String>) -> Self {
        self.filename = Some(name.into());
        self
    }
}

/// A message or file on its way: a future that is ready once the other side has it whole, or will not have it. Dropped,
/// the transfer goes on.
#[must_use = "it is under way, and how it ends is known to this alone"]
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

    /// Tells it from others of the same call.
    pub fn id(&self) -> TransferId {
        self.status.id
    }

    /// Ends it. Does nothing where it has ended.
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
