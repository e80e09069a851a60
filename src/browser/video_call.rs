//! The page's side of one video call object: its media, its transfers, and its events in the types
//! of the API.

use std::rc::Rc;

use web_sys::MediaStream;

use super::devices;
use super::driver::Driver;
use super::event::CallEvent;
use super::media::Media;
use super::options::CallSetup;
use super::transfers::Transfers;
use crate::client::UseCaseId;
use crate::error::Error;
use crate::log::Level;
use crate::peer;
use crate::time::Time;
use crate::usecase::video_call::{self, Event, Misuse};

/// Receives the events of a call.
pub(crate) type OnEvent = Rc<dyn Fn(CallEvent)>;

pub(crate) struct VideoCall {
    pub(super) media: Rc<Media>,
    pub(super) transfers: Transfers,
    on_event: OnEvent,
}

impl VideoCall {
    pub(crate) fn new(
        id: UseCaseId,
        driver: &Rc<Driver>,
        setup: CallSetup,
        on_event: OnEvent,
    ) -> Rc<Self> {
        let CallSetup { config, stream, elements } = setup;
        let sink = on_event.clone();
        let on_local = Box::new(move |stream: &MediaStream| {
            sink(CallEvent::LocalStream(Clone::clone(stream)));
        });
        let media = Media::new(id, driver, (stream, config.data.enabled), elements, on_local);
        Rc::new(Self { media, transfers: Transfers::default(), on_event })
    }

    /// Passes an event to the page. No borrow may be held, since a listener may call any method.
    pub(crate) fn emit(&self, event: CallEvent) {
        (self.on_event)(event);
    }

    /// Passes an input to the core's object.
    pub(crate) fn input(&self, act: impl FnOnce(&mut video_call::VideoCall, Time)) {
        if let Some(driver) = self.media.driver() {
            let id = self.media.id();
            driver.input(|client, now| {
                client.with_video_call(id, None, now, |call| act(call, now));
            });
        }
    }

    pub(crate) fn log(&self, level: Level, line: &str) {
        self.media.log(level, line);
    }

    /// The stream of this side, while a call has its devices open.
    pub(crate) fn local_stream(&self) -> Option<MediaStream> {
        self.media.local_stream()
    }

    /// The stream of the other side, during a call.
    pub(crate) fn remote_stream(&self) -> Option<MediaStream> {
        self.media.remote_stream()
    }

    /// Whether calls carry data.
    pub(crate) fn has_data(&self) -> bool {
        self.media.has_data()
    }

    /// Mutes or unmutes the tracks of a kind. Returns the new state.
    pub(crate) fn toggle(&self, kind: &'static str) -> Result<bool, Error> {
        let stream = self.local_stream().ok_or(video_call::Error::from(Misuse::NothingToMute))?;
        devices::toggle(&stream, kind).ok_or_else(|| peer::Error::NotSent { kind }.into())
    }

    pub(crate) fn handle_event(&self, event: Event) {
        self.emit(match event {
            Event::Registered { name, is_registered } => {
                CallEvent::Registered { name: name.to_string(), is_registered }
            }
            Event::Calling(name) => CallEvent::Calling(name.to_string()),
            Event::IncomingCall(name) => CallEvent::IncomingCall(name.to_string()),
            Event::Accepted(name) => CallEvent::Accepted(name.to_string()),
            Event::HangUp { peer, reason } => CallEvent::HangUp { peer: peer.to_string(), reason },
            Event::SetCall(settings) => CallEvent::Set(settings),
            Event::RemoteMedia(name) => {
                let Some(stream) = self.remote_stream() else { return };
                CallEvent::RemoteStream { stream, peer: name.to_string() }
            }
            Event::SlowLink { media, uplink, lost } => {
                CallEvent::SlowLink { media, is_uplink: uplink, lost }
            }
            Event::Reconnecting(cause) => CallEvent::Reconnecting(cause),
            Event::Reconnected => CallEvent::Reconnected,
            Event::Error(error) => CallEvent::Error(error),
        });
    }
}
