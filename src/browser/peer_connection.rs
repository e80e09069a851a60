//! One peer connection (W3C WebRTC), from its creation to its end.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MediaStream, MediaStreamTrack, RtcBundlePolicy, RtcConfiguration, RtcIceCandidateInit,
    RtcIceConnectionState, RtcIceTransportPolicy, RtcOfferOptions, RtcPeerConnection,
    RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcRtpTransceiverDirection,
    RtcRtpTransceiverInit, RtcSdpType, RtcSessionDescriptionInit, RtcSignalingState, RtcTrackEvent,
};

use super::data_channel::Channels;
use super::devices;
use super::listener::{Listener, Soon};
use super::options::{IceServers, Setup};
use super::registry::{Held, hold};
use super::stats;
use super::throwing::{Connection, throwing};
use super::thrown;
use crate::data::ChannelEvent;
use crate::data::ChannelKind;
use crate::peer::{ConnectionState, Error, PeerEvent, Stats, Step};
use crate::signaling::Candidate;

/// The maximum of remote candidates that wait for the remote description.
const MOST_EARLY_CANDIDATES: usize = 64;
/// The maximum of listeners per connection, since each remote track needs one.
const MOST_LISTENERS: usize = 64;
/// A description waits this long for its first candidate, in milliseconds. The host candidates come
/// together and travel in it, so that they need no request of their own.
const FIRST_CANDIDATE: u32 = 20;
/// After the first candidate, it waits this long for the others, in milliseconds.
const OTHER_CANDIDATES: u32 = 4;

/// A report of a peer connection.
pub(crate) enum Report {
    /// An event for the core.
    Peer(PeerEvent),
    /// An event of its data channels, for the core.
    Channel(ChannelEvent),
    /// The stream of the other side, with the tracks that have joined so far.
    Stream(MediaStream),
}

/// Receives the reports of a peer connection.
pub(crate) type OnReport = Rc<dyn Fn(Report)>;

/// The setup of a client's peer connections.
#[derive(Clone)]
pub(crate) struct PeerSetup {
    ice_servers: IceServers,
    ice_transport_policy: Option<RtcIceTransportPolicy>,
    bundle_policy: RtcBundlePolicy,
}

impl PeerSetup {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            ice_servers: setup.ice_servers.clone(),
            ice_transport_policy: setup.ice_transport_policy,
            bundle_policy: setup.bundle_policy,
        }
    }

    /// The configuration of a connection. Calls the page's function for the ICE servers, if there
    /// is one.
    async fn configuration(&self) -> Result<RtcConfiguration, Error> {
        let servers: Array = match &self.ice_servers {
            IceServers::Fixed(servers) => servers.clone(),
            IceServers::Asked(source) => {
                source().await.map_err(|cause| Error::NoIceServers { cause })?
            }
        };
        let configuration = RtcConfiguration::new();
        configuration.set_ice_servers(&servers);
        configuration.set_bundle_policy(self.bundle_policy);
        if let Some(policy) = self.ice_transport_policy {
            configuration.set_ice_transport_policy(policy);
        }
        Ok(configuration)
    }
}

/// A peer connection. Its operations run one after another, since each needs a stable state to
/// start from.
pub(crate) struct PeerConnection {
    setup: PeerSetup,
    has_data: bool,
    on_report: OnReport,
    turns: Rc<Turns>,
    open: RefCell<Option<Rc<Open>>>,
    /// Remote candidates that wait for the remote description; `None` once it is set.
    early: RefCell<Option<Vec<Candidate>>>,
}

impl PeerConnection {
    pub(crate) fn new(setup: PeerSetup, has_data: bool, on_report: OnReport) -> Rc<Self> {
        Rc::new(Self {
            setup,
            has_data,
            on_report,
            turns: Rc::default(),
            open: RefCell::default(),
            early: RefCell::new(Some(Vec::new())),
        })
    }

    /// Makes an offer, or an answer to `offer`, with the tracks of the stream that is being opened.
    /// An offer without tracks still receives audio and video.
    pub(crate) fn begin<F: Future<Output = Result<MediaStream, Error>> + 'static>(
        self: &Rc<Self>,
        opening: F,
        offer: Option<String>,
    ) -> impl Future<Output = Result<String, Error>> + use<F> {
        let (turn, peer) = (self.turns.take(), self.clone());
        turn.run(
            Err(Error::Closed),
            Box::pin(async move {
                peer.make().await?;
                let Some(sdp) = offer else { return peer.first_offer(&opening.await?).await };
                peer.apply_remote(RtcSdpType::Offer, &sdp).await?;
                let stream = opening.await?;
                peer.answer(Some(&stream)).await
            }),
        )
    }

    /// Makes a new offer with new ICE credentials (W3C WebRTC, section 4.4.1.10).
    pub(crate) fn restart(self: &Rc<Self>) -> impl Future<Output = Result<String, Error>> + use<> {
        let (turn, peer) = (self.turns.take(), self.clone());
        turn.run(
            Err(Error::Closed),
            Box::pin(async move {
                // The gateway's new candidates may come before its answer, and have to wait for it.
                peer.early.replace(Some(Vec::new()));
                let open = peer.open()?;
                if matches!(peer.setup.ice_servers, IceServers::Asked(_)) {
                    let configuration = peer.setup.configuration().await?;
                    throwing::<Connection>(&open.connection)
                        .set_configuration(&configuration)
                        .map_err(|thrown| failed(Step::Other, &thrown))?;
                }
                let options = RtcOfferOptions::new();
                options.set_ice_restart(true);
                peer.offer(open.connection.create_offer_with_rtc_offer_options(&options)).await
            }),
        )
    }

    /// Answers a new offer. That rolls back an offer of ours that waits for its answer (W3C WebRTC,
    /// section 4.4.1.5).
    pub(crate) fn renegotiate(
        self: &Rc<Self>,
        offer: String,
    ) -> impl Future<Output = Result<String, Error>> + use<> {
        let (turn, peer) = (self.turns.take(), self.clone());
        turn.run(
            Err(Error::Closed),
            Box::pin(async move {
                peer.apply_remote(RtcSdpType::Offer, &offer).await?;
                peer.answer(None).await
            }),
        )
    }

    /// Applies the answer to our offer. Ignores it if the offer was rolled back meanwhile.
    pub(crate) fn accept(self: &Rc<Self>, answer: String) {
        let (turn, peer) = (self.turns.take(), self.clone());
        spawn_local(turn.run(
            (),
            Box::pin(async move {
                let Ok(open) = peer.open() else { return };
                if open.connection.signaling_state() != RtcSignalingState::HaveLocalOffer {
                    return;
                }
                if peer.apply_remote(RtcSdpType::Answer, &answer).await.is_err() {
                    peer.report(Report::Peer(PeerEvent::State(ConnectionState::Failed)));
                }
            }),
        ));
    }

    /// Adds remote candidates, or keeps them until the remote description is set.
    pub(crate) fn add(self: &Rc<Self>, candidates: Vec<Candidate>) {
        if let Some(early) = self.early.borrow_mut().as_mut() {
            let room = MOST_EARLY_CANDIDATES.saturating_sub(early.len());
            early.extend(candidates.into_iter().take(room));
            return;
        }
        for candidate in candidates {
            let Candidate::Found { candidate, mid, line } = candidate else { continue };
            let init = RtcIceCandidateInit::new(&candidate);
            init.set_sdp_mid(mid.as_deref());
            init.set_sdp_m_line_index(line);
            let (turn, peer) = (self.turns.take(), self.clone());
            spawn_local(turn.run(
                (),
                Box::pin(async move {
                    let Ok(open) = peer.open() else { return };
                    let connection = &open.connection;
                    // Ignore a candidate that the browser cannot use: others may work.
                    let _ = JsFuture::from(
                        connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init)),
                    )
                    .await;
                }),
            ));
        }
    }

    /// Reads the counters. All are absent if the connection is not open.
    pub(crate) async fn stats(&self) -> Stats {
        let open = self.open.borrow().clone();
        match open {
            Some(open) => stats::read(&open.connection).await,
            None => Stats::default(),
        }
    }

    /// Sends a binary message.
    pub(crate) fn send(&self, channel: ChannelKind, message: &[u8]) -> Result<(), JsValue> {
        self.with_channels(|channels| channels.send(channel, message))
    }

    /// Sends a text, as janus.js does.
    pub(crate) fn send_text(&self, text: &str) -> Result<(), JsValue> {
        self.with_channels(|channels| channels.send_text(text))
    }

    fn with_channels(
        &self,
        send: impl FnOnce(&Channels) -> Result<(), JsValue>,
    ) -> Result<(), JsValue> {
        let open = self.open.borrow().clone();
        match open.as_ref().and_then(|open| open.channels.as_ref()) {
            Some(channels) => send(channels),
            None => Ok(()),
        }
    }

    /// Closes the connection. No more reports follow.
    pub(crate) fn close(&self) {
        self.turns.end();
        let open = self.open.take();
        if let Some(open) = open {
            open.close();
        }
    }

    fn report(&self, report: Report) {
        if !self.turns.has_ended.get() {
            (self.on_report)(report);
        }
    }

    async fn make(&self) -> Result<(), Error> {
        let configuration = self.setup.configuration().await?;
        if self.turns.has_ended.get() {
            return Err(Error::Closed);
        }
        let open = Open::new(&configuration, self.has_data, &self.on_report)
            .map_err(|thrown| failed(Step::Open, &thrown))?;
        *self.open.borrow_mut() = Some(open);
        Ok(())
    }

    fn open(&self) -> Result<Rc<Open>, Error> {
        self.open.borrow().clone().ok_or(Error::Closed)
    }

    async fn first_offer(self: &Rc<Self>, stream: &MediaStream) -> Result<String, Error> {
        let open = self.open()?;
        open.add_tracks(stream).map_err(|thrown| failed(Step::Offer, &thrown))?;
        self.offer(open.connection.create_offer()).await
    }

    async fn offer(self: &Rc<Self>, making: Promise) -> Result<String, Error> {
        let description = attempt(Step::Offer, making).await?;
        self.apply_local(description).await
    }

    async fn answer(self: &Rc<Self>, stream: Option<&MediaStream>) -> Result<String, Error> {
        let open = self.open()?;
        if let Some(stream) = stream {
            open.send(stream).map_err(|thrown| failed(Step::Answer, &thrown))?;
        }
        let description = attempt(Step::Answer, open.connection.create_answer()).await?;
        self.apply_local(description).await
    }

    fn apply_local(
        self: &Rc<Self>,
        description: JsValue,
    ) -> LocalBoxFuture<'static, Result<String, Error>> {
        let peer = self.clone();
        Box::pin(async move { peer.try_apply_local(description).await })
    }

    async fn try_apply_local(&self, description: JsValue) -> Result<String, Error> {
        let open = self.open()?;
        let connection = &open.connection;
        open.is_described.set(false);
        let applying = connection.set_local_description(description.unchecked_ref());
        attempt(Step::ApplyLocal, applying).await?;
        let first = open.first_candidate();
        let rested = Box::pin(async move {
            if first.await.is_err() {
                std::future::pending::<()>().await;
            }
            TimeoutFuture::new(OTHER_CANDIDATES).await;
        });
        match select(TimeoutFuture::new(FIRST_CANDIDATE), rested).await {
            Either::Left(_) | Either::Right(_) => {}
        }
        open.is_described.set(true);
        connection.local_description().map(|local| local.sdp()).ok_or(Error::Closed)
    }

    async fn apply_remote(self: &Rc<Self>, kind: RtcSdpType, sdp: &str) -> Result<(), Error> {
        let open = self.open()?;
        let description = RtcSessionDescriptionInit::new(kind);
        description.set_sdp(sdp);
        let applying = open.connection.set_remote_description(&description);
        attempt(Step::ApplyRemote, applying).await?;
        let early = self.early.take();
        self.add(early.unwrap_or_default());
        Ok(())
    }
}

/// An open connection of the browser.
struct Open {
    connection: RtcPeerConnection,
    channels: Option<Channels>,
    /// One stream for all remote tracks, whatever streams the other side assigns them to.
    stream: MediaStream,
    /// A packet of the other side has arrived.
    flows: Cell<bool>,
    /// That was reported.
    is_flow_reported: Cell<bool>,
    /// Video tracks that are about to join the stream.
    unjoined: Cell<u32>,
    /// The description is complete. Earlier candidates travel in it, except for the end of
    /// candidates, which the gateway does not read there.
    is_described: Cell<bool>,
    /// Notified of the next candidate.
    first: RefCell<Option<oneshot::Sender<()>>>,
    listeners: RefCell<Vec<Listener>>,
    joining: RefCell<Vec<Soon>>,
    held: RefCell<Option<Held>>,
}

impl Open {
    fn new(
        configuration: &RtcConfiguration,
        has_data: bool,
        on_report: &OnReport,
    ) -> Result<Rc<Self>, JsValue> {
        let connection = RtcPeerConnection::new_with_configuration(configuration)?;
        let held = hold(&connection, "close");
        let channels = has_data
            .then(|| Channels::new(&connection, on_report))
            .transpose()
            .inspect_err(|_| connection.close())?;
        let open = Rc::new(Self {
            channels,
            stream: MediaStream::new()?,
            flows: Cell::default(),
            is_flow_reported: Cell::default(),
            unjoined: Cell::default(),
            is_described: Cell::default(),
            first: RefCell::default(),
            listeners: RefCell::default(),
            joining: RefCell::default(),
            held: RefCell::new(Some(held)),
            connection,
        });
        open.listen(on_report);
        Ok(open)
    }

    fn listen(self: &Rc<Self>, on_report: &OnReport) {
        let on = |event: &'static str, act: fn(&Rc<Self>, web_sys::Event, &OnReport)| {
            let (open, on_report) = (Rc::downgrade(self), on_report.clone());
            Listener::new(&self.connection, event, move |event| {
                if let Some(open) = Weak::upgrade(&open) {
                    act(&open, event, &on_report);
                }
            })
        };
        let state = match self.has_connection_state() {
            true => on("connectionstatechange", Self::handle_state),
            false => on("iceconnectionstatechange", Self::handle_ice_state),
        };
        let listeners = vec![
            on("icecandidate", Self::handle_candidate),
            on("track", Self::handle_track),
            state,
        ];
        *self.listeners.borrow_mut() = listeners;
    }

    /// Firefox before 113 only has the ICE connection state.
    fn has_connection_state(&self) -> bool {
        Reflect::has(&self.connection, &"connectionState".into()).unwrap_or(true)
    }

    fn handle_candidate(self: &Rc<Self>, event: web_sys::Event, on_report: &OnReport) {
        let found = event.unchecked_into::<RtcPeerConnectionIceEvent>().candidate();
        let first = self.first.take();
        if let Some(first) = first {
            let _ = first.send(());
        }
        if found.is_some() && !self.is_described.get() {
            return;
        }
        // An empty candidate ends one generation (RFC 8838).
        let found = found.filter(|found| !found.candidate().is_empty());
        let candidate = found.map_or(Candidate::End, |found| Candidate::Found {
            candidate: found.candidate(),
            mid: found.sdp_mid(),
            line: found.sdp_m_line_index(),
        });
        on_report(Report::Peer(PeerEvent::Candidate(candidate)));
    }

    fn handle_state(self: &Rc<Self>, _: web_sys::Event, on_report: &OnReport) {
        let state = match self.connection.connection_state() {
            RtcPeerConnectionState::Connected => ConnectionState::Connected,
            RtcPeerConnectionState::Disconnected => ConnectionState::Disconnected,
            RtcPeerConnectionState::Failed => ConnectionState::Failed,
            _ => return,
        };
        on_report(Report::Peer(PeerEvent::State(state)));
    }

    fn handle_ice_state(self: &Rc<Self>, _: web_sys::Event, on_report: &OnReport) {
        let state = match self.connection.ice_connection_state() {
            RtcIceConnectionState::Connected | RtcIceConnectionState::Completed => {
                ConnectionState::Connected
            }
            RtcIceConnectionState::Disconnected => ConnectionState::Disconnected,
            RtcIceConnectionState::Failed => ConnectionState::Failed,
            _ => return,
        };
        on_report(Report::Peer(PeerEvent::State(state)));
    }

    fn handle_track(self: &Rc<Self>, event: web_sys::Event, on_report: &OnReport) {
        let track = event.unchecked_into::<RtcTrackEvent>().track();
        if self.listeners.borrow().len() >= MOST_LISTENERS {
            return;
        }
        // A remote track is muted until its first packet.
        let (open, report) = (Rc::downgrade(self), on_report.clone());
        let listener = Listener::new(&track, "unmute", move |_| {
            if let Some(open) = open.upgrade() {
                open.flows.set(true);
                open.report_flow(&report);
            }
        });
        self.listeners.borrow_mut().push(listener);
        on_report(Report::Stream(Clone::clone(&self.stream)));
        // Chromium plays no audio before the first video frame, unless the video track joins an
        // element that plays already. So the video joins a task later.
        if track.kind() != "video" {
            return self.join(&track, on_report);
        }
        let (open, report, joining) = (Rc::downgrade(self), on_report.clone(), track.clone());
        let joined = Soon::new(move || {
            if let Some(open) = open.upgrade() {
                open.unjoined.set(open.unjoined.get().saturating_sub(1));
                open.join(&joining, &report);
                open.report_flow(&report);
            }
        });
        match joined {
            Ok(soon) => {
                self.unjoined.set(self.unjoined.get().saturating_add(1));
                self.joining.borrow_mut().push(soon);
            }
            Err(_) => self.join(&track, on_report),
        }
    }

    fn join(&self, track: &MediaStreamTrack, on_report: &OnReport) {
        self.stream.add_track(track);
        on_report(Report::Stream(Clone::clone(&self.stream)));
    }

    /// Reports the first packet, once the stream has all tracks.
    fn report_flow(&self, on_report: &OnReport) {
        if self.flows.get() && self.unjoined.get() == 0 && !self.is_flow_reported.replace(true) {
            on_report(Report::Peer(PeerEvent::RemoteMedia));
        }
    }

    /// Waits for the next candidate.
    fn first_candidate(&self) -> oneshot::Receiver<()> {
        let (sender, first) = oneshot::channel();
        *self.first.borrow_mut() = Some(sender);
        first
    }

    fn send(&self, stream: &MediaStream) -> Result<(), JsValue> {
        for track in devices::tracks(stream) {
            throwing::<Connection>(&self.connection).add_track(&track, stream)?;
        }
        Ok(())
    }

    /// Sends the stream's tracks. If it has none, receives audio and video.
    fn add_tracks(&self, stream: &MediaStream) -> Result<(), JsValue> {
        self.send(stream)?;
        if devices::tracks(stream).next().is_none() {
            let init = RtcRtpTransceiverInit::new();
            init.set_direction(RtcRtpTransceiverDirection::Recvonly);
            for kind in ["audio", "video"] {
                throwing::<Connection>(&self.connection).add_transceiver(kind, &init)?;
            }
        }
        Ok(())
    }

    fn close(self: &Rc<Self>) {
        drop((self.listeners.take(), self.joining.take()));
        let open = self.clone();
        // Closing takes the browser tens of milliseconds. The page learns first that the call has
        // ended.
        spawn_local(async move {
            open.connection.close();
            drop(open.held.take());
        });
    }
}

/// Runs the operations on a connection one after another, in the order of their turns, until it
/// closes.
#[derive(Default)]
struct Turns {
    last: RefCell<Option<oneshot::Receiver<()>>>,
    /// Dropped to stop the current operation.
    acting: RefCell<Option<oneshot::Sender<()>>>,
    has_ended: Cell<bool>,
}

struct Turn {
    turns: Rc<Turns>,
    before: Option<oneshot::Receiver<()>>,
    done: oneshot::Sender<()>,
}

impl Turns {
    fn take(self: &Rc<Self>) -> Turn {
        let (done, after) = oneshot::channel();
        Turn { turns: self.clone(), before: self.last.replace(Some(after)), done }
    }

    fn end(&self) {
        self.has_ended.set(true);
        drop(self.acting.take());
    }
}

impl Turn {
    /// Runs an operation after the earlier ones. Returns `otherwise` if the connection closes,
    /// since the browser's promises are never settled then (W3C WebRTC, section 4.4.1.2).
    async fn run<T>(self, otherwise: T, act: LocalBoxFuture<'static, T>) -> T {
        let Self { turns, before, done } = self;
        if let Some(before) = before {
            // The earlier turn drops its sender when it ends.
            let _ = before.await;
        }
        if turns.has_ended.get() {
            return otherwise;
        }
        let (acting, ended) = oneshot::channel();
        turns.acting.replace(Some(acting));
        let result = match select(act, ended).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => otherwise,
        };
        drop(done);
        result
    }
}

async fn attempt(step: Step, doing: Promise) -> Result<JsValue, Error> {
    JsFuture::from(doing).await.map_err(|thrown| failed(step, &thrown))
}

fn failed(step: Step, thrown: &JsValue) -> Error {
    Error::Failed { step, cause: thrown::words(thrown) }
}
