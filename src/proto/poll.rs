//! The long poll: one at a time, always one open, tried again with growing delays when it fails.

use std::time::Duration;

use super::backoff::Backoff;
use super::session::HttpId;
use crate::time::Time;

/// The gateway answers a poll within 30 s; what is silent for longer is broken. Such a poll is
/// given up late and not casually: an event given to an aborted poll is lost.
const SILENCE: Duration = Duration::from_secs(45);

/// A poll that brings nothing, and at once, is not repeated at once.
const LULL: Duration = Duration::from_millis(500);

/// The state of the poll.
#[derive(Default)]
pub(super) struct Poll {
    state: State,
    failing: Option<Failing>,
}

#[derive(Default)]
enum State {
    #[default]
    Off,
    Waiting {
        http: HttpId,
        since: Time,
    },
    Paused {
        until: Time,
    },
}

struct Failing {
    since: Time,
    backoff: Backoff,
}

impl Poll {
    pub(super) fn start(&mut self, http: HttpId, now: Time) {
        self.state = State::Waiting { http, since: now };
    }

    /// Stops; what is under way is for the caller to abort.
    pub(super) fn stop(&mut self) -> Option<HttpId> {
        let under_way = self.http();
        *self = Self::default();
        under_way
    }

    /// The next one waits for a token. Nothing may be under way.
    pub(super) fn suspend(&mut self) {
        self.state = State::Off;
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    pub(super) fn http(&self) -> Option<HttpId> {
        match self.state {
            State::Waiting { http, .. } => Some(http),
            State::Off | State::Paused { .. } => None,
        }
    }

    /// Something came from the gateway. Says whether that is news.
    pub(super) fn heard(&mut self) -> bool {
        self.failing.take().is_some()
    }

    /// Since when the poll that is open waits.
    pub(super) fn waits_since(&self) -> Option<Time> {
        match self.state {
            State::Waiting { since, .. } => Some(since),
            State::Off | State::Paused { .. } => None,
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// There is a reason to believe that the next attempt works: no waiting.
    pub(super) fn hurry(&mut self, now: Time) {
        if let State::Paused { until } = &mut self.state {
            *until = now;
        }
        if let Some(failing) = &mut self.failing {
            failing.backoff = Backoff::default();
        }
    }

    /// The poll was answered. The next one is due at once, unless this one was empty and early.
    pub(super) fn succeeded(&mut self, brought_something: bool, now: Time) {
        let early = matches!(self.state, State::Waiting { since, .. } if now.since(since) < LULL);
        let pause = if early && !brought_something { LULL } else { Duration::ZERO };
        self.state = State::Paused { until: now + pause };
    }

    /// The poll failed. Says whether it may be tried again; `jitter` is random.
    pub(super) fn failed(&mut self, limit: Duration, jitter: u64, now: Time) -> bool {
        let failing =
            self.failing.get_or_insert(Failing { since: now, backoff: Backoff::default() });
        if now.since(failing.since) >= limit {
            return false;
        }
        self.state = State::Paused { until: failing.backoff.next(jitter, now) };
        true
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Off => None,
            State::Waiting { since, .. } => Some(since + SILENCE),
            State::Paused { until } => Some(until),
        }
    }
}
