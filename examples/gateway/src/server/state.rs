//! The core behind a lock, the true time, and the waking of polls.

use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::Faults;
use crate::{Gateway, Get, Options, Poll, PollTicket, Response};

#[derive(Debug)]
pub(super) struct Shared {
    gateway: Mutex<Gateway>,
    started: Instant,
    /// Something happened: there may be events, or an earlier timeout.
    changed: Notify,
    pub(super) faults: Faults,
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

    /// Answers a GET, a poll when there is something to say or at its limit.
    pub(super) async fn get(&self, path: &str, query: &str) -> Response {
        let answer = self.with(|gateway, now| gateway.get(path, query, now));
        // There is a limit more to keep, and what fell due meanwhile may be for others.
        self.changed.notify_waiters();
        match answer {
            Get::Answer(answer) => answer,
            Get::Wait(ticket) => self.wait_for_events(ticket).await,
        }
    }

    async fn wait_for_events(&self, ticket: PollTicket) -> Response {
        loop {
            // Before the look, so that nothing happens unseen between the look and the wait.
            let changed = self.changed.notified();
            match self.with(|gateway, now| gateway.collect(&ticket, now)) {
                Poll::Events(events) => return Response::events(events, ticket.max_events()),
                Poll::Wait(_) => changed.await,
                Poll::UnknownSession => return Response::keepalive(ticket.max_events()),
            }
        }
    }

    /// Lets the gateway do what falls due, for ever.
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
        // Read under the lock: the gateway's time never goes back.
        let now = self.started.elapsed();
        let is_due = |gateway: &Gateway| gateway.next_timeout().is_some_and(|due| due <= now);
        let was_due = is_due(&gateway);
        let result = act(&mut gateway, now);
        // Whoever comes first when something falls due does it, and it may be for another's poll.
        if was_due && !is_due(&gateway) {
            self.changed.notify_waiters();
        }
        result
    }
}
