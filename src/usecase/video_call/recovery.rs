//! Whether the gateway is in reach, and when to query whether there is a call.
//!
//! The plugin has no such query, but an `accept` without a description serves as one. It is always
//! refused, with 482 (missing description) if there is a call and 481 if there is none, and changes
//! nothing. The plugin has executed all earlier requests of the handle when it answers.

use std::mem::take;
use std::time::Duration;

use super::error::Error;
use super::timer::{Timer, Timers};
use crate::signaling::Backoff;
use crate::time::Time;
use crate::usecase::Waiting;

/// The delay before a query when an answer is missing. It also is the base of a query's time limit.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time limit of the page's commands while the gateway is out of reach.
const OUTAGE: Duration = Duration::from_secs(10);
/// The maximum of unanswered queries, after which the open requests fail.
const MOST_ATTEMPTS: u8 = 4;

#[derive(Debug)]
pub(super) struct Recovery {
    handle: Handle,
    reach: Reach,
    query: Query,
    /// Events may be lost.
    has_gap: bool,
    /// The number of queries since the last success.
    attempts: u8,
    /// The first of these queries was a precaution: nothing had failed. They do not count once the
    /// gateway was out of reach.
    is_precaution: bool,
    /// The pauses between precautionary queries.
    doubts: Backoff,
    /// Why the gateway is out of reach, or has no handle or name of ours yet.
    trouble: Option<Error>,
    /// Whether the page was told that we are reconnecting.
    is_reported: bool,
    /// `getPeers()` commands that wait for the next handle.
    lists: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handle {
    Attached,
    /// The handle or its session is being created.
    Detached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Up,
    /// Requests or polls fail.
    Down,
}

/// The query whether the gateway has us in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    None,
    Open,
}

/// The next step when a timer has fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send the query.
    Ask,
    /// Fail the open requests, since no answer comes.
    GiveUp,
}

impl Recovery {
    /// The state without a handle.
    pub(super) fn new() -> Self {
        Self {
            handle: Handle::Detached,
            reach: Reach::Up,
            query: Query::None,
            has_gap: false,
            attempts: 0,
            is_precaution: false,
            doubts: Backoff::default(),
            trouble: None,
            is_reported: false,
            lists: Vec::new(),
        }
    }

    pub(super) fn is_detached(&self) -> bool {
        self.handle == Handle::Detached
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.reach == Reach::Up
    }

    /// Whether there is a handle, the gateway is in reach and no query is open.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_detached() && self.is_reachable() && self.query == Query::None
    }

    pub(super) fn is_asking(&self) -> bool {
        self.query == Query::Open
    }

    // The gateway's reach.

    /// The gateway is out of reach.
    pub(super) fn handle_trouble(&mut self, error: Error, timers: &mut Timers, now: Time) {
        self.has_gap = true;
        self.reach = Reach::Down;
        self.trouble.get_or_insert(error);
        timers.set(Timer::Query, now + OUTAGE);
    }

    /// The gateway is in reach again. Returns whether to send the query.
    pub(super) fn handle_restored(&mut self) -> bool {
        self.reach = Reach::Up;
        if take(&mut self.is_precaution) {
            self.attempts = 0;
        }
        !self.is_detached()
    }

    /// An event is lost or may be lost, although nothing has failed.
    pub(super) fn handle_doubt(&mut self, is_lost: bool) {
        self.has_gap |= is_lost && !self.is_detached();
    }

    /// Schedules a precautionary query. Frequent doubts are followed with growing pauses.
    pub(super) fn doubt(&mut self, delay: Duration, jitter: u64, timers: &mut Timers, now: Time) {
        // Otherwise a query follows anyway.
        if self.is_settled() {
            timers.set_by(Timer::Doubt, self.doubts.now_or_next(jitter, now) + delay);
        }
    }

    /// Like [`Recovery::doubt`], if the event will probably arrive in a moment.
    pub(super) fn doubt_soon(&mut self, jitter: u64, timers: &mut Timers, now: Time) {
        self.doubt(PATIENCE, jitter, timers, now);
    }

    /// A call came, so its event is not missing.
    pub(super) fn cancel_doubt(timers: &mut Timers) {
        timers.stop(Timer::Doubt);
    }

    /// The handle is lost.
    pub(super) fn handle_detached(&mut self, timers: &mut Timers) {
        timers.stop(Timer::Query);
        timers.stop(Timer::Doubt);
        let (is_reported, trouble) = (self.is_reported, self.trouble.take());
        *self = Self { is_reported, trouble, lists: take(&mut self.lists), ..Self::new() };
    }

    pub(super) fn handle_attached(&mut self) {
        self.handle = Handle::Attached;
    }

    // Queries.

    /// An answer may be lost. Schedules a query.
    pub(super) fn handle_uncertain(&mut self, timers: &mut Timers, now: Time) {
        let pause = if self.is_reachable() { PATIENCE } else { OUTAGE };
        timers.set_once(Timer::Query, now + pause);
    }

    /// [`Timer::Query`] or [`Timer::Doubt`] has fired.
    pub(super) fn handle_timeout(&mut self, timer: Timer) -> Option<Step> {
        match timer {
            Timer::Doubt if !self.is_settled() => None,
            Timer::Doubt => {
                self.is_precaution = self.attempts == 0;
                Some(Step::Ask)
            }
            Timer::Query if !self.is_reachable() => Some(Step::GiveUp),
            _ => Some(Step::Ask),
        }
    }

    /// Counts a query. Returns false if there were too many.
    pub(super) fn may_ask(&mut self, timers: &mut Timers) -> bool {
        timers.stop(Timer::Query);
        self.attempts = self.attempts.saturating_add(1);
        self.attempts <= MOST_ATTEMPTS
    }

    /// The query was sent.
    pub(super) fn handle_asked(&mut self, timers: &mut Timers, now: Time) {
        self.query = Query::Open;
        // Janus may give this answer to the failed poll too, since it does not know yet that it is
        // dead.
        let patience = PATIENCE.saturating_mul(2u32.saturating_pow(self.attempts.into()));
        timers.set(Timer::Query, now + patience);
    }

    /// The query was answered. Returns whether events may be lost.
    pub(super) fn handle_answered(&mut self, timers: &mut Timers) -> bool {
        self.query = Query::None;
        timers.stop(Timer::Query);
        take(&mut self.has_gap)
    }

    /// No request is uncertain any more, so the count of queries starts again.
    pub(super) fn forget_attempts(&mut self) {
        self.attempts = 0;
    }

    /// Stops the queries.
    pub(super) fn give_up(&mut self) {
        self.has_gap = false;
        self.query = Query::None;
        self.attempts = 0;
    }

    // Lists.

    pub(super) fn keep_list(&mut self, list: Waiting) {
        self.lists.push(list);
    }

    pub(super) fn take_lists(&mut self) -> Vec<Waiting> {
        take(&mut self.lists)
    }

    // The page.

    pub(super) fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    pub(super) fn set_trouble(&mut self, error: Error) {
        self.trouble = Some(error);
    }

    pub(super) fn forget_trouble(&mut self) {
        self.trouble = None;
    }

    /// Notes whether the page is told that we are reconnecting. Returns whether that is a change.
    pub(super) fn report(&mut self, is_trouble: bool) -> bool {
        std::mem::replace(&mut self.is_reported, is_trouble) != is_trouble
    }
}
