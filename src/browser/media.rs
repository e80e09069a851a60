//! The page's side of one use case object: its devices, peer connections and video elements.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use vecmap::VecMap;

use futures::channel::oneshot;
use wasm_bindgen_futures::spawn_local;
use web_sys::MediaStream;

use super::devices::{self, LocalStream};
use super::driver::Driver;
use super::options::{Elements, StreamOptions};
use super::peer_connection::{PeerConnection, PeerSetup, Report};
use super::thrown;
use super::view::{Side, View};
use crate::client::UseCaseId;
use crate::data::ChannelMessage;
use crate::log::Level;
use crate::peer::{self, ConnectionId, PeerCommand, PeerEvent};
use crate::signaling::JsepKind;

/// Receives the local stream when the devices are open.
pub(crate) type OnLocal = Box<dyn Fn(&MediaStream)>;

pub(crate) struct Media {
    id: UseCaseId,
    driver: Weak<Driver>,
    peer_setup: PeerSetup,
    stream_options: StreamOptions,
    has_data: bool,
    view: View,
    on_local: OnLocal,
    peers: RefCell<VecMap<ConnectionId, Rc<PeerConnection>>>,
    /// The open devices, which all peer connections of one call share.
    local: RefCell<Option<Rc<LocalStream>>>,
    remote: RefCell<Option<MediaStream>>,
    /// Counts the calls or tests: devices that open too late belong to an earlier one.
    generation: Cell<u64>,
}

impl Media {
    pub(crate) fn new(
        id: UseCaseId,
        driver: &Rc<Driver>,
        (stream_options, has_data): (StreamOptions, bool),
        elements: Elements,
        on_local: OnLocal,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            driver: Rc::downgrade(driver),
            peer_setup: driver.peer_setup().clone(),
            stream_options,
            has_data,
            view: View::new(elements),
            on_local,
            peers: RefCell::default(),
            local: RefCell::default(),
            remote: RefCell::default(),
            generation: Cell::default(),
        })
    }

    pub(crate) fn id(&self) -> UseCaseId {
        self.id
    }

    pub(crate) fn driver(&self) -> Option<Rc<Driver>> {
        self.driver.upgrade()
    }

    pub(crate) fn log(&self, level: Level, line: &str) {
        if let Some(driver) = self.driver() {
            driver.log(level, line);
        }
    }

    /// The stream of this side, while its devices are open.
    pub(crate) fn local_stream(&self) -> Option<MediaStream> {
        let local = self.local.borrow().clone();
        local.map(|local| Clone::clone(local.stream()))
    }

    /// The stream of the other side.
    pub(crate) fn remote_stream(&self) -> Option<MediaStream> {
        self.remote.borrow().as_ref().map(Clone::clone)
    }

    /// Whether there are data channels.
    pub(crate) fn has_data(&self) -> bool {
        self.has_data
    }

    /// Executes a command of the core about a peer connection.
    pub(crate) fn handle(self: &Rc<Self>, id: ConnectionId, command: PeerCommand) {
        match (command, self.peer(id)) {
            (PeerCommand::Offer, _) => self.begin(id, JsepKind::Offer, None),
            (PeerCommand::Answer(offer), _) => self.begin(id, JsepKind::Answer, Some(offer)),
            // It is closed already.
            (_, None) => {}
            (PeerCommand::AcceptAnswer(answer), Some(peer)) => peer.accept(answer),
            (PeerCommand::AddCandidates(candidates), Some(peer)) => peer.add(candidates),
            (PeerCommand::Restart, Some(peer)) => {
                self.describe(id, JsepKind::Offer, peer.restart());
            }
            (PeerCommand::AnswerAgain(offer), Some(peer)) => {
                self.describe(id, JsepKind::Answer, peer.renegotiate(offer));
            }
            (PeerCommand::Measure, Some(peer)) => self.measure(id, peer),
            (PeerCommand::Close, Some(peer)) => {
                // `peer` keeps it alive, so that nothing is dropped during the borrow.
                self.peers.borrow_mut().remove(&id);
                peer.close();
            }
        }
    }

    /// Sends a message on a data channel.
    pub(crate) fn send(&self, id: ConnectionId, message: ChannelMessage) {
        let Some(peer) = self.peer(id) else { return };
        let sent = match message {
            ChannelMessage::Binary(channel, message) => peer.send(channel, &message),
            ChannelMessage::Text(text) => peer.send_text(&text),
        };
        if let Err(thrown) = sent {
            let words = thrown::words(&thrown);
            let line = format!("the browser could not send on the data channel: {words}");
            self.log(Level::Warn, &line);
        }
    }

    /// Stops the devices and clears the video elements.
    pub(crate) fn release(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
        let open = (self.local.take(), self.remote.take());
        drop(open);
        self.view.clear();
    }

    /// Closes everything, since the object has ended.
    pub(crate) fn end(&self) {
        let peers = self.peers.take();
        for peer in peers.into_values() {
            peer.close();
        }
        self.release();
    }

    /// A peer connection, while it is open.
    pub(crate) fn peer(&self, id: ConnectionId) -> Option<Rc<PeerConnection>> {
        self.peers.borrow().get(&id).cloned()
    }

    fn begin(self: &Rc<Self>, id: ConnectionId, kind: JsepKind, offer: Option<String>) {
        let (media, generation) = (Rc::downgrade(self), self.generation.get());
        let on_report = Rc::new(move |report| {
            if let Some(media) = media.upgrade() {
                media.handle_report(id, generation, report);
            }
        });
        let peer = PeerConnection::new(self.peer_setup.clone(), self.has_data, on_report);
        self.peers.borrow_mut().insert(id, peer.clone());
        let opening = self.open();
        let opening = async move { opening.await.unwrap_or(Err(peer::Error::Closed)) };
        self.describe(id, kind, peer.begin(opening, offer));
    }

    /// Waits for a description and reports it, or why there is none.
    fn describe(
        self: &Rc<Self>,
        id: ConnectionId,
        kind: JsepKind,
        making: impl Future<Output = Result<String, peer::Error>> + 'static,
    ) {
        // A weak reference, so that a pending promise does not keep a call alive that has ended.
        let media = Rc::downgrade(self);
        spawn_local(async move {
            let result = making.await;
            if let Some(media) = media.upgrade() {
                media.feed(id, PeerEvent::Description(kind, result));
            }
        });
    }

    fn measure(self: &Rc<Self>, id: ConnectionId, peer: Rc<PeerConnection>) {
        let media = Rc::downgrade(self);
        spawn_local(async move {
            let stats = Box::new(peer.stats().await);
            if let Some(media) = media.upgrade() {
                media.feed(id, PeerEvent::Stats(stats));
            }
        });
    }

    /// Passes an event to the core.
    fn feed(&self, id: ConnectionId, event: PeerEvent) {
        if let Some(driver) = self.driver() {
            driver.input(|client, now| client.handle_peer(self.id, id, event, now));
        }
    }

    /// Opens the devices, unless they are open.
    fn open(self: &Rc<Self>) -> oneshot::Receiver<Result<MediaStream, peer::Error>> {
        let (sender, opened) = oneshot::channel();
        if let Some(stream) = self.local_stream() {
            let _ = sender.send(Ok(stream));
            return opened;
        }
        let (media, generation) = (Rc::downgrade(self), self.generation.get());
        let opening = devices::open(&self.stream_options);
        // The receiver may be gone: if the connection fails first, nothing waits for the devices.
        spawn_local(async move {
            let result = opening.await.and_then(|local| match media.upgrade() {
                Some(media) => media.handle_opened(generation, local),
                None => Err(peer::Error::Closed),
            });
            let _ = sender.send(result);
        });
        opened
    }

    fn handle_opened(
        &self,
        generation: u64,
        opened: LocalStream,
    ) -> Result<MediaStream, peer::Error> {
        // The call has ended, so its devices are not needed.
        if self.generation.get() != generation {
            return MediaStream::new().map_err(|_| peer::Error::Closed);
        }
        // Another peer connection of the same call has opened them meanwhile.
        if let Some(stream) = self.local_stream() {
            return Ok(stream);
        }
        let stream = Clone::clone(opened.stream());
        *self.local.borrow_mut() = Some(Rc::new(opened));
        self.view.show(Side::Local, &stream);
        (self.on_local)(&stream);
        Ok(stream)
    }

    fn handle_report(&self, id: ConnectionId, generation: u64, report: Report) {
        match report {
            Report::Stream(stream) => {
                // A connection may outlive its call, until the gateway has confirmed the hang-up.
                if self.generation.get() == generation {
                    let has_tracks = devices::tracks(&stream).next().is_some();
                    *self.remote.borrow_mut() = Some(Clone::clone(&stream));
                    if has_tracks {
                        self.view.show(Side::Remote, &stream);
                    }
                }
            }
            Report::Peer(event) => self.feed(id, event),
            Report::Channel(event) => {
                if let Some(driver) = self.driver() {
                    driver.input(|client, now| client.handle_channel(self.id, id, event, now));
                }
            }
        }
    }
}
