//! What is known of the gateway's reach, and when to ask it where the call stands.
//!
//! The plugin has no request for that, but an `accept` without a description serves: it is refused either
//! way, with 482 (the description is missing) where there is a call and 481 where there is none, and it
//! changes nothing. What was sent before it was done before it.

use std::mem::take;
use std::time::Duration;

use super::error::Error;
use super::timer::{Timer, Timers};
use crate::signaling::Backoff;
use crate::time::Time;
use crate::usecase::Waiting;

/// How long an answer may be missing before it is asked for.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the page's commands wait for a gateway that is out of reach.
const OUTAGE: Duration = Duration::from_secs(10);
/// How many questions without an answer fail what is open.
const MOST_ATTEMPTS: u8 = 4;

#[derive(Debug)]
pub(super) struct Recovery {
    handle: Handle,
    reach: Reach,
    question: Question,
    /// Events may be lost.
    has_gap: bool,
    /// How often it was asked in vain.
    attempts: u8,
    /// The first of these questions was a precaution: nothing had failed. They do not count once something
    /// has.
    is_precaution: bool,
    /// The pauses between questions that only a doubt is the reason for.
    doubts: Backoff,
    /// The gateway is out of reach, or does not know us yet.
    trouble: Option<Error>,
    /// The page knows that not all is well.
    is_reported: bool,
    /// Requests for the list of users that wait for the next handle.
    lists: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handle {
    Attached,
    /// It, or the session, is being made.
    Detached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Up,
    /// Requests or polls fail.
    Down,
}

/// The question whether there is a call at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    None,
    Open,
}

/// What to do when a timer has fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask.
    Ask,
    /// Fail what is open: nothing comes.
    GiveUp,
}

impl Recovery {
    /// Without a handle yet.
    pub(super) fn new() -> Self {
        Self {
            handle: Handle::Detached,
            reach: Reach::Up,
            question: Question::None,
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

    /// Whether nothing stands in the way of what the page wants.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_detached() && self.is_reachable() && self.question == Question::None
    }

    pub(super) fn is_asking(&self) -> bool {
        self.question == Question::Open
    }

    // The gateway's reach.

    /// The gateway is out of reach.
    pub(super) fn handle_trouble(&mut self, error: Error, timers: &mut Timers, now: Time) {
        self.has_gap = true;
        self.reach = Reach::Down;
        self.trouble.get_or_insert(error);
        timers.set(Timer::Query, now + OUTAGE);
    }

    /// It is in reach again. Returns whether to ask where the call stands.
    pub(super) fn handle_restored(&mut self) -> bool {
        self.reach = Reach::Up;
        if take(&mut self.is_precaution) {
            self.attempts = 0;
        }
        !self.is_detached()
    }

    /// An event may be lost, or surely is, though nothing has failed.
    pub(super) fn handle_doubt(&mut self, is_lost: bool) {
        self.has_gap |= is_lost && !self.is_detached();
    }

    /// Has it asked whether there is a call. A doubt that comes again and again is followed with pauses.
    pub(super) fn doubt(&mut self, delay: Duration, jitter: u64, timers: &mut Timers, now: Time) {
        // When those are over, it is asked anyway.
        if self.is_settled() {
            timers.set_by(Timer::Doubt, self.doubts.now_or_next(jitter, now) + delay);
        }
    }

    /// As [`Recovery::doubt`], for an event that will probably come in a moment.
    pub(super) fn doubt_soon(&mut self, jitter: u64, timers: &mut Timers, now: Time) {
        self.doubt(PATIENCE, jitter, timers, now);
    }

    /// A call came: no event of it is missing.
    pub(super) fn trust(timers: &mut Timers) {
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

    // Questions.

    /// A request may be lost. Has it asked a moment later.
    pub(super) fn handle_uncertain(&mut self, timers: &mut Timers, now: Time) {
        let pause = if self.is_reachable() { PATIENCE } else { OUTAGE };
        timers.set_once(Timer::Query, now + pause);
    }

    /// The timer for a question has fired, by itself or for a doubt.
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

    /// Counts a question. Returns false where there were enough.
    pub(super) fn may_ask(&mut self, timers: &mut Timers) -> bool {
        timers.stop(Timer::Query);
        self.attempts = self.attempts.saturating_add(1);
        self.attempts <= MOST_ATTEMPTS
    }

    /// The question is sent.
    pub(super) fn handle_asked(&mut self, timers: &mut Timers, now: Time) {
        self.question = Question::Open;
        // The poll that failed may take this answer too: Janus does not know yet that it is dead.
        let patience = PATIENCE.saturating_mul(2u32.saturating_pow(self.attempts.into()));
        timers.set(Timer::Query, now + patience);
    }

    /// The question is answered. Returns whether events may be lost.
    pub(super) fn handle_told(&mut self, timers: &mut Timers) -> bool {
        self.question = Question::None;
        timers.stop(Timer::Query);
        take(&mut self.has_gap)
    }

    /// Nothing is open any more: the next question is the first.
    pub(super) fn forget_attempts(&mut self) {
        self.attempts = 0;
    }

    /// Nothing more is asked.
    pub(super) fn give_up(&mut self) {
        self.has_gap = false;
        self.question = Question::None;
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

    /// Notes whether the page knows of trouble. Returns whether that is news to it.
    pub(super) fn report(&mut self, is_trouble: bool) -> bool {
        std::mem::replace(&mut self.is_reported, is_trouble) != is_trouble
    }
}
