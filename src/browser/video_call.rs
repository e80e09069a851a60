//! The page's side of one video call: its devices, peer connections, videos and data. What the core says of a
//! call is done here.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use vecmap::VecMap;

use futures::channel::oneshot;
use wasm_bindgen_futures::spawn_local;
use web_sys::MediaStream;

use super::devices::{self, LocalStream};
use super::driver::Driver;
use super::event::CallEvent;
use super::options::{Elements, StreamOptions};
use super::peer_connection::{News, PeerConnection, PeerSetup};
use super::thrown;
use super::transfers::Transfers;
use super::view::{Side, View};
use crate::client::CallId;
use crate::error::Error;
use crate::event::Event;
use crate::log::Level;
use crate::peer;
use crate::time::Time;
use crate::usecase::video_call::{self, ConnectionId, Data, Media, Misuse};

/// Hears what a call tells the page.
pub(crate) type OnEvent = Rc<dyn Fn(CallEvent)>;

pub(crate) struct VideoCall {
    id: CallId,
    driver: Weak<Driver>,
    peer_setup: PeerSetup,
    stream_options: StreamOptions,
    has_data: bool,
    on_event: OnEvent,
    view: View,
    pub(super) transfers: Transfers,
    peers: RefCell<VecMap<ConnectionId, Rc<PeerConnection>>>,
    /// The open devices are kept over all the peer connections of one conversation.
    local: RefCell<Option<Rc<LocalStream>>>,
    remote: RefCell<Option<MediaStream>>,
    /// Counts conversations: devices that open too late belong to an earlier one.
    conversation: Cell<u64>,
}

impl VideoCall {
    pub(crate) fn new(
        id: CallId,
        driver: &Rc<Driver>,
        peer_setup: PeerSetup,
        (stream_options, has_data): (StreamOptions, bool),
        elements: Elements,
        on_event: OnEvent,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            driver: Rc::downgrade(driver),
            peer_setup,
            stream_options,
            has_data,
            on_event,
            view: View::new(elements),
            transfers: Transfers::default(),
            peers: RefCell::default(),
            local: RefCell::default(),
            remote: RefCell::default(),
            conversation: Cell::default(),
        })
    }

    /// Tells the page. No borrow is held: it may call any method.
    pub(crate) fn emit(&self, event: CallEvent) {
        (self.on_event)(event);
    }

    /// Feeds this call's core.
    pub(crate) fn input(&self, act: impl FnOnce(&mut video_call::VideoCall, Time)) {
        if let Some(driver) = self.driver.upgrade() {
            driver.input(|client, now| client.with_call(self.id, None, now, |call| act(call, now)));
        }
    }

    pub(crate) fn log(&self, level: Level, line: &str) {
        if let Some(driver) = self.driver.upgrade() {
            driver.log(level, line);
        }
    }

    /// What this side sends, while a call has its devices open.
    pub(crate) fn local_stream(&self) -> Option<MediaStream> {
        let local = self.local.borrow().clone();
        local.map(|local| Clone::clone(local.stream()))
    }

    /// What the other side sends, in a call.
    pub(crate) fn remote_stream(&self) -> Option<MediaStream> {
        self.remote.borrow().as_ref().map(Clone::clone)
    }

    /// Whether calls carry data.
    pub(crate) fn has_data(&self) -> bool {
        self.has_data
    }

    /// Mutes or unmutes what is sent; returns the new state.
    pub(crate) fn toggle(&self, kind: &'static str) -> Result<bool, Error> {
        let stream = self.local_stream().ok_or(video_call::Error::from(Misuse::NothingToMute))?;
        devices::toggle(&stream, kind).ok_or_else(|| peer::Error::NotSent { kind }.into())
    }

    pub(crate) fn handle_media(self: &Rc<Self>, media: Media) {
        match media {
            Media::Offer(connection) => self.begin(connection, None),
            Media::Answer(connection, offer) => self.begin(connection, Some(offer)),
            Media::Remote(connection, answer) => {
                if let Some(peer) = self.peer(connection) {
                    peer.accept(answer);
                }
            }
            Media::Restart(connection) => {
                if let Some(peer) = self.peer(connection) {
                    self.describe(connection, peer.restart());
                }
            }
            Media::Renegotiate(connection, offer) => {
                if let Some(peer) = self.peer(connection) {
                    self.describe(connection, peer.renegotiate(offer));
                }
            }
            Media::Candidates(connection, candidates) => {
                if let Some(peer) = self.peer(connection) {
                    peer.add(candidates);
                }
            }
            Media::Close(connection) => {
                let peer = self.peers.borrow_mut().remove(&connection);
                if let Some(peer) = peer {
                    peer.close();
                }
            }
            Media::Release => self.release(),
        }
    }

    pub(crate) fn handle_data(self: &Rc<Self>, data: Data) {
        let sent = match data {
            Data::Send(connection, channel, message) => {
                self.peer(connection).map_or(Ok(()), |peer| peer.send(channel, &message))
            }
            Data::SendText(connection, text) => {
                self.peer(connection).map_or(Ok(()), |peer| peer.send_text(&text))
            }
            other => return Transfers::handle(self, other),
        };
        if let Err(thrown) = sent {
            let words = thrown::words(&thrown);
            let line = format!("the browser could not send on the data channel: {words}");
            self.log(Level::Warn, &line);
        }
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

    /// Closes all that is open: the call object is at its end.
    pub(crate) fn end(&self) {
        let peers = self.peers.take();
        for peer in peers.into_values() {
            peer.close();
        }
        self.release();
    }

    fn peer(&self, connection: ConnectionId) -> Option<Rc<PeerConnection>> {
        self.peers.borrow().get(&connection).cloned()
    }

    fn release(&self) {
        self.conversation.set(self.conversation.get().wrapping_add(1));
        let open = (self.local.take(), self.remote.take());
        drop(open);
        self.view.clear();
    }

    fn begin(self: &Rc<Self>, connection: ConnectionId, offer: Option<String>) {
        let (call, conversation) = (Rc::downgrade(self), self.conversation.get());
        let sink = Rc::new(move |news| {
            if let Some(call) = call.upgrade() {
                call.handle_news(connection, conversation, news);
            }
        });
        let peer = PeerConnection::new(self.peer_setup.clone(), self.has_data, sink);
        self.peers.borrow_mut().insert(connection, peer.clone());
        let opening = self.open();
        let opening = async move { opening.await.unwrap_or(Err(peer::Error::Closed)) };
        self.describe(connection, peer.begin(opening, offer));
    }

    /// Tells the core what came of a wish for a description.
    fn describe(
        self: &Rc<Self>,
        connection: ConnectionId,
        making: impl Future<Output = Result<String, peer::Error>> + 'static,
    ) {
        // What waits for the browser keeps nothing of a call that is over.
        let call = Rc::downgrade(self);
        spawn_local(async move {
            let result = making.await;
            if let Some(call) = call.upgrade() {
                call.input(|core, now| core.handle_description(connection, result, now));
            }
        });
    }

    /// Opens the devices, unless they are open.
    fn open(self: &Rc<Self>) -> oneshot::Receiver<Result<MediaStream, peer::Error>> {
        let (tell, opened) = oneshot::channel();
        if let Some(stream) = self.local_stream() {
            let _ = tell.send(Ok(stream));
            return opened;
        }
        let (call, conversation) = (Rc::downgrade(self), self.conversation.get());
        let opening = devices::open(&self.stream_options);
        // If the connection fails before the devices do, nobody waits for them any more.
        spawn_local(async move {
            let result = opening.await.and_then(|local| match call.upgrade() {
                Some(call) => call.handle_opened(conversation, local),
                None => Err(peer::Error::Closed),
            });
            let _ = tell.send(result);
        });
        opened
    }

    fn handle_opened(
        &self,
        conversation: u64,
        opened: LocalStream,
    ) -> Result<MediaStream, peer::Error> {
        // The conversation is over: nobody hears of its devices.
        if self.conversation.get() != conversation {
            return MediaStream::new().map_err(|_| peer::Error::Closed);
        }
        // Another peer connection of the same conversation was faster.
        if let Some(stream) = self.local_stream() {
            return Ok(stream);
        }
        let stream = Clone::clone(opened.stream());
        *self.local.borrow_mut() = Some(Rc::new(opened));
        self.view.show(Side::Local, &stream);
        self.emit(CallEvent::LocalStream(Clone::clone(&stream)));
        Ok(stream)
    }

    fn handle_news(&self, connection: ConnectionId, conversation: u64, news: News) {
        match news {
            News::Stream(stream) => {
                // Its connection may outlive a conversation, until the gateway knows of the end.
                if self.conversation.get() == conversation {
                    let has_tracks = devices::tracks(&stream).next().is_some();
                    *self.remote.borrow_mut() = Some(Clone::clone(&stream));
                    if has_tracks {
                        self.view.show(Side::Remote, &stream);
                    }
                }
            }
            News::Candidate(candidate) => {
                self.input(|core, now| core.handle_candidate(connection, candidate, now));
            }
            News::State(state) => {
                self.input(|core, now| core.handle_connection_state(connection, state, now))
            }
            News::RemoteMedia => self.input(|core, _| core.handle_remote_media(connection)),
            News::ChannelOpen(channel) => {
                self.input(|core, now| core.handle_channel_open(connection, channel, now));
            }
            News::ChannelClosed => {
                self.input(|core, now| core.handle_channel_closed(connection, now))
            }
            News::Text(text) => self.input(|core, _| core.handle_text(connection, text)),
            News::Message(message) => {
                self.input(|core, now| core.handle_message(connection, &message, now));
            }
            News::Buffered(bytes) => {
                self.input(|core, now| core.handle_buffered(connection, bytes, now))
            }
        }
    }
}
