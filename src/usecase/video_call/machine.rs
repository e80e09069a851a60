//! The video call's state machine: commands of the page and reports of the gateway and the browser
//! go in; requests, commands to the browser and events for the page come out.
//!
//! It joins parts that do not see each other: the registration, the call with its connection and
//! its transfers, the teardown of the previous call, the recovery after an outage, and the
//! requests.

mod commands;
mod connecting;
mod dialing;
mod ending;
mod events;
mod recovering;

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;

use super::call::{Call, RemoteEnd, Stage};
use super::config::CallConfig;
use super::error::{End, Error, Misuse, PluginCode};
use super::event::{Event, Settings};
use super::message::{self, PluginEvent, Refusal, Request};
use super::recovery::Recovery;
use super::registration::{self, Registration};
use super::requests::{Pending, Purpose, Requests, Uncertain};
use super::teardown::{self, Closing, Teardown};
use super::timer::{Timer, Timers};
use super::{PLUGIN, reason, transfers};
use crate::config::UserName;
use crate::data::{ChannelEvent, Meta, sdp};
use crate::log::Level;
use crate::peer::{
    self, Connection, ConnectionId, EarlyCandidates, MediaPath, PeerCommand, PeerEvent,
};
use crate::signaling::{self, Answer, Candidate, CoreCode, Doubt, Jsep, JsepKind, Notice};
use crate::time::{Time, earliest};
use crate::usecase::{
    self, Body, Closed, Command, HandleLoss, Output, Plugin, RequestId, SessionEnd, Waiting,
};

/// The time limit for the user to grant the devices.
const DEVICES: Duration = Duration::from_secs(120);
/// The wait for the plugin's reason once the core has reported a hang-up.
const REASON: Duration = Duration::from_millis(300);
/// The wait for a call that the peer is about to make.
const YIELD: Duration = Duration::from_secs(4);
/// After a 490, a call of the same peer may still be on its way for this long.
const CROSSING_CALL: Duration = Duration::from_secs(1);

/// The plugin's reason when the other side's media connection is closed.
const REMOTE_GONE: &str = "Remote WebRTC hangup";
/// The plugin's reasons if a client gave none.
const DEFAULT_REASONS: [&str; 3] = ["We did the hangup", "Explicit hangup", ""];
/// The log line of both sides.
const EVENTS_LOST: &str = "events of the call were lost: redialing";

/// The result of a command that succeeded, if it has one.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The registered name.
    Name(UserName),
    /// The registered names of all users.
    Names(Vec<String>),
    /// The settings that apply now.
    Set(Settings),
}

/// One video call object: a name, and at most one call at a time.
pub struct VideoCall {
    config: CallConfig,
    random: Rc<dyn Fn() -> u64>,
    life: Life,
    registration: Registration,
    call: Option<Call>,
    teardown: Teardown,
    recovery: Recovery,
    requests: Requests,
    /// Candidates that came before their call.
    early_candidates: EarlyCandidates,
    /// The offer of the last incoming call. Every call has its own offer, so the same offer is the
    /// same call, reported twice.
    last_offer: Option<String>,
    last_connection: u64,
    timers: Timers,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Life {
    Open,
    /// `closeUsecase()` was called, and the hang-up is not confirmed yet.
    Closing(Vec<Command>),
    /// The handle is being detached, or the session ended.
    Detaching(Vec<Command>),
    Closed,
}

/// How the gateway learns of the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HangUpNotice<'a> {
    /// It does not know of the call, or has lost it with the handle.
    None,
    /// It refused the call. Its core will confirm.
    Refused,
    /// It ended the call itself. It will confirm both ends.
    FromGateway,
    /// From the peer, whose BYE came first.
    FromPeer,
    /// By our hang-up, with this reason.
    Send(&'a str),
}

impl VideoCall {
    /// A call object that has no name and no handle yet.
    pub fn new(config: CallConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            config,
            life: Life::Open,
            registration: Registration::new(random.clone()),
            random,
            call: None,
            teardown: Teardown::default(),
            recovery: Recovery::new(),
            requests: Requests::default(),
            early_candidates: EarlyCandidates::default(),
            last_offer: None,
            last_connection: 0,
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The other side of the call, if there is a call.
    pub fn peer(&self) -> Option<&UserName> {
        self.call.as_ref().map(|call| &call.peer)
    }

    fn is_open(&self) -> bool {
        matches!(self.life, Life::Open)
    }

    fn is_in_stage(&self, is_it: impl FnOnce(&Stage) -> bool) -> bool {
        self.call.as_ref().is_some_and(|call| is_it(&call.stage))
    }

    fn handle_call_timeout(&mut self, now: Time) {
        let Some(call) = &self.call else { return };
        if let Some(end) = &call.remote_end {
            // The gateway may have ended it together with a crossing or an earlier call. If the
            // peer has really left, the next attempt reports it.
            if call.stage == Stage::RingingOut && end.is_peer_gone && call.may_redial() {
                return self.redial(HangUpNotice::FromGateway, now);
            }
            let reason = match end {
                RemoteEnd { core: Some(core), .. } if core == "ICE failed" => reason::MEDIA_FAILED,
                RemoteEnd { is_peer_gone: true, .. } => reason::LEFT,
                _ => reason::LOST,
            };
            return self.end(reason, End::ByGateway { reason: Some(reason) }, now);
        }
        match &call.stage {
            Stage::Yielding => {
                self.log(Level::Info, "the other side did not call: redialing");
                self.offer(now);
            }
            Stage::AwaitingRedial => self.end(reason::LOST, End::NotRedialed, now),
            Stage::RingingOut | Stage::RingingIn { .. } => {
                self.end(reason::NO_ANSWER, End::NoAnswer, now);
            }
            Stage::Offering | Stage::Answering => {
                self.end(reason::NO_DEVICE, peer::Error::PermissionTimeout, now);
            }
            Stage::Up => self.end(reason::MEDIA_FAILED, peer::Error::NotConnected, now),
            // A sent call ends with its request, which has its own deadline.
            Stage::Offered { .. }
            | Stage::Answered { .. }
            | Stage::Dialing(_)
            | Stage::Accepting(_) => {
                let notice = HangUpNotice::Send(reason::CANCELLED);
                self.end_with(reason::LOST, Error::Timeout, notice, now);
            }
        }
    }

    // The outputs of the parts.

    /// Passes an input to the call's connection and drains it.
    fn with_connection(&mut self, act: impl FnOnce(&mut Connection), now: Time) {
        if let Some(connection) = self.call.as_mut().and_then(|call| call.connection.as_mut()) {
            act(connection);
            self.drain_connection(now);
        }
    }

    /// Passes an input to the call's transfers and drains them.
    fn with_transfers(&mut self, act: impl FnOnce(&mut transfers::Transfers)) {
        if let Some(call) = &mut self.call {
            act(&mut call.transfers);
            self.drain_transfers();
        }
    }

    fn drain_transfers(&mut self) {
        while let Some(output) = self.call.as_mut().and_then(|call| call.transfers.poll_output()) {
            let output = match output {
                transfers::Output::Send(id, message) => Output::Send(id, message),
                transfers::Output::Data(data) => Output::Transfer(data),
                transfers::Output::Done(command, result) => {
                    self.done(command, result.map_err(Error::from));
                    continue;
                }
                transfers::Output::Unawaited(error) => {
                    self.event(Event::Error(error.into()));
                    continue;
                }
                transfers::Output::Log(level, line) => Output::Log(level, line),
            };
            self.outputs.push_back(output);
        }
    }

    fn drain_registration(&mut self, now: Time) {
        while let Some(output) = self.registration.poll_output() {
            match output {
                registration::Output::Register(name) => {
                    self.request(Purpose::Register, Request::register(&name), None);
                }
                registration::Output::Event(event) => self.event(event),
                registration::Output::Done(command, result) => {
                    self.reply(command, result.map(Reply::Name));
                }
                registration::Output::Unawaited(error) => self.event(Event::Error(error.into())),
                // A call that waits for the name.
                registration::Output::Failed(error) => self.end(reason::LOST, error, now),
                registration::Output::Settled => {
                    self.settle_trouble(now);
                    self.dial_if_due(now);
                }
                registration::Output::Log(line) => self.log(Level::Info, line),
            }
        }
    }

    fn drain_teardown(&mut self, now: Time) {
        while let Some(output) = self.teardown.poll_output() {
            match output {
                teardown::Output::Close(id) => self.peer_command(id, PeerCommand::Close),
                teardown::Output::Done(command) => self.done(command, Ok(())),
                teardown::Output::Complete => self.dial_if_due(now),
            }
        }
        self.detach_when_complete();
    }

    fn request(&mut self, purpose: Purpose, body: Request, jsep: Option<Jsep>) -> RequestId {
        let id = self.requests.open(purpose, jsep.clone());
        self.outputs.push_back(Output::Request { id, body: Body::VideoCall(body), jsep });
        id
    }

    /// Repeats a request whose answer is lost.
    fn repeat(&mut self, pending: &Pending, body: Request) -> RequestId {
        let id = self.requests.reopen(pending);
        let jsep = pending.jsep.clone();
        self.outputs.push_back(Output::Request { id, body: Body::VideoCall(body), jsep });
        id
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(usecase::Event::VideoCall(event)));
    }

    fn peer_command(&mut self, id: ConnectionId, command: PeerCommand) {
        self.outputs.push_back(Output::Peer(id, command));
    }

    fn done(&mut self, command: Command, result: Result<(), Error>) {
        let result = result.map(|()| usecase::Reply::Done).map_err(Into::into);
        self.outputs.push_back(Output::Done(command, result));
    }

    fn reply(&mut self, command: Command, result: Result<Reply, Error>) {
        let result = result.map(usecase::Reply::VideoCall).map_err(Into::into);
        self.outputs.push_back(Output::Done(command, result));
    }

    fn warn(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.log(Level::Warn, format!("{what}: {error}"));
    }

    fn log(&mut self, level: Level, line: impl Into<String>) {
        self.outputs.push_back(Output::Log(level, line.into()));
    }
}

impl Plugin for VideoCall {
    fn name(&self) -> &'static str {
        PLUGIN
    }

    fn account(&self) -> Option<&str> {
        self.config.account.as_deref()
    }

    fn is_closed(&self) -> bool {
        matches!(self.life, Life::Closed)
    }

    fn is_leaving(&self) -> bool {
        self.teardown.is_hanging_up()
    }

    fn is_flowing(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.stage == Stage::Up && call.has_path())
    }

    fn handle_attached(&mut self, now: Time) {
        self.recover_with_handle(now);
    }

    fn handle_detached(&mut self, now: Time) {
        if !self.is_closed() {
            self.handle_session_end(&Closed::ByGateway.into(), now);
        }
    }

    fn handle_session_lost(&mut self, loss: HandleLoss, error: &signaling::Error, now: Time) {
        let reason = match loss {
            HandleLoss::PageLeft => reason::HUNG_UP,
            HandleLoss::SessionLost => reason::SESSION_LOST,
        };
        self.lose_session(reason, error, now);
    }

    fn handle_session_end(&mut self, end: &SessionEnd, now: Time) {
        self.end_with_session(end, now);
    }

    fn handle_trouble(&mut self, error: &signaling::Error, now: Time) {
        self.recovery.handle_trouble(error.clone().into(), &mut self.timers, now);
        self.report_trouble();
    }

    fn handle_restored(&mut self, now: Time) {
        if self.recovery.handle_restored() {
            self.ask(now);
        }
    }

    fn handle_doubt(&mut self, doubt: Doubt, now: Time) {
        self.recovery.handle_doubt(doubt == Doubt::Lost);
        self.recovery.doubt(Duration::ZERO, (self.random)(), &mut self.timers, now);
    }

    fn handle_network_changed(&mut self, now: Time) {
        self.with_connection(|connection| connection.handle_network_changed(now), now);
    }

    fn handle_answer(
        &mut self,
        id: RequestId,
        answer: Result<Answer, signaling::Error>,
        now: Time,
    ) {
        self.read_answer(id, answer, now);
    }

    fn handle_notice(&mut self, notice: Notice, now: Time) {
        self.read_notice(notice, now);
    }

    fn handle_peer(&mut self, id: ConnectionId, event: PeerEvent, now: Time) {
        if let Some(connection) = self.call.as_mut().and_then(|call| call.connection(id)) {
            connection.handle_event(event, now);
            self.drain_connection(now);
        }
    }

    fn handle_channel(&mut self, id: ConnectionId, event: ChannelEvent, now: Time) {
        self.read_channel(id, event, now);
    }

    fn leave(&mut self, now: Time) {
        if self.is_open() {
            self.life = Life::Detaching(Vec::new());
        }
        self.end(reason::HUNG_UP, End::Disconnect, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.with_connection(|connection| connection.handle_timeout(now), now);
        self.with_transfers(|transfers| transfers.handle_timeout(now));
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Teardown => {
                    let is_over = self.teardown.handle_timeout(&mut self.timers, now);
                    self.drain_teardown(now);
                    if is_over {
                        self.give_up_wedged(now);
                    }
                    self.dial_if_due(now);
                }
                Timer::Rest => self.dial_if_due(now),
                Timer::Query | Timer::Doubt => self.handle_recovery_timeout(timer, now),
                Timer::Register => {
                    self.registration.handle_timeout();
                    self.drain_registration(now);
                }
                Timer::DataEnd => {
                    self.with_transfers(transfers::Transfers::handle_channels_lost);
                }
                Timer::Call => self.handle_call_timeout(now),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let call = self.call.as_ref();
        let connection = call.and_then(|call| call.connection.as_ref());
        let media = connection.and_then(Connection::poll_timeout);
        let data = call.and_then(|call| call.transfers.poll_timeout());
        earliest(self.timers.next(), earliest(media, data))
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
