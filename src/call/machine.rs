//! The call's state machine: the user's commands, the gateway's news and the peer connection's in;
//! requests, media commands and the page's events out.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::guest::guest_name;
use super::messages::{self, PluginEvent, refusal};
use super::reason;
use super::talk::{Doom, LegId, Stage, Talk};
use crate::config::{CallConfig, UserName};
use crate::error::{Code, Error};
use crate::event::{Event, Settings};
use crate::log::Level;
use crate::proto::{Answer, Candidate, Jsep, JsepKind, Notice};
use crate::time::{Time, earliest};

/// How long the user may take to grant the devices.
const DEVICES: Duration = Duration::from_secs(120);
/// How long the gateway may take to tell that it is done with a call.
const TEARDOWN: Duration = Duration::from_secs(2);
/// How long the plugin's words on a hang-up are waited for once the core told of it.
const WORDS: Duration = Duration::from_millis(300);
/// How long the loser of a crossing waits for the winner's call.
const YIELD: Duration = Duration::from_secs(4);
/// How long a call is held back after a crossing, for the gateway to clear up at both ends.
const REDIAL: Duration = Duration::from_millis(150);
/// How long after a call its peer may be "busy" only because the gateway is not done with it.
const AFTERGLOW: Duration = Duration::from_secs(3);
/// How long candidates are gathered into one request.
const BATCH: Duration = Duration::from_millis(20);
/// How often one call is sent.
const MOST_REDIALS: u8 = 5;
/// How many guest names are tried.
const MOST_GUEST_NAMES: u8 = 5;
/// How many remote candidates are kept for a call that is not answered yet.
const MOST_EARLY_CANDIDATES: usize = 64;

/// The core's "Error setting ICE locally" (490): it still holds, or already holds, another media
/// connection for this handle. The plugin never saw the call.
const CORE_BUSY: i64 = 490;
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
    /// Open the devices and make an offer; tell [`Call::handle_description`].
    Offer(LegId),
    /// Open the devices and make an answer to this offer; tell [`Call::handle_description`].
    Answer(LegId, String),
    /// Here is the answer to your offer.
    Remote(LegId, String),
    /// Remote candidates. They may come before the remote description.
    Candidates(LegId, Vec<Candidate>),
    /// Close the peer connection.
    Close(LegId),
    /// The call is over: stop the devices, take the pictures away.
    Release,
}

/// The peer connection's state, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegState {
    /// ICE and DTLS are up.
    Connected,
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
        body: Value,
        /// An offer or answer that goes with it.
        jsep: Option<Jsep>,
    },
    /// Send local candidates.
    Trickle(Vec<Candidate>),
    /// Detach from the plugin; tell [`Call::handle_detached`].
    Detach,
    /// Do this with the media.
    Media(Media),
    /// Tell the page.
    Event(Event),
    /// A command of the page ended.
    Done(Command, Result<Reply, Error>),
    /// A line for the log.
    Log(Level, String),
}

/// One video call object: a name, and at most one conversation at a time.
pub struct Call {
    config: CallConfig,
    random: Rc<dyn Fn() -> u64>,
    life: Life,
    name: Name,
    talk: Option<Talk>,
    teardown: Option<Teardown>,
    /// With whom the last conversation was, and when it ended.
    last: Option<(UserName, Time)>,
    requests: BTreeMap<RequestId, Purpose>,
    candidates: Batch,
    last_request: u64,
    last_leg: u64,
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
    Asked { name: UserName, command: Command, guests_left: u8 },
    Held(UserName),
}

/// A conversation that is over for the page, but not yet for the gateway. No call may be sent before
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
    /// Closed last: its DTLS goodbye must not reach the peer before our hang-up and its reason.
    leg: Option<LegId>,
    /// Commands that wait for the gateway to know.
    commands: Vec<Command>,
}

#[derive(Debug)]
enum Purpose {
    Register,
    List(Command),
    Set(Command, Settings),
    Dial,
    Accept,
    HangUp,
}

#[derive(Debug, Default)]
struct Batch {
    candidates: Vec<Candidate>,
    due: Option<Time>,
}

/// What the gateway still has to hear or say when a conversation ends here.
enum Farewell<'a> {
    /// Nothing: it never knew.
    None,
    /// It refused the call; its core will confirm.
    Refused,
    /// It ended the call; both ends will be confirmed.
    Await,
    /// It has to be told.
    HangUp(&'a str),
}

impl Call {
    /// A call object without a name.
    pub fn new(config: CallConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            config,
            random,
            life: Life::Open,
            name: Name::None,
            talk: None,
            teardown: None,
            last: None,
            requests: BTreeMap::new(),
            candidates: Batch::default(),
            last_request: 0,
            last_leg: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The moment by which [`Call::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let talk = self.talk.as_ref().and_then(|talk| match talk.stage {
            Stage::Offered { not_before, .. } if self.teardown.is_none() => {
                earliest(Some(not_before), talk.deadline)
            }
            _ => talk.deadline,
        });
        let teardown = self.teardown.as_ref().map(|teardown| teardown.deadline);
        earliest(earliest(talk, teardown), self.candidates.due)
    }

    /// Whether a conversation is going on, in whatever stage.
    pub fn is_in_call(&self) -> bool {
        self.talk.is_some()
    }

    // The page's commands.

    /// Takes a name; without one, a guest name is made up.
    pub fn register(&mut self, command: Command, wanted: Option<UserName>) {
        if self.refuse_if_closed(command) {
            return;
        }
        let error = match &self.name {
            Name::Held(name) if wanted.as_ref().is_none_or(|wanted| wanted == name) => {
                let name = name.clone();
                self.event(Event::Registered { name: name.clone(), is_registered: true });
                return self.done(command, Ok(Reply::Name(name)));
            }
            Name::Held(name) => Some(already_registered(name)),
            Name::Asked { name, .. } => Some(Error::new(
                Code::AlreadyRegistered,
                format!("\"{name}\" is being registered: wait for onRegistered"),
            )),
            Name::None => None,
        };
        if let Some(error) = error {
            return self.done(command, Err(error));
        }
        let guests_left = if wanted.is_some() { 0 } else { MOST_GUEST_NAMES };
        match wanted.map_or_else(|| guest_name((self.random)()), Ok) {
            Ok(name) => self.ask_for_name(name, command, guests_left),
            Err(error) => self.done(command, Err(error)),
        }
    }

    fn ask_for_name(&mut self, name: UserName, command: Command, guests_left: u8) {
        let body = messages::register(&name);
        self.name = Name::Asked { name, command, guests_left };
        self.request(Purpose::Register, body, None);
    }

    /// Asks for everybody's names.
    pub fn list(&mut self, command: Command) {
        if !self.refuse_if_closed(command) {
            self.request(Purpose::List(command), messages::list(), None);
        }
    }

    /// Changes what the gateway relays.
    pub fn set(&mut self, command: Command, settings: Settings) {
        if !self.refuse_if_closed(command) {
            self.request(Purpose::Set(command, settings), messages::set(&settings), None);
        }
    }

    /// Calls `peer`; while a call rings here, accepts it.
    pub fn call(&mut self, command: Command, peer: Option<UserName>, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        if let Some(talk) = &self.talk {
            let rings = matches!(talk.stage, Stage::RingingIn { .. });
            if rings && peer.as_ref().is_none_or(|peer| *peer == talk.peer) {
                return self.accept(command, now);
            }
            let error = format!("there is a call with \"{}\" already: hang up first", talk.peer);
            return self.done(command, Err(Error::new(Code::AlreadyInCall, error)));
        }
        let Some(peer) = peer else {
            let error = "call() needs a user name, since no call is ringing here";
            return self.done(command, Err(Error::invalid(error)));
        };
        let Name::Held(me) = &self.name else {
            let error = "register() a name before you call, and wait for onRegistered";
            return self.done(command, Err(Error::new(Code::NotRegistered, error)));
        };
        if *me == peer {
            self.event(Event::HangUp { peer, reason: reason::SELF.into() });
            return self.done(command, Err(calling_self()));
        }
        let mut talk = Talk::new(peer, Stage::Offering, now + DEVICES);
        talk.command = Some(command);
        self.talk = Some(talk);
        self.offer(now, now);
    }

    /// Accepts the call that rings here.
    pub fn accept(&mut self, command: Command, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        let Some(Talk { stage: Stage::RingingIn { offer }, .. }) = &mut self.talk else {
            let error = "no call is ringing here that could be accepted";
            return self.done(command, Err(Error::new(Code::NoCall, error)));
        };
        let offer = std::mem::take(offer);
        if let Some(talk) = &mut self.talk {
            talk.command = Some(command);
        }
        self.answer(offer, now);
    }

    /// Hangs up, cancels or declines. Ends well once the gateway knows, or cannot be told.
    pub fn hang_up(&mut self, command: Command, words: Option<&str>, now: Time) {
        if self.refuse_if_closed(command) {
            return;
        }
        let Some(talk) = &self.talk else {
            return match &mut self.teardown {
                Some(teardown) => teardown.commands.push(command),
                None => {
                    self.done(command, Err(Error::new(Code::NoCall, "there is no call to hang up")))
                }
            };
        };
        let own = match talk.stage {
            Stage::RingingIn { .. } => reason::DECLINED,
            Stage::Up => reason::HUNG_UP,
            _ => reason::CANCELLED,
        };
        let words = words.unwrap_or(own);
        let error = Error::new(Code::CallEnded, "hangUp() ended the call");
        self.end(words, error, Farewell::HangUp(words), now);
        match &mut self.teardown {
            Some(teardown) => teardown.commands.push(command),
            None => self.done(command, Ok(Reply::Done)),
        }
    }

    /// Ends the call, and then the object.
    pub fn close(&mut self, command: Command, now: Time) {
        match &mut self.life {
            Life::Closed => return self.done(command, Ok(Reply::Done)),
            Life::Closing { commands, .. } => return commands.push(command),
            Life::Open => self.life = Life::Closing { commands: vec![command], detaching: false },
        }
        let error = Error::new(Code::Closed, "closeUsecase() ended the call");
        self.end(reason::HUNG_UP, error, Farewell::HangUp(reason::HUNG_UP), now);
        self.detach_when_told();
    }

    /// Ends the call without detaching: the whole session is about to be ended.
    pub fn leave(&mut self, now: Time) {
        if matches!(self.life, Life::Open) {
            self.life = Life::Closing { commands: Vec::new(), detaching: true };
        }
        let error = Error::new(Code::NotConnected, "disconnect() ended the call");
        self.end(reason::HUNG_UP, error, Farewell::HangUp(reason::HUNG_UP), now);
    }

    /// Whether the gateway still has to be heard on a hang-up of ours.
    pub fn is_leaving(&self) -> bool {
        self.teardown.as_ref().is_some_and(|teardown| teardown.request.is_some())
    }

    // The gateway's news.

    /// The session is gone, and the handle with it.
    pub fn handle_session_end(&mut self, error: &Error, now: Time) {
        self.end(reason::SESSION_LOST, error.clone(), Farewell::None, now);
        if let Some(teardown) = self.teardown.take() {
            self.finish_teardown(teardown);
        }
        for (_, purpose) in std::mem::take(&mut self.requests) {
            if let Purpose::List(command) | Purpose::Set(command, _) = purpose {
                self.done(command, Err(error.clone()));
            }
        }
        if let Name::Asked { name, command, .. } = std::mem::replace(&mut self.name, Name::None) {
            self.event(Event::Registered { name, is_registered: false });
            self.done(command, Err(error.clone()));
        }
        self.become_closed();
    }

    /// The handle is detached, or nobody is there to detach it.
    pub fn handle_detached(&mut self, now: Time) {
        if !matches!(self.life, Life::Closed) {
            let error = Error::new(Code::Closed, "the gateway closed this video call");
            self.handle_session_end(&error, now);
        }
    }

    /// What became of a request.
    pub fn handle_answer(&mut self, id: RequestId, answer: Result<Answer, Error>, now: Time) {
        let Some(purpose) = self.requests.remove(&id) else { return };
        let result = match answer {
            Ok(Answer::Plugin { data, .. }) => messages::parse(&data)
                .map_err(|(code, words)| refused(code, &words, self.asked_name(&purpose))),
            Ok(_) => Ok(PluginEvent::Unknown("answer without a message".into())),
            Err(error) => Err(error),
        };
        match purpose {
            Purpose::Register => self.handle_registered(result),
            Purpose::List(command) => self.done(
                command,
                match result {
                    Ok(PluginEvent::List(names)) => Ok(Reply::Names(names)),
                    Ok(other) => Err(unexpected(&other)),
                    Err(error) => Err(error),
                },
            ),
            Purpose::Set(command, settings) => {
                let result = result.and_then(|event| match event {
                    PluginEvent::Set => Ok(Reply::Set(settings)),
                    other => Err(unexpected(&other)),
                });
                if result.is_ok() {
                    self.event(Event::SetCall(settings));
                }
                self.done(command, result);
            }
            Purpose::Dial => self.handle_dialed(id, result, now),
            Purpose::Accept => self.handle_accept_answered(id, result, now),
            Purpose::HangUp => {
                if let Some(teardown) = &mut self.teardown
                    && teardown.request == Some(id)
                {
                    teardown.request = None;
                    if let Err(error) = result {
                        self.log(
                            Level::Warn,
                            format!("the gateway did not take the hang-up: {error}"),
                        );
                    }
                    self.check_teardown(now);
                }
            }
        }
    }

    /// The name that a request was about, for its error.
    fn asked_name(&self, purpose: &Purpose) -> &str {
        match (purpose, &self.name, &self.talk) {
            (Purpose::Register, Name::Asked { name, .. }, _) => name.as_str(),
            (Purpose::Dial | Purpose::Accept, _, Some(talk)) => talk.peer.as_str(),
            _ => "",
        }
    }

    fn handle_registered(&mut self, result: Result<PluginEvent, Error>) {
        let before = std::mem::replace(&mut self.name, Name::None);
        let Name::Asked { name, command, guests_left } = before else {
            self.name = before;
            return;
        };
        let error = match result {
            Ok(PluginEvent::Registered) => return self.hold(name, command),
            Ok(other) => unexpected(&other),
            Err(error) => error,
        };
        match error.gateway_code {
            Some(refusal::USERNAME_TAKEN) if guests_left > 0 => {
                if let Ok(other) = guest_name((self.random)()) {
                    return self.ask_for_name(other, command, guests_left.saturating_sub(1));
                }
            }
            // A registration whose answer was lost, and that was asked for again.
            Some(refusal::ALREADY_REGISTERED)
                if error
                    .cause
                    .as_ref()
                    .is_some_and(|words| words.contains(&format!("({name})"))) =>
            {
                return self.hold(name, command);
            }
            _ => {}
        }
        self.event(Event::Registered { name, is_registered: false });
        self.done(command, Err(error));
    }

    fn hold(&mut self, name: UserName, command: Command) {
        self.log(Level::Info, format!("registered as \"{name}\""));
        self.name = Name::Held(name.clone());
        self.event(Event::Registered { name: name.clone(), is_registered: true });
        self.done(command, Ok(Reply::Name(name)));
    }

    fn handle_dialed(&mut self, id: RequestId, result: Result<PluginEvent, Error>, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        if talk.stage != Stage::Dialing(id) {
            return;
        }
        let peer = talk.peer.clone();
        match result {
            Ok(PluginEvent::Calling) => {
                talk.stage = Stage::RingingOut;
                talk.deadline = Some(now + self.config.ring_timeout);
                self.announce();
            }
            Ok(PluginEvent::HangUp(_)) => {
                let fresh = self
                    .last
                    .as_ref()
                    .is_some_and(|(last, at)| *last == peer && now.since(*at) < AFTERGLOW);
                if fresh && talk.redials < MOST_REDIALS {
                    return self.dial_again(Farewell::Refused, now);
                }
                let error = Error::new(Code::UserBusy, format!("\"{peer}\" is in another call"));
                self.end(reason::BUSY, error, Farewell::Refused, now);
            }
            Ok(other) => {
                let error = unexpected(&other);
                self.end(reason::LOST, error, Farewell::HangUp(reason::CANCELLED), now);
            }
            Err(error) => match error.gateway_code {
                Some(refusal::ALREADY_IN_CALL) => self.handle_crossing(error, now),
                Some(CORE_BUSY) => self.handle_core_busy(error, now),
                Some(refusal::NO_SUCH_USERNAME) => {
                    self.end(reason::NO_SUCH_USER, error, Farewell::Refused, now);
                }
                Some(refusal::USE_ECHO_TEST) => {
                    self.end(reason::SELF, error, Farewell::Refused, now)
                }
                _ => self.end(reason::LOST, error, Farewell::HangUp(reason::CANCELLED), now),
            },
        }
    }

    fn handle_accept_answered(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        if !self.talk.as_ref().is_some_and(|talk| talk.stage == Stage::Accepting(id)) {
            return;
        }
        let error = match result {
            Ok(PluginEvent::Accepted) => return self.come_up(now),
            Ok(other) => unexpected(&other),
            Err(error) => error,
        };
        if error.gateway_code == Some(refusal::NO_CALL) {
            return self.end(reason::CANCELLED, error, Farewell::Await, now);
        }
        self.end(reason::LOST, error, Farewell::HangUp(reason::LOST), now);
    }

    /// What the gateway tells unasked.
    pub fn handle_notice(&mut self, notice: Notice, now: Time) {
        match notice {
            Notice::Event { data, jsep } => match messages::parse(&data) {
                Ok(event) => self.handle_plugin_event(event, jsep, now),
                Err((code, words)) => {
                    self.log(Level::Warn, format!("the plugin complains: {words} ({code})"));
                }
            },
            Notice::Candidates(candidates) => self.handle_remote_candidates(candidates),
            Notice::Hangup(words) => self.handle_core_hangup(words, now),
            Notice::IceFailed => self.log(Level::Warn, "ICE failed at the gateway's end".into()),
            Notice::Detached => self.handle_detached(now),
            Notice::SlowLink { media, uplink, lost } => {
                self.event(Event::SlowLink { media, uplink, lost });
            }
            Notice::WebrtcUp => {
                self.log(Level::Debug, "the gateway's media connection is up".into())
            }
            Notice::Media { kind, receiving } => {
                self.log(Level::Debug, format!("the gateway receives {kind}: {receiving}"));
            }
        }
    }

    fn handle_plugin_event(&mut self, event: PluginEvent, jsep: Option<Jsep>, now: Time) {
        match (event, jsep) {
            (PluginEvent::IncomingCall(peer), Some(Jsep { kind: JsepKind::Offer, sdp })) => {
                self.handle_incoming(peer, sdp, now);
            }
            (PluginEvent::IncomingCall(peer), _) => {
                self.log(Level::Warn, format!("\"{peer}\" calls without an offer; declined"));
                self.decline(reason::DECLINED, now);
            }
            (PluginEvent::Accepted, jsep) => self.handle_accepted(jsep, now),
            (PluginEvent::HangUp(words), _) => self.handle_hang_up(words, now),
            // The core's own notice tells the same, with the number of lost packets.
            (PluginEvent::SlowLink(media), _) => {
                self.log(Level::Debug, format!("the plugin reports a slow link for {media}"));
            }
            (PluginEvent::Update, _) => {
                self.log(Level::Warn, "the other side renegotiates; that is not answered".into());
            }
            (other, _) => self.log(Level::Warn, format!("skipped {other:?}")),
        }
    }

    fn handle_incoming(&mut self, peer: UserName, offer: String, now: Time) {
        if !matches!(self.life, Life::Open) {
            return;
        }
        // The gateway tells in order: our hang-up, not yet answered, will hit this call.
        if self.is_leaving() {
            self.log(Level::Warn, format!("a call from \"{peer}\" crossed a hang-up and is lost"));
            return;
        }
        match &mut self.talk {
            None => {}
            Some(talk) => match talk.stage {
                // Both want to talk, and the other was faster: no need to call any more.
                Stage::Offering | Stage::Offered { .. } | Stage::RingingOut | Stage::Yielding
                    if talk.peer == peer =>
                {
                    self.log(Level::Info, format!("\"{peer}\" calls too: accepting"));
                    self.close_leg();
                    return self.answer(offer, now);
                }
                Stage::Offering | Stage::Offered { .. } | Stage::Yielding => {
                    self.log(Level::Info, format!("\"{peer}\" calls meanwhile: busy"));
                    return self.decline(reason::BUSY, now);
                }
                // The answer to our own call decides.
                Stage::Dialing(_) => {
                    talk.crossed_by = Some((peer, offer));
                    return;
                }
                // The gateway lets nobody through to one who is in a call: so that call is over.
                _ => {
                    let error = Error::new(Code::CallEnded, "the gateway ended the call");
                    self.end(reason::LOST, error, Farewell::None, now);
                }
            },
        }
        let stage = Stage::RingingIn { offer };
        self.talk = Some(Talk::new(peer.clone(), stage, now + self.config.ring_timeout));
        self.event(Event::IncomingCall(peer));
    }

    fn handle_accepted(&mut self, jsep: Option<Jsep>, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        if !matches!(talk.stage, Stage::Dialing(_) | Stage::RingingOut) {
            return;
        }
        let (Some(leg), Some(Jsep { kind: JsepKind::Answer, sdp })) = (talk.leg, jsep) else {
            let error =
                Error::new(Code::GatewayProtocol, "the call was accepted without an answer");
            return self.end(reason::LOST, error, Farewell::HangUp(reason::LOST), now);
        };
        self.announce();
        self.media(Media::Remote(leg, sdp));
        self.come_up(now);
    }

    fn come_up(&mut self, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        talk.stage = Stage::Up;
        talk.deadline = (!talk.connected).then(|| now + self.config.connect_timeout);
        let (peer, command) = (talk.peer.clone(), talk.command.take());
        self.event(Event::Accepted(peer));
        if let Some(command) = command {
            self.done(command, Ok(Reply::Done));
        }
    }

    fn announce(&mut self) {
        let Some(talk) = &mut self.talk else { return };
        if !std::mem::replace(&mut talk.announced, true) {
            let (peer, command) = (talk.peer.clone(), talk.command.take());
            self.event(Event::Calling(peer));
            if let Some(command) = command {
                self.done(command, Ok(Reply::Done));
            }
        }
    }

    /// The plugin says that a call is over.
    fn handle_hang_up(&mut self, words: String, now: Time) {
        if words == REMOTE_GONE {
            return self.handle_remote_gone(now);
        }
        let Some(talk) = &self.talk else { return };
        let own = match &talk.stage {
            // Nothing of this conversation is at the gateway: this is about the one before. A call
            // that was just sent has an answer of its own.
            Stage::Offering | Stage::Offered { .. } | Stage::Yielding | Stage::Dialing(_) => return,
            Stage::RingingOut if words == reason::CROSSING => return self.make_way(now),
            Stage::RingingOut => reason::DECLINED,
            Stage::RingingIn { .. } | Stage::Answering | Stage::Accepting(_) => reason::CANCELLED,
            Stage::Up => reason::HUNG_UP,
        };
        let words = match words.as_str() {
            reason::NO_DEVICE => reason::PEER_NO_DEVICE,
            words if DEFAULT_REASONS.contains(&words) => own,
            words => words,
        };
        let error = Error::new(Code::CallEnded, format!("the other side ended the call: {words}"));
        self.end(words, error, Farewell::Await, now);
    }

    /// The plugin says that the other end's media connection is gone: an echo of the hang-up before,
    /// or the end of this call, whose reason may follow.
    fn handle_remote_gone(&mut self, now: Time) {
        if let Some(teardown) = &mut self.teardown
            && std::mem::take(&mut teardown.echo)
        {
            return self.check_teardown(now);
        }
        if let Some(talk) = &mut self.talk
            && talk.is_linked()
        {
            talk.doom(now + WORDS).remote_gone = true;
        }
    }

    /// The core says that the media connection is gone.
    fn handle_core_hangup(&mut self, words: String, now: Time) {
        if let Some(teardown) = &mut self.teardown
            && std::mem::take(&mut teardown.core)
        {
            return self.check_teardown(now);
        }
        if let Some(talk) = &mut self.talk
            && talk.is_linked()
        {
            talk.doom(now + WORDS).core = Some(words);
        }
    }

    fn handle_remote_candidates(&mut self, candidates: Vec<Candidate>) {
        let Some(talk) = &mut self.talk else { return };
        match talk.leg {
            Some(leg) => self.media(Media::Candidates(leg, candidates)),
            None => {
                let room = MOST_EARLY_CANDIDATES.saturating_sub(talk.early_candidates.len());
                talk.early_candidates.extend(candidates.into_iter().take(room));
            }
        }
    }

    // The peer connection's news.

    /// The offer or answer that was asked for, or why there is none.
    pub fn handle_description(&mut self, leg: LegId, result: Result<String, Error>, now: Time) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.leg == Some(leg)) else { return };
        match (&talk.stage, result) {
            (Stage::Offering, Ok(sdp)) => {
                talk.stage = Stage::Offered { sdp, not_before: talk.hold_until };
                // A teardown ends by its own deadline, and so does what waits for it.
                talk.deadline = None;
                self.dial_if_due(now);
            }
            (Stage::Answering, Ok(sdp)) => {
                let jsep = Jsep::answer(sdp);
                let id = self.request(Purpose::Accept, messages::accept(), Some(jsep));
                if let Some(talk) = &mut self.talk {
                    talk.stage = Stage::Accepting(id);
                    talk.deadline = None;
                }
                self.flush_candidates();
            }
            (Stage::Offering | Stage::Answering, Err(error)) => {
                self.end(reason::NO_DEVICE, error, Farewell::HangUp(reason::NO_DEVICE), now);
            }
            _ => {}
        }
    }

    /// A local candidate.
    pub fn handle_candidate(&mut self, leg: LegId, candidate: Candidate, now: Time) {
        if self.talk.as_ref().is_none_or(|talk| talk.leg != Some(leg)) {
            return;
        }
        let last = candidate == Candidate::End;
        self.candidates.candidates.push(candidate);
        if last {
            self.flush_candidates();
        } else if self.talk.as_ref().is_some_and(Talk::is_negotiating) {
            self.candidates.due.get_or_insert(now + BATCH);
        }
    }

    /// The peer connection came up or failed.
    pub fn handle_leg_state(&mut self, leg: LegId, state: LegState, now: Time) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.leg == Some(leg)) else { return };
        match state {
            LegState::Connected => {
                talk.connected = true;
                if talk.stage == Stage::Up && talk.doom.is_none() {
                    talk.deadline = None;
                }
            }
            LegState::Failed => self.end(
                reason::MEDIA_FAILED,
                media_failed(),
                Farewell::HangUp(reason::MEDIA_FAILED),
                now,
            ),
        }
    }

    /// Audio or video of the other side flows.
    pub fn handle_remote_media(&mut self, leg: LegId) {
        if let Some(talk) = self.talk.as_ref().filter(|talk| talk.leg == Some(leg)) {
            let peer = talk.peer.clone();
            self.event(Event::RemoteMedia(peer));
        }
    }

    // The time.

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.candidates.due.is_some_and(|due| due <= now) {
            self.flush_candidates();
        }
        if self.teardown.as_ref().is_some_and(|teardown| teardown.deadline <= now)
            && let Some(teardown) = self.teardown.take()
        {
            self.finish_teardown(teardown);
        }
        self.dial_if_due(now);
        if self.talk.as_ref().and_then(|talk| talk.deadline).is_some_and(|deadline| deadline <= now)
        {
            self.handle_talk_timeout(now);
        }
    }

    fn handle_talk_timeout(&mut self, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        if let Some(doom) = &talk.doom {
            // The other side's call, crossing ours, or a call before this one may have taken it down.
            // If the other side is really gone, the next attempt says so.
            if talk.stage == Stage::RingingOut && doom.remote_gone && talk.redials < MOST_REDIALS {
                return self.dial_again(Farewell::Await, now);
            }
            let words = match doom {
                Doom { core: Some(core), .. } if core == "ICE failed" => reason::MEDIA_FAILED,
                Doom { remote_gone: true, .. } => reason::LEFT,
                _ => reason::LOST,
            };
            let error = Error::new(Code::CallEnded, format!("the gateway ended the call: {words}"));
            return self.end(words, error, Farewell::HangUp(words), now);
        }
        match talk.stage {
            Stage::Yielding => {
                self.log(Level::Info, "the other side did not call: calling again".into());
                self.offer(now, now);
            }
            Stage::RingingOut | Stage::RingingIn { .. } => {
                let error = Error::new(Code::NoAnswer, "nobody answered the call");
                self.end(reason::NO_ANSWER, error, Farewell::HangUp(reason::NO_ANSWER), now);
            }
            Stage::Offering | Stage::Answering => {
                let error = Error::new(
                    Code::PermissionDenied,
                    "the camera or microphone was not granted in time: answer the browser's question",
                );
                self.end(reason::NO_DEVICE, error, Farewell::HangUp(reason::NO_DEVICE), now);
            }
            Stage::Up => self.end(
                reason::MEDIA_FAILED,
                media_failed(),
                Farewell::HangUp(reason::MEDIA_FAILED),
                now,
            ),
            // These end with their request, which has a deadline of its own.
            Stage::Offered { .. } | Stage::Dialing(_) | Stage::Accepting(_) => {
                let error = Error::new(Code::GatewayTimeout, "the gateway did not answer in time");
                self.end(reason::LOST, error, Farewell::HangUp(reason::CANCELLED), now);
            }
        }
    }

    // The way to a call.

    /// Has a new offer made, to be sent at `not_before`.
    fn offer(&mut self, not_before: Time, now: Time) {
        let leg = self.next_leg();
        let Some(talk) = &mut self.talk else { return };
        talk.stage = Stage::Offering;
        talk.deadline = Some(now + DEVICES);
        talk.crossed_by = None;
        talk.leg = Some(leg);
        talk.hold_until = not_before;
        self.media(Media::Offer(leg));
    }

    fn answer(&mut self, offer: String, now: Time) {
        let leg = self.next_leg();
        let Some(talk) = &mut self.talk else { return };
        talk.stage = Stage::Answering;
        talk.deadline = Some(now + DEVICES);
        talk.leg = Some(leg);
        let early = std::mem::take(&mut talk.early_candidates);
        self.media(Media::Answer(leg, offer));
        if !early.is_empty() {
            self.media(Media::Candidates(leg, early));
        }
    }

    fn dial_if_due(&mut self, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        let Stage::Offered { sdp, not_before } = &mut talk.stage else { return };
        if self.teardown.is_some() || *not_before > now {
            return;
        }
        let jsep = Jsep::offer(std::mem::take(sdp));
        let body = messages::call(&talk.peer);
        let id = self.request(Purpose::Dial, body, Some(jsep));
        if let Some(talk) = &mut self.talk {
            talk.stage = Stage::Dialing(id);
            talk.deadline = None;
        }
        self.flush_candidates();
    }

    /// The core refused our call because it was given another's meanwhile, which is whole and rings
    /// here; or because it is not done with the call before.
    fn handle_core_busy(&mut self, error: Error, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        if talk.redials >= MOST_REDIALS {
            return self.end(reason::LOST, error, Farewell::Refused, now);
        }
        talk.redials = talk.redials.saturating_add(1);
        let crossed_by = talk.crossed_by.take();
        let wanted = crossed_by.as_ref().is_none_or(|(caller, _)| *caller == talk.peer);
        talk.stage = Stage::Yielding;
        talk.deadline = Some(now + CROSSER);
        self.log(Level::Info, "the gateway is not ready for the call".into());
        self.close_leg();
        match crossed_by {
            Some((_, offer)) if wanted => self.answer(offer, now),
            Some(_) => self.decline(reason::BUSY, now),
            None => {}
        }
    }

    /// The plugin refused our call because it has us in another, and takes both down. The one whose
    /// name comes first calls again.
    fn handle_crossing(&mut self, error: Error, now: Time) {
        let Some(talk) = &self.talk else { return };
        if talk.redials >= MOST_REDIALS {
            return self.end(reason::LOST, error, Farewell::HangUp(reason::CROSSING), now);
        }
        let by_third = talk.crossed_by.as_ref().is_some_and(|(other, _)| *other != talk.peer);
        self.log(Level::Info, format!("two calls crossed ({error})"));
        if by_third {
            return self.dial_again(Farewell::HangUp(reason::BUSY), now);
        }
        self.put_down(Farewell::HangUp(reason::CROSSING), now);
        self.make_way(now);
    }

    /// After a crossing: the first by name calls again, the other waits for that call.
    fn make_way(&mut self, now: Time) {
        let wins = match (&self.name, &self.talk) {
            (Name::Held(me), Some(talk)) => *me < talk.peer,
            _ => false,
        };
        if wins {
            return self.dial_again(Farewell::Await, now);
        }
        self.put_down(Farewell::Await, now);
        if let Some(talk) = &mut self.talk {
            talk.stage = Stage::Yielding;
            talk.deadline = Some(now + YIELD);
            talk.redials = talk.redials.saturating_add(1);
        }
    }

    fn dial_again(&mut self, farewell: Farewell<'_>, now: Time) {
        self.put_down(farewell, now);
        if let Some(talk) = &mut self.talk {
            talk.redials = talk.redials.saturating_add(1);
            self.offer(now + REDIAL, now);
        }
    }

    // The way out of a call.

    /// Ends the conversation for the page, once, and for the gateway as far as it needs to be told.
    fn end(&mut self, words: &str, error: Error, farewell: Farewell<'_>, now: Time) {
        self.put_down(farewell, now);
        let Some(talk) = self.talk.take() else { return };
        self.log(Level::Info, format!("the call with \"{}\" ended: {words}", talk.peer));
        self.media(Media::Release);
        self.last = Some((talk.peer.clone(), now));
        self.event(Event::HangUp { peer: talk.peer, reason: words.to_owned() });
        if let Some(command) = talk.command {
            self.done(command, Err(error));
        }
    }

    /// Takes the conversation's leg down, at both ends of it.
    fn put_down(&mut self, farewell: Farewell<'_>, now: Time) {
        self.candidates = Batch::default();
        let Some(talk) = &mut self.talk else { return };
        let known = talk.is_known_to_gateway();
        let doom = talk.doom.take().unwrap_or_default();
        talk.connected = false;
        talk.early_candidates.clear();
        let leg = talk.leg.take();
        let farewell = if known { farewell } else { Farewell::None };
        let linked = !matches!(farewell, Farewell::Refused);
        let request = match farewell {
            Farewell::None => {
                if let Some(leg) = leg {
                    self.media(Media::Close(leg));
                }
                return;
            }
            Farewell::Refused | Farewell::Await => None,
            Farewell::HangUp(words) => {
                Some(self.request(Purpose::HangUp, messages::hang_up(words), None))
            }
        };
        if request.is_none()
            && let Some(leg) = leg
        {
            self.media(Media::Close(leg));
        }
        let old = self.teardown.take().unwrap_or_default();
        self.teardown = Some(Teardown {
            request: request.or(old.request),
            core: doom.core.is_none(),
            echo: linked && !doom.remote_gone,
            deadline: now + TEARDOWN,
            leg: leg.filter(|_| request.is_some()),
            commands: old.commands,
        });
        if let Some(leg) = old.leg {
            self.media(Media::Close(leg));
        }
        self.check_teardown(now);
    }

    /// Tells the gateway that this call is not wanted, while another conversation is being prepared.
    fn decline(&mut self, words: &str, now: Time) {
        let id = self.request(Purpose::HangUp, messages::hang_up(words), None);
        let old = self.teardown.take().unwrap_or_default();
        self.teardown = Some(Teardown {
            request: Some(id),
            core: true,
            echo: true,
            deadline: now + TEARDOWN,
            ..old
        });
    }

    fn check_teardown(&mut self, now: Time) {
        if let Some(teardown) = self.teardown.take_if(|t| t.request.is_none() && !t.core && !t.echo)
        {
            self.finish_teardown(teardown);
            self.dial_if_due(now);
        } else if let Some(teardown) = &mut self.teardown
            && teardown.request.is_none()
        {
            // The peer has been told: nothing depends on this peer connection any more.
            let (leg, commands) = (teardown.leg.take(), std::mem::take(&mut teardown.commands));
            self.settle(leg, commands);
        }
    }

    fn finish_teardown(&mut self, teardown: Teardown) {
        self.settle(teardown.leg, teardown.commands);
    }

    fn settle(&mut self, leg: Option<LegId>, commands: Vec<Command>) {
        if let Some(leg) = leg {
            self.media(Media::Close(leg));
        }
        for command in commands {
            self.done(command, Ok(Reply::Done));
        }
        self.detach_when_told();
    }

    fn detach_when_told(&mut self) {
        let told = !self.is_leaving();
        if let Life::Closing { detaching, .. } = &mut self.life
            && told
            && !std::mem::replace(detaching, true)
        {
            self.outputs.push_back(Output::Detach);
        }
    }

    fn become_closed(&mut self) {
        if let Life::Closing { commands, .. } = std::mem::replace(&mut self.life, Life::Closed) {
            for command in commands {
                self.done(command, Ok(Reply::Done));
            }
        }
    }

    fn close_leg(&mut self) {
        self.candidates = Batch::default();
        if let Some(leg) = self.talk.as_mut().and_then(|talk| talk.leg.take()) {
            self.media(Media::Close(leg));
        }
    }

    // Small things.

    fn flush_candidates(&mut self) {
        if self.talk.as_ref().is_some_and(Talk::is_negotiating) {
            self.candidates.due = None;
            let candidates = std::mem::take(&mut self.candidates.candidates);
            if !candidates.is_empty() {
                self.outputs.push_back(Output::Trickle(candidates));
            }
        }
    }

    fn request(&mut self, purpose: Purpose, body: Value, jsep: Option<Jsep>) -> RequestId {
        self.last_request = self.last_request.saturating_add(1);
        let id = RequestId(self.last_request);
        self.requests.insert(id, purpose);
        self.outputs.push_back(Output::Request { id, body, jsep });
        id
    }

    fn next_leg(&mut self) -> LegId {
        self.last_leg = self.last_leg.saturating_add(1);
        LegId(self.last_leg)
    }

    fn refuse_if_closed(&mut self, command: Command) -> bool {
        let closed = !matches!(self.life, Life::Open);
        if closed {
            self.done(command, Err(Error::closed()));
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

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Output::Log(level, line));
    }
}

/// The meaning of an error of the plugin.
fn refused(code: i64, words: &str, name: &str) -> Error {
    let error = match code {
        refusal::REGISTER_FIRST => {
            Error::new(Code::NotRegistered, "the gateway knows no name of ours: register() first")
        }
        refusal::USERNAME_TAKEN => Error::new(
            Code::UsernameTaken,
            format!("somebody else holds the name \"{name}\": choose another"),
        ),
        refusal::ALREADY_REGISTERED => {
            Error::new(Code::AlreadyRegistered, "this video call has another name already")
        }
        refusal::NO_SUCH_USERNAME => {
            Error::new(Code::NoSuchUser, format!("nobody is registered as \"{name}\""))
        }
        refusal::USE_ECHO_TEST => calling_self(),
        refusal::ALREADY_IN_CALL => {
            Error::new(Code::AlreadyInCall, "the gateway has us in a call already: try again")
        }
        refusal::NO_CALL => Error::new(Code::NoCall, format!("the caller \"{name}\" has gone")),
        _ => Error::new(
            Code::GatewayError,
            format!("the video call plugin refused: {words} ({code})"),
        ),
    };
    error.from_gateway(code, words)
}

fn already_registered(name: &UserName) -> Error {
    Error::new(
        Code::AlreadyRegistered,
        format!("this video call is registered as \"{name}\": closeUsecase() frees that name"),
    )
}

fn calling_self() -> Error {
    Error::new(Code::CallingSelf, "one cannot call oneself: call somebody else")
}

fn media_failed() -> Error {
    Error::new(
        Code::MediaFailed,
        "the media connection could not be made: a TURN server in iceServers helps in strict networks",
    )
}

fn unexpected(event: &PluginEvent) -> Error {
    Error::new(
        Code::GatewayProtocol,
        format!("the plugin gave an answer that does not fit: {event:?}"),
    )
}
