//! The shell of one video call: its devices, peer connections, pictures and listeners.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{MediaStream, RtcConfiguration};

use super::channel;
use super::driver::Driver;
use super::failure;
use super::media::{self, StreamOptions};
use super::page::Listeners;
use super::peer::{MOST_EARLY_CANDIDATES, News, Peer};
use super::transfers::Transfers;
use super::view::{Picture, View};
use crate::call::{Call, LegId, LegState, Media};
use crate::client::CallId;
use crate::config::UserName;
use crate::error::{Code, Error};
use crate::event::{Event, Settings};
use crate::proto::Candidate;
use crate::time::Time;
use crate::vec_map::VecMap;

/// What a video call is made with.
pub(crate) struct CallOptions {
    pub(crate) listeners: Listeners,
    pub(crate) view: View,
    pub(crate) stream: StreamOptions,
    /// Whether there are data channels.
    pub(crate) data: bool,
    /// The page's side of messages and files, where there is one.
    pub(crate) transfers: Option<Transfers>,
}

/// The browser's side of one video call.
pub(crate) struct CallShell {
    options: CallOptions,
    configuration: RtcConfiguration,
    /// The open devices, kept over all the legs of one conversation.
    local: RefCell<Option<MediaStream>>,
    remote: RefCell<Option<MediaStream>>,
    /// Counts conversations, so that devices that open too late are closed at once.
    conversation: Cell<u64>,
    /// Every leg that is wanted.
    legs: RefCell<VecMap<LegId, Leg>>,
}

/// A leg on the browser's side.
enum Leg {
    /// Its devices are being opened. Candidates that come meanwhile wait for its peer connection.
    Opening(Vec<Candidate>),
    Made(Rc<Peer>),
}

/// Which description to make.
enum Want {
    Offer,
    Answer(String),
}

impl CallShell {
    pub(crate) fn new(options: CallOptions, configuration: RtcConfiguration) -> Self {
        Self {
            options,
            configuration,
            local: RefCell::default(),
            remote: RefCell::default(),
            conversation: Cell::default(),
            legs: RefCell::default(),
        }
    }

    pub(super) fn transfers(&self) -> Option<&Transfers> {
        self.options.transfers.as_ref()
    }

    /// Does what the core wants done with the media.
    pub(crate) fn handle_media(self: &Rc<Self>, driver: &Rc<Driver>, id: CallId, media: Media) {
        match media {
            Media::Offer(leg) => self.describe(driver, id, leg, Want::Offer),
            Media::Answer(leg, offer) => self.describe(driver, id, leg, Want::Answer(offer)),
            Media::Remote(leg, answer) => {
                let (Some(peer), driver) = (self.peer(leg), driver.clone()) else { return };
                spawn_local(async move {
                    if peer.accept(&answer).await.is_err() {
                        driver.tell(id, |call, now| {
                            call.handle_leg_state(leg, LegState::Failed, now)
                        });
                    }
                });
            }
            Media::Candidates(leg, candidates) => match self.legs.borrow_mut().get_mut(&leg) {
                Some(Leg::Opening(early)) => {
                    let room = MOST_EARLY_CANDIDATES.saturating_sub(early.len());
                    early.extend(candidates.into_iter().take(room));
                }
                Some(Leg::Made(peer)) => peer.add_candidates(candidates),
                None => {}
            },
            Media::Close(leg) => {
                if let Some(Leg::Made(peer)) = self.legs.borrow_mut().remove(&leg) {
                    peer.close();
                }
            }
            Media::Release => self.release(),
            Media::Restart(_) | Media::Renegotiate(..) => {}
        }
    }

    fn describe(self: &Rc<Self>, driver: &Rc<Driver>, id: CallId, leg: LegId, want: Want) {
        self.legs.borrow_mut().insert(leg, Leg::Opening(Vec::new()));
        let (shell, driver) = (self.clone(), driver.clone());
        spawn_local(async move {
            let result = shell.make_description(&driver, id, leg, want).await;
            driver.tell(id, |call, now| call.handle_description(leg, result, now));
        });
    }

    async fn make_description(
        &self,
        driver: &Rc<Driver>,
        id: CallId,
        leg: LegId,
        want: Want,
    ) -> Result<String, Error> {
        let stream = self.open_devices().await?;
        if !self.legs.borrow().contains_key(&leg) {
            return Err(no_longer_wanted());
        }
        let sink = {
            let driver = driver.clone();
            Rc::new(move |news| driver.handle_news(id, leg, news))
        };
        let peer = Peer::new(&self.configuration, self.options.data, sink)?;
        let before = self.legs.borrow_mut().insert(leg, Leg::Made(peer.clone()));
        if let Some(Leg::Opening(early)) = before {
            peer.add_candidates(early);
        }
        match want {
            Want::Offer => peer.offer(&stream).await,
            Want::Answer(offer) => peer.answer(&offer, &stream).await,
        }
    }

    async fn open_devices(&self) -> Result<MediaStream, Error> {
        if let Some(stream) = self.local.borrow().as_ref() {
            return Ok(media::same(stream));
        }
        let conversation = self.conversation.get();
        let stream = media::open(&self.options.stream).await?;
        if conversation != self.conversation.get() {
            media::stop(&stream);
            return Err(no_longer_wanted());
        }
        // Another leg of the same conversation may have been faster.
        if let Some(first) = self.local.borrow().as_ref() {
            media::stop(&stream);
            return Ok(media::same(first));
        }
        *self.local.borrow_mut() = Some(media::same(&stream));
        self.options.view.show(Picture::Local, &stream);
        self.options.listeners.fire("onReadyLocalStream", &[media::same(&stream).into()]);
        Ok(stream)
    }

    fn release(&self) {
        self.conversation.set(self.conversation.get().wrapping_add(1));
        if let Some(stream) = self.local.take() {
            media::stop(&stream);
        }
        self.remote.take();
        self.options.view.clear();
    }

    /// Closes everything: the call object is at its end.
    pub(crate) fn close(&self) {
        for (_, leg) in std::mem::take(&mut *self.legs.borrow_mut()) {
            if let Leg::Made(peer) = leg {
                peer.close();
            }
        }
        self.release();
    }

    pub(super) fn peer(&self, leg: LegId) -> Option<Rc<Peer>> {
        match self.legs.borrow().get(&leg) {
            Some(Leg::Made(peer)) => Some(peer.clone()),
            Some(Leg::Opening(_)) | None => None,
        }
    }

    /// Mutes or unmutes what is sent; the new state.
    pub(crate) fn toggle(&self, kind: &str) -> Result<bool, Error> {
        let local = self.local.borrow();
        let Some(stream) = local.as_ref() else {
            return Err(Error::new(Code::NoCall, "nothing is being sent: there is no call"));
        };
        media::toggle(stream, kind)
            .ok_or_else(|| Error::new(Code::DeviceNotFound, format!("this call sends no {kind}")))
    }

    /// Shows the other side's stream, unless it came after the end.
    pub(crate) fn show_remote(&self, leg: LegId, stream: &MediaStream) {
        if self.legs.borrow().contains_key(&leg) {
            *self.remote.borrow_mut() = Some(media::same(stream));
            self.options.view.show(Picture::Remote, stream);
        }
    }

    /// Tells the page.
    pub(crate) fn fire(&self, event: &Event) {
        let name = |name: &UserName| JsValue::from_str(name.as_str());
        let (listener, arguments) = match event {
            Event::Registered { name: user, is_registered } => {
                ("onRegistered", vec![name(user), (*is_registered).into()])
            }
            Event::Calling(user) => ("onCalling", vec![name(user)]),
            Event::IncomingCall(user) => ("onIncomingCall", vec![name(user)]),
            Event::Accepted(user) => ("onAccepted", vec![name(user)]),
            Event::HangUp { peer, reason } => ("onHangUp", vec![name(peer), reason.into()]),
            Event::SetCall(settings) => ("onSetCall", vec![settings_to_js(settings)]),
            Event::RemoteMedia(user) => {
                let stream = self.remote.borrow().as_ref().map(media::same);
                ("onRemoteStreamReady", vec![stream.into(), name(user)])
            }
            Event::SlowLink { media, uplink, lost } => {
                let info = js_sys::Object::new();
                media::set(&info, "media", &media.into());
                media::set(&info, "uplink", &(*uplink).into());
                media::set(&info, "lost", &JsValue::from_f64(*lost as f64));
                ("onSlowLink", vec![info.into()])
            }
            Event::Reconnecting(cause) => ("onReconnecting", vec![failure::to_js(cause)]),
            Event::Reconnected => ("onReconnected", Vec::new()),
            Event::Error(error) => ("onError", vec![failure::to_js(error)]),
        };
        self.options.listeners.fire(listener, &arguments);
    }
}

/// The settings as the page sees them: what was not set is absent.
pub(crate) fn settings_to_js(settings: &Settings) -> JsValue {
    let object = js_sys::Object::new();
    for (key, value) in [("audio", settings.audio), ("video", settings.video)] {
        if let Some(value) = value {
            media::set(&object, key, &value.into());
        }
    }
    if let Some(bitrate) = settings.bitrate {
        media::set(&object, "bitrate", &bitrate.into());
    }
    object.into()
}

impl Driver {
    /// Gives the core news of a peer connection.
    fn handle_news(self: &Rc<Self>, id: CallId, leg: LegId, news: News) {
        match news {
            News::Candidate(candidate) => {
                self.tell(id, |call, now| call.handle_candidate(leg, candidate, now));
            }
            News::Connected => {
                self.tell(id, |call, now| call.handle_leg_state(leg, LegState::Connected, now));
            }
            News::Failed => {
                self.tell(id, |call, now| call.handle_leg_state(leg, LegState::Failed, now));
            }
            News::Track(stream) => {
                if let Some(shell) = self.call(id) {
                    shell.show_remote(leg, &stream);
                }
            }
            News::Flows => self.tell(id, |call, _| call.handle_remote_media(leg)),
            News::Channel(news) => self.tell(id, |call, now| match news {
                channel::News::Open(lane) => call.handle_channel_open(leg, lane, now),
                channel::News::Text(text) => call.handle_text(leg, text),
                channel::News::Message(message) => call.handle_message(leg, &message, now),
                channel::News::Buffered(bytes) => call.handle_buffered(leg, bytes, now),
            }),
        }
    }

    /// Gives a call's core some news, if it still exists.
    pub(crate) fn tell(self: &Rc<Self>, id: CallId, act: impl FnOnce(&mut Call, Time)) {
        self.input(|client, now| client.with_call(id, None, now, |call| act(call, now)));
    }
}

fn no_longer_wanted() -> Error {
    Error::new(Code::CallEnded, "the call ended before the devices were open")
}
