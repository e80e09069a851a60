//! The client of one page: routes between the session and its use cases. It names no plugin.

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

/// Identifies a use case object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UseCaseId(pub u64);

/// The result of a command that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The object is attached.
    Attached(UseCaseId),
    /// Any other command.
    Reply(Reply),
}

/// An output of the client. Drain them after every input.
pub enum Output {
    /// Execute this; a response goes to [`Client::handle_http`].
    Io(Io),
    /// Call the page's token function; its result goes to [`Client::handle_token`].
    AskToken(TokenRequest),
    /// Execute this command on a peer connection.
    Peer(UseCaseId, ConnectionId, PeerCommand),
    /// Send this on a data channel of a peer connection.
    Send(UseCaseId, ConnectionId, ChannelMessage),
    /// Stop the devices and clear the video elements.
    Release(UseCaseId),
    /// Process a message or file, or report it to the page.
    Transfer(UseCaseId, video_call::Data),
    /// Report an event to the page.
    Event(UseCaseId, Event),
    /// A command of the page ended.
    Done(Command, Result<Outcome, Error>),
    /// The object has ended. No more outputs follow for it.
    Ended(UseCaseId),
    /// A line for the log.
    Log(Level, String),
}

/// The session and its use cases.
///
/// Its one rule: after every input, drain [`Client::poll_output`], then set one timer to
/// [`Client::poll_timeout`].
pub struct Client {
    session: Session<Body>,
    retry_limit: Duration,
    /// Since when the gateway is out of reach, or its sessions are of no use.
    trouble: Option<Time>,
    /// The pauses between sessions. A new session does not reset them.
    backoff: Backoff,
    /// When the next hint of the browser may be followed.
    next_hint: Time,
    timers: TimerTable<Timer>,
    /// The retries and their times.
    retries: Vec<(Time, Retry)>,
    random: Rc<dyn Fn() -> u64>,
    phase: Phase,
    slots: VecMap<UseCaseId, Slot>,
    /// Media flows, so the gateway is waited for without a limit.
    is_flowing: bool,
    /// A handle for the next object, attached together with the session.
    spare: Spare,
    transactions: VecMap<TransactionId, Purpose>,
    last_id: u64,
    outputs: VecDeque<Output>,
}

enum Phase {
    Disconnected,
    Connecting(Vec<Command>),
    Connected,
    /// The session is lost, and another one is being created. These commands wait for it.
    Restoring(Restoring),
    /// The page was left, and may come back.
    Hidden(Vec<Command>),
    /// `disconnect()` was called: the objects hang up, then the session ends. `then_connect` are
    /// later calls of `connect()`.
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
    /// Create another session. Set while restoring, between two attempts.
    Restore,
    /// Follow the browser's hint. Set by a hint that came too soon after the last one.
    Hint,
}

struct Slot {
    handle: Option<HandleId>,
    usecase: UseCase,
    /// The command that waits for the first handle.
    command: Option<Waiting>,
    /// The attempts to attach in this session.
    attempts: Option<Attempts>,
}

/// The attempts at a request that is retried.
struct Attempts {
    since: Time,
    backoff: Backoff,
}

impl Attempts {
    fn new(since: Time) -> Self {
        Self { since, backoff: Backoff::default() }
    }
}

enum Retry {
    Attach(UseCaseId),
    Abandon(HandleId, Attempts),
}

/// The minimal interval between hints of the browser, since a page may be hidden and shown rapidly.
const HINT_INTERVAL: Duration = Duration::from_secs(1);

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
        /// Any object without its own account could use the handle.
        is_common: bool,
    },
    Request(UseCaseId, RequestId),
    Trickle,
    Detach(UseCaseId),
    /// Detach an abandoned handle.
    Abandon(HandleId, Attempts),
}

impl Client {
    /// A client that is not connected. `random` must be cryptographic.
    pub fn new(config: GatewayConfig, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            retry_limit: config.retry_limit,
            trouble: None,
            backoff: Backoff::default(),
            next_hint: Time::default(),
            timers: TimerTable::default(),
            retries: Vec::new(),
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

    /// The next output, if any. Secrets are removed from all texts for people, even if the gateway
    /// or the browser repeats them.
    pub fn poll_output(&mut self) -> Option<Output> {
        let hide = |text: &str| self.session.without_secrets(text);
        Some(match self.outputs.pop_front()? {
            Output::Log(level, line) => Output::Log(level, hide(&line)),
            Output::Done(command, Err(error)) => Output::Done(command, Err(error.redacted(hide))),
            Output::Event(id, event) => Output::Event(id, event.redacted(hide)),
            other => other,
        })
    }

    /// When to call [`Client::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Time> {
        let slots = self.slots.values().map(|slot| slot.usecase.plugin().poll_timeout());
        let retry = self.retries.iter().map(|(due, _)| *due).min();
        let own = earliest(retry, self.timers.next());
        slots.fold(earliest(own, self.session.poll_timeout()), earliest)
    }

    /// Whether the page's visibility and network matter: there is a session, or one is being
    /// restored.
    pub fn is_present(&self) -> bool {
        matches!(self.phase, Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_))
    }

    /// The other side of a call, if there is a call.
    pub fn peer(&self, id: UseCaseId) -> Option<&UserName> {
        match &self.slots.get(&id)?.usecase {
            UseCase::VideoCall(call) => call.peer(),
            UseCase::EchoTest(_) => None,
        }
    }

    // The page's commands.

    /// Creates a session on the first server that answers.
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

    /// Ends all calls and tests, then the session.
    pub fn disconnect(&mut self, command: Command, now: Time) {
        match &mut self.phase {
            Phase::Disconnected => self.done(command, Ok(Reply::Done)),
            Phase::Leaving { commands, then_connect, .. } => {
                commands.push(command);
                for command in take(then_connect) {
                    self.done(command, Err(connect_cancelled()));
                }
            }
            Phase::Connecting(_) => {
                self.session.close(now);
                // The outputs of the session come first.
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
                        self.done(command, Err(connect_cancelled()));
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
            // Without a session, this does nothing: the next session attaches the object.
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

    /// Passes an input to a video call object. Refuses the command if the object has ended.
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

    /// Passes an input to an echo test object. Refuses the command if the object has ended.
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

    // Inputs of the browser.

    /// An HTTP request was answered, or failed.
    pub fn handle_http(&mut self, id: HttpId, response: HttpResponse, now: Time) {
        self.session.handle_http(id, response, now);
        self.run(now);
    }

    /// The token for [`Output::AskToken`], or the exception of the page's function as text.
    pub fn handle_token(
        &mut self,
        request: TokenRequest,
        result: Result<Secret, String>,
        now: Time,
    ) {
        self.session.handle_token(request, result, now);
        self.run(now);
    }

    /// An event of a peer connection.
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

    /// An event of a peer connection's data channels.
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

    /// A deadline has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.session.handle_timeout(now);
        let (due, later) = take(&mut self.retries).into_iter().partition(|(due, _)| *due <= now);
        self.retries = later;
        for (_, retry) in due {
            match retry {
                Retry::Attach(id) if self.slots.contains_key(&id) => self.attach(id, now),
                Retry::Attach(_) => {}
                Retry::Abandon(old, attempts) => self.abandon_handle(old, attempts, now),
            }
        }
        while let Some(timer) = self.timers.pop_expired(now) {
            match (timer, &self.phase) {
                (Timer::Restore, Phase::Restoring(_)) => self.open(now),
                // The page was left, or wants no session any more.
                (Timer::Restore, _) => {}
                (Timer::Hint, _) => self.follow_hint(now),
            }
        }
        for slot in self.slots.values_mut() {
            slot.usecase.plugin_mut().handle_timeout(now);
        }
        self.run(now);
    }

    /// The network is back (`online`), or has changed.
    pub fn handle_online(&mut self, now: Time) {
        self.follow_hint(now);
        for slot in self.slots.values_mut() {
            slot.usecase.plugin_mut().handle_network_changed(now);
        }
        self.run(now);
    }

    /// The page is visible again (`visibilitychange`). Its timers may have been suspended.
    pub fn handle_visible(&mut self, now: Time) {
        self.follow_hint(now);
        self.run(now);
    }

    fn follow_hint(&mut self, now: Time) {
        if self.next_hint > now {
            return self.timers.set(Timer::Hint, self.next_hint);
        }
        self.next_hint = now + HINT_INTERVAL;
        self.session.look(now);
        // The browser may have repeated a poll while the page was suspended or offline.
        self.handle_doubt(Doubt::Possible, now);
        self.backoff = Backoff::default();
        if self.timers.due(Timer::Restore).is_some() {
            self.timers.set(Timer::Restore, now);
        }
    }

    /// The page is being left (`pagehide`). The session ends at once, and with it the names and
    /// calls, since we cannot know whether the page comes back.
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
        self.lose_handles(HandleLoss::PageLeft, &error, now);
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

    // Routing.

    /// Passes outputs between the session and the use cases until there are none.
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
                return self.update_flow();
            }
        }
    }

    /// Tells the session whether media flows, on each change.
    fn update_flow(&mut self) {
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
                self.note_trouble(now);
                for slot in self.slots.values_mut() {
                    slot.usecase.plugin_mut().handle_trouble(&error, now);
                }
            }
            signaling::Output::Restored => {
                // After a lost session, the trouble is over only when another session has been of
                // use.
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

    /// The session is lost. Creates another one, on any server of the list.
    fn handle_lost(&mut self, error: &signaling::Error, now: Time) {
        let since = self.note_trouble(now);
        let hopeless = error.is_hopeless() || now.since(since) >= self.retry_limit;
        match &self.phase {
            Phase::Connected if !hopeless => {
                self.warn("the session is lost, creating another one", error);
                self.lose_handles(HandleLoss::SessionLost, error, now);
                self.restore(since, Vec::new(), now);
            }
            // `disconnect()` ends the session anyway.
            Phase::Leaving { .. } => self.end_session(now),
            _ => self.give_up(error, now),
        }
    }

    /// Notes trouble, and returns its beginning. Trouble from before the current session counts,
    /// unless the session has been of use: a gateway that creates sessions and forgets them is no
    /// better than one that creates none.
    fn note_trouble(&mut self, now: Time) -> Time {
        if self.trouble < self.session.opened_at() && self.session.was_of_use(now) {
            self.trouble = None;
        }
        *self.trouble.get_or_insert(now)
    }

    fn end_session(&mut self, now: Time) {
        self.end_all(&Closed::ByDisconnect.into(), now);
        self.handle_closed(now);
    }

    /// Removes the handles of all objects.
    fn lose_handles(&mut self, loss: HandleLoss, error: &signaling::Error, now: Time) {
        self.transactions = VecMap::new();
        self.spare = Spare::None;
        self.retries = Vec::new();
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

    /// Creates another session, after a pause if there were attempts shortly before.
    fn restore(&mut self, since: Time, commands: Vec<Command>, now: Time) {
        let due = self.backoff.now_or_next((self.random)(), now);
        self.phase = Phase::Restoring(Restoring { since, commands });
        if due > now {
            return self.timers.set(Timer::Restore, due);
        }
        self.timers.stop(Timer::Restore);
        self.open(now);
    }

    /// Requests a session, and together with it a handle.
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
        // The spare handle has the session's account.
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

    /// A handle whose object has ended meanwhile becomes the spare one, or is detached.
    fn handle_orphan(&mut self, handle: HandleId, is_common: bool, now: Time) {
        match self.spare {
            Spare::None if is_common => self.spare = Spare::Ready(handle),
            _ => self.abandon_handle(handle, Attempts::new(now), now),
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
        // The next session attaches the object.
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
                self.retries.push((due, Retry::Attach(id)));
            }
            None => {
                // `disconnect()` ends the object anyway.
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
                    // The next object requests its own handle, and reports the error if that fails
                    // too.
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
                    self.warn("candidates were not accepted", &error);
                }
            }
            Some(Purpose::Detach(id)) => self.end_object(id, now),
            Some(Purpose::Abandon(old, mut attempts))
                if now.since(attempts.since) < self.retry_limit
                    && matches!(result, Err(signaling::Error::Timeout { .. })) =>
            {
                let due = attempts.backoff.next((self.random)(), now);
                self.retries.push((due, Retry::Abandon(old, attempts)));
            }
            Some(Purpose::Abandon(..)) | None => {}
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
                    self.abandon_handle(old, Attempts::new(now), now);
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

    /// Detaches a handle that its object has given up. Until that is done, the new handle cannot
    /// get the name, and retries.
    fn abandon_handle(&mut self, old: HandleId, attempts: Attempts, now: Time) {
        if let Ok(transaction) = self.session.detach(old, now) {
            self.transactions.insert(transaction, Purpose::Abandon(old, attempts));
        }
    }

    /// While leaving: ends the session once every hang-up is confirmed. Returns whether it did.
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

    /// Passes on the last outputs of an object, and removes it.
    fn end_object(&mut self, id: UseCaseId, now: Time) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.usecase.plugin_mut().handle_detached(now);
        }
        while let Some(output) =
            self.slots.get_mut(&id).and_then(|slot| slot.usecase.plugin_mut().poll_output())
        {
            self.handle_usecase(id, output, now);
        }
        // The last outputs may have removed it already.
        if self.slots.remove(&id).is_some() {
            self.outputs.push_back(Output::Ended(id));
        }
    }

    fn handle_closed(&mut self, now: Time) {
        self.timers = TimerTable::default();
        self.retries = Vec::new();
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

    /// Reports an error to which no promise belongs.
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

fn connect_cancelled() -> Error {
    signaling::Error::ConnectCancelled.into()
}
