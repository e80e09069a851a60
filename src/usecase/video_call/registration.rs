//! The name of a video call object: taken, kept, and taken again with a new handle.

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

/// How many guest names are tried.
const MOST_GUEST_NAMES: u8 = 5;
/// How long a lost session of ours may hold the name: the gateway's session timeout, 60 s by default, and
/// half as much again.
const NAME_HELD: Duration = Duration::from_secs(90);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// Ask the plugin for this name; tell [`Registration::handle_answer`].
    Register(UserName),
    /// Tell the page.
    Event(Event),
    /// A command of the page ended.
    Done(Command, Result<UserName, Error>),
    /// Nobody waits for this failure of a command.
    Unasked(Error),
    /// There will be no name, and so no call.
    Failed(Error),
    /// The name is ours, or nothing more is tried.
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
    /// There is no name.
    None,
    /// The page waits for a name.
    Registering(Attempt, Waiting),
    /// A name that was lost with its handle is taken again; the page does not wait for it.
    Reclaiming(Attempt),
    /// The name is ours.
    Held(UserName),
}

#[derive(Debug)]
struct Attempt {
    name: UserName,
    /// How many other names may be tried in its place.
    guests_left: u8,
    retries: Option<Retries>,
}

/// A taken name may be held by a session of our own that is dead: it is asked for until that lets it go.
#[derive(Debug)]
struct Retries {
    until: Time,
    backoff: Backoff,
    /// How often nothing was answered, though the gateway was in reach.
    cuts: u8,
}

impl Retries {
    fn new(until: Time) -> Self {
        Self { until, backoff: Backoff::default(), cuts: 0 }
    }
}

impl Registration {
    pub(super) fn new(random: Rc<dyn Fn() -> u64>) -> Self {
        Self { state: State::None, has_handle: false, random, outputs: VecDeque::new() }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The name that is ours.
    pub(super) fn name(&self) -> Option<&UserName> {
        match &self.state {
            State::Held(name) => Some(name),
            _ => None,
        }
    }

    /// The name that is being asked for.
    pub(super) fn wanted(&self) -> Option<&UserName> {
        match &self.state {
            State::Registering(attempt, _) | State::Reclaiming(attempt) => Some(&attempt.name),
            State::None | State::Held(_) => None,
        }
    }

    pub(super) fn is_reclaiming(&self) -> bool {
        matches!(self.state, State::Reclaiming(_))
    }

    /// Takes a name; without one, a guest name.
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
        // Without a handle, the next one asks.
        if self.has_handle {
            self.ask();
        }
    }

    /// Asks the plugin for the name that is wanted.
    fn ask(&mut self) {
        if let Some(name) = self.wanted().cloned() {
            self.outputs.push_back(Output::Register(name));
        }
    }

    /// There is a new handle, which has no name.
    pub(super) fn handle_attached(&mut self, now: Time) {
        self.has_handle = true;
        if let State::Registering(attempt, _) | State::Reclaiming(attempt) = &mut self.state {
            attempt.retries = Some(Retries::new(now + NAME_HELD));
            self.ask();
        }
    }

    /// The handle is lost, and the name with it: the next one asks for it.
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

    /// There will be no other handle.
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
        let cuts = attempt.retries.as_ref().map_or(0, |retries| retries.cuts);
        let is_cut_off = waiting.is_none() && error.is_uncertain() && cuts < MOST_REPEATS;
        // It may be held by a session of our own: the one that is lost, or, for a moment, that of a page
        // that was reloaded.
        let is_held =
            is_taken && attempt.retries.as_ref().is_none_or(|retries| now < retries.until);
        if is_cut_off || is_held {
            return self.retry(attempt, waiting, is_cut_off.then_some(is_reachable), timers, now);
        }
        // An earlier answer was lost. Janus gives the name that is held only in its sentence: "Already
        // registered (Tom)".
        if let Error::Refused { code: PluginCode::ALREADY_REGISTERED, reason, .. } = &error
            && reason.contains(&format!("({})", attempt.name))
        {
            return self.hold(attempt.name, waiting);
        }
        self.fail(&attempt.name, waiting, error);
    }

    /// Asks again later. `cut_off` says of a request without an answer whether the gateway is in reach.
    fn retry(
        &mut self,
        attempt: Attempt,
        waiting: Option<Waiting>,
        cut_off: Option<bool>,
        timers: &mut Timers,
        now: Time,
    ) {
        let Attempt { name, guests_left, retries } = attempt;
        let mut retries = retries.unwrap_or_else(|| Retries::new(now));
        if let Some(is_reachable) = cut_off {
            retries.until = now + NAME_HELD;
            // Out of reach, the session's limit counts.
            retries.cuts = retries.cuts.saturating_add(u8::from(is_reachable));
        }
        self.outputs.push_back(Output::Log("the name will be asked for again".into()));
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
            None => Output::Unasked(error),
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
