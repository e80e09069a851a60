//! The way to the gateway: one interface, behind which the session does not know how requests
//! travel and how events come back.
//!
//! The session calls the methods of [`Transport`] and drains [`Transport::poll_output`]. Input of
//! one kind of transport (`handle_http`) and [`Io`] pass through the session untouched.

mod http;
mod long_poll;
mod poll;

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::credentials::Credentials;
use super::error::Error;
use super::message::{Envelope, HandleId, Message, Request};
use super::requests::TransactionId;
use crate::config::ServerUrl;
use crate::log::Level;
use crate::time::Time;
pub use http::{HttpId, HttpRequest, HttpResponse};
use long_poll::LongPoll;

/// Something for the browser to do. Its result, if there is one, comes back as an input.
pub enum Io {
    /// Make this HTTP request; its response goes to `handle_http`.
    Fetch(HttpRequest),
    /// Abort that one; its response is no longer wanted.
    Abort(HttpId),
    /// Send this body to this address even while the page is being left (W3C Beacon); nothing comes
    /// back.
    Beacon {
        /// The address. Holds the session id: not for logs.
        url: String,
        /// The body, as `text/plain`.
        body: String,
    },
}

/// A sign that an event went into a poll that nobody reads any more, although none has failed.
///
/// Browsers repeat a GET by themselves if its connection, used before, was closed before the first
/// byte of the answer. Janus does not notice, keeps both, and gives the next event to the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// An event was lost: it woke this poll, and another poll took it.
    Lost,
    /// One may be lost: there was another poll, or an answer is missing.
    Possible,
}

/// The part of the gateway that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The gateway itself.
    Server,
    /// The session of the credentials.
    Session,
    /// A handle in that session.
    Handle(HandleId),
}

/// A request on its way to the gateway. `B` is the body of messages to plugins.
pub(super) struct Outgoing<'a, B> {
    pub(super) transaction: TransactionId,
    pub(super) target: Target,
    pub(super) request: &'a Request<B>,
}

impl<B: Serialize> Outgoing<'_, B> {
    /// The request as the gateway reads it where the address names the target.
    fn to_json(&self, credentials: &Credentials) -> String {
        let envelope = Envelope {
            request: self.request,
            transaction: self.transaction.0.to_string(),
            apisecret: credentials.api_secret(),
            token: credentials.token(),
        };
        envelope.to_json()
    }
}

/// A report of the transport.
pub(super) enum Event {
    /// Do this.
    Io(Io),
    /// The gateway answered a request on the spot, perhaps with an `ack` only.
    Answered(TransactionId, Message),
    /// A request failed, or the gateway refused it on the spot.
    Failed(TransactionId, Error),
    /// A message that the gateway sent by itself. Answers of plugins are among them.
    Message(Message),
    /// The gateway has sent something by itself: events arrive.
    Receiving,
    /// The transport begins a request of its own that keeps the session alive.
    Refreshed,
    /// Only the gateway can tell whether the session is still there: ask it, and report the answer
    /// to [`Transport::handle_probed`].
    Probe,
    /// Events do not arrive; the transport tries again.
    Trouble(Error),
    /// The trouble is over.
    Restored,
    /// An event may be lost, for this reason.
    Doubt(&'static str, Doubt),
    /// Messages could not be read: the answers that are awaited were lost.
    Skipped(Error),
    /// The session is lost, or given up.
    Down(Error),
    /// A line for the log.
    Log(Level, String),
}

/// The settings of a transport.
pub(super) struct Settings {
    /// The most events in one answer to a poll.
    pub(super) poll_events: u32,
    /// How long the gateway may take for an answer.
    pub(super) request_timeout: Duration,
    /// How long events may fail to arrive until the session is given up.
    pub(super) retry_limit: Duration,
}

/// The transport of the server that is being used.
///
/// There is one kind. A WebSocket would be another field: `open` chooses between the two by the
/// server's scheme. Limits of rate outlive a change of server, and so does each of them.
pub(super) struct Transport {
    long_poll: LongPoll,
}

impl Transport {
    pub(super) fn new(settings: Settings, random: Rc<dyn Fn() -> u64>) -> Self {
        Self { long_poll: LongPoll::new(settings, random) }
    }

    /// Requests go to this server from now on.
    pub(super) fn open(&mut self, server: &ServerUrl) {
        self.long_poll.open(server);
    }

    /// Sends a request now, or says when there will be room for it.
    ///
    /// A session's `create` is followed at once by the requests that are sent ahead of its answer.
    /// The transport sees to it that the gateway reads them in that order. Everything else that is
    /// under way at the same time may be read in any order.
    pub(super) fn send<B: Serialize>(
        &mut self,
        outgoing: &Outgoing<'_, B>,
        credentials: &Credentials,
        now: Time,
    ) -> Result<(), Time> {
        self.long_poll.send(outgoing, credentials, now)
    }

    /// Nobody waits for the answer to this request any more. Ignored if it is not under way.
    pub(super) fn cancel(&mut self, transaction: TransactionId) {
        self.long_poll.cancel(transaction);
    }

    /// The session is there: its events are wanted.
    pub(super) fn listen(&mut self, credentials: &Credentials, now: Time) {
        self.long_poll.listen(credentials, now);
    }

    /// Events are not wanted any more. Idempotent.
    pub(super) fn stop(&mut self) {
        self.long_poll.stop();
    }

    /// Sends a last request while the page is being left. No answer comes.
    pub(super) fn send_last<B: Serialize>(
        &mut self,
        outgoing: &Outgoing<'_, B>,
        credentials: &Credentials,
    ) {
        self.long_poll.send_last(outgoing, credentials);
    }

    /// The longest time between two [`Event::Refreshed`] of a session that nobody uses.
    pub(super) fn longest_silence(&self) -> Duration {
        self.long_poll.longest_silence()
    }

    /// While media flows, the session is not given up, however long events fail to arrive: the call
    /// would end with it.
    pub(super) fn retain_while_media_flows(&mut self, media_flows: bool) {
        self.long_poll.retain_while_media_flows(media_flows);
    }

    /// There is a reason to believe that the next attempt succeeds: it does not wait.
    pub(super) fn hurry(&mut self, now: Time) {
        self.long_poll.hurry(now);
    }

    /// The response to [`Io::Fetch`].
    pub(super) fn handle_http(
        &mut self,
        id: HttpId,
        response: &HttpResponse,
        credentials: &mut Credentials,
        now: Time,
    ) {
        self.long_poll.handle_http(id, response, credentials, now);
    }

    /// The events of the last response are dealt with, and the requests that they led to are sent.
    pub(super) fn handle_drained(&mut self, credentials: &Credentials, now: Time) {
        self.long_poll.handle_drained(credentials, now);
    }

    /// There is a new token.
    pub(super) fn handle_token(&mut self, credentials: &Credentials, now: Time) {
        self.long_poll.handle_token(credentials, now);
    }

    /// The answer to [`Event::Probe`], or to any other question whether the session is there. An
    /// answer that ends the session does not come here.
    pub(super) fn handle_probed(&mut self, result: Result<(), Error>, now: Time) {
        self.long_poll.handle_probed(result, now);
    }

    /// The gateway took a request, and its answer did not arrive by the deadline.
    pub(super) fn handle_unanswered(&mut self, error: Error, deadline: Time, now: Time) {
        self.long_poll.handle_unanswered(error, deadline, now);
    }

    /// The time has come.
    pub(super) fn handle_timeout(&mut self, credentials: &Credentials, now: Time) {
        self.long_poll.handle_timeout(credentials, now);
    }

    /// The moment by which [`Transport::handle_timeout`] must be called.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.long_poll.poll_timeout()
    }

    /// The next event, if there is one.
    pub(super) fn poll_output(&mut self) -> Option<Event> {
        self.long_poll.poll_output()
    }
}
