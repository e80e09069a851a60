//! Requests: in queues that keep their order, with deadlines, and sent again where that does no
//! harm.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use vecmap::VecMap;

use super::backoff::Backoff;
use super::credentials::{Authorization, Credentials};
use super::error::{CoreCode, Error, InvalidAnswer};
use super::message::{self, HandleId, Jsep, Message, Request, SessionId};
use super::transport::{Outgoing, Target};
use crate::log::Level;
use crate::time::{Time, earliest};

/// How long the end of the session may take. The user waits for it, and the gateway forgets us
/// anyway.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long the event that answers an acknowledged message may take before it counts as perhaps
/// lost: the plugin answers within milliseconds.
const ANSWER: Duration = Duration::from_secs(2);

/// Names a request of the user of the session; its [`Answer`] bears the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(pub(super) u64);

/// The good end of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Attached, as this handle.
    Attached(HandleId),
    /// The plugin answered.
    Plugin {
        /// The plugin's message.
        data: Value,
        /// An offer or answer that came with it.
        jsep: Option<Jsep>,
    },
    /// Done, with no result.
    Done,
}

/// Requests in one queue are sent one after the other, since a transport may deliver parallel ones
/// in any order: a hang-up must not overtake its call. Candidates have a queue of their own, as the
/// gateway keeps early ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// No queue: these are sent at once, side by side.
    Unordered,
    Messages(HandleId),
    Candidates(HandleId),
}

impl Queue {
    fn is_ordered(self) -> bool {
        self != Self::Unordered
    }
}

/// Something to do, or the end of a request.
pub(super) enum Output {
    /// Send this request: [`Requests::outgoing`] has it. If there is no room,
    /// [`Requests::handle_delayed`].
    Send(TransactionId),
    /// Nobody waits for the answer to this one any more.
    Cancel(TransactionId),
    /// The end of `create`.
    Created(Result<SessionId, Error>),
    /// The end of `destroy`, whatever was answered.
    Destroyed,
    /// The end of a keepalive.
    Probed(Result<(), Error>),
    /// The gateway ends sessions that are silent for so many seconds; 0 if it does not.
    SessionTimeout(u64),
    /// The end of a request of the user.
    Answered(TransactionId, Result<Answer, Error>),
    /// The gateway took a message, and its answer did not arrive by the deadline.
    Unanswered { error: Error, deadline: Time },
    /// The answer to a message may be lost.
    Doubt,
    /// A line for the log.
    Log(Level, String),
}

/// The requests without an answer. `B` is the body of messages to plugins.
pub(super) struct Requests<B> {
    /// The oldest first; but an `attach` that is sent ahead stands behind its `create`.
    pending: VecMap<TransactionId, Pending<B>>,
    last_transaction: u64,
    /// How long the gateway may take for an answer.
    limit: Duration,
    random: Rc<dyn Fn() -> u64>,
    outputs: VecDeque<Output>,
}

struct Pending<B> {
    request: Request<B>,
    queue: Queue,
    deadline: Time,
    stage: Stage,
    authorization: Authorization,
    backoff: Backoff,
}

/// | from | by | to |
/// | --- | --- | --- |
/// | Queued | its turn | Sent, or SentAhead if it is an `attach` and the session is being made |
/// | Sent, SentAhead | no room in the transport | Scheduled |
/// | Sent | no answer, where sending it again does no harm | Scheduled |
/// | Sent | `ack` of a message | Acknowledged |
/// | SentAhead | a failure | Parked; Queued if the session is there |
/// | Scheduled | the time | Queued |
/// | Parked | the session, or the next server | Queued |
/// | any but Queued | its token is refused | Queued |
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for its turn, or for a token.
    Queued,
    /// Waits until then.
    Scheduled(Time),
    /// Waits for the session.
    Parked,
    /// Handed to the transport.
    Sent,
    /// Handed to the transport before the session was known to be there.
    SentAhead,
    /// Taken by the gateway; the answer comes as an event. If it is not there by `doubted`, it may
    /// be lost.
    Acknowledged { doubted: Option<Time> },
}

impl<B> Pending<B> {
    fn is_sent(&self) -> bool {
        matches!(self.stage, Stage::Sent | Stage::SentAhead)
    }

    fn is_attach(&self) -> bool {
        matches!(self.request, Request::Attach { .. })
    }

    /// Whether it is neither sent nor late before there is a token. The end of the session is late:
    /// nobody waits for that for long.
    fn is_held(&self, credentials: &Credentials) -> bool {
        credentials.waits_for_page() && !matches!(self.request, Request::Destroy) && !self.is_sent()
    }
}

impl<B> Requests<B> {
    /// `limit` is how long the gateway may take for an answer.
    pub(super) fn new(limit: Duration, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            pending: VecMap::new(),
            last_transaction: 0,
            limit,
            random,
            outputs: VecDeque::new(),
        }
    }

    /// Makes a request. Its deadline begins now.
    pub(super) fn request(
        &mut self,
        queue: Queue,
        request: Request<B>,
        credentials: &Credentials,
        now: Time,
    ) -> TransactionId {
        let transaction = self.next_transaction();
        let pending = Pending {
            request,
            queue,
            deadline: now + self.limit,
            stage: Stage::Queued,
            authorization: Authorization::default(),
            backoff: Backoff::default(),
        };
        self.pending.insert(transaction, pending);
        self.pump(queue, credentials);
        transaction
    }

    /// A transaction that awaits no answer.
    pub(super) fn next_transaction(&mut self) -> TransactionId {
        self.last_transaction = self.last_transaction.saturating_add(1);
        TransactionId(self.last_transaction)
    }

    /// Asks a server for a session, and for every handle that is wanted in it.
    pub(super) fn open(&mut self, id: SessionId, credentials: &Credentials, now: Time) {
        let ahead = std::mem::take(&mut self.pending);
        self.request(Queue::Unordered, Request::Create { id }, credentials, now);
        for (transaction, mut pending) in ahead {
            if pending.is_sent() {
                self.outputs.push_back(Output::Cancel(transaction));
            }
            pending.stage = Stage::Queued;
            pending.deadline = now + self.limit;
            self.pending.insert(transaction, pending);
        }
        self.pump(Queue::Unordered, credentials);
    }

    /// Asks the gateway whether it knows the session, unless that is being asked.
    pub(super) fn probe(&mut self, credentials: &Credentials, now: Time) {
        let is_probe = |pending: &Pending<B>| matches!(pending.request, Request::Keepalive);
        if !self.pending.values().any(is_probe) {
            self.request(Queue::Unordered, Request::Keepalive, credentials, now);
        }
    }

    /// Ends the session.
    pub(super) fn destroy(&mut self, credentials: &Credentials, now: Time) {
        let transaction = self.request(Queue::Unordered, Request::Destroy, credentials, now);
        if let Some(pending) = self.pending.get_mut(&transaction) {
            pending.deadline = pending.deadline.min(now + FAREWELL);
        }
    }

    /// Fails every request of the user, and forgets all.
    pub(super) fn abandon(&mut self, error: &Error) {
        for (transaction, pending) in std::mem::take(&mut self.pending) {
            if pending.is_sent() {
                self.outputs.push_back(Output::Cancel(transaction));
            }
            let is_own = matches!(
                pending.request,
                Request::Create { .. } | Request::Keepalive | Request::Info | Request::Destroy
            );
            if !is_own {
                self.outputs.push_back(Output::Answered(transaction, Err(error.clone())));
            }
        }
    }

    /// A request that is to be sent.
    pub(super) fn outgoing(&self, transaction: TransactionId) -> Option<Outgoing<'_, B>> {
        let pending = self.pending.get(&transaction).filter(|pending| pending.is_sent())?;
        let target = match pending.queue {
            Queue::Messages(handle) | Queue::Candidates(handle) => Target::Handle(handle),
            Queue::Unordered => match pending.request {
                Request::Create { .. } | Request::Info => Target::Server,
                _ => Target::Session,
            },
        };
        Some(Outgoing { transaction, target, request: &pending.request })
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_creating(&self) -> bool {
        self.pending.values().any(|pending| matches!(pending.request, Request::Create { .. }))
    }

    /// Hands over the requests of a queue whose turn it is.
    fn pump(&mut self, queue: Queue, credentials: &Credentials) {
        if credentials.is_asking() {
            return;
        }
        let is_creating = self.is_creating();
        for (transaction, pending) in self.pending.iter_mut().filter(|(_, p)| p.queue == queue) {
            match pending.stage {
                Stage::Acknowledged { .. } => continue,
                Stage::Queued => {}
                _ if queue.is_ordered() => return,
                _ => continue,
            }
            pending.stage =
                if is_creating && pending.is_attach() { Stage::SentAhead } else { Stage::Sent };
            credentials.authorize(&mut pending.authorization);
            self.outputs.push_back(Output::Send(*transaction));
            if queue.is_ordered() {
                return;
            }
        }
    }

    // Inputs.

    /// The transport has no room before `due`.
    pub(super) fn handle_delayed(&mut self, transaction: TransactionId, due: Time) {
        if let Some(pending) = self.pending.get_mut(&transaction) {
            pending.stage = Stage::Scheduled(due);
        }
    }

    /// The session is there.
    pub(super) fn handle_created(&mut self, credentials: &Credentials, now: Time) {
        self.send_attaches(credentials, now);
    }

    /// An attach that was sent ahead may still be answered; all others are sent now.
    fn send_attaches(&mut self, credentials: &Credentials, now: Time) {
        for pending in self.pending.values_mut().filter(|p| p.is_attach() && !p.is_sent()) {
            pending.stage = Stage::Queued;
            pending.deadline = now + self.limit;
        }
        self.pump(Queue::Unordered, credentials);
    }

    /// The response to a request, which may be an `ack` only.
    pub(super) fn handle_response(
        &mut self,
        transaction: TransactionId,
        result: Result<Message, Error>,
        credentials: &mut Credentials,
        now: Time,
    ) {
        // An event may have ended it, or refused it for its token, before the response came.
        let Some(pending) = self.pending.get(&transaction).filter(|pending| pending.is_sent())
        else {
            return;
        };
        let queue = pending.queue;
        // Janus looks at the token before anything else.
        let is_accepted = match &result {
            Ok(_) => true,
            Err(Error::Refused { code, .. }) => !code.is_unauthorized(),
            Err(_) => false,
        };
        if is_accepted {
            credentials.handle_accepted(&pending.authorization);
        }
        match result {
            Ok(message) => self.handle_success(transaction, message, now),
            Err(error) => self.handle_failure(transaction, error, credentials, now),
        }
        self.pump(queue, credentials);
    }

    fn handle_success(&mut self, transaction: TransactionId, message: Message, now: Time) {
        match (self.pending.get_mut(&transaction), &message) {
            (Some(pending), Message::Ack { .. })
                if matches!(pending.request, Request::Message { .. }) =>
            {
                pending.stage = Stage::Acknowledged { doubted: Some(now + ANSWER) };
            }
            _ => self.finish(transaction, Ok(message)),
        }
    }

    fn handle_failure(
        &mut self,
        transaction: TransactionId,
        error: Error,
        credentials: &mut Credentials,
        now: Time,
    ) {
        let Some(pending) = self.pending.get_mut(&transaction) else { return };
        if error.is_token_refused() && credentials.handle_refused(&mut pending.authorization, now) {
            pending.stage = Stage::Queued;
            return;
        }
        if pending.stage == Stage::SentAhead {
            // Too early, perhaps: the session is there first.
            pending.stage = Stage::Parked;
            if !self.is_creating() {
                self.send_attaches(credentials, now);
            }
            return;
        }
        if error.is_uncertain() {
            match pending.request {
                // Done twice, these do no harm. A second handle ends with the session.
                Request::Attach { .. } | Request::Trickle(_) | Request::Detach => {
                    let due = pending.backoff.next((self.random)(), now);
                    pending.stage = Stage::Scheduled(due);
                    return self.log(Level::Warn, format!("to be sent again: {error}"));
                }
                // The way of events may be as dead, and would only show it later.
                Request::Message { .. } => self.probe(credentials, now),
                _ => {}
            }
        }
        self.finish(transaction, Err(error));
    }

    /// The answer to a request that came as an event.
    pub(super) fn handle_answer(
        &mut self,
        transaction: TransactionId,
        result: Result<Message, Error>,
        credentials: &mut Credentials,
        now: Time,
    ) {
        let Some(pending) = self.pending.get_mut(&transaction) else {
            let line = "an answer to no open request was dropped: it came late or twice";
            return self.log(Level::Debug, line.into());
        };
        let queue = pending.queue;
        match result {
            Err(error)
                if error.is_token_refused()
                    && credentials.handle_refused(&mut pending.authorization, now) =>
            {
                pending.stage = Stage::Queued;
            }
            result => self.finish(transaction, result),
        }
        self.pump(queue, credentials);
    }

    /// Events were lost, the answers that are awaited among them.
    pub(super) fn handle_skipped(&mut self, error: &Error) {
        let awaited = |pending: &Pending<B>| matches!(pending.stage, Stage::Acknowledged { .. });
        let awaited = self.pending.iter().filter(|(_, pending)| awaited(pending));
        for transaction in awaited.map(|(transaction, _)| *transaction).collect::<Vec<_>>() {
            self.finish(transaction, Err(error.clone()));
        }
    }

    /// There is a new token: requests that waited for it go on, and the time that the page took
    /// does not count.
    pub(super) fn handle_token(&mut self, waited: Duration, credentials: &Credentials) {
        let mut queues = Vec::new();
        for pending in self.pending.values_mut().filter(|pending| !pending.is_sent()) {
            if !matches!(pending.request, Request::Destroy) {
                pending.deadline = pending.deadline + waited;
            }
            queues.push(pending.queue);
        }
        for queue in queues {
            self.pump(queue, credentials);
        }
    }

    /// There is a reason to believe that the next attempt succeeds: it does not wait.
    pub(super) fn hurry(&mut self, now: Time) {
        for pending in self.pending.values_mut() {
            if let Stage::Scheduled(due) = &mut pending.stage {
                *due = now;
            }
        }
    }

    /// Ends a request.
    fn finish(&mut self, transaction: TransactionId, result: Result<Message, Error>) {
        let Some(Pending { request, .. }) = self.pending.remove(&transaction) else { return };
        self.outputs.push_back(match &request {
            Request::Create { .. } => Output::Created(result.and_then(created)),
            Request::Keepalive => {
                Output::Probed(result.and_then(|message| answer(&request, message).map(|_| ())))
            }
            Request::Info => match result {
                Ok(Message::ServerInfo { session_timeout: Some(seconds), .. }) => {
                    Output::SessionTimeout(seconds)
                }
                // Where it is not answered, the next loss asks again.
                _ => return,
            },
            Request::Destroy => Output::Destroyed,
            Request::Attach { .. }
            | Request::Message { .. }
            | Request::Trickle(_)
            | Request::Detach => {
                let answered = result.and_then(|message| answer(&request, message));
                Output::Answered(transaction, answered.or_else(|error| forgiven(&request, error)))
            }
        });
    }

    // Deadlines.

    /// The moment by which [`Requests::handle_timeout`] must be called.
    pub(super) fn poll_timeout(&self, credentials: &Credentials) -> Option<Time> {
        self.pending
            .values()
            .filter(|pending| !pending.is_held(credentials))
            .map(|pending| match pending.stage {
                Stage::Scheduled(due) | Stage::Acknowledged { doubted: Some(due) } => {
                    due.min(pending.deadline)
                }
                _ => pending.deadline,
            })
            .fold(None, |first, deadline| earliest(first, Some(deadline)))
    }

    /// Ends one request that is late; if there is none, does all else that is due. To be called
    /// until nothing is due: a late `create` moves on to the next server, which renews the
    /// deadlines of the requests behind it.
    pub(super) fn handle_timeout(&mut self, credentials: &Credentials, now: Time) {
        let is_late =
            |pending: &Pending<B>| pending.deadline <= now && !pending.is_held(credentials);
        let late = self.pending.iter().find(|(_, pending)| is_late(pending));
        match late.map(|(transaction, _)| *transaction) {
            Some(transaction) => self.end_late(transaction, credentials),
            None => self.handle_due(credentials, now),
        }
    }

    fn end_late(&mut self, transaction: TransactionId, credentials: &Credentials) {
        let Some(pending) = self.pending.get(&transaction) else { return };
        let (queue, deadline) = (pending.queue, pending.deadline);
        let error = Error::Timeout { request: pending.request.name(), limit: self.limit };
        let is_acknowledged = matches!(pending.stage, Stage::Acknowledged { .. });
        if pending.is_sent() {
            self.outputs.push_back(Output::Cancel(transaction));
        }
        self.finish(transaction, Err(error.clone()));
        if is_acknowledged {
            self.outputs.push_back(Output::Unanswered { error, deadline });
        }
        self.pump(queue, credentials);
    }

    fn handle_due(&mut self, credentials: &Credentials, now: Time) {
        let mut queues = Vec::new();
        let mut is_doubted = false;
        for pending in self.pending.values_mut() {
            match &mut pending.stage {
                Stage::Acknowledged { doubted } => {
                    is_doubted |= doubted.take_if(|due| *due <= now).is_some();
                }
                Stage::Scheduled(due) if *due <= now => {
                    pending.stage = Stage::Queued;
                    queues.push(pending.queue);
                }
                _ => {}
            }
        }
        if is_doubted {
            self.outputs.push_back(Output::Doubt);
        }
        for queue in queues {
            self.pump(queue, credentials);
        }
    }

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Output::Log(level, line));
    }
}

/// The id that the gateway gave to a session.
fn created(message: Message) -> Result<SessionId, Error> {
    match message {
        Message::Success { id, .. } => Ok(SessionId(message::checked_id(id)?)),
        _ => Err(InvalidAnswer::Unexpected { request: "Create" }.into()),
    }
}

/// The answer to a request, if the message is one.
fn answer<B>(request: &Request<B>, message: Message) -> Result<Answer, Error> {
    match (request, message) {
        (Request::Attach { .. }, Message::Success { id, .. }) => {
            Ok(Answer::Attached(HandleId(message::checked_id(id)?)))
        }
        (Request::Message { .. }, Message::Reply { data, jsep, .. }) => {
            Ok(Answer::Plugin { data, jsep })
        }
        (Request::Message { .. }, Message::Success { data: Some(data), .. }) => {
            Ok(Answer::Plugin { data, jsep: None })
        }
        (
            Request::Trickle(_) | Request::Detach | Request::Keepalive,
            Message::Success { .. } | Message::Ack { .. },
        ) => Ok(Answer::Done),
        (request, _) => Err(InvalidAnswer::Unexpected { request: request.name() }.into()),
    }
}

/// Detaching an unknown handle counts as success.
fn forgiven<B>(request: &Request<B>, error: Error) -> Result<Answer, Error> {
    match (request, error) {
        (Request::Detach, Error::Refused { code: CoreCode::NO_SUCH_HANDLE, .. }) => {
            Ok(Answer::Done)
        }
        (_, error) => Err(error),
    }
}
