//! A video call object: one registered name, and at most one call at a time.

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

/// Options of a video call object.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CallOptions(CallSetup);

impl CallOptions {
    /// The defaults: audio, video and data; no elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// The audio and video to send, and their devices.
    pub fn stream(mut self, stream: StreamOptions) -> Self {
        self.0.stream = stream;
        self
    }

    /// The elements that show the videos. Default: none; the streams come with their events only.
    pub fn elements(mut self, elements: Elements) -> Self {
        self.0.elements = elements;
        self
    }

    /// The data that this side accepts.
    pub fn data(mut self, policy: Policy) -> Self {
        self.0.config.data = policy;
        self
    }

    /// Shown to the gateway's administrator as the `opaque_id`. Default: the account of the
    /// connection.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.0.config.account = Some(account.into());
        self
    }

    /// How long a call may ring, at either end. Default 60 s.
    pub fn ring_timeout(mut self, limit: Duration) -> Self {
        self.0.config.ring_timeout = limit;
        self
    }

    /// How long the media connection may take once a call is accepted, and to recover once it was
    /// lost. Default 30 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.0.config.connect_timeout = limit;
        self
    }

    pub(super) fn into_setup(self) -> CallSetup {
        self.0
    }
}

/// A media track that this side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// The microphone.
    Audio,
    /// The camera.
    Video,
}

/// A name at the gateway, and one call at a time. Clones are the same object; the last one that is
/// dropped closes it.
///
/// A command starts when its method is called, whether or not the future is awaited.
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

    /// Disables closing on drop.
    #[cfg(feature = "js")]
    pub(crate) fn keep_alive(&self) {
        self.0.keep_alive();
    }

    /// The peer of the current call.
    pub fn peer(&self) -> Option<String> {
        self.0.session().driver().peer(self.0.id())
    }

    /// The local stream, while a call has its devices open.
    pub fn local_stream(&self) -> Option<MediaStream> {
        self.0.page()?.local_stream()
    }

    /// The stream of the peer, during a call.
    pub fn remote_stream(&self) -> Option<MediaStream> {
        self.0.page()?.remote_stream()
    }

    /// Registers a name of 1 to 128 characters, or a readable guest name. Returns the name.
    pub fn register(&self, name: Option<&str>) -> Pending<String> {
        let name = name.map(UserName::checked).transpose();
        let ended =
            name.map(|name| self.0.command(|call, command, now| call.register(command, name, now)));
        Pending::new(ended, |reply| match reply {
            Reply::VideoCall(CallReply::Name(name)) => name.to_string(),
            _ => String::new(),
        })
    }

    /// The names that are registered at the gateway, including this one.
    pub fn peers(&self) -> Pending<Vec<String>> {
        Pending::new(Ok(self.0.command(|call, command, _| call.list(command))), |reply| match reply
        {
            Reply::VideoCall(CallReply::Names(names)) => names,
            _ => Vec::new(),
        })
    }

    /// Calls a user. Ready when the callee's side rings. While an incoming call rings, no name or
    /// the caller's name accepts it, as [`Self::accept`] does.
    pub fn call(&self, name: Option<&str>) -> Pending<()> {
        let name = name.map(UserName::checked).transpose();
        let ended =
            name.map(|name| self.0.command(|call, command, now| call.call(command, name, now)));
        Pending::new(ended, drop)
    }

    /// Accepts the incoming call. Ready when the gateway has confirmed.
    pub fn accept(&self) -> Pending<()> {
        Pending::new(Ok(self.0.command(|call, command, now| call.accept(command, now))), drop)
    }

    /// Hangs up, cancels or declines. The peer gets the reason, truncated to 200 characters.
    pub fn hang_up(&self, reason: Option<&str>) -> Pending<()> {
        let reason = reason.filter(|reason| !reason.is_empty());
        let ended = self.0.command(|call, command, now| call.hang_up(command, reason, now));
        Pending::new(Ok(ended), drop)
    }

    /// Sets whether the gateway forwards this side's audio and video, and the bitrate limit of its
    /// video. Returns the applied settings.
    pub fn set(&self, settings: Settings) -> Pending<Settings> {
        let ended = self.0.command(|call, command, _| call.set(command, settings));
        Pending::new(Ok(ended), |reply| match reply {
            Reply::VideoCall(CallReply::Set(settings)) => settings,
            _ => Settings::default(),
        })
    }

    /// Mutes or unmutes a track. Returns whether it is sent now.
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

    /// As [`Self::send`]. Calls `begun` before any event about the transfer.
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
        // Cleaned as the receiver does it: both sides see the same name, and it fits into its
        // field.
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

    /// Cancels a transfer of either direction. Does nothing if it has ended.
    pub fn cancel(&self, id: TransferId) {
        self.0.cancel(id);
    }

    /// Ends the call, frees the name and closes the object. Idempotent.
    pub fn close(&self) -> Pending<()> {
        Pending::new(Ok(self.0.close()), drop)
    }
}

/// The source of some content, its size, and whether the peer receives it as a text.
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
