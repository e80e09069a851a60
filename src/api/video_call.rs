//! One video call: a name, and at most one call at a time.

use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::prelude::*;
use web_sys::MediaStream;

use super::handle::Handle;
use super::pending::Pending;
use super::transfer::{Content, Outgoing, Transfer};
use super::video_rtc::Session;
use crate::browser::blob;
use crate::browser::event::TransferStatus;
use crate::browser::options::{CallSetup, Elements, StreamOptions};
use crate::browser::throwing::{Content as BlobContent, throwing};
use crate::browser::thrown;
use crate::browser::transfers::Source;
use crate::browser::video_call as page;
use crate::client::UseCaseId;
use crate::config::UserName;
use crate::data::{LONGEST_INLINE, LONGEST_TEXT, Meta, Policy, clean_filename, is_kind};
use crate::error::Error;
use crate::usecase::video_call::{self, Reply as CallReply, Settings, TransferId};
use crate::usecase::{Closed, Reply};

/// How a video call is made.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CallOptions(CallSetup);

impl CallOptions {
    /// The defaults: audio, video and data; no elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to send, and from which devices.
    pub fn stream(mut self, stream: StreamOptions) -> Self {
        self.0.stream = stream;
        self
    }

    /// Where the videos go. Default: nowhere; the streams come by their events alone.
    pub fn elements(mut self, elements: Elements) -> Self {
        self.0.elements = elements;
        self
    }

    /// What may be received on the data channel.
    pub fn data(mut self, policy: Policy) -> Self {
        self.0.config.data = policy;
        self
    }

    /// Shown to the gateway's administrator as the `opaque_id`, in place of the connection's own account.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.0.config.account = Some(account.into());
        self
    }

    /// How long a call may ring, at either end. Default 60 s.
    pub fn ring_timeout(mut self, limit: Duration) -> Self {
        self.0.config.ring_timeout = limit;
        self
    }

    /// How long the media connection may take once a call is accepted, and to come back when it was lost. Default
    /// 30 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.0.config.connect_timeout = limit;
        self
    }

    pub(super) fn into_setup(self) -> CallSetup {
        self.0
    }
}

/// What a call sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// The microphone.
    Audio,
    /// The camera.
    Video,
}

/// A name at the gateway, and one call at a time. Clones are the same object; the last one that is dropped closes it.
///
/// A command is under way when its method returns, whether or not the future is awaited.
#[derive(Clone)]
pub struct VideoCall(Rc<CallHandle>);

pub(crate) type CallHandle = Handle<video_call::VideoCall>;

impl CallHandle {
    /// The page's side, while the object exists.
    fn page(&self) -> Option<Rc<page::VideoCall>> {
        self.session().driver().video_call(self.id())
    }

    pub(crate) fn cancel(&self, id: TransferId) {
        if let Some(page) = self.page() {
            page.input(|call, now| call.cancel_transfer(id, now));
        }
    }
}

impl VideoCall {
    pub(super) fn new(session: Rc<Session>, id: UseCaseId) -> Self {
        Self(Handle::new(session, id))
    }

    /// Dropping never closes it.
    #[cfg(feature = "js")]
    pub(crate) fn keep_alive(&self) {
        self.0.keep_alive();
    }

    /// Who the other side of the call is, if there is a call.
    pub fn peer(&self) -> Option<String> {
        self.0.session().driver().peer(self.0.id())
    }

    /// What this side sends, while a call has its devices open.
    pub fn local_stream(&self) -> Option<MediaStream> {
        self.0.page()?.local_stream()
    }

    /// What the other side sends, in a call.
    pub fn remote_stream(&self) -> Option<MediaStream> {
        self.0.page()?.remote_stream()
    }

    /// Takes a name of 1 to 128 characters; without one, a readable guest name. Gives the name.
    pub fn register(&self, name: Option<&str>) -> Pending<String> {
        let name = name.map(UserName::checked).transpose();
        let ended =
            name.map(|name| self.0.command(|call, command, now| call.register(command, name, now)));
        Pending::new(ended, |reply| match reply {
            Reply::VideoCall(CallReply::Name(name)) => name.to_string(),
            _ => String::new(),
        })
    }

    /// The names that the gateway knows, its own included.
    pub fn peers(&self) -> Pending<Vec<String>> {
        Pending::new(Ok(self.0.command(|call, command, _| call.list(command))), |reply| match reply
        {
            Reply::VideoCall(CallReply::Names(names)) => names,
            _ => Vec::new(),
        })
    }

    /// Calls somebody; ready when it rings there. While a call rings here, no name and that caller's name accept it,
    /// as [`Self::accept`].
    pub fn call(&self, name: Option<&str>) -> Pending<()> {
        let name = name.map(UserName::checked).transpose();
        let ended =
            name.map(|name| self.0.command(|call, command, now| call.call(command, name, now)));
        Pending::new(ended, drop)
    }

    /// Answers; ready when the gateway has confirmed.
    pub fn accept(&self) -> Pending<()> {
        Pending::new(Ok(self.0.command(|call, command, now| call.accept(command, now))), drop)
    }

    /// Hangs up, cancels or declines. The other side gets the reason, cut to 200 characters.
    pub fn hang_up(&self, reason: Option<&str>) -> Pending<()> {
        let reason = reason.filter(|reason| !reason.is_empty());
        let ended = self.0.command(|call, command, now| call.hang_up(command, reason, now));
        Pending::new(Ok(ended), drop)
    }

    /// Sets whether the gateway passes on what this side sends, and the ceiling of its video. Gives what it set.
    pub fn set(&self, settings: Settings) -> Pending<Settings> {
        let ended = self.0.command(|call, command, _| call.set(command, settings));
        Pending::new(Ok(ended), |reply| match reply {
            Reply::VideoCall(CallReply::Set(settings)) => settings,
            _ => Settings::default(),
        })
    }

    /// Mutes or unmutes what this side sends. Gives the new state: whether it is sent.
    pub fn toggle(&self, track: Track) -> Result<bool, Error> {
        let page = self.0.page().ok_or(video_call::Error::from(Closed::ByPage))?;
        page.toggle(match track {
            Track::Audio => "audio",
            Track::Video => "video",
        })
    }

    /// Sends a message or file.
    pub fn send(&self, outgoing: Outgoing) -> Result<Transfer, Error> {
        self.send_with(outgoing, |_| ())
    }

    /// As [`Self::send`]. `begun` hears of the transfer before any event tells of it.
    pub(crate) fn send_with(
        &self,
        outgoing: Outgoing,
        begun: impl FnOnce(&TransferStatus),
    ) -> Result<Transfer, Error> {
        let Outgoing { kind, content, filename } = outgoing;
        if !is_kind(&kind) {
            return Err(Error::invalid_argument(
                "the type must be a text such as \"text/plain\", of 1 to 255 bytes and without \
                 control characters",
            ));
        }
        let (source, size, is_text) = source_of(content)?;
        // As the other side would: so both see the same name, and it fits into its field.
        let filename = filename.as_deref().and_then(clean_filename);
        let meta = Meta { kind, filename, size, is_text };
        let mut status = None;
        let ended = self.0.session().driver().send(self.0.id(), meta, source, |begun_status| {
            begun(begun_status);
            status = Some(begun_status.clone());
        });
        let status = status.ok_or(video_call::Error::from(Closed::ByPage))?;
        Ok(Transfer::new(self.0.clone(), status, ended))
    }

    /// Ends a transfer of either direction. Does nothing where it has ended.
    pub fn cancel(&self, id: TransferId) {
        self.0.cancel(id);
    }

    /// Ends the call, frees the name and closes the object. Idempotent.
    pub fn close(&self) -> Pending<()> {
        Pending::new(Ok(self.0.close()), drop)
    }
}

/// What content is read from, its size, and whether it arrives as a text.
fn source_of(content: Content) -> Result<(Source, u64, bool), Error> {
    let (blob, is_text) = match content {
        Content::Text(text) if text.len() <= LONGEST_INLINE => {
            let size = text.len() as u64;
            return Ok((Source::Text(text), size, true));
        }
        Content::Text(text) => {
            let parts = js_sys::Array::of1(&text.into());
            (blob::joined(&parts, None).map_err(unreadable)?, true)
        }
        Content::TextBlob(blob) => (blob, true),
        Content::Blob(blob) => (blob, false),
    };
    let size = throwing::<BlobContent>(&blob).size().map_err(unreadable)? as u64;
    if is_text && size > LONGEST_TEXT {
        return Err(Error::invalid_argument(format!(
            "data is a string of {size} bytes, and at most {LONGEST_TEXT} can be sent as a string: \
             send a Blob instead"
        )));
    }
    Ok((Source::Blob { blob, is_text }, size, is_text))
}

fn unreadable(thrown: JsValue) -> Error {
    Error::unreadable_argument("the browser cannot read data", thrown::words(&thrown))
}
