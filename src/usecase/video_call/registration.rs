//! The name of a video call object: its registration, also again with each new handle.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::error::{Error, Misuse, PluginCode};
use super::event::Event;
use super::guest::guest_name;
use super::message::PluginEvent;
use super::requests::MOST_REPEATS;
use super::timer::{Timer, Timers};
use crate::config::UserName;
use crate::signaling::Backoff;
use crate::time::Time;
use crate::usecase::{Command, Waiting};

/// The maximum of guest names to try after the first one.
const MOST_GUEST_NAMES: u8 = 5;
/// A lost session of ours may hold the name for the gateway's session timeout, which is 60 s by
/// default. This is half as much again.
const NAME_HELD: Duration = Duration::from_secs(90);

/// An output of the registration.
#[derive(Debug)]
pub(super) enum Output {
    /// Register this name; the answer goes to [`Registration::handle_answer`].
    Register(UserName),
    /// Report an event to the page.
    Event(Event),
    /// A command of the page ended.
    Done(Command, Result<UserName, Error>),
    /// The registration failed, and no command waits for it.
    Unawaited(Error),
    /// The registration failed, so a call that waits for the name fails too.
    Failed(Error),
    /// The registration has ended, well or not.
    Settled,
    /// A line for the log.
    Log(String),
}

pub(super) struct Registration {
    state: State,
    has_handle: bool,
    random: Rc<dyn Fn() -> u64>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// No name is held or requested.
    None,
    /// A command waits for a name.
    Registering(Attempt, Waiting),
    /// The name was lost with its handle, and is being registered again. No command waits for it.
    Reclaiming(Attempt),
    /// The name is ours.
    Held(UserName),
}

#[derive(Debug)]
struct Attempt {
    name: UserName,
    /// The number of guest names that may still be tried.
    guests_left: u8,
    retries: Option<Retries>,
}

/// Retries of a taken name, which a dead session of our own may hold until it times out.
#[derive(Debug)]
struct Retries {
    until: Time,
    backoff: Backoff,
    /// The number of lost answers while the gateway was in reach.
    losses: u8,
}

impl Retries {
    fn new(until: Time) -> Self {
        Self { until, backoff: Backoff::default(), losses: 0 }
    }
}

impl Registration {
    pub(super) fn new(random: Rc<dyn Fn() -> u64>) -> Self {
        Self { state: State::None, has_handle: false, random, outputs: VecDeque::new() }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The registered name.
    pub(super) fn name(&self) -> Option<&UserName> {
        match &self.state {
            State::Held(name) => Some(name),
            _ => None,
        }
    }

    /// The name that is being registered.
    pub(super) fn wanted(&self) -> Option<&UserName> {
        match &self.state {
            State::Registering(attempt, _) | State::Reclaiming(attempt) => Some(&attempt.name),
            State::None | State::Held(_) => None,
        }
    }

    pub(super) fn is_reclaiming(&self) -> bool {
        matches!(self.state, State::Reclaiming(_))
    }

    /// Registers a name; a guest name if `wanted` is `None`.
    pub(super) fn register(&mut self, command: Command, wanted: Option<UserName>) {
        let is_wanted = |name: &UserName| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let error = match &self.state {
            State::Held(name) if is_wanted(name) => {
                let name = name.clone();
                self.report(&name, true);
                return self.outputs.push_back(Output::Done(command, Ok(name)));
            }
            State::Held(name) => Misuse::AlreadyRegistered { name: name.clone() },
            State::Reclaiming(attempt) if is_wanted(&attempt.name) => {
                if let State::Reclaiming(attempt) = self.take_state() {
                    self.state = State::Registering(attempt, Waiting::new(command));
                }
                return;
            }
            State::Registering(attempt, _) | State::Reclaiming(attempt) => {
                Misuse::Registering { name: attempt.name.clone() }
            }
            State::None => {
                let guests_left = if wanted.is_some() { 0 } else { MOST_GUEST_NAMES };
                let name = wanted.unwrap_or_else(|| guest_name((self.random)()));
                return self.ask_for(name, guests_left, Waiting::new(command));
            }
        };
        self.outputs.push_back(Output::Done(command, Err(error.into())));
    }

    fn ask_for(&mut self, name: UserName, guests_left: u8, waiting: Waiting) {
        let attempt = Attempt { name, guests_left, retries: None };
        self.state = State::Registering(attempt, waiting);
        // Without a handle, `handle_attached` asks.
        if self.has_handle {
            self.ask();
        }
    }

    /// Asks the plugin for the name.
    fn ask(&mut self) {
        if let Some(name) = self.wanted().cloned() {
            self.outputs.push_back(Output::Register(name));
        }
    }

    /// There is a new handle. It has no name yet.
    pub(super) fn handle_attached(&mut self, now: Time) {
        self.has_handle = true;
        if let State::Registering(attempt, _) | State::Reclaiming(attempt) = &mut self.state {
            attempt.retries = Some(Retries::new(now + NAME_HELD));
            self.ask();
        }
    }

    /// The handle is lost, and the name with it. The next handle registers it again.
    pub(super) fn handle_detached(&mut self, error: &Error, timers: &mut Timers) {
        self.has_handle = false;
        timers.stop(Timer::Register);
        self.state = match self.take_state() {
            State::Held(name) => State::Reclaiming(Attempt { name, guests_left: 0, retries: None }),
            State::Registering(attempt, mut waiting) => match waiting.lose() {
                true => {
                    self.report(&attempt.name, false);
                    self.outputs.push_back(Output::Done(waiting.command, Err(error.clone())));
                    State::None
                }
                false => State::Registering(Attempt { retries: None, ..attempt }, waiting),
            },
            State::Reclaiming(attempt) => State::Reclaiming(Attempt { retries: None, ..attempt }),
            State::None => State::None,
        };
    }

    /// The handle is lost, and no other one follows.
    pub(super) fn handle_end(&mut self, error: &Error, timers: &mut Timers) {
        self.has_handle = false;
        timers.stop(Timer::Register);
        match self.take_state() {
            State::Registering(attempt, waiting) => {
                self.report(&attempt.name, false);
                self.outputs.push_back(Output::Done(waiting.command, Err(error.clone())));
            }
            State::Reclaiming(attempt) => self.report(&attempt.name, false),
            State::None | State::Held(_) => {}
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        self.ask();
    }

    /// The plugin's answer.
    pub(super) fn handle_answer(
        &mut self,
        result: Result<PluginEvent, Error>,
        is_reachable: bool,
        timers: &mut Timers,
        now: Time,
    ) {
        let (attempt, waiting) = match self.take_state() {
            State::Registering(attempt, waiting) => (attempt, Some(waiting)),
            State::Reclaiming(attempt) => (attempt, None),
            other => {
                self.state = other;
                return;
            }
        };
        let error = match result {
            Ok(PluginEvent::Registered) => return self.hold(attempt.name, waiting),
            Ok(other) => Error::unexpected(&other),
            Err(error) => error,
        };
        let is_taken = error.is_refusal(PluginCode::USERNAME_TAKEN);
        if let Some(waiting) = waiting.filter(|_| is_taken && attempt.guests_left > 0) {
            let name = guest_name((self.random)());
            return self.ask_for(name, attempt.guests_left.saturating_sub(1), waiting);
        }
        let losses = attempt.retries.as_ref().map_or(0, |retries| retries.losses);
        let is_answer_lost = waiting.is_none() && error.is_uncertain() && losses < MOST_REPEATS;
        // A session of our own may hold it: the lost one or, for a moment, that of a reloaded page.
        let is_held =
            is_taken && attempt.retries.as_ref().is_none_or(|retries| now < retries.until);
        if is_answer_lost || is_held {
            let lost = is_answer_lost.then_some(is_reachable);
            return self.retry(attempt, waiting, lost, timers, now);
        }
        // An earlier answer was lost. Janus names the held name only in its sentence: "Already
        // registered (Tom)".
        if let Error::Refused { code: PluginCode::ALREADY_REGISTERED, reason, .. } = &error
            && reason.contains(&format!("({})", attempt.name))
        {
            return self.hold(attempt.name, waiting);
        }
        self.fail(&attempt.name, waiting, error);
    }

    /// Retries later. If the answer was lost, `lost` is whether the gateway is in reach.
    fn retry(
        &mut self,
        attempt: Attempt,
        waiting: Option<Waiting>,
        lost: Option<bool>,
        timers: &mut Timers,
        now: Time,
    ) {
        let Attempt { name, guests_left, retries } = attempt;
        let mut retries = retries.unwrap_or_else(|| Retries::new(now));
        if let Some(is_reachable) = lost {
            retries.until = now + NAME_HELD;
            // While the gateway is out of reach, the session's own limit applies.
            retries.losses = retries.losses.saturating_add(u8::from(is_reachable));
        }
        self.outputs.push_back(Output::Log("the name will be registered again".into()));
        timers.set(Timer::Register, retries.backoff.next((self.random)(), now));
        let attempt = Attempt { name, guests_left, retries: Some(retries) };
        self.state = match waiting {
            Some(waiting) => State::Registering(attempt, waiting),
            None => State::Reclaiming(attempt),
        };
    }

    fn hold(&mut self, name: UserName, waiting: Option<Waiting>) {
        self.outputs.push_back(Output::Log(format!("registered as \"{name}\"")));
        self.state = State::Held(name.clone());
        self.report(&name, true);
        if let Some(waiting) = waiting {
            self.outputs.push_back(Output::Done(waiting.command, Ok(name)));
        }
        self.outputs.push_back(Output::Settled);
    }

    fn fail(&mut self, name: &UserName, waiting: Option<Waiting>, error: Error) {
        self.report(name, false);
        self.outputs.push_back(Output::Failed(error.clone()));
        self.outputs.push_back(match waiting {
            Some(waiting) => Output::Done(waiting.command, Err(error)),
            None => Output::Unawaited(error),
        });
        self.outputs.push_back(Output::Settled);
    }

    fn report(&mut self, name: &UserName, is_registered: bool) {
        let name = name.clone();
        self.outputs.push_back(Output::Event(Event::Registered { name, is_registered }));
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::None)
    }
}
