//! The core behind a lock, the real clock, and the wake-up of polls.

use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Faults;
use crate::gateway::RawGet;
use crate::{Gateway, Options, Poll, PollTicket, Response};

#[derive(Debug)]
pub(super) struct Shared {
    gateway: Mutex<Gateway>,
    started: Instant,
    /// Something changed: there may be events, or an earlier timeout.
    changed: Notify,
    pub(super) faults: Faults,
}

/// The result of a GET.
#[derive(Debug)]
pub(super) enum Answer {
    /// An answer without events.
    Response(Response),
    /// A poll's answer; `None` if it timed out.
    Events { events: Vec<Value>, max_events: usize },
}

impl Shared {
    pub(super) fn new(options: Options, faults: Faults) -> Self {
        Self {
            gateway: Mutex::new(Gateway::new(options)),
            started: Instant::now(),
            changed: Notify::new(),
            faults,
        }
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Response {
        let answer = self.with(|gateway, now| gateway.post(path, body, now));
        self.changed.notify_waiters();
        answer
    }

    /// Answers a GET: a poll when there is an event, or at its limit. Removes events that a fault
    /// drops; the poll then continues as if they had never existed.
    pub(super) async fn get(&self, path: &str, query: &str) -> Answer {
        loop {
            let answer = self.with(|gateway, now| gateway.raw_get(path, query, now));
            // There is a new deadline, and work that fell due meanwhile may concern others.
            self.changed.notify_waiters();
            let (mut events, max_events) = match answer {
                RawGet::Answer(answer) => return Answer::Response(answer),
                RawGet::Events { events, max_events } => (events, max_events),
                RawGet::Wait(ticket) => (self.wait_for_events(&ticket).await, ticket.max_events()),
            };
            let user = self.user(path);
            let were = events.len();
            events.retain(|event| !self.faults.loses(event, user.as_deref()));
            if events.len() == were || !events.is_empty() {
                return Answer::Events { events, max_events };
            }
        }
    }

    /// The user of a request: the registered name of the session in the path.
    pub(super) fn user(&self, path: &str) -> Option<String> {
        self.with(|gateway, _| gateway.user(path).map(str::to_owned))
    }

    /// Forgets every session, as a restart does.
    pub(super) fn restart(&self) {
        self.with(|gateway, now| gateway.restart(now));
        self.changed.notify_waiters();
    }

    async fn wait_for_events(&self, ticket: &PollTicket) -> Vec<Value> {
        loop {
            // Subscribed before the check, so that no event is missed between the check and the
            // wait.
            let changed = self.changed.notified();
            match self.with(|gateway, now| gateway.collect(ticket, now)) {
                Poll::Events(events) => return events,
                Poll::Wait(_) => changed.await,
                Poll::UnknownSession => return Vec::new(),
            }
        }
    }

    /// Runs the due work of the gateway, forever.
    pub(super) async fn keep_time(&self) {
        loop {
            let changed = self.changed.notified();
            let due = self.with(|gateway, _| gateway.next_timeout());
            let wait = due.map(|due| due.saturating_sub(self.started.elapsed()));
            tokio::select! {
                () = changed => {}
                () = async {
                    match wait {
                        Some(wait) => sleep(wait).await,
                        None => pending().await,
                    }
                } => {
                    self.with(|gateway, now| gateway.handle_timeout(now));
                    self.changed.notify_waiters();
                }
            }
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Gateway, Duration) -> T) -> T {
        let mut gateway = self.gateway.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that the gateway's time never goes back.
        let now = self.started.elapsed();
        let is_due = |gateway: &Gateway| gateway.next_timeout().is_some_and(|due| due <= now);
        let was_due = is_due(&gateway);
        let result = act(&mut gateway, now);
        // The first task that notices due work executes it, possibly for another poll.
        if was_due && !is_due(&gateway) {
            self.changed.notify_waiters();
        }
        result
    }
}
