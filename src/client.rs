//! One page's connection: the session and its video calls, joined. Still pure.

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;
use vecmap::VecMap;

use crate::config::{CallConfig, GatewayConfig, Secret, UserName};
use crate::error::Error;
use crate::event::Event;
use crate::log::Level;
use crate::signaling::{
    self, Answer, Backoff, Doubt, HandleId, HttpId, HttpResponse, Io, Session, TokenRequest,
    TransactionId, given_up,
};
use crate::time::{Time, earliest};
use crate::usecase::video_call::{
    self, Command, Data, End, Media, Misuse, Reply, VideoCall, Waiting,
};

/// Names a video call object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// How a command ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// `videoCall()` made this object.
    Attached(CallId),
    /// Anything else.
    Reply(Reply),
}

/// What the client wants or tells. Drain it after every input.
pub enum Output {
    /// Do this; a response goes to [`Client::handle_http`].
    Io(Io),
    /// Call the page's function for the token; tell [`Client::handle_token`].
    AskToken(TokenRequest),
    /// Do this with a call's devices and peer connections.
    Media(CallId, Media),
    /// Do this with a call's data channels, or tell the page of them.
    Data(CallId, Data),
    /// Tell the page.
    Event(CallId, Event),
    /// A command of the page ended.
    Done(Command, Result<Outcome, Error>),
    /// The call object is at its end: nothing more comes for it.
    Ended(CallId),
    /// A line for the log.
    Log(Level, String),
}

/// The session and its calls.
///
/// The one rule of its use: after every input, drain [`Client::poll_output`], then set one timer to
/// [`Client::poll_timeout`].
pub struct Client {
    session: Session<video_call::Request>,
    retry_limit: Duration,
    /// Since when the gateway is out of reach, or makes sessions that are of no use.
    trouble: Option<Time>,
    /// Of sessions, whatever became of the one before.
    backoff: Backoff,
    /// When the browser's hints are followed again, and whether there was one meanwhile.
    next_look: Time,
    look_due: Option<Time>,
    /// What is tried again, and when.
    again: Vec<(Time, Again)>,
    random: Rc<dyn Fn() -> u64>,
    phase: Phase,
    calls: VecMap<CallId, Slot>,
    /// A handle for the next call object, asked for with the session.
    spare: Spare,
    transactions: VecMap<TransactionId, Purpose>,
    last_call: u64,
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
    /// First the calls are hung up, then the session is ended; `then_connect` came meanwhile.
    Leaving {
        commands: Vec<Command>,
        then_connect: Vec<Command>,
        closing: bool,
    },
}

struct Restoring {
    since: Time,
    /// When to try next; absent while it is being tried.
    due: Option<Time>,
    commands: Vec<Command>,
}

struct Slot {
    handle: Option<HandleId>,
    call: VideoCall,
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
    Attach(CallId),
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
        id: CallId,
        has_account: bool,
    },
    Request(CallId, video_call::RequestId),
    Trickle,
    Detach(CallId),
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
            look_due: None,
            again: Vec::new(),
            session: Session::new(config, random.clone()),
            random,
            phase: Phase::Disconnected,
            calls: VecMap::new(),
            spare: Spare::None,
            transactions: VecMap::new(),
            last_call: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What to do next, if anything. What a person reads shows no secret, whoever repeats it.
    pub fn poll_output(&mut self) -> Option<Output> {
        let hide = |text: &str| self.session.without_secrets(text);
        Some(match self.outputs.pop_front()? {
            Output::Log(level, line) => Output::Log(level, hide(&line)),
            Output::Done(command, Err(error)) => Output::Done(command, Err(error.redacted(hide))),
            Output::Event(id, Event::Error(error)) => {
                Output::Event(id, Event::Error(error.redacted(hide)))
            }
            Output::Event(id, Event::Reconnecting(error)) => {
                Output::Event(id, Event::Reconnecting(error.redacted(hide)))
            }
            other => other,
        })
    }

    /// The moment by which [`Client::handle_timeout`] must be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let calls = self.calls.values().map(|slot| slot.call.poll_timeout());
        let own = match &self.phase {
            Phase::Restoring(restoring) => restoring.due,
            _ => None,
        };
        let again = self.again.iter().map(|(due, _)| *due).min();
        let own = earliest(own, earliest(again, self.look_due));
        calls.fold(earliest(own, self.session.poll_timeout()), earliest)
    }

    /// Whether the page's presence and its network matter: there is a session, or one is being brought back.
    pub fn is_present(&self) -> bool {
        matches!(self.phase, Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_))
    }

    /// Who the other side of a call is, if there is a call.
    pub fn peer(&self, id: CallId) -> Option<&UserName> {
        self.calls.get(&id).and_then(|slot| slot.call.peer())
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

    /// Ends the calls and the session.
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
                for slot in self.calls.values_mut() {
                    slot.call.leave(now);
                }
            }
        }
        self.run(now);
    }

    /// Attaches a new video call object.
    pub fn video_call(&mut self, command: Command, config: CallConfig, now: Time) {
        if matches!(self.phase, Phase::Connected | Phase::Restoring(_) | Phase::Hidden(_)) {
            self.last_call = self.last_call.saturating_add(1);
            let id = CallId(self.last_call);
            let call = VideoCall::new(config, self.random.clone());
            let command = Some(Waiting::new(command));
            let slot = Slot { handle: None, call, command, attempts: None };
            self.calls.insert(id, slot);
            // Without a session, the next one attaches it.
            self.attach(id, now);
        } else {
            self.done_with(command, Err(signaling::Error::NotConnected.into()));
        }
        self.run(now);
    }

    /// Does something with a call object; a command of the page for one that has ended is refused.
    pub fn with_call(
        &mut self,
        id: CallId,
        command: Option<Command>,
        now: Time,
        act: impl FnOnce(&mut VideoCall),
    ) {
        match (self.calls.get_mut(&id), command) {
            (Some(slot), _) => act(&mut slot.call),
            (None, Some(command)) => {
                self.done_with(command, Err(video_call::Error::from(Misuse::Closed).into()))
            }
            (None, None) => {}
        }
        self.run(now);
    }

    // The world's news.

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

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.session.handle_timeout(now);
        if let Phase::Restoring(restoring) = &mut self.phase
            && restoring.due.take_if(|due| *due <= now).is_some()
        {
            self.open(now);
        }
        let (due, later) = take(&mut self.again).into_iter().partition(|(due, _)| *due <= now);
        self.again = later;
        for (_, again) in due {
            match again {
                Again::Attach(id) if self.calls.contains_key(&id) => self.attach(id, now),
                Again::Attach(_) => {}
                Again::Leave(old, attempts) => self.leave_handle(old, attempts, now),
            }
        }
        if self.look_due.take_if(|due| *due <= now).is_some() {
            self.look(now);
        }
        for slot in self.calls.values_mut() {
            slot.call.handle_timeout(now);
        }
        self.run(now);
    }

    /// The browser says that the network is there again (`online`), or that it is another one.
    pub fn handle_online(&mut self, now: Time) {
        self.look(now);
        for slot in self.calls.values_mut() {
            slot.call.handle_network_changed(now);
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
            self.look_due = Some(self.next_look);
            return;
        }
        self.next_look = now + LOOK;
        self.session.look(now);
        // A poll may have been repeated while the page slept, or the network was gone.
        self.handle_doubt(Doubt::Possible, now);
        self.backoff = Backoff::default();
        if let Phase::Restoring(Restoring { due: Some(due), .. }) = &mut self.phase {
            *due = now;
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
                self.end_calls(&error.clone().into(), now);
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
        self.unhandle(video_call::reason::HUNG_UP, &error, now);
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
            let next = self
                .calls
                .iter_mut()
                .find_map(|(id, slot)| slot.call.poll_output().map(|output| (*id, output)));
            if let Some((id, output)) = next {
                self.handle_call(id, output, now);
                continue;
            }
            if !self.close_when_calls_left(now) {
                // A call whose media flows does not need the gateway yet.
                let media_flows = self.calls.values().any(|slot| slot.call.is_flowing());
                self.session.retain_while_media_flows(media_flows);
                return;
            }
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
                // What a handle tells that was given up concerns nobody.
                let mut slots = self.calls.iter_mut();
                if let Some((&id, slot)) = slots.find(|(_, slot)| slot.handle == Some(handle)) {
                    slot.call.handle_notice(notice, now);
                    if slot.call.is_closed() {
                        self.end_call(id, now);
                    }
                }
            }
            signaling::Output::Trouble(error) => {
                self.trouble_began(now);
                for slot in self.calls.values_mut() {
                    slot.call.handle_trouble(&error, now);
                }
            }
            signaling::Output::Restored => {
                // That of a lost session is over only when another has been of use.
                if self.session.was_of_use(now) || self.trouble >= self.session.opened_at() {
                    self.trouble = None;
                }
                for slot in self.calls.values_mut() {
                    slot.call.handle_restored(now);
                }
            }
            signaling::Output::Doubt(doubt) => self.handle_doubt(doubt, now),
            signaling::Output::Lost(error) => self.handle_lost(&error, now),
            signaling::Output::Closed => self.end_session(now),
        }
    }

    fn handle_doubt(&mut self, doubt: Doubt, now: Time) {
        for slot in self.calls.values_mut() {
            slot.call.handle_doubt(doubt, now);
        }
    }

    /// The session is lost: another is made, on any server of the list.
    fn handle_lost(&mut self, error: &signaling::Error, now: Time) {
        let since = self.trouble_began(now);
        let hopeless = error.is_hopeless() || now.since(since) >= self.retry_limit;
        match &self.phase {
            Phase::Connected if !hopeless => {
                self.warn("the session is lost, and another is made", error);
                self.unhandle(video_call::reason::SESSION_LOST, error, now);
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
        self.end_calls(&End::ClosedByDisconnect.into(), now);
        self.handle_closed(now);
    }

    /// Takes their handles from the calls, which end.
    fn unhandle(&mut self, words: &str, error: &signaling::Error, now: Time) {
        self.transactions = VecMap::new();
        self.spare = Spare::None;
        self.again = Vec::new();
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            let Some(slot) = self.calls.get_mut(&id) else { continue };
            slot.handle = None;
            slot.attempts = None;
            slot.call.handle_session_lost(words, error, now);
            if let Some(waiting) = slot.command.take_if(Waiting::lose) {
                self.end_call(id, now);
                self.done_with(waiting.command, Err(error.clone().into()));
            }
        }
    }

    /// Makes another session: at once, unless the last attempts are but a moment ago.
    fn restore(&mut self, since: Time, commands: Vec<Command>, now: Time) {
        let due = self.backoff.now_or_next((self.random)(), now);
        let due = (due > now).then_some(due);
        self.phase = Phase::Restoring(Restoring { since, due, commands });
        if due.is_none() {
            self.open(now);
        }
    }

    /// Asks for a session, and in the same breath for a handle in it.
    fn open(&mut self, now: Time) {
        self.session.open(now);
        if let Ok(transaction) = self.session.attach(video_call::PLUGIN, None, now) {
            self.spare = Spare::Asked(transaction);
            self.transactions.insert(transaction, Purpose::Spare);
        }
    }

    fn give_up(&mut self, error: &signaling::Error, now: Time) {
        self.trouble = None;
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            self.outputs.push_back(Output::Event(id, Event::Error(error.clone().into())));
        }
        self.end_calls(&error.clone().into(), now);
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
                for id in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.attach(id, now);
                }
                Phase::Connected
            }
            (Phase::Restoring(mut restoring), Err(error)) => {
                if error.is_hopeless() || now.since(restoring.since) >= self.retry_limit {
                    self.phase = Phase::Restoring(restoring);
                    let lost = given_up(&error);
                    return self.give_up(&lost, now);
                }
                restoring.due = Some(self.backoff.next((self.random)(), now));
                Phase::Restoring(restoring)
            }
            (phase, _) => phase,
        };
        self.phase = phase;
    }

    fn attach(&mut self, id: CallId, now: Time) {
        if !self.session.is_open() {
            return;
        }
        let slot = self.calls.get(&id);
        let account = slot.and_then(|slot| slot.call.account()).map(str::to_owned);
        // The spare handle bears the session's account.
        if account.is_none() {
            match std::mem::replace(&mut self.spare, Spare::None) {
                Spare::Asked(transaction) => {
                    self.transactions
                        .insert(transaction, Purpose::Attach { id, has_account: false });
                    return;
                }
                Spare::Ready(handle) => {
                    return self.handle_attached(id, Ok(Answer::Attached(handle)), now);
                }
                Spare::None => {}
            }
        }
        if let Ok(transaction) = self.session.attach(video_call::PLUGIN, account.as_deref(), now) {
            self.transactions
                .insert(transaction, Purpose::Attach { id, has_account: account.is_some() });
        }
    }

    /// A handle whose call object has ended meanwhile is the spare one, if it could be anybody's.
    fn handle_orphan(&mut self, handle: HandleId, has_account: bool, now: Time) {
        match self.spare {
            Spare::None if !has_account => self.spare = Spare::Ready(handle),
            _ => self.leave_handle(handle, Attempts::new(now), now),
        }
    }

    fn handle_attached(&mut self, id: CallId, result: Result<Answer, signaling::Error>, now: Time) {
        let Some(slot) = self.calls.get_mut(&id) else { return };
        let error = match result {
            Ok(Answer::Attached(handle)) => {
                slot.handle = Some(handle);
                slot.attempts = None;
                slot.call.handle_attached(now);
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
                self.calls.remove(&id);
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
                    self.outputs.push_back(Output::Event(id, Event::Error(error.into())));
                }
                self.end_call(id, now);
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
            Some(Purpose::Attach { id, has_account }) => match result {
                Ok(Answer::Attached(handle)) if !self.calls.contains_key(&id) => {
                    self.handle_orphan(handle, has_account, now);
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
                if let Some(slot) = self.calls.get_mut(&id) {
                    slot.call.handle_answer(request, result, now);
                }
            }
            Some(Purpose::Trickle) => {
                if let Err(error) = result {
                    self.warn("candidates were not taken", &error);
                }
            }
            Some(Purpose::Detach(id)) => self.end_call(id, now),
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

    fn handle_call(&mut self, id: CallId, output: video_call::Output, now: Time) {
        let Some(handle) = self.calls.get(&id).map(|slot| slot.handle) else { return };
        match output {
            video_call::Output::Request { id: request, body, jsep } => {
                let sent = with_handle(handle)
                    .and_then(|handle| self.session.message(handle, body, jsep, now));
                match sent {
                    Ok(transaction) => {
                        self.transactions.insert(transaction, Purpose::Request(id, request));
                    }
                    Err(error) => {
                        if let Some(slot) = self.calls.get_mut(&id) {
                            slot.call.handle_answer(request, Err(error), now);
                        }
                    }
                }
            }
            video_call::Output::Trickle(candidates) => {
                let sent = with_handle(handle)
                    .and_then(|handle| self.session.trickle(handle, candidates, now));
                if let Ok(transaction) = sent {
                    self.transactions.insert(transaction, Purpose::Trickle);
                }
            }
            video_call::Output::Detach => {
                match with_handle(handle).and_then(|handle| self.session.detach(handle, now)) {
                    Ok(transaction) => {
                        self.transactions.insert(transaction, Purpose::Detach(id));
                    }
                    Err(_) => self.end_call(id, now),
                }
            }
            video_call::Output::Reattach => {
                let slot = self.calls.get_mut(&id);
                if let Some(old) = slot.and_then(|slot| slot.handle.take()) {
                    self.leave_handle(old, Attempts::new(now), now);
                }
                self.attach(id, now);
            }
            video_call::Output::Media(media) => self.outputs.push_back(Output::Media(id, media)),
            video_call::Output::Data(data) => self.outputs.push_back(Output::Data(id, data)),
            video_call::Output::Event(event) => self.outputs.push_back(Output::Event(id, event)),
            video_call::Output::Done(command, result) => {
                self.done_with(command, result.map(Outcome::Reply).map_err(Error::from));
            }
            video_call::Output::Log(level, line) => {
                self.outputs.push_back(Output::Log(level, line))
            }
        }
    }

    /// Nobody waits for it: until it is done, the new handle is refused the name, and asks again.
    fn leave_handle(&mut self, old: HandleId, attempts: Attempts, now: Time) {
        if let Ok(transaction) = self.session.detach(old, now) {
            self.transactions.insert(transaction, Purpose::Leave(old, attempts));
        }
    }

    /// While leaving: ends the session once every peer was told. Says whether it did.
    fn close_when_calls_left(&mut self, now: Time) -> bool {
        let left = !self.calls.values().any(|slot| slot.call.is_leaving());
        match &mut self.phase {
            Phase::Leaving { closing, .. } if left && !*closing => {
                *closing = true;
                self.session.close(now);
                true
            }
            _ => false,
        }
    }

    fn end_calls(&mut self, error: &video_call::Error, now: Time) {
        let mut waiting = Vec::new();
        for slot in self.calls.values_mut() {
            slot.call.handle_session_end(error, now);
            waiting.extend(slot.command.take());
        }
        for Waiting { command, .. } in waiting {
            self.done_with(command, Err(error.clone().into()));
        }
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end_call(id, now);
        }
    }

    /// Lets a call object say its last words, and forgets it.
    fn end_call(&mut self, id: CallId, now: Time) {
        if let Some(slot) = self.calls.get_mut(&id) {
            slot.call.handle_detached(now);
        }
        while let Some(output) = self.calls.get_mut(&id).and_then(|slot| slot.call.poll_output()) {
            self.handle_call(id, output, now);
        }
        // Its last words may have ended it already.
        if self.calls.remove(&id).is_some() {
            self.outputs.push_back(Output::Ended(id));
        }
    }

    fn handle_closed(&mut self, now: Time) {
        self.look_due = None;
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
