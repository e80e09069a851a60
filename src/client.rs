//! One page's connection: routes between the session and its use cases. It names no plugin.

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;
use vecmap::VecMap;

use crate::config::{GatewayConfig, Secret, UserName};
use crate::data::{ChannelEvent, ChannelMessage};
use crate::error::Error;
use crate::log::Level;
use crate::peer::{ConnectionId, PeerCommand, PeerEvent};
use crate::signaling::{
    self, Answer, Backoff, Doubt, HandleId, HttpId, HttpResponse, Io, Session, TokenRequest,
    TransactionId, given_up,
};
use crate::time::{Time, earliest};
use crate::timer::TimerTable;
use crate::usecase::echo_test::{self, EchoConfig, EchoTest};
use crate::usecase::video_call::{self, CallConfig, VideoCall};
use crate::usecase::{
    self, Body, Closed, Command, Event, FIRST_PLUGIN, HandleLoss, Reply, RequestId, SessionEnd,
    UseCase, Waiting,
};

/// Names a use case object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UseCaseId(pub u64);

/// How a command ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A method of the use cases made this object.
    Attached(UseCaseId),
    /// Anything else.
    Reply(Reply),
}

/// What the client wants or tells. Drain it after every input.
pub enum Output {
    /// Do this; a response goes to [`Client::handle_http`].
    Io(Io),
    /// Call the page's function for the token; tell [`Client::handle_token`].
    AskToken(TokenRequest),
    /// The browser is to do this with a peer connection.
    Peer(UseCaseId, ConnectionId, PeerCommand),
    /// Send this on a data channel of a peer connection.
    Send(UseCaseId, ConnectionId, ChannelMessage),
    /// Stop the devices and clear the video elements.
    Release(UseCaseId),
    /// Do this with a message or file, or report it to the page.
    Transfer(UseCaseId, video_call::Data),
    /// Tell the page.
    Event(UseCaseId, Event),
    /// A command of the page ended.
    Done(Command, Result<Outcome, Error>),
    /// The object is at its end: nothing more comes for it.
    Ended(UseCaseId),
    /// A line for the log.
    Log(Level, String),
}

/// The session and its use cases.
///
/// The one rule of its use: after every input, drain [`Client::poll_output`], then set one timer to
/// [`Client::poll_timeout`].
pub struct Client {
    session: Session<Body>,
    retry_limit: Duration,
    /// Since when the gateway is out of reach, or makes sessions that are of no use.
    trouble: Option<Time>,
    /// Of sessions, whatever became of the one before.
    backoff: Backoff,
    /// When the browser's hints are followed again, and whether there was one meanwhile.
    next_look: Time,
    timers: TimerTable<Timer>,
    /// What is tried again, and when.
    again: Vec<(Time, Again)>,
    random: Rc<dyn Fn() -> u64>,
    phase: Phase,
    slots: VecMap<UseCaseId, Slot>,
    /// Media flows, so that the gateway is waited for without a limit.
    is_flowing: bool,
    /// A handle for the next object, asked for with the session.
    spare: Spare,
    transactions: VecMap<TransactionId, Purpose>,
    last_id: u64,
    outputs: VecDeque<Output>,
}

enum Phase {
    Disconnected,
    Connecting(Vec<Command>),
    Connected,
    /// The session is lost, and another is being made; these commands wait for it.
    Restoring(Restoring),
    /// The page was left, and may come back.
    Hidden(Vec<Command>),
    /// First the objects end what is under way, then the session is ended; `then_connect` came meanwhile.
    Leaving {
        commands: Vec<Command>,
        then_connect: Vec<Command>,
        closing: bool,
    },
}

struct Restoring {
    since: Time,
    commands: Vec<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Make another session. Set while restoring, between two attempts.
    Restore,
    /// Follow the browser's hint. Set by a hint that came too soon after the last one.
    Look,
}

struct Slot {
    handle: Option<HandleId>,
    usecase: UseCase,
    /// The command that waits for the first handle.
    command: Option<Waiting>,
    /// The attempts to get a handle in this session.
    attempts: Option<Attempts>,
}

/// Attempts at something that is tried again.
struct Attempts {
    since: Time,
    backoff: Backoff,
}

impl Attempts {
    fn new(since: Time) -> Self {
        Self { since, backoff: Backoff::default() }
    }
}

enum Again {
    Attach(UseCaseId),
    Leave(HandleId, Attempts),
}

/// How often the browser's hints are followed: a page may come and go in an instant.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Spare {
    None,
    Asked(TransactionId),
    Ready(HandleId),
}

enum Purpose {
    Spare,
    Attach {
        id: UseCaseId,
        /// The handle could be any object's.
        is_common: bool,
    },
    Request(UseCaseId, RequestId),
    Trickle,
    Detach(UseCaseId),
    /// Of a handle that was given up.
    Leave(HandleId, Attempts),
}

impl Client {
    /// A client that is not connected. `random` must be cryptographic.
    pub fn new(config: GatewayConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            retry_limit: config.retry_limit,
            trouble: None,
            backoff: Backoff::default(),
            next_look: Time::default(),
            timers: TimerTable::default(),
            again: Vec::new(),
            session: Session::new(config, random.clone()),
            random,
            phase: Phase::Disconnected,
            slots: VecMap::new(),
            is_flowing: false,
            spare: Spare::None,
            transactions: VecMap::new(),
            last_id: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What to do next, if anything. What a person reads shows no secret, whoever repeats it.
    pub fn poll_output(&mut self) -> Option<Output> {
        let hide = |text: &str| self.session.without_secrets(text);
        Some(match self.outputs.pop_front()? {
            Output::Log(level, line) => Output::Log(level, hide(&line)),
            Output::Done(command, Err(error)) => Output::Done(command, Err(error.redacted(hide))),
            Output::Event(id, event) => Output::Event(id, event.redacted(hide)),
            other => other,
        })
    }

    /// The moment by which [`Client::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let slots = self.slots.values().map(|slot| slot.usecase.plugin().poll_timeout());
        let again = self.again.iter().map(|(due, _)| *due).min();
        let own = earliest(again, self.timers.next());
        slots.fold(earliest(own, self.session.poll_timeout()), earliest)
    }

    /// Whether the page's presence and its network matter: there is a session, or one is being brought back.
    pub fn is_present(&self) -> bool {
        matches!(self.phase, Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_))
    }

    /// Who the other side of a call is, if there is a call.
    pub fn peer(&self, id: UseCaseId) -> Option<&UserName> {
        match &self.slots.get(&id)?.usecase {
            UseCase::VideoCall(call) => call.peer(),
            UseCase::EchoTest(_) => None,
        }
    }

    // The page's commands.

    /// Makes a session on the first server that answers.
    pub fn connect(&mut self, command: Command, now: Time) {
        match &mut self.phase {
            Phase::Connected => self.done(command, Ok(Reply::Done)),
            Phase::Connecting(commands)
            | Phase::Restoring(Restoring { commands, .. })
            | Phase::Hidden(commands) => commands.push(command),
            Phase::Leaving { then_connect, .. } => then_connect.push(command),
            Phase::Disconnected => {
                self.phase = Phase::Connecting(vec![command]);
                self.trouble = None;
                self.session.forget_token();
                self.open(now);
            }
        }
        self.run(now);
    }

    /// Ends what is under way, and the session.
    pub fn disconnect(&mut self, command: Command, now: Time) {
        match &mut self.phase {
            Phase::Disconnected => self.done(command, Ok(Reply::Done)),
            Phase::Leaving { commands, then_connect, .. } => {
                commands.push(command);
                for command in take(then_connect) {
                    self.done(command, Err(cut_short()));
                }
            }
            Phase::Connecting(_) => {
                self.session.close(now);
                // What the session says about it comes first.
                self.run(now);
                self.done(command, Ok(Reply::Done));
            }
            Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_) => {
                let commands = vec![command];
                let leaving = Phase::Leaving { commands, then_connect: Vec::new(), closing: false };
                let before = std::mem::replace(&mut self.phase, leaving);
                if let Phase::Restoring(Restoring { commands, .. }) | Phase::Hidden(commands) =
                    before
                {
                    for command in commands {
                        self.done(command, Err(cut_short()));
                    }
                }
                for slot in self.slots.values_mut() {
                    slot.usecase.plugin_mut().leave(now);
                }
            }
        }
        self.run(now);
    }

    /// Attaches a new video call object.
    pub fn video_call(&mut self, command: Command, config: CallConfig, now: Time) {
        let call = VideoCall::new(config, self.random.clone());
        self.add(command, UseCase::VideoCall(Box::new(call)), now);
    }

    fn add(&mut self, command: Command, usecase: UseCase, now: Time) {
        if matches!(self.phase, Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_)) {
            self.last_id = self.last_id.saturating_add(1);
            let id = UseCaseId(self.last_id);
            let command = Some(Waiting::new(command));
            self.slots.insert(id, Slot { handle: None, usecase, command, attempts: None });
            // Without a session, the next one attaches it.
            self.attach(id, now);
        } else {
            self.done_with(command, Err(signaling::Error::NotConnected.into()));
        }
        self.run(now);
    }

    /// Attaches a new echo test object.
    pub fn echo_test(&mut self, command: Command, config: EchoConfig, now: Time) {
        let test = EchoTest::new(config, self.random.clone());
        self.add(command, UseCase::EchoTest(Box::new(test)), now);
    }

    /// Does something with a video call object; a command of the page for one that has ended is refused.
    pub fn with_video_call(
        &mut self,
        id: UseCaseId,
        command: Option<Command>,
        now: Time,
        act: impl FnOnce(&mut VideoCall),
    ) {
        match self.slots.get_mut(&id).map(|slot| &mut slot.usecase) {
            Some(UseCase::VideoCall(call)) => act(call),
            _ => self.refuse(command, video_call::Error::from(Closed::ByPage)),
        }
        self.run(now);
    }

    /// The same with an echo test object.
    pub fn with_echo_test(
        &mut self,
        id: UseCaseId,
        command: Option<Command>,
        now: Time,
        act: impl FnOnce(&mut EchoTest),
    ) {
        match self.slots.get_mut(&id).map(|slot| &mut slot.usecase) {
            Some(UseCase::EchoTest(test)) => act(test),
            _ => self.refuse(command, echo_test::Error::from(Closed::ByPage)),
        }
        self.run(now);
    }

    fn refuse(&mut self, command: Option<Command>, error: impl Into<Error>) {
        if let Some(command) = command {
            self.done_with(command, Err(error.into()));
        }
    }

    // The browser.

    /// The response to an HTTP request.
    pub fn handle_http(&mut self, id: HttpId, response: HttpResponse, now: Time) {
        self.session.handle_http(id, response, now);
        self.run(now);
    }

    /// The token that [`Output::AskToken`] asked for, or what the page's function threw, in words.
    pub fn handle_token(
        &mut self,
        request: TokenRequest,
        result: Result<Secret, String>,
        now: Time,
    ) {
        self.session.handle_token(request, result, now);
        self.run(now);
    }

    /// The browser reports something about a peer connection.
    pub fn handle_peer(
        &mut self,
        id: UseCaseId,
        connection: ConnectionId,
        event: PeerEvent,
        now: Time,
    ) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.usecase.plugin_mut().handle_peer(connection, event, now);
        }
        self.run(now);
    }

    /// The browser reports something about the data channels of a peer connection.
    pub fn handle_channel(
        &mut self,
        id: UseCaseId,
        connection: ConnectionId,
        event: ChannelEvent,
        now: Time,
    ) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.usecase.plugin_mut().handle_channel(connection, event, now);
        }
        self.run(now);
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.session.handle_timeout(now);
        let (due, later) = take(&mut self.again).into_iter().partition(|(due, _)| *due <= now);
        self.again = later;
        for (_, again) in due {
            match again {
                Again::Attach(id) if self.slots.contains_key(&id) => self.attach(id, now),
                Again::Attach(_) => {}
                Again::Leave(old, attempts) => self.leave_handle(old, attempts, now),
            }
        }
        while let Some(timer) = self.timers.pop_expired(now) {
            match (timer, &self.phase) {
                (Timer::Restore, Phase::Restoring(_)) => self.open(now),
                // The page was left, or wants no session any more.
                (Timer::Restore, _) => {}
                (Timer::Look, _) => self.look(now),
            }
        }
        for slot in self.slots.values_mut() {
            slot.usecase.plugin_mut().handle_timeout(now);
        }
        self.run(now);
    }

    /// The browser says that the network is there again (`online`), or that it is another one.
    pub fn handle_online(&mut self, now: Time) {
        self.look(now);
        for slot in self.slots.values_mut() {
            slot.usecase.plugin_mut().handle_network_changed(now);
        }
        self.run(now);
    }

    /// The page is seen again (`visibilitychange`): timers may have slept.
    pub fn handle_visible(&mut self, now: Time) {
        self.look(now);
        self.run(now);
    }

    fn look(&mut self, now: Time) {
        if self.next_look > now {
            return self.timers.set(Timer::Look, self.next_look);
        }
        self.next_look = now + LOOK;
        self.session.look(now);
        // A poll may have been repeated while the page slept, or the network was gone.
        self.handle_doubt(Doubt::Possible, now);
        self.backoff = Backoff::default();
        if self.timers.due(Timer::Restore).is_some() {
            self.timers.set(Timer::Restore, now);
        }
    }

    /// The page is being left (`pagehide`). It frees its names and ends its calls at once, since nobody
    /// knows if it comes back.
    pub fn handle_hide(&mut self, now: Time) {
        let error = signaling::Error::PageLeft;
        self.session.leave(&error, now);
        self.run(now);
        let hidden = Phase::Hidden(Vec::new());
        match std::mem::replace(&mut self.phase, hidden) {
            Phase::Disconnected => self.phase = Phase::Disconnected,
            Phase::Leaving { commands, then_connect, closing } => {
                self.phase = Phase::Leaving { commands, then_connect: Vec::new(), closing };
                self.end_all(&error.clone().into(), now);
                self.handle_closed(now);
                if !then_connect.is_empty() {
                    self.phase = Phase::Hidden(then_connect);
                }
            }
            Phase::Connecting(commands)
            | Phase::Restoring(Restoring { commands, .. })
            | Phase::Hidden(commands) => self.phase = Phase::Hidden(commands),
            Phase::Connected => {}
        }
        self.unhandle(HandleLoss::PageLeft, &error, now);
        self.run(now);
    }

    /// The page came back from the back/forward cache (`pageshow`).
    pub fn handle_show(&mut self, now: Time) {
        if let Phase::Hidden(commands) = &mut self.phase {
            let commands = take(commands);
            (self.trouble, self.backoff) = (None, Backoff::default());
            self.restore(now, commands, now);
        }
        self.run(now);
    }

    // The joint.

    /// Carries what the parts want from one to the other until all are quiet.
    fn run(&mut self, now: Time) {
        loop {
            if let Some(output) = self.session.poll_output() {
                self.handle_session(output, now);
                continue;
            }
            let next = self.slots.iter_mut().find_map(|(id, slot)| {
                slot.usecase.plugin_mut().poll_output().map(|output| (*id, output))
            });
            if let Some((id, output)) = next {
                self.handle_usecase(id, output, now);
                continue;
            }
            if !self.close_when_all_left(now) {
                return self.note_flow();
            }
        }
    }

    /// Where media flows, the gateway is not needed yet.
    fn note_flow(&mut self) {
        let is_flowing = self.slots.values().any(|slot| slot.usecase.plugin().is_flowing());
        if is_flowing != self.is_flowing {
            self.is_flowing = is_flowing;
            self.session.retain_while_media_flows(is_flowing);
        }
    }

    fn handle_session(&mut self, output: signaling::Output, now: Time) {
        match output {
            signaling::Output::Io(io) => self.outputs.push_back(Output::Io(io)),
            signaling::Output::AskToken(request) => {
                self.outputs.push_back(Output::AskToken(request))
            }
            signaling::Output::Log(level, line) => self.outputs.push_back(Output::Log(level, line)),
            signaling::Output::Opened(result) => self.handle_opened(result, now),
            signaling::Output::Answer(transaction, result) => {
                self.handle_answer(transaction, result, now)
            }
            signaling::Output::Notice(handle, notice) => {
                // Ignore notices from an abandoned handle.
                let mut slots = self.slots.iter_mut();
                if let Some((&id, slot)) = slots.find(|(_, slot)| slot.handle == Some(handle)) {
                    slot.usecase.plugin_mut().handle_notice(notice, now);
                    if slot.usecase.plugin().is_closed() {
                        self.end_object(id, now);
                    }
                }
            }
            signaling::Output::Trouble(error) => {
                self.trouble_began(now);
                for slot in self.slots.values_mut() {
                    slot.usecase.plugin_mut().handle_trouble(&error, now);
                }
            }
            signaling::Output::Restored => {
                // That of a lost session is over only when another has been of use.
                if self.session.was_of_use(now) || self.trouble >= self.session.opened_at() {
                    self.trouble = None;
                }
                for slot in self.slots.values_mut() {
                    slot.usecase.plugin_mut().handle_restored(now);
                }
            }
            signaling::Output::Doubt(doubt) => self.handle_doubt(doubt, now),
            signaling::Output::Lost(error) => self.handle_lost(&error, now),
            signaling::Output::Closed => self.end_session(now),
        }
    }

    fn handle_doubt(&mut self, doubt: Doubt, now: Time) {
        for slot in self.slots.values_mut() {
            slot.usecase.plugin_mut().handle_doubt(doubt, now);
        }
    }

    /// The session is lost: another is made, on any server of the list.
    fn handle_lost(&mut self, error: &signaling::Error, now: Time) {
        let since = self.trouble_began(now);
        let hopeless = error.is_hopeless() || now.since(since) >= self.retry_limit;
        match &self.phase {
            Phase::Connected if !hopeless => {
                self.warn("the session is lost, and another is made", error);
                self.unhandle(HandleLoss::SessionLost, error, now);
                self.restore(since, Vec::new(), now);
            }
            // Who leaves has lost nothing.
            Phase::Leaving { .. } => self.end_session(now),
            _ => self.give_up(error, now),
        }
    }

    /// Since when there is trouble. What was before the session that is lost now counts, unless that has been
    /// of use: a gateway that makes sessions and forgets them is no better than one that makes none.
    fn trouble_began(&mut self, now: Time) -> Time {
        if self.trouble < self.session.opened_at() && self.session.was_of_use(now) {
            self.trouble = None;
        }
        *self.trouble.get_or_insert(now)
    }

    fn end_session(&mut self, now: Time) {
        self.end_all(&Closed::ByDisconnect.into(), now);
        self.handle_closed(now);
    }

    /// Takes their handles from the objects.
    fn unhandle(&mut self, loss: HandleLoss, error: &signaling::Error, now: Time) {
        self.transactions = VecMap::new();
        self.spare = Spare::None;
        self.again = Vec::new();
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            slot.handle = None;
            slot.attempts = None;
            slot.usecase.plugin_mut().handle_session_lost(loss, error, now);
            if let Some(waiting) = slot.command.take_if(Waiting::lose) {
                self.end_object(id, now);
                self.done_with(waiting.command, Err(error.clone().into()));
            }
        }
    }

    /// Makes another session: at once, unless the last attempts are but a moment ago.
    fn restore(&mut self, since: Time, commands: Vec<Command>, now: Time) {
        let due = self.backoff.now_or_next((self.random)(), now);
        self.phase = Phase::Restoring(Restoring { since, commands });
        if due > now {
            return self.timers.set(Timer::Restore, due);
        }
        self.timers.stop(Timer::Restore);
        self.open(now);
    }

    /// Asks for a session, and in the same breath for a handle in it.
    fn open(&mut self, now: Time) {
        self.session.open(now);
        if let Ok(transaction) = self.session.attach(FIRST_PLUGIN, None, now) {
            self.spare = Spare::Asked(transaction);
            self.transactions.insert(transaction, Purpose::Spare);
        }
    }

    fn give_up(&mut self, error: &signaling::Error, now: Time) {
        self.trouble = None;
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            self.report(id, error.clone().into());
        }
        self.end_all(&error.clone().into(), now);
        if let Phase::Restoring(Restoring { commands, .. }) = &mut self.phase {
            for command in take(commands) {
                self.done(command, Err(error.clone().into()));
            }
        }
        self.handle_closed(now);
    }

    fn handle_opened(&mut self, result: Result<(), signaling::Error>, now: Time) {
        let phase = match (std::mem::replace(&mut self.phase, Phase::Connected), result) {
            (Phase::Connecting(commands), result) => {
                let phase = match &result {
                    Ok(()) => Phase::Connected,
                    Err(_) => Phase::Disconnected,
                };
                for command in commands {
                    self.done(command, result.clone().map(|()| Reply::Done).map_err(Error::from));
                }
                phase
            }
            (Phase::Restoring(restoring), Ok(())) => {
                for command in restoring.commands {
                    self.done(command, Ok(Reply::Done));
                }
                for id in self.slots.keys().copied().collect::<Vec<_>>() {
                    self.attach(id, now);
                }
                Phase::Connected
            }
            (Phase::Restoring(restoring), Err(error)) => {
                if error.is_hopeless() || now.since(restoring.since) >= self.retry_limit {
                    self.phase = Phase::Restoring(restoring);
                    let lost = given_up(&error);
                    return self.give_up(&lost, now);
                }
                self.timers.set(Timer::Restore, self.backoff.next((self.random)(), now));
                Phase::Restoring(restoring)
            }
            (phase, _) => phase,
        };
        self.phase = phase;
    }

    fn attach(&mut self, id: UseCaseId, now: Time) {
        let Some(slot) = self.slots.get(&id).filter(|_| self.session.is_open()) else { return };
        let plugin = slot.usecase.plugin();
        let (name, account) = (plugin.name(), plugin.account().map(str::to_owned));
        // The spare handle bears the session's account.
        let is_common = name == FIRST_PLUGIN && account.is_none();
        if is_common {
            match std::mem::replace(&mut self.spare, Spare::None) {
                Spare::Asked(transaction) => {
                    self.transactions.insert(transaction, Purpose::Attach { id, is_common });
                    return;
                }
                Spare::Ready(handle) => {
                    return self.handle_attached(id, Ok(Answer::Attached(handle)), now);
                }
                Spare::None => {}
            }
        }
        if let Ok(transaction) = self.session.attach(name, account.as_deref(), now) {
            self.transactions.insert(transaction, Purpose::Attach { id, is_common });
        }
    }

    /// A handle whose object has ended meanwhile is the spare one, if it could be any object's.
    fn handle_orphan(&mut self, handle: HandleId, is_common: bool, now: Time) {
        match self.spare {
            Spare::None if is_common => self.spare = Spare::Ready(handle),
            _ => self.leave_handle(handle, Attempts::new(now), now),
        }
    }

    fn handle_attached(
        &mut self,
        id: UseCaseId,
        result: Result<Answer, signaling::Error>,
        now: Time,
    ) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let error = match result {
            Ok(Answer::Attached(handle)) => {
                slot.handle = Some(handle);
                slot.attempts = None;
                slot.usecase.plugin_mut().handle_attached(now);
                if let Some(waiting) = slot.command.take() {
                    self.done_with(waiting.command, Ok(Outcome::Attached(id)));
                }
                return;
            }
            Ok(_) => return,
            Err(error) => error,
        };
        // The next session attaches it.
        if error.is_session_lost() && matches!(self.phase, Phase::Connected) {
            return;
        }
        match slot.command.take() {
            Some(waiting) => {
                self.slots.remove(&id);
                self.outputs.push_back(Output::Ended(id));
                self.done_with(waiting.command, Err(error.into()));
            }
            None if matches!(error, signaling::Error::Timeout { .. })
                && self.retry_limit
                    > now.since(slot.attempts.get_or_insert(Attempts::new(now)).since) =>
            {
                let backoff = slot.attempts.as_mut().map(|attempts| &mut attempts.backoff);
                let due = backoff.map_or(now, |backoff| backoff.next((self.random)(), now));
                self.again.push((due, Again::Attach(id)));
            }
            None => {
                // Who leaves misses nothing.
                if !matches!(self.phase, Phase::Leaving { .. }) {
                    self.report(id, error.into());
                }
                self.end_object(id, now);
            }
        }
    }

    fn handle_answer(
        &mut self,
        transaction: TransactionId,
        result: Result<Answer, signaling::Error>,
        now: Time,
    ) {
        match self.transactions.remove(&transaction) {
            Some(Purpose::Attach { id, is_common }) => match result {
                Ok(Answer::Attached(handle)) if !self.slots.contains_key(&id) => {
                    self.handle_orphan(handle, is_common, now);
                }
                result => self.handle_attached(id, result, now),
            },
            Some(Purpose::Spare) => {
                self.spare = match result {
                    Ok(Answer::Attached(handle)) => Spare::Ready(handle),
                    // The call object asks for itself, and is told.
                    _ => Spare::None,
                };
            }
            Some(Purpose::Request(id, request)) => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.usecase.plugin_mut().handle_answer(request, result, now);
                }
            }
            Some(Purpose::Trickle) => {
                if let Err(error) = result {
                    self.warn("candidates were not taken", &error);
                }
            }
            Some(Purpose::Detach(id)) => self.end_object(id, now),
            Some(Purpose::Leave(old, mut attempts))
                if now.since(attempts.since) < self.retry_limit
                    && matches!(result, Err(signaling::Error::Timeout { .. })) =>
            {
                let due = attempts.backoff.next((self.random)(), now);
                self.again.push((due, Again::Leave(old, attempts)));
            }
            Some(Purpose::Leave(..)) | None => {}
        }
    }

    fn handle_usecase(&mut self, id: UseCaseId, output: usecase::Output, now: Time) {
        let Some(handle) = self.slots.get(&id).map(|slot| slot.handle) else { return };
        match output {
            usecase::Output::Request { id: request, body, jsep } => {
                let sent = with_handle(handle)
                    .and_then(|handle| self.session.message(handle, body, jsep, now));
                match sent {
                    Ok(transaction) => {
                        self.transactions.insert(transaction, Purpose::Request(id, request));
                    }
                    Err(error) => {
                        if let Some(slot) = self.slots.get_mut(&id) {
                            slot.usecase.plugin_mut().handle_answer(request, Err(error), now);
                        }
                    }
                }
            }
            usecase::Output::Trickle(candidates) => {
                let sent = with_handle(handle)
                    .and_then(|handle| self.session.trickle(handle, candidates, now));
                if let Ok(transaction) = sent {
                    self.transactions.insert(transaction, Purpose::Trickle);
                }
            }
            usecase::Output::Detach => {
                match with_handle(handle).and_then(|handle| self.session.detach(handle, now)) {
                    Ok(transaction) => {
                        self.transactions.insert(transaction, Purpose::Detach(id));
                    }
                    Err(_) => self.end_object(id, now),
                }
            }
            usecase::Output::Reattach => {
                let slot = self.slots.get_mut(&id);
                if let Some(old) = slot.and_then(|slot| slot.handle.take()) {
                    self.leave_handle(old, Attempts::new(now), now);
                }
                self.attach(id, now);
            }
            usecase::Output::Peer(connection, command) => {
                self.outputs.push_back(Output::Peer(id, connection, command));
            }
            usecase::Output::Send(connection, message) => {
                self.outputs.push_back(Output::Send(id, connection, message));
            }
            usecase::Output::Release => self.outputs.push_back(Output::Release(id)),
            usecase::Output::Transfer(data) => self.outputs.push_back(Output::Transfer(id, data)),
            usecase::Output::Event(event) => self.outputs.push_back(Output::Event(id, event)),
            usecase::Output::Done(command, result) => {
                self.done_with(command, result.map(Outcome::Reply));
            }
            usecase::Output::Log(level, line) => self.outputs.push_back(Output::Log(level, line)),
        }
    }

    /// Nobody waits for it: until it is done, the new handle is refused the name, and asks again.
    fn leave_handle(&mut self, old: HandleId, attempts: Attempts, now: Time) {
        if let Ok(transaction) = self.session.detach(old, now) {
            self.transactions.insert(transaction, Purpose::Leave(old, attempts));
        }
    }

    /// While leaving: ends the session once every peer was told. Says whether it did.
    fn close_when_all_left(&mut self, now: Time) -> bool {
        let left = !self.slots.values().any(|slot| slot.usecase.plugin().is_leaving());
        match &mut self.phase {
            Phase::Leaving { closing, .. } if left && !*closing => {
                *closing = true;
                self.session.close(now);
                true
            }
            _ => false,
        }
    }

    fn end_all(&mut self, end: &SessionEnd, now: Time) {
        let mut waiting = Vec::new();
        for slot in self.slots.values_mut() {
            slot.usecase.plugin_mut().handle_session_end(end, now);
            waiting.extend(slot.command.take());
        }
        for Waiting { command, .. } in waiting {
            self.done_with(command, Err(end.clone().into()));
        }
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            self.end_object(id, now);
        }
    }

    /// Lets a call object say its last words, and forgets it.
    fn end_object(&mut self, id: UseCaseId, now: Time) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.usecase.plugin_mut().handle_detached(now);
        }
        while let Some(output) =
            self.slots.get_mut(&id).and_then(|slot| slot.usecase.plugin_mut().poll_output())
        {
            self.handle_usecase(id, output, now);
        }
        // Its last words may have ended it already.
        if self.slots.remove(&id).is_some() {
            self.outputs.push_back(Output::Ended(id));
        }
    }

    fn handle_closed(&mut self, now: Time) {
        self.timers = TimerTable::default();
        self.again = Vec::new();
        match std::mem::replace(&mut self.phase, Phase::Disconnected) {
            Phase::Leaving { commands, then_connect, .. } => {
                for command in commands {
                    self.done(command, Ok(Reply::Done));
                }
                for command in then_connect {
                    self.connect(command, now);
                }
            }
            Phase::Connecting(commands) => self.phase = Phase::Connecting(commands),
            Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_) | Phase::Disconnected => {}
        }
    }

    /// Reports what no promise is there to report.
    fn report(&mut self, id: UseCaseId, error: Error) {
        if let Some(slot) = self.slots.get(&id) {
            let event = slot.usecase.error_event(error);
            self.outputs.push_back(Output::Event(id, event));
        }
    }

    fn warn(&mut self, what: &str, error: &signaling::Error) {
        self.outputs.push_back(Output::Log(Level::Warn, format!("{what}: {error}")));
    }

    fn done(&mut self, command: Command, result: Result<Reply, Error>) {
        self.done_with(command, result.map(Outcome::Reply));
    }

    fn done_with(&mut self, command: Command, result: Result<Outcome, Error>) {
        self.outputs.push_back(Output::Done(command, result));
    }
}

fn with_handle(handle: Option<HandleId>) -> Result<HandleId, signaling::Error> {
    handle.ok_or(signaling::Error::NotConnected)
}

fn cut_short() -> Error {
    signaling::Error::ConnectCancelled.into()
}
