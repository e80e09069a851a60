//! One peer connection: its negotiations, its candidates and its media path.
//!
//! A lost path is restored on the connection that is there, by a new offer with new ICE credentials
//! (an ICE restart, RFC 8839, section 4.4.1.1.1). Each end has a connection of its own to the gateway,
//! and only the end that offers gets new credentials. Where both ends offer at once, the one that
//! answered first takes its offer back (W3C WebRTC, section 10.7, "perfect negotiation").

use std::collections::VecDeque;
use std::mem::take;
use std::time::Duration;

use super::error::Error;
use super::stats::Stats;
use crate::log::Level;
use crate::signaling::{Candidate, Jsep, JsepKind};
use crate::time::Time;
use crate::timer::TimerTable;

/// How long local candidates are gathered into one request.
const BATCH: Duration = Duration::from_millis(20);
/// How long the answer to a new offer may take. Then another offer is made.
const ANSWER: Duration = Duration::from_secs(8);
/// How long the answerer waits for the offerer's media before it offers: the offerer may not have heard
/// that its offer was accepted.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a path may take to come back after a negotiation, before the next one.
const RETRY: Duration = Duration::from_secs(3);
/// How much longer the answerer waits before it offers. Two offers that cross leave the gateway with
/// credentials that neither end knows, and what one end lost, the other often lost too.
const COURTESY: Duration = Duration::from_secs(2);
/// How long after a change of network a path that is lost counts as lost with it.
const CHANGE: Duration = Duration::from_secs(20);

/// Names one peer connection of a use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What the browser reports about a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// The description that a command asked for, or why there is none.
    Description(JsepKind, Result<String, Error>),
    /// A local candidate.
    Candidate(Candidate),
    /// The connection came up, was lost or failed.
    State(ConnectionState),
    /// Audio or video of the other end arrives.
    RemoteMedia,
    /// The counters that a command asked for.
    Stats(Box<Stats>),
}

/// The state of a connection in the browser (W3C WebRTC, `RTCPeerConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// ICE and DTLS are up.
    Connected,
    /// Nothing comes through at the moment.
    Disconnected,
    /// It cannot be made, or is lost for good.
    Failed,
}

/// The way of the media through a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaPath {
    /// It has not come up yet.
    #[default]
    New,
    /// Media can flow.
    Up,
    /// It was up, and is being restored.
    Lost,
}

/// What the browser is to do with a connection. Each description that it makes comes back as a
/// [`PeerEvent::Description`].
#[derive(Clone, Debug, PartialEq)]
pub enum PeerCommand {
    /// Open the devices and make the first offer.
    Offer,
    /// Open the devices and answer this first offer.
    Answer(String),
    /// Take this answer to our offer.
    AcceptAnswer(String),
    /// Make a new offer with new ICE credentials (W3C `iceRestart`).
    Restart,
    /// Answer this new offer. Take back an offer of our own that still waits for its answer.
    AnswerAgain(String),
    /// Take these remote candidates. They may come before the remote description.
    AddCandidates(Vec<Candidate>),
    /// Read the counters; they come back as a [`PeerEvent::Stats`].
    Measure,
    /// Close it.
    Close,
}

impl PeerCommand {
    /// The kind of the description that it asks for, if it asks for one.
    pub fn describes(&self) -> Option<JsepKind> {
        match self {
            Self::Offer | Self::Restart => Some(JsepKind::Offer),
            Self::Answer(_) | Self::AnswerAgain(_) => Some(JsepKind::Answer),
            Self::AcceptAnswer(_) | Self::AddCandidates(_) | Self::Measure | Self::Close => None,
        }
    }
}

/// What a connection needs or reports. Drain it after every input.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// The browser is to do this.
    Command(PeerCommand),
    /// Carry this description to the other end, then call [`Connection::handle_carried`].
    Description(Jsep),
    /// Carry these candidates to the other end.
    Candidates(Vec<Candidate>),
    /// The media path came up, or was lost.
    Path(MediaPath),
    /// Media of the other end arrives. Once.
    RemoteMedia,
    /// The counters that were asked for.
    Stats(Box<Stats>),
    /// The connection cannot be made.
    Failed(Error),
    /// A line for the log.
    Log(Level, String),
}

/// A peer connection, from its first description until it is dropped.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    role: Role,
    phase: Phase,
    negotiation: Negotiation,
    /// Descriptions that the browser still makes, in the order of their commands, before the one that is
    /// wanted now.
    superseded: u32,
    /// Descriptions that the owner has not carried yet. Candidates wait for them.
    uncarried: u32,
    path: MediaPath,
    has_remote_media: bool,
    /// A new negotiation is needed, whatever the path does.
    is_restart_wanted: bool,
    /// When the browser last reported another network.
    network_changed: Option<Time>,
    candidates: Vec<Candidate>,
    timers: TimerTable<Timer>,
    outputs: VecDeque<Output>,
}

/// Who made the first offer. Where two offers cross later, the answerer is the polite one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Offerer,
    Answerer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first offer and answer are under way, and the owner watches over them.
    First,
    /// The connection renegotiates by itself, where the other end understands that.
    Established { renegotiates: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Negotiation {
    /// Nothing is under way.
    Stable,
    /// The browser makes our description.
    Making(JsepKind),
    /// Our offer waits for its answer.
    Offered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Send the gathered candidates. Set by the first of a batch, stopped when it is sent.
    Candidates,
    /// The answer to a new offer is late. Set with the offer, stopped by the answer.
    Answer,
    /// Negotiate again if the path is not up by then. Set by whatever may have helped, or not.
    Retry,
}

impl Connection {
    /// A connection that begins with our offer.
    pub fn offer(id: ConnectionId) -> Self {
        let mut connection = Self::new(id, Role::Offerer, JsepKind::Offer);
        connection.command(PeerCommand::Offer);
        connection
    }

    /// A connection that answers the other end's offer, with the candidates that came before it.
    pub fn answer(id: ConnectionId, offer: String, early: Vec<Candidate>) -> Self {
        let mut connection = Self::new(id, Role::Answerer, JsepKind::Answer);
        connection.command(PeerCommand::Answer(offer));
        if !early.is_empty() {
            connection.command(PeerCommand::AddCandidates(early));
        }
        connection
    }

    fn new(id: ConnectionId, role: Role, first: JsepKind) -> Self {
        Self {
            id,
            role,
            phase: Phase::First,
            negotiation: Negotiation::Making(first),
            superseded: 0,
            uncarried: 0,
            path: MediaPath::New,
            has_remote_media: false,
            is_restart_wanted: false,
            network_changed: None,
            candidates: Vec::new(),
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Its name.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The way of its media.
    pub fn path(&self) -> MediaPath {
        self.path
    }

    /// Whether media of the other end has arrived.
    pub fn has_remote_media(&self) -> bool {
        self.has_remote_media
    }

    /// Whether the other end takes part.
    pub fn is_established(&self) -> bool {
        self.phase != Phase::First
    }

    /// Whether a description is on its way to the other end.
    pub fn is_describing(&self) -> bool {
        self.uncarried > 0
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The moment by which [`Connection::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Candidates => self.flush_candidates(),
                Timer::Answer => self.negotiate_if_needed(),
                // What ends the negotiation under way looks again.
                Timer::Retry if self.negotiation == Negotiation::Stable => {
                    self.negotiate_if_needed();
                }
                Timer::Retry => {}
            }
        }
    }

    // The owner.

    /// The other end takes part: from now on, the connection watches over its path by itself.
    /// `renegotiates` says whether the other end understands new offers.
    pub fn handle_established(&mut self, renegotiates: bool, now: Time) {
        self.phase = Phase::Established { renegotiates };
        if self.role == Role::Answerer {
            self.timers.set(Timer::Retry, now + SILENCE);
        }
        if self.network_changed.is_some() && self.path != MediaPath::Up {
            self.restart_after_change(now);
        }
    }

    /// Has the counters read; they come as [`Output::Stats`].
    pub fn measure(&mut self) {
        self.command(PeerCommand::Measure);
    }

    /// A description is on its way, so that its candidates may follow.
    pub fn handle_carried(&mut self) {
        self.uncarried = self.uncarried.saturating_sub(1);
        self.flush_candidates();
    }

    /// A description could not be carried.
    pub fn handle_not_carried(&mut self, now: Time) {
        // The browser may be making the next one already.
        if self.negotiation == Negotiation::Offered {
            self.negotiation = Negotiation::Stable;
            self.timers.stop(Timer::Answer);
        }
        self.look_again(now);
        self.handle_carried();
    }

    /// The other end's description: its answer to ours, or a new offer.
    pub fn handle_remote_description(&mut self, description: Jsep, now: Time) {
        let ours =
            matches!(self.negotiation, Negotiation::Making(JsepKind::Offer) | Negotiation::Offered);
        match description.kind {
            // The other end takes its offer back.
            JsepKind::Offer if ours && self.role == Role::Offerer => {}
            JsepKind::Offer => {
                // Ours is taken back, and made again when theirs is answered.
                self.is_restart_wanted |= ours;
                if let Negotiation::Making(_) = self.negotiation {
                    self.superseded = self.superseded.saturating_add(1);
                }
                self.timers.stop(Timer::Answer);
                self.negotiation = Negotiation::Making(JsepKind::Answer);
                self.command(PeerCommand::AnswerAgain(description.sdp));
            }
            JsepKind::Answer if self.negotiation == Negotiation::Offered => {
                self.negotiation = Negotiation::Stable;
                self.timers.stop(Timer::Answer);
                if self.is_established() {
                    self.look_again(now);
                }
                self.command(PeerCommand::AcceptAnswer(description.sdp));
            }
            // It answers an offer that was taken back.
            JsepKind::Answer => {}
        }
    }

    /// Remote candidates.
    pub fn handle_remote_candidates(&mut self, candidates: Vec<Candidate>) {
        self.command(PeerCommand::AddCandidates(candidates));
    }

    /// The browser reports that the network may be another one. That is a hint: a path that is up is left
    /// alone, and one that is lost, now or soon, is restored before the browser gives it up.
    pub fn handle_network_changed(&mut self, now: Time) {
        self.network_changed = Some(now);
        if self.is_established() && self.path != MediaPath::Up {
            self.restart_after_change(now);
        }
    }

    /// The browser reports something.
    pub fn handle_event(&mut self, event: PeerEvent, now: Time) {
        match event {
            PeerEvent::Description(kind, result) => self.handle_description(kind, result, now),
            PeerEvent::Candidate(candidate) => self.handle_candidate(candidate, now),
            PeerEvent::State(state) => self.handle_state(state, now),
            PeerEvent::RemoteMedia => self.handle_remote_media(),
            PeerEvent::Stats(stats) => self.outputs.push_back(Output::Stats(stats)),
        }
    }

    // The browser.

    fn handle_description(&mut self, kind: JsepKind, result: Result<String, Error>, now: Time) {
        // An offer that was taken back while it was made, or an answer to an offer before the last.
        if let Some(superseded) = self.superseded.checked_sub(1) {
            self.superseded = superseded;
            return;
        }
        if self.negotiation != Negotiation::Making(kind) {
            return;
        }
        self.negotiation = Negotiation::Stable;
        match result {
            Ok(sdp) => {
                self.uncarried = self.uncarried.saturating_add(1);
                match kind {
                    JsepKind::Offer => self.negotiation = Negotiation::Offered,
                    // It restored the other end's path. Ours may be lost as well.
                    JsepKind::Answer if self.is_established() => self.look_again(now),
                    JsepKind::Answer => {}
                }
                if kind == JsepKind::Offer && self.is_established() {
                    self.timers.set(Timer::Answer, now + ANSWER);
                }
                self.outputs.push_back(Output::Description(Jsep { kind, sdp }));
            }
            Err(error) if self.is_established() => {
                let line = format!("the connection cannot be negotiated anew: {error}");
                self.outputs.push_back(Output::Log(Level::Warn, line));
                self.look_again(now);
                self.flush_candidates();
            }
            Err(error) => self.outputs.push_back(Output::Failed(error)),
        }
    }

    fn handle_candidate(&mut self, candidate: Candidate, now: Time) {
        let is_last = candidate == Candidate::End;
        self.candidates.push(candidate);
        if is_last {
            self.flush_candidates();
        } else if self.may_send_candidates() {
            self.timers.set_once(Timer::Candidates, now + BATCH);
        }
    }

    fn handle_state(&mut self, state: ConnectionState, now: Time) {
        let was_up = self.path != MediaPath::New;
        match state {
            ConnectionState::Connected => self.set_path(MediaPath::Up),
            _ if was_up && self.is_established() => self.lose_path(state, now),
            ConnectionState::Disconnected => self.path = MediaPath::New,
            ConnectionState::Failed => {
                self.outputs.push_back(Output::Failed(Error::NotConnected));
            }
        }
    }

    fn handle_remote_media(&mut self) {
        if !std::mem::replace(&mut self.has_remote_media, true) {
            self.outputs.push_back(Output::RemoteMedia);
        }
    }

    // Candidates.

    /// The gateway makes a new connection of candidates that come before their description.
    fn may_send_candidates(&self) -> bool {
        self.uncarried == 0 && !matches!(self.negotiation, Negotiation::Making(_))
    }

    fn flush_candidates(&mut self) {
        self.timers.stop(Timer::Candidates);
        if self.may_send_candidates() && !self.candidates.is_empty() {
            self.outputs.push_back(Output::Candidates(take(&mut self.candidates)));
        }
    }

    // The path, and the negotiations that restore it.

    fn set_path(&mut self, path: MediaPath) {
        self.path = path;
        self.outputs.push_back(Output::Path(path));
    }

    fn lose_path(&mut self, state: ConnectionState, now: Time) {
        if self.path != MediaPath::Lost {
            self.set_path(MediaPath::Lost);
        }
        let has_changed = self.network_changed.is_some_and(|at| now.since(at) <= CHANGE);
        // A path that is only disconnected often comes back by itself, but hardly on another network.
        match state {
            ConnectionState::Failed => self.restart(now),
            _ if has_changed => self.restart_after_change(now),
            _ => {}
        }
    }

    /// The network changed, and the path is not up. Firefox closes the sockets of a network that is gone
    /// and gathers no new ones, so what was offered before is of no use.
    fn restart_after_change(&mut self, now: Time) {
        if matches!(self.phase, Phase::Established { renegotiates: true }) {
            return self.restart(now);
        }
        // It may yet come up, or back.
        if self.path == MediaPath::New {
            self.timers.set_by(Timer::Retry, now + RETRY);
        }
    }

    /// Negotiates anew: the offerer at once, the answerer a moment later.
    fn restart(&mut self, now: Time) {
        self.is_restart_wanted = true;
        if self.negotiation != Negotiation::Stable {
            return;
        }
        match self.role {
            Role::Offerer => self.negotiate_if_needed(),
            Role::Answerer => self.timers.set_by(Timer::Retry, now + COURTESY),
        }
    }

    /// A negotiation ended: if it did not help, another follows.
    fn look_again(&mut self, now: Time) {
        if self.path == MediaPath::Lost || self.is_restart_wanted {
            let courtesy = match self.role {
                Role::Offerer => Duration::ZERO,
                Role::Answerer => COURTESY,
            };
            self.timers.set(Timer::Retry, now + RETRY + courtesy);
        } else {
            self.timers.stop(Timer::Retry);
        }
    }

    fn negotiate_if_needed(&mut self) {
        let is_silent = self.role == Role::Answerer
            && !self.has_remote_media
            && self.negotiation == Negotiation::Stable
            && self.phase == (Phase::Established { renegotiates: true });
        let is_stale = self.network_changed.is_some() && self.path == MediaPath::New;
        let is_needed = take(&mut self.is_restart_wanted)
            || self.path == MediaPath::Lost
            || is_silent
            || is_stale;
        self.negotiation = Negotiation::Stable;
        self.timers.stop(Timer::Answer);
        self.timers.stop(Timer::Retry);
        if is_needed {
            self.negotiation = Negotiation::Making(JsepKind::Offer);
            self.network_changed = None;
            let line = "the media connection is negotiated anew".to_owned();
            self.outputs.push_back(Output::Log(Level::Info, line));
            self.command(PeerCommand::Restart);
        }
    }

    fn command(&mut self, command: PeerCommand) {
        self.outputs.push_back(Output::Command(command));
    }
}
