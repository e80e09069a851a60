//! One peer connection: its negotiations, its candidates and its media path.
//!
//! A lost path is restored on the same connection by an ICE restart: a new offer with new ICE
//! credentials (RFC 8839, section 4.4.1.1.1). Each end has its own connection to the gateway, and
//! only the end that offers gets new credentials. If both ends offer at once, the answerer of the
//! first negotiation rolls its offer back (W3C WebRTC, section 10.7, "perfect negotiation").

use std::collections::VecDeque;
use std::mem::take;
use std::time::Duration;

use super::error::Error;
use super::stats::Stats;
use crate::log::Level;
use crate::signaling::{Candidate, Jsep, JsepKind};
use crate::time::Time;
use crate::timer::TimerTable;

/// Local candidates are batched for this long into one request.
const BATCH: Duration = Duration::from_millis(20);
/// The time limit for the answer to a new offer. Then another offer follows, if it is still needed.
const ANSWER: Duration = Duration::from_secs(8);
/// The answerer waits this long for the offerer's media before it offers: the offerer may have
/// missed that its call was accepted.
const SILENCE: Duration = Duration::from_secs(5);
/// The time limit for a path to come back after a negotiation, before the next one.
const RETRY: Duration = Duration::from_secs(3);
/// The additional delay before the answerer offers. Crossing offers leave the gateway with
/// credentials that neither end knows, and both ends often lose their paths at the same time.
const COURTESY: Duration = Duration::from_secs(2);
/// A path that is lost within this time after a network change counts as lost by it.
const CHANGE: Duration = Duration::from_secs(20);

/// Identifies a peer connection of a use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A report of the browser about a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// The description that a command requested, or why there is none.
    Description(JsepKind, Result<String, Error>),
    /// A local candidate.
    Candidate(Candidate),
    /// The connection came up, was lost or failed.
    State(ConnectionState),
    /// Audio or video of the other end arrives.
    RemoteMedia,
    /// The counters that a command requested.
    Stats(Box<Stats>),
}

/// The state of a connection in the browser (W3C WebRTC, `RTCPeerConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// ICE and DTLS are up.
    Connected,
    /// No packets arrive at the moment.
    Disconnected,
    /// It could not be established, or is lost for good.
    Failed,
}

/// The state of a connection's media path.
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

/// A command to the browser about a connection. Each description that it makes comes back as a
/// [`PeerEvent::Description`].
#[derive(Clone, Debug, PartialEq)]
pub enum PeerCommand {
    /// Open the devices and make the first offer.
    Offer,
    /// Open the devices and answer this first offer.
    Answer(String),
    /// Apply this answer to our offer.
    AcceptAnswer(String),
    /// Make a new offer with new ICE credentials (W3C `iceRestart`).
    Restart,
    /// Answer this new offer. Roll back an offer of our own that still waits for its answer.
    AnswerAgain(String),
    /// Add these remote candidates. They may come before the remote description.
    AddCandidates(Vec<Candidate>),
    /// Read the counters; they come back as a [`PeerEvent::Stats`].
    Measure,
    /// Close it.
    Close,
}

impl PeerCommand {
    /// The kind of the description that the command requests, if any.
    pub fn describes(&self) -> Option<JsepKind> {
        match self {
            Self::Offer | Self::Restart => Some(JsepKind::Offer),
            Self::Answer(_) | Self::AnswerAgain(_) => Some(JsepKind::Answer),
            Self::AcceptAnswer(_) | Self::AddCandidates(_) | Self::Measure | Self::Close => None,
        }
    }
}

/// An output of a connection. Drain them after every input.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Pass this command to the browser.
    Command(PeerCommand),
    /// Send this description to the other end, and call [`Connection::handle_carried`] once its
    /// candidates may follow.
    Description(Jsep),
    /// Send these candidates to the other end.
    Candidates(Vec<Candidate>),
    /// The media path came up, or was lost.
    Path(MediaPath),
    /// Media of the other end arrives. Reported once.
    RemoteMedia,
    /// The requested counters.
    Stats(Box<Stats>),
    /// The connection could not be established.
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
    /// The number of superseded descriptions that the browser still makes. It reports them before
    /// the current one, in the order of their commands.
    superseded: u32,
    /// The number of descriptions on their way to the other end. Candidates wait for them.
    uncarried: u32,
    path: MediaPath,
    has_remote_media: bool,
    /// A new negotiation is needed, whatever the state of the path.
    is_restart_wanted: bool,
    /// When the browser last reported a network change.
    network_changed: Option<Time>,
    candidates: Vec<Candidate>,
    timers: TimerTable<Timer>,
    outputs: VecDeque<Output>,
}

/// Who made the first offer. If later offers cross, the answerer is the polite peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Offerer,
    Answerer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first offer and answer are under way. The owner sets their time limits.
    First,
    /// The connection watches its path and renegotiates. `renegotiates`: the other end understands
    /// new offers.
    Established { renegotiates: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Negotiation {
    /// No negotiation is under way.
    Stable,
    /// The browser is making our description.
    Making(JsepKind),
    /// Our offer waits for its answer.
    Offered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Send the batch of candidates. Set by its first candidate, stopped when the batch is sent.
    Candidates,
    /// The answer to a new offer is late. Set with the offer, stopped when its negotiation ends.
    Answer,
    /// Negotiate again if that is still needed. Set by a negotiation that may not have helped, and
    /// by an answerer that gives the offerer time.
    Retry,
}

impl Connection {
    /// A connection that starts with our offer.
    pub fn offer(id: ConnectionId) -> Self {
        let mut connection = Self::new(id, Role::Offerer, JsepKind::Offer);
        connection.command(PeerCommand::Offer);
        connection
    }

    /// A connection that answers the other end's offer. `early` are the candidates that came before
    /// it.
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

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The state of the media path.
    pub fn path(&self) -> MediaPath {
        self.path
    }

    /// Whether media of the other end has arrived.
    pub fn has_remote_media(&self) -> bool {
        self.has_remote_media
    }

    /// Whether the first negotiation is complete.
    pub fn is_established(&self) -> bool {
        self.phase != Phase::First
    }

    /// Whether a description is on its way to the other end.
    pub fn is_describing(&self) -> bool {
        self.uncarried > 0
    }

    /// The next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Connection::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// A deadline has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Candidates => self.flush_candidates(),
                Timer::Answer => self.negotiate_if_needed(),
                // The end of the negotiation under way checks again.
                Timer::Retry if self.negotiation == Negotiation::Stable => {
                    self.negotiate_if_needed();
                }
                Timer::Retry => {}
            }
        }
    }

    // Inputs of the owner.

    /// The first negotiation is complete. From now on, the connection restores its path by itself,
    /// if `renegotiates`: the other end understands new offers.
    pub fn handle_established(&mut self, renegotiates: bool, now: Time) {
        self.phase = Phase::Established { renegotiates };
        if self.role == Role::Answerer {
            self.timers.set(Timer::Retry, now + SILENCE);
        }
        if self.network_changed.is_some() && self.path != MediaPath::Up {
            self.restart_after_change(now);
        }
    }

    /// Requests the counters, which come as [`Output::Stats`].
    pub fn measure(&mut self) {
        self.command(PeerCommand::Measure);
    }

    /// Candidates may follow the description that the owner sends or has sent.
    pub fn handle_carried(&mut self) {
        self.uncarried = self.uncarried.saturating_sub(1);
        self.flush_candidates();
    }

    /// A description did not reach the other end.
    pub fn handle_not_carried(&mut self, now: Time) {
        // The browser may be making the next one already.
        if self.negotiation == Negotiation::Offered {
            self.negotiation = Negotiation::Stable;
            self.timers.stop(Timer::Answer);
        }
        self.check_again(now);
        self.handle_carried();
    }

    /// The other end's description: its answer to ours, or a new offer.
    pub fn handle_remote_description(&mut self, description: Jsep, now: Time) {
        let ours =
            matches!(self.negotiation, Negotiation::Making(JsepKind::Offer) | Negotiation::Offered);
        match description.kind {
            // Glare, and we are the impolite peer: the other end rolls its offer back.
            JsepKind::Offer if ours && self.role == Role::Offerer => {}
            JsepKind::Offer => {
                // Our offer is rolled back, and made again after this answer.
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
                    self.check_again(now);
                }
                self.command(PeerCommand::AcceptAnswer(description.sdp));
            }
            // The answer to an offer that was rolled back.
            JsepKind::Answer => {}
        }
    }

    /// Remote candidates arrived.
    pub fn handle_remote_candidates(&mut self, candidates: Vec<Candidate>) {
        self.command(PeerCommand::AddCandidates(candidates));
    }

    /// The network may have changed. That is a hint: a path that is up stays as it is. One that is
    /// lost, now or soon, is restored before the browser gives it up.
    pub fn handle_network_changed(&mut self, now: Time) {
        self.network_changed = Some(now);
        if self.is_established() && self.path != MediaPath::Up {
            self.restart_after_change(now);
        }
    }

    /// A report of the browser.
    pub fn handle_event(&mut self, event: PeerEvent, now: Time) {
        match event {
            PeerEvent::Description(kind, result) => self.handle_description(kind, result, now),
            PeerEvent::Candidate(candidate) => self.handle_candidate(candidate, now),
            PeerEvent::State(state) => self.handle_state(state, now),
            PeerEvent::RemoteMedia => self.handle_remote_media(),
            PeerEvent::Stats(stats) => self.outputs.push_back(Output::Stats(stats)),
        }
    }

    // Reports of the browser.

    fn handle_description(&mut self, kind: JsepKind, result: Result<String, Error>, now: Time) {
        // An offer that was rolled back meanwhile, or the answer to an earlier offer.
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
                    // The other end's path is restored. Ours may be lost too.
                    JsepKind::Answer if self.is_established() => self.check_again(now),
                    JsepKind::Answer => {}
                }
                if kind == JsepKind::Offer && self.is_established() {
                    self.timers.set(Timer::Answer, now + ANSWER);
                }
                self.outputs.push_back(Output::Description(Jsep { kind, sdp }));
            }
            Err(error) if self.is_established() => {
                let line = format!("the connection cannot be renegotiated: {error}");
                self.outputs.push_back(Output::Log(Level::Warn, line));
                self.check_again(now);
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

    /// The gateway opens a new connection for candidates that come before their description.
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
        // A disconnected path often comes back by itself, but hardly after a network change.
        match state {
            ConnectionState::Failed => self.restart(now),
            _ if has_changed => self.restart_after_change(now),
            _ => {}
        }
    }

    /// The network changed, and the path is not up. Firefox closes the sockets of the old network
    /// and gathers no new candidates, so the old offer is useless.
    fn restart_after_change(&mut self, now: Time) {
        if matches!(self.phase, Phase::Established { renegotiates: true }) {
            return self.restart(now);
        }
        // The path may still come up.
        if self.path == MediaPath::New {
            self.timers.set_by(Timer::Retry, now + RETRY);
        }
    }

    /// Renegotiates: the offerer at once, the answerer a moment later.
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

    /// A negotiation ended. Schedules another one in case it did not help.
    fn check_again(&mut self, now: Time) {
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
            let line = "renegotiating the media connection".to_owned();
            self.outputs.push_back(Output::Log(Level::Info, line));
            self.command(PeerCommand::Restart);
        }
    }

    fn command(&mut self, command: PeerCommand) {
        self.outputs.push_back(Output::Command(command));
    }
}
