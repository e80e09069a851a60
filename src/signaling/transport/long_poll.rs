//! The HTTP transport of Janus: requests are POSTs, and events come by one long poll.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use vecmap::VecMap;

use super::http::{HttpId, HttpRequest, HttpResponse};
use super::poll::{Failure, Poll, Timer};
use super::{Doubt, Event, Io, Outgoing, Settings, Target};
use crate::config::ServerUrl;
use crate::log::Level;
use crate::signaling::budget::Budget;
use crate::signaling::credentials::{Authorization, Credentials};
use crate::signaling::error::{Error, InvalidAnswer, given_up};
use crate::signaling::message::{Message, Request};
use crate::signaling::redact::percent_encode;
use crate::signaling::requests::TransactionId;
use crate::time::Time;

/// How far behind the request for the session those go out that are sent ahead of its answer. The
/// browser posts them on connections of their own: one that came first would be refused, and cost a
/// round trip more.
const HEAD_START: Duration = Duration::from_millis(3);

/// How many POSTs may follow each other at once, and how often one may then. A page stays far
/// below, and so do all retries, which have pauses of their own.
const BURST: u32 = 200;
const INTERVAL: Duration = Duration::from_millis(125);

/// Only the beginning of a poll keeps a session alive, and that may be so long ago.
const LONGEST_POLL: Duration = Duration::from_secs(35);

pub(super) struct LongPoll {
    settings: Settings,
    random: Rc<dyn Fn() -> u64>,
    /// Goes with every request: a balancer that hashes it sends all of them to the same gateway.
    client: String,
    /// Where requests go; none before the first `open`.
    server: Option<ServerUrl>,
    /// The POSTs under way.
    posts: VecMap<HttpId, TransactionId>,
    /// The POST that makes the session, while it is under way.
    create: Option<Create>,
    poll: Poll,
    /// The token of the last poll.
    authorization: Authorization,
    media_flows: bool,
    budget: Budget,
    last_http: u64,
    outputs: VecDeque<Event>,
}

struct Create {
    http: HttpId,
    /// Until then no other request is sent.
    head_start: Time,
}

impl LongPoll {
    pub(super) fn new(settings: Settings, random: Rc<dyn Fn() -> u64>) -> Self {
        Self {
            settings,
            client: format!("{:016x}", random()),
            random,
            server: None,
            posts: VecMap::new(),
            create: None,
            poll: Poll::default(),
            authorization: Authorization::default(),
            media_flows: false,
            budget: Budget::new(INTERVAL, BURST),
            last_http: 0,
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn open(&mut self, server: &ServerUrl) {
        self.server = Some(server.clone());
    }

    pub(super) fn longest_silence(&self) -> Duration {
        LONGEST_POLL
    }

    pub(super) fn retain_while_media_flows(&mut self, media_flows: bool) {
        self.media_flows = media_flows;
    }

    pub(super) fn poll_output(&mut self) -> Option<Event> {
        self.outputs.pop_front()
    }

    // Requests.

    pub(super) fn send<B: Serialize>(
        &mut self,
        outgoing: &Outgoing<'_, B>,
        credentials: &Credentials,
        now: Time,
    ) -> Result<(), Time> {
        let Some(url) = self.url(outgoing.target, credentials) else { return Ok(()) };
        if outgoing.target != Target::Server
            && let Some(create) = self.create.as_ref().filter(|create| create.head_start > now)
        {
            return Err(create.head_start);
        }
        self.budget.take(now)?;
        let id = self.next_http();
        if matches!(outgoing.request, Request::Create { .. }) {
            self.create = Some(Create { http: id, head_start: now + HEAD_START });
        }
        // The response to an earlier POST of the same request counts no more.
        self.posts.retain(|_, transaction| *transaction != outgoing.transaction);
        self.posts.insert(id, outgoing.transaction);
        self.log(Level::Trace, format!("POST {}", outgoing.request.name()));
        let body = Some(outgoing.to_json(credentials));
        self.io(Io::Fetch(HttpRequest { id, url, body }));
        Ok(())
    }

    pub(super) fn send_last<B: Serialize>(
        &mut self,
        outgoing: &Outgoing<'_, B>,
        credentials: &Credentials,
    ) {
        let Some(url) = self.url(outgoing.target, credentials) else { return };
        self.io(Io::Beacon { url, body: outgoing.to_json(credentials) });
    }

    pub(super) fn cancel(&mut self, transaction: TransactionId) {
        let mut posts = self.posts.iter();
        if let Some((&http, _)) = posts.find(|(_, other)| **other == transaction) {
            self.end_post(http);
            self.io(Io::Abort(http));
        }
    }

    fn end_post(&mut self, http: HttpId) -> Option<TransactionId> {
        self.create.take_if(|create| create.http == http);
        self.posts.remove(&http)
    }

    /// Janus ignores arguments that it does not know, of a POST as of a GET.
    fn url(&self, target: Target, credentials: &Credentials) -> Option<String> {
        let server = self.server.as_ref()?;
        let path = match (target, credentials.session()) {
            (Target::Server, _) => server.join(""),
            (Target::Session, Some(id)) => server.join(&id.0.to_string()),
            (Target::Handle(handle), Some(id)) => server.join(&format!("{}/{}", id.0, handle.0)),
            (Target::Session | Target::Handle(_), None) => return None,
        };
        Some(format!("{path}?client={}", self.client))
    }

    fn next_http(&mut self) -> HttpId {
        self.last_http = self.last_http.saturating_add(1);
        HttpId(self.last_http)
    }

    pub(super) fn handle_http(
        &mut self,
        id: HttpId,
        response: &HttpResponse,
        credentials: &mut Credentials,
        now: Time,
    ) {
        if self.poll.http() == Some(id) {
            return self.handle_poll(response, credentials, now);
        }
        if let Some(transaction) = self.end_post(id) {
            self.outputs.push_back(match response.read_post(credentials) {
                Ok(message) => Event::Answered(transaction, message),
                Err(error) => Event::Failed(transaction, error),
            });
        }
    }

    // The poll.

    pub(super) fn listen(&mut self, credentials: &Credentials, now: Time) {
        self.start_poll(credentials, now);
    }

    pub(super) fn stop(&mut self) {
        if let Some(http) = self.poll.stop() {
            self.io(Io::Abort(http));
        }
    }

    pub(super) fn hurry(&mut self, now: Time) {
        self.poll.hurry(now);
    }

    pub(super) fn handle_token(&mut self, credentials: &Credentials, now: Time) {
        if self.poll.is_suspended() {
            self.start_poll(credentials, now);
        }
    }

    fn start_poll(&mut self, credentials: &Credentials, now: Time) {
        if credentials.is_asking() {
            return self.poll.suspend();
        }
        let Some(mut url) = self.url(Target::Session, credentials) else { return };
        let id = self.next_http();
        // No cache on the way has an answer to an address that was never asked: a service worker
        // would give the former one for ever.
        url.push_str(&format!("&maxev={}&poll={}", self.settings.poll_events.max(1), id.0));
        let secrets = [("apisecret", credentials.api_secret()), ("token", credentials.token())];
        for (key, secret) in secrets {
            if let Some(secret) = secret {
                url.push_str(&format!("&{key}={}", percent_encode(secret)));
            }
        }
        credentials.authorize(&mut self.authorization);
        self.poll.start(id, now);
        self.outputs.push_back(Event::Refreshed);
        self.io(Io::Fetch(HttpRequest { id, url, body: None }));
    }

    /// The next poll goes out behind what the last one led to.
    pub(super) fn handle_drained(&mut self, credentials: &Credentials, now: Time) {
        if self.poll.pop_next(now) {
            self.start_next(credentials, now);
        }
    }

    fn start_next(&mut self, credentials: &Credentials, now: Time) {
        self.start_poll(credentials, now);
        // A poll that works says so only when there is an event.
        if self.poll.is_failing() {
            self.outputs.push_back(Event::Probe);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.poll.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, credentials: &Credentials, now: Time) {
        while let Some(timer) = self.poll.pop_expired(now) {
            match timer {
                Timer::Proof => self.recover(),
                Timer::Overdue => {
                    self.doubt("a poll takes longer than it should", Doubt::Possible);
                    self.outputs.push_back(Event::Probe);
                }
                Timer::Silence => {
                    let cause = "no answer to a poll".into();
                    self.abort_poll(Error::Unreachable { cause }, now);
                }
                Timer::Next => self.start_next(credentials, now),
            }
        }
    }

    fn handle_poll(&mut self, response: &HttpResponse, credentials: &mut Credentials, now: Time) {
        if let Some(overlong) = response.overlong() {
            return self.skip_poll(overlong.into(), response.body(), now);
        }
        match response.read_poll(credentials) {
            Ok(batch) => {
                self.handle_batch(&batch, response.body(), now);
                credentials.handle_accepted(&self.authorization);
                self.authorization = Authorization::default();
                self.outputs.extend(batch.into_iter().map(Event::Message));
            }
            // A refusal brings nothing: it is no sign yet that all is well.
            Err(error)
                if error.is_token_refused()
                    && credentials.handle_refused(&mut self.authorization, now) =>
            {
                self.start_poll(credentials, now);
            }
            Err(error) if error.is_session_lost() => self.outputs.push_back(Event::Down(error)),
            // So may something in between: a keepalive tells.
            Err(error) if error.is_unauthorized() => {
                let answer = InvalidAnswer::Status { status: 403, body: String::new() };
                self.fail(answer.into(), now);
                self.outputs.push_back(Event::Probe);
            }
            Err(error) => self.fail(error, now),
        }
    }

    fn handle_batch(&mut self, batch: &[Message], body: &str, now: Time) {
        self.outputs.push_back(Event::Receiving);
        self.recover();
        let is_keepalive = |message: &_| matches!(message, Message::Keepalive);
        if !batch.is_empty()
            && batch.iter().all(is_keepalive)
            && let Some(doubt) = self.poll.judge(now)
        {
            self.doubt("another poll took the event that woke this one", doubt);
        }
        let is_nothing = |message: &_| matches!(message, Message::Keepalive | Message::Unknown(_));
        self.poll.handle_answered(!batch.iter().all(is_nothing), body, now);
    }

    /// A poll brought more than is read. That is no silence: whoever made it so must not end the
    /// session by it. But the events in it are lost.
    fn skip_poll(&mut self, error: Error, body: &str, now: Time) {
        self.log(Level::Warn, format!("a poll was skipped: {error}"));
        self.recover();
        self.poll.handle_answered(false, body, now);
        self.outputs.push_back(Event::Skipped(error));
        self.doubt("a poll was skipped", Doubt::Lost);
    }

    // Failures.

    pub(super) fn handle_probed(&mut self, result: Result<(), Error>, now: Time) {
        match result {
            Ok(()) => {
                if self.poll.handle_present(now) {
                    self.outputs.push_back(Event::Restored);
                }
            }
            // The poll's connection is as dead, and would only show it later.
            Err(error) => self.abort_poll(error, now),
        }
    }

    /// If a poll that has been open all the while did not bring the answer, its connection is dead
    /// without knowing it.
    pub(super) fn handle_unanswered(&mut self, error: Error, deadline: Time, now: Time) {
        let limit = self.settings.request_timeout;
        if self.poll.waits_since().is_some_and(|since| since + limit <= deadline) {
            self.abort_poll(error, now);
        }
    }

    /// Gives up the poll that is open, if there is one.
    fn abort_poll(&mut self, error: Error, now: Time) {
        if let Some(http) = self.poll.http() {
            self.io(Io::Abort(http));
            self.fail(error, now);
        }
    }

    fn fail(&mut self, error: Error, now: Time) {
        self.log(Level::Warn, format!("a poll failed: {error}"));
        let limit = if self.media_flows { Duration::MAX } else { self.settings.retry_limit };
        let failure = match error {
            Error::InvalidAnswer(_) => Failure::Refused,
            _ => Failure::Unanswered,
        };
        let is_first = !self.poll.is_failing();
        if !self.poll.handle_failed(failure, limit, (self.random)(), now) {
            self.outputs.push_back(Event::Down(given_up(&error)));
        } else if is_first {
            self.outputs.push_back(Event::Trouble(error));
        }
    }

    fn recover(&mut self) {
        if self.poll.recover() {
            self.outputs.push_back(Event::Restored);
        }
    }

    fn doubt(&mut self, why: &'static str, doubt: Doubt) {
        self.outputs.push_back(Event::Doubt(why, doubt));
    }

    fn log(&mut self, level: Level, line: String) {
        self.outputs.push_back(Event::Log(level, line));
    }

    fn io(&mut self, io: Io) {
        self.outputs.push_back(Event::Io(io));
    }
}
