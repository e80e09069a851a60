//! One peer connection (W3C WebRTC), from its making to its closing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Object;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MediaStream, MediaStreamTrack, RtcConfiguration, RtcDataChannel, RtcPeerConnection,
    RtcSessionDescriptionInit,
};

use super::channel::{self, Channels};
use super::failure;
use super::listener::Listener;
use super::media;
use super::object::{get, set, text};
use crate::error::Error;
use crate::proto::{Candidate, JsepKind};

/// How many remote candidates are kept until they can be added.
pub(super) const MOST_EARLY_CANDIDATES: usize = 64;

/// How many channels of the other side are listened to. It needs two.
const MOST_FOREIGN_CHANNELS: usize = 8;

/// What a peer connection tells.
pub(super) enum News {
    Candidate(Candidate),
    Connected,
    Failed,
    /// A remote track is there.
    Track(MediaStream),
    /// Media of the other side flows.
    Flows,
    /// What the data channels tell.
    Channel(channel::News),
}

/// A peer connection; closed when dropped.
pub(super) struct Peer {
    connection: RtcPeerConnection,
    remote: RefCell<Remote>,
    listeners: RefCell<Vec<Listener>>,
    /// Those of this side; absent where data is off.
    channels: Option<Channels>,
    /// Those that the other side, or the gateway, opened.
    foreign: RefCell<Vec<Vec<Listener>>>,
}

/// Candidates may not be added before the remote description is set.
enum Remote {
    Awaited(Vec<Candidate>),
    Set,
}

type Sink = Rc<dyn Fn(News)>;

impl Peer {
    /// A connection, with data channels if `data` is true.
    pub(super) fn new(
        configuration: &RtcConfiguration,
        data: bool,
        sink: Sink,
    ) -> Result<Rc<Self>, Error> {
        let connection =
            RtcPeerConnection::new_with_configuration(configuration).map_err(|thrown| {
                failure::from_peer("make a peer connection (check iceServers)", &thrown)
            })?;
        let channels = data.then(|| {
            let sink = sink.clone();
            Channels::new(&connection, Rc::new(move |news| sink(News::Channel(news))))
        });
        let peer = Rc::new(Self {
            connection,
            remote: RefCell::new(Remote::Awaited(Vec::new())),
            listeners: RefCell::default(),
            channels,
            foreign: RefCell::default(),
        });
        peer.listen(sink)?;
        Ok(peer)
    }

    fn listen(self: &Rc<Self>, sink: Sink) -> Result<(), Error> {
        let channel_sink = sink.clone();
        let on_candidate = {
            let sink = sink.clone();
            move |event: web_sys::Event| {
                sink(News::Candidate(read_candidate(&get(&event, "candidate"))));
            }
        };
        let on_state = {
            let (sink, connection) = (sink.clone(), self.connection.clone());
            move |_| match text(&connection, "connectionState").as_deref() {
                Some("connected") => sink(News::Connected),
                Some("failed") => sink(News::Failed),
                _ => {}
            }
        };
        // One stream of our own: what streams the other side says its tracks are in does not matter.
        let stream = MediaStream::new()
            .map_err(|thrown| failure::from_peer("make a media stream", &thrown))?;
        let flows = Rc::new(Cell::new(false));
        let weak = Rc::downgrade(self);
        let on_track = move |event: web_sys::Event| {
            let track: MediaStreamTrack = get(&event, "track").unchecked_into();
            stream.add_track(&track);
            sink(News::Track(media::same(&stream)));
            // A remote track is muted until its first packet.
            let on_unmute = {
                let (sink, flows) = (sink.clone(), flows.clone());
                move |_| {
                    if !flows.replace(true) {
                        sink(News::Flows);
                    }
                }
            };
            if let Some(peer) = weak.upgrade() {
                peer.listeners.borrow_mut().push(Listener::new(&track, "unmute", on_unmute));
            }
        };
        let weak = Rc::downgrade(self);
        let on_channel = {
            let sink = channel_sink;
            move |event: web_sys::Event| {
                let channel: RtcDataChannel = get(&event, "channel").unchecked_into();
                let Some(peer) = weak.upgrade().filter(|peer| peer.channels.is_some()) else {
                    return;
                };
                let mut foreign = peer.foreign.borrow_mut();
                if foreign.len() < MOST_FOREIGN_CHANNELS {
                    let sink = sink.clone();
                    foreign.push(channel::hear(
                        &channel,
                        Rc::new(move |news| sink(News::Channel(news))),
                    ));
                }
            }
        };
        *self.listeners.borrow_mut() = vec![
            Listener::new(&self.connection, "datachannel", on_channel),
            Listener::new(&self.connection, "icecandidate", on_candidate),
            Listener::new(&self.connection, "connectionstatechange", on_state),
            Listener::new(&self.connection, "track", on_track),
        ];
        Ok(())
    }

    /// The data channels of this side.
    pub(super) fn channels(&self) -> Option<&Channels> {
        self.channels.as_ref()
    }

    /// Makes an offer that sends what `stream` has, and receives sound and picture where it has
    /// none of either.
    pub(super) async fn offer(&self, stream: &MediaStream) -> Result<String, Error> {
        self.send(stream);
        if media::tracks(stream).next().is_none() {
            for kind in ["audio", "video"] {
                let init = Object::new();
                set(&init, "direction", &"recvonly".into());
                self.connection.add_transceiver_with_str_and_init(kind, init.unchecked_ref());
            }
        }
        let offer = self.run("make an offer", Ok(self.connection.create_offer())).await?;
        self.set_local(offer.unchecked_into()).await
    }

    /// Makes an answer to `offer` that sends what `stream` has.
    pub(super) async fn answer(&self, offer: &str, stream: &MediaStream) -> Result<String, Error> {
        self.set_remote(JsepKind::Offer, offer).await?;
        self.send(stream);
        let answer = self.run("make an answer", Ok(self.connection.create_answer())).await?;
        self.set_local(answer.unchecked_into()).await
    }

    /// Takes the answer to the offer.
    pub(super) async fn accept(&self, answer: &str) -> Result<(), Error> {
        self.set_remote(JsepKind::Answer, answer).await
    }

    /// Takes remote candidates, early ones too.
    pub(super) fn add_candidates(&self, candidates: Vec<Candidate>) {
        match &mut *self.remote.borrow_mut() {
            Remote::Awaited(early) => {
                let room = MOST_EARLY_CANDIDATES.saturating_sub(early.len());
                early.extend(candidates.into_iter().take(room));
            }
            Remote::Set => candidates.iter().for_each(|candidate| self.add(candidate)),
        }
    }

    fn add(&self, candidate: &Candidate) {
        let Candidate::Found { candidate, mid, line } = candidate else { return };
        let init = Object::new();
        set(&init, "candidate", &candidate.into());
        set(&init, "sdpMid", &mid.as_deref().into());
        set(&init, "sdpMLineIndex", &(*line).into());
        let init = Some(init.unchecked_ref());
        let added = self.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(init);
        // A candidate that the browser cannot use is no loss: others may do.
        spawn_local(async move {
            let _ = JsFuture::from(added).await;
        });
    }

    fn send(&self, stream: &MediaStream) {
        for track in media::tracks(stream) {
            self.connection.add_track_0(&track, stream);
        }
    }

    async fn set_local(&self, description: RtcSessionDescriptionInit) -> Result<String, Error> {
        let sdp = text(&description, "sdp").unwrap_or_default();
        let set = self.connection.set_local_description(&description);
        self.run("apply its own description", Ok(set)).await?;
        Ok(sdp)
    }

    async fn set_remote(&self, kind: JsepKind, sdp: &str) -> Result<(), Error> {
        let description = Object::new();
        set(&description, "type", &kind.as_str().into());
        set(&description, "sdp", &sdp.into());
        let applied = self.connection.set_remote_description(description.unchecked_ref());
        self.run("apply the other side's description", Ok(applied)).await?;
        if let Remote::Awaited(early) = self.remote.replace(Remote::Set) {
            early.iter().for_each(|candidate| self.add(candidate));
        }
        Ok(())
    }

    async fn run(
        &self,
        what: &str,
        promise: Result<js_sys::Promise, JsValue>,
    ) -> Result<JsValue, Error> {
        match promise {
            Ok(promise) => JsFuture::from(promise).await,
            Err(thrown) => Err(thrown),
        }
        .map_err(|thrown| failure::from_peer(what, &thrown))
    }

    /// Closes the connection. Nothing is told any more.
    pub(super) fn close(&self) {
        self.listeners.borrow_mut().clear();
        self.foreign.borrow_mut().clear();
        if let Some(channels) = &self.channels {
            channels.close();
        }
        self.connection.close();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads an `RTCIceCandidate`, or the `null` after the last.
fn read_candidate(found: &JsValue) -> Candidate {
    match text(found, "candidate") {
        // The empty candidate says that one generation is at its end (RFC 8838).
        Some(candidate) if !candidate.is_empty() => Candidate::Found {
            candidate,
            mid: text(found, "sdpMid"),
            line: get(found, "sdpMLineIndex").as_f64().map(|line| line as u16),
        },
        _ => Candidate::End,
    }
}
