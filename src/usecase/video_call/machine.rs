//! The call's state machine: the user's commands, the gateway's news and the peer connection's in;
//! requests, media commands and the page's events out.

mod commands;
mod dialing;
mod ending;
mod gateway;
mod healing;
mod media;
mod restart;
mod transfers;

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;
use vecmap::VecMap;

use super::call::{Call, ConnectionId, Doom, Negotiation, Path, Stage};
use super::error::{End, Error, Misuse, PluginCode};
use super::guest::guest_name;
use super::message::{self, PluginEvent, Refusal, Request};
use super::reason;
use super::transfers::{Data, Transfer, TransferId, TransferState};
use super::waiting::Waiting;
use crate::config::{CallConfig, UserName};
use crate::data::{ChannelKind, Meta, sdp};
use crate::event::{Event, Settings};
use crate::log::Level;
use crate::peer;
use crate::signaling::{self, Answer, Backoff, Candidate, CoreCode, Doubt, Jsep, JsepKind, Notice};
use crate::time::{Time, earliest};

/// How long the user may take to grant the devices.
const DEVICES: Duration = Duration::from_secs(120);
/// How long the gateway may take to tell that it is done with a call.
const TEARDOWN: Duration = Duration::from_secs(2);
/// How long the plugin's words on a hang-up are waited for once the core told of it.
const WORDS: Duration = Duration::from_millis(300);
/// How long the loser of a crossing waits for the winner's call.
const YIELD: Duration = Duration::from_secs(4);
/// How long a call is held back once the gateway told that it is done with the one before: as long as that took,
/// within these bounds. It is not done when it says so: a call that comes too early is lost, and can bring Janus down.
const LEAST_REST: Duration = Duration::from_millis(50);
const MOST_REST: Duration = Duration::from_millis(250);
/// How long after a call its peer may be busy, or nobody, only because the gateway is not done with it.
const AFTERGLOW: Duration = Duration::from_secs(4);
/// How long candidates are gathered into one request.
const BATCH: Duration = Duration::from_millis(20);
/// How often one call is sent.
const MOST_REDIALS: u8 = 5;
/// How often a request is repeated whose answers are lost, though the gateway is in reach.
const MOST_REPEATS: u8 = 5;
/// How many guest names are tried.
const MOST_GUEST_NAMES: u8 = 5;
/// How many remote candidates are kept for a call that is not answered yet.
const MOST_EARLY_CANDIDATES: usize = 64;

/// How long after a 490 a call of the same peer may still be on its way here.
const CROSSER: Duration = Duration::from_secs(1);
/// What the gateway's plugin says when the other side's media connection is gone.
const REMOTE_GONE: &str = "Remote WebRTC hangup";
/// What the plugin says where a client gave no reason.
const DEFAULT_REASONS: [&str; 3] = ["We did the hangup", "Explicit hangup", ""];

/// Names a command of the page; its [`Reply`] bears the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command(pub u64);

/// Names a request to the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

/// How a command ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Done, with nothing to tell.
    Done,
    /// The name that is ours now.
    Name(UserName),
    /// Everybody's names.
    Names(Vec<String>),
    /// The settings that apply now.
    Set(Settings),
}

/// What to do with devices and peer connections.
#[derive(Clone, Debug, PartialEq)]
pub enum Media {
    /// Open the devices and make an offer; tell [`VideoCall::handle_description`].
    Offer(ConnectionId),
    /// Open the devices and make an answer to this offer; tell [`VideoCall::handle_description`].
    Answer(ConnectionId, String),
    /// Here is the answer to your offer.
    Remote(ConnectionId, String),
    /// Make a new offer on the connection that is there, with new ICE credentials (W3C `iceRestart`);
    /// tell [`VideoCall::handle_description`].
    Restart(ConnectionId),
    /// Answer this new offer on the connection that is there, taking back an own one that waits for its
    /// answer; tell [`VideoCall::handle_description`].
    Renegotiate(ConnectionId, String),
    /// Remote candidates. They may come before the remote description.
    Candidates(ConnectionId, Vec<Candidate>),
    /// Close the peer connection.
    Close(ConnectionId),
    /// The call is over: stop the devices, take the pictures away.
    Release,
}

/// The peer connection's state, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// ICE and DTLS are up.
    Connected,
    /// Nothing comes through at the moment.
    Disconnected,
    /// It cannot be made, or is lost for good.
    Failed,
}

/// What the call wants or tells. Drain it after every input.
#[derive(Debug)]
pub enum Output {
    /// Send the plugin this message.
    Request {
        /// Comes back with the answer.
        id: RequestId,
        /// The message.
        body: Request,
        /// An offer or answer that goes with it.
        jsep: Option<Jsep>,
    },
    /// Send local candidates.
    Trickle(Vec<Candidate>),
    /// Detach from the plugin; tell [`VideoCall::handle_detached`].
    Detach,
    /// Detach, and attach anew; tell [`VideoCall::handle_attached`].
    Reattach,
    /// Do this with the media.
    Media(Media),
    /// Do this with the data channels, or tell the page of them.
    Data(Data),
    /// Tell the page.
    Event(Event),
    /// A command of the page ended.
    Done(Command, Result<Reply, Error>),
    /// A line for the log.
    Log(Level, String),
}

/// One video call object: a name, and at most one call at a time.
pub struct VideoCall {
    config: CallConfig,
    random: Rc<dyn Fn() -> u64>,
    life: Life,
    name: Name,
    call: Option<Call>,
    teardown: Option<Teardown>,
    /// No call is sent before.
    rest_until: Time,
    /// The offer of the last call that came. Every call has an offer of its own: the same is told twice.
    last_offer: String,
    /// With whom the last call was, and when it ended.
    last: Option<(UserName, Time)>,
    requests: VecMap<RequestId, Asked>,
    healing: Healing,
    candidates: Batch,
    /// Remote candidates that came before there was a connection to give them to. The gateway may tell them
    /// before the call that they belong to.
    early_candidates: Vec<Candidate>,
    last_request: u64,
    last_connection: u64,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Life {
    Open,
    /// `closeUsecase()` was called: first the call is hung up, then the handle detached.
    Closing {
        commands: Vec<Command>,
        detaching: bool,
    },
    Closed,
}

#[derive(Debug)]
enum Name {
    None,
    Asked {
        name: UserName,
        /// Absent where it is taken again, by a new handle.
        command: Option<Waiting>,
        guests_left: u8,
        again: Option<Again>,
    },
    Held(UserName),
}

/// A name that may still be held by our own dead session: it is asked for until that lets it go.
#[derive(Debug)]
struct Again {
    until: Time,
    backoff: Backoff,
    /// How often nothing was answered, though the gateway was in reach.
    cuts: u8,
    /// Absent while it is being asked for.
    due: Option<Time>,
}

impl Again {
    fn new(until: Time) -> Self {
        Self { until, backoff: Backoff::default(), cuts: 0, due: None }
    }
}

/// A call that is over for the page, but not yet for the gateway. No call may be sent before
/// it is: the gateway would take the one for the other.
#[derive(Debug, Default)]
struct Teardown {
    /// Our hang-up waits for its answer.
    request: Option<RequestId>,
    /// The core's own `hangup` is to come: the gateway closed this end's connection.
    core: bool,
    /// The plugin's [`REMOTE_GONE`] is to come: the gateway closed the other end's connection. A call
    /// sent before would be taken down with it, without a word.
    echo: bool,
    deadline: Time,
    /// Closed last: its DTLS goodbye must not reach the gateway before the hang-up and its reason.
    connection: Option<ConnectionId>,
    /// Commands that wait for the gateway to know.
    commands: Vec<Command>,
}

/// A request, as far as it is needed to ask again.
#[derive(Debug)]
struct Asked {
    purpose: Purpose,
    jsep: Option<Jsep>,
    /// How often it was asked before, without an answer.
    repeats: u8,
}

impl Asked {
    /// Of a gateway that answers other things, but never this, it is not asked for ever.
    fn may_be_repeated(&self) -> bool {
        self.repeats < MOST_REPEATS
    }
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    Register,
    List(Waiting),
    Set(Command, Settings),
    Dial,
    Accept,
    HangUp,
    /// A new offer or answer on the connection that is there.
    Renegotiate,
    /// Whether the gateway has us in a call.
    Query,
}

/// What is known of the gateway's reach, and what has to be found out.
#[derive(Debug, Default)]
struct Healing {
    /// The gateway is out of reach, or does not know us yet.
    trouble: Option<Error>,
    /// It is out of reach.
    out_of_reach: bool,
    /// The page was told [`Event::Reconnecting`].
    told: bool,
    /// There is no handle: it, or the session, is being made, or made anew.
    detached: bool,
    /// The gateway was to close the connection of the call before, and has not said that it did.
    stuck: bool,
    /// Events may be lost.
    gap: bool,
    /// Requests of which nobody knows whether the gateway did them, and why not.
    unsure: Vec<(RequestId, Asked, Error)>,
    /// Whether there is a call at the gateway is being asked.
    asks: bool,
    /// When to ask, or to ask again.
    due: Option<Time>,
    /// How often it was asked in vain.
    attempts: u8,
    /// The first of these was made before anything had failed: they do not count once something has.
    began_by_doubt: bool,
    /// When to ask since an event may be lost, though nothing has failed; and the pauses between such questions.
    doubted: Option<Time>,
    doubts: Backoff,
    /// Commands that wait for the next handle.
    lists: Vec<Waiting>,
}

#[derive(Debug, Default)]
struct Batch {
    candidates: Vec<Candidate>,
    due: Option<Time>,
}

/// What the gateway still has to hear or say when a call ends here.
enum Farewell<'a> {
    /// Nothing: it never knew.
    None,
    /// It refused the call; its core will confirm.
    Refused,
    /// It ended the call; both ends will be confirmed.
    Await,
    /// It will hear of it from the other side, which has told us already.
    Hear,
    /// It has to be told.
    HangUp(&'a str),
}

impl VideoCall {
    /// A call object without a name, and without a handle yet.
    pub fn new(config: CallConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            config,
            random,
            life: Life::Open,
            name: Name::None,
            call: None,
            teardown: None,
            rest_until: Time::default(),
            last_offer: String::new(),
            last: None,
            requests: VecMap::new(),
            healing: Healing { detached: true, ..Healing::default() },
            candidates: Batch::default(),
            early_candidates: Vec::new(),
            last_request: 0,
            last_connection: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The account that its handle bears, if it has one of its own.
    pub fn account(&self) -> Option<&str> {
        self.config.account.as_deref()
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The moment by which [`VideoCall::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let call = self.call.as_ref().and_then(|call| match call.stage {
            Stage::Offered { .. } if self.may_dial() => {
                earliest(Some(self.rest_until), call.deadline)
            }
            _ => call.deadline,
        });
        let teardown = self.teardown.as_ref().map(|teardown| teardown.deadline);
        let data = self.call.as_ref().and_then(|call| call.link.poll_timeout());
        let healing = earliest(self.healing.due, self.healing.doubted);
        let healing = earliest(healing, self.name_due());
        let restart =
            self.call.as_ref().and_then(|call| earliest(call.path.deadline(), call.data_ends));
        let calls = earliest(earliest(call, teardown), earliest(data, self.candidates.due));
        earliest(calls, earliest(healing, restart))
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.candidates.due.is_some_and(|due| due <= now) {
            self.flush_candidates();
        }
        self.handle_teardown_timeout(now);
        self.dial_if_due(now);
        self.with_link(|link| link.handle_timeout(now));
        self.handle_healing_timeout(now);
        self.handle_restart_timeout(now);
        self.handle_data_timeout(now);
        if self.call.as_ref().and_then(|call| call.deadline).is_some_and(|deadline| deadline <= now)
        {
            self.handle_call_timeout(now);
        }
    }

    fn handle_call_timeout(&mut self, now: Time) {
        let Some(call) = &mut self.call else { return };
        if let Some(doom) = &call.doom {
            // The other side's call, crossing ours, or a call before this one may have taken it down.
            // If the other side is really gone, the next attempt says so.
            if call.stage == Stage::RingingOut && doom.remote_gone && call.redials < MOST_REDIALS {
                return self.dial_again(Farewell::Await, now);
            }
            let words = match doom {
                Doom { core: Some(core), .. } if core == "ICE failed" => reason::MEDIA_FAILED,
                Doom { remote_gone: true, .. } => reason::LEFT,
                _ => reason::LOST,
            };
            let error = End::ByGateway { reason: Some(words) };
            return self.end(words, error.into(), Farewell::HangUp(words), now);
        }
        match &call.stage {
            Stage::Yielding => {
                self.log(Level::Info, "the other side did not call: calling again".into());
                self.offer(now);
            }
            Stage::RingingIn { offer } if offer.is_empty() => {
                let error = End::NotRedialed.into();
                self.end(reason::LOST, error, Farewell::HangUp(reason::LOST), now);
            }
            Stage::RingingOut | Stage::RingingIn { .. } => {
                let error = End::NoAnswer.into();
                self.end(reason::NO_ANSWER, error, Farewell::HangUp(reason::NO_ANSWER), now);
            }
            Stage::Offering | Stage::Answering => {
                let error = peer::Error::PermissionTimeout.into();
                self.end(reason::NO_DEVICE, error, Farewell::HangUp(reason::NO_DEVICE), now);
            }
            Stage::Up => self.end(
                reason::MEDIA_FAILED,
                peer::Error::NotConnected.into(),
                Farewell::HangUp(reason::MEDIA_FAILED),
                now,
            ),
            // Once it is sent, they end with their request, which has a deadline of its own.
            Stage::Offered { .. }
            | Stage::Answered { .. }
            | Stage::Dialing(_)
            | Stage::Accepting(_) => {
                self.end(reason::LOST, Error::Timeout, Farewell::HangUp(reason::CANCELLED), now);
            }
        }
    }

    fn flush_candidates(&mut self) {
        self.candidates.due = None;
        if self.call.as_ref().is_some_and(Call::is_negotiating) && !self.is_renegotiating() {
            let candidates = take(&mut self.candidates.candidates);
            if !candidates.is_empty() {
                self.outputs.push_back(Output::Trickle(candidates));
            }
        }
    }

    fn request(&mut self, purpose: Purpose, body: Request, jsep: Option<Jsep>) -> RequestId {
        self.last_request = self.last_request.saturating_add(1);
        let id = RequestId(self.last_request);
        self.requests.insert(id, Asked { purpose, jsep: jsep.clone(), repeats: 0 });
        self.outputs.push_back(Output::Request { id, body, jsep });
        id
    }

    fn next_connection(&mut self) -> ConnectionId {
        self.last_connection = self.last_connection.saturating_add(1);
        ConnectionId(self.last_connection)
    }

    /// Refuses what cannot be done before there is a new session.
    fn refuse_if_detached(&mut self, command: Command) -> bool {
        let detached =
            self.healing.detached || matches!(self.name, Name::Asked { command: None, .. });
        if detached {
            self.done(command, Err(Misuse::Restoring.into()));
        }
        detached
    }

    fn refuse_if_closed(&mut self, command: Command) -> bool {
        let closed = !matches!(self.life, Life::Open);
        if closed {
            self.done(command, Err(Misuse::Closed.into()));
        }
        closed
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn media(&mut self, media: Media) {
        self.outputs.push_back(Output::Media(media));
    }

    fn done(&mut self, command: Command, result: Result<Reply, Error>) {
        self.outputs.push_back(Output::Done(command, result));
    }

    fn warn(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.log(Level::Warn, format!("{what}: {error}"));
    }

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Output::Log(level, line));
    }
}
