//! What a gateway out of reach leaves open: requests without an answer, events that were lost, a name to be
//! taken again.
//!
//! The plugin has no request that tells where a call stands, but an `accept` without a description does:
//! refused either way, it says whether there is a call (482, the description is missing) or not (481), and
//! changes nothing. What was sent before is done before.

use super::*;

/// How long nobody minds that an answer is missing.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
/// How long the page's commands wait for a gateway that is out of reach.
const OUTAGE: Duration = Duration::from_secs(10);
/// How often is asked in vain before what is open fails.
const MOST_ATTEMPTS: u8 = 4;
/// How long a name may be held by a session that is dead: the gateway's session timeout, 60 s by default,
/// and half as much again.
pub(super) const NAME_HELD: Duration = Duration::from_secs(90);

/// For the log, at both ends.
const LOST_WORDS: &str = "words of a call were lost: once more";

impl VideoCall {
    /// The gateway is out of reach, and events may be lost.
    pub fn handle_trouble(&mut self, error: &signaling::Error, now: Time) {
        self.healing.gap = true;
        self.healing.out_of_reach = true;
        self.healing.due = Some(now + OUTAGE);
        self.healing.trouble.get_or_insert_with(|| error.clone().into());
        self.tell_trouble();
    }

    /// The gateway is in reach again.
    pub fn handle_restored(&mut self, now: Time) {
        self.healing.out_of_reach = false;
        if take(&mut self.healing.began_by_doubt) {
            self.healing.attempts = 0;
        }
        if !self.healing.detached {
            self.ask(now);
        }
    }

    /// An event may be lost, though nothing has failed. The page is told nothing, unless something comes of it.
    pub fn handle_doubt(&mut self, doubt: Doubt, now: Time) {
        self.healing.gap |= doubt == Doubt::Lost && !self.healing.detached;
        self.doubt(Duration::ZERO, now);
    }

    /// Has it asked whether there is a call, with pauses that grow if that is doubted all the time.
    pub(super) fn doubt(&mut self, delay: Duration, now: Time) {
        // When those are over, it is asked anyway.
        if self.healing.detached || self.healing.out_of_reach || self.healing.asks {
            return;
        }
        let due = self.healing.doubts.now_or_next((self.random)(), now) + delay;
        self.healing.doubted = earliest(self.healing.doubted, Some(due));
    }

    /// The session is gone, and another is being made.
    pub fn handle_session_lost(&mut self, words: &str, error: &signaling::Error, now: Time) {
        let error = Error::from(error.clone());
        // Before the call ends: with that not all is well.
        self.healing.trouble = Some(error.clone());
        // There is nothing to detach from; so it is done.
        if let Life::Closing { detaching, .. } = &mut self.life {
            *detaching = false;
        }
        self.lose_handle(words, &error, now);
        self.want_name_again();
        self.detach_when_told();
    }

    /// The next handle asks for the name.
    fn want_name_again(&mut self) {
        if let Name::Asked { command: Some(waiting), .. } = &mut self.name
            && waiting.lose()
            && let Some(error) = self.healing.trouble.clone()
            && let Name::Asked { name, command: Some(waiting), .. } =
                std::mem::replace(&mut self.name, Name::None)
        {
            self.event(Event::Registered { name, is_registered: false });
            self.done(waiting.command, Err(error));
        }
        self.name = match std::mem::replace(&mut self.name, Name::None) {
            Name::Held(name) => Name::Asked { name, command: None, guests_left: 0, again: None },
            Name::Asked { name, command, guests_left, .. } => {
                Name::Asked { name, command, guests_left, again: None }
            }
            Name::None => Name::None,
        };
        self.tell_trouble();
    }

    /// What was under way at the gateway is over. What may be asked for again waits for the next handle.
    pub(super) fn lose_handle(&mut self, words: &str, error: &Error, now: Time) {
        self.end(words, error.clone(), Farewell::None, now);
        self.forget_requests(error);
    }

    fn forget_requests(&mut self, error: &Error) {
        if let Some(teardown) = self.teardown.take() {
            self.settle(teardown.connection, teardown.commands);
        }
        let mut lists = take(&mut self.healing.lists);
        for purpose in self.abandoned() {
            match purpose {
                Purpose::List(waiting) => lists.push(waiting),
                Purpose::Set(command, _) => self.done(command, Err(error.clone())),
                _ => {}
            }
        }
        lists.retain_mut(|waiting| {
            let is_over = waiting.lose();
            if is_over {
                self.done(waiting.command, Err(error.clone()));
            }
            !is_over
        });
        let (told, trouble) = (self.healing.told, self.healing.trouble.take());
        self.healing = Healing { told, trouble, detached: true, lists, ..Healing::default() };
    }

    /// There is a new handle.
    pub fn handle_attached(&mut self, now: Time) {
        self.healing.detached = false;
        for waiting in take(&mut self.healing.lists) {
            self.request(Purpose::List(waiting), Request::List, None);
        }
        match &mut self.name {
            Name::Asked { again, .. } => {
                *again = Some(Again { due: Some(now), ..Again::new(now + NAME_HELD) });
                self.handle_healing_timeout(now);
            }
            Name::None | Name::Held(_) => self.be_well(),
        }
    }

    /// Whether the media of a call flows.
    pub fn is_flowing(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.stage == Stage::Up && call.connected)
    }

    /// Forgets every request; what they were for.
    pub(super) fn abandoned(&mut self) -> Vec<Purpose> {
        let open = take(&mut self.requests).into_values().map(|asked| asked.purpose);
        let unsure = take(&mut self.healing.unsure).into_iter().map(|(_, asked, _)| asked.purpose);
        open.chain(unsure).collect()
    }

    /// Nobody knows if a request was done.
    pub(super) fn handle_uncertain(
        &mut self,
        id: RequestId,
        asked: Asked,
        error: Error,
        now: Time,
    ) {
        self.warn("a request may be lost", &error);
        match asked.purpose {
            // It was asked more than once, and answered.
            Purpose::Query if !self.healing.asks => return,
            Purpose::Query => {}
            _ => self.healing.unsure.push((id, asked, error)),
        }
        let pause = if self.healing.out_of_reach { OUTAGE } else { PATIENCE };
        self.healing.due.get_or_insert(now + pause);
    }

    pub(super) fn name_due(&self) -> Option<Time> {
        match &self.name {
            Name::Asked { again, .. } => again.as_ref().and_then(|again| again.due),
            _ => None,
        }
    }

    pub(super) fn handle_healing_timeout(&mut self, now: Time) {
        if self.healing.due.take_if(|due| *due <= now).is_some() {
            match self.healing.out_of_reach {
                true => self.stop_asking(now),
                false => self.ask(now),
            }
        }
        if self.healing.doubted.take_if(|due| *due <= now).is_some()
            && !(self.healing.detached || self.healing.out_of_reach || self.healing.asks)
        {
            self.healing.began_by_doubt = self.healing.attempts == 0;
            self.ask(now);
        }
        if self.name_due().is_some_and(|due| due <= now)
            && let Name::Asked { name, again: Some(again), .. } = &mut self.name
        {
            again.due = None;
            let body = Request::register(name);
            self.request(Purpose::Register, body, None);
        }
    }

    /// Asks again for what does no harm when it is done twice, and then where the call stands.
    fn ask(&mut self, now: Time) {
        self.healing.due = None;
        self.healing.attempts = self.healing.attempts.saturating_add(1);
        if self.healing.attempts > MOST_ATTEMPTS {
            return self.stop_asking(now);
        }
        for (id, asked, error) in take(&mut self.healing.unsure) {
            let body = match (&asked.purpose, &self.name) {
                (Purpose::Register, Name::Asked { name, .. }) => Request::register(name),
                (Purpose::List(_), _) => Request::List,
                (Purpose::Set(_, settings), _) => Request::Set(*settings),
                _ => {
                    self.healing.unsure.push((id, asked, error));
                    continue;
                }
            };
            match asked.may_be_repeated() {
                true => drop(self.repeat(&asked, body)),
                false => self.conclude(id, asked.purpose, Err(error), now),
            }
        }
        self.request(Purpose::Query, Request::Accept, None);
        self.healing.asks = true;
        // The poll that failed may take this answer too: Janus does not know yet that it is dead.
        let patience = PATIENCE.saturating_mul(2u32.saturating_pow(self.healing.attempts.into()));
        self.healing.due = Some(now + patience);
    }

    /// The gateway does not answer: what the page waits for has failed.
    fn stop_asking(&mut self, now: Time) {
        for (id, asked, error) in take(&mut self.healing.unsure) {
            match asked.purpose {
                // Nobody waits for it, and the call must not come back with the gateway.
                Purpose::HangUp if self.healing.out_of_reach => {
                    self.healing.unsure.push((id, asked, error));
                }
                purpose => self.conclude(id, purpose, Err(error), now),
            }
        }
        if self.healing.out_of_reach {
            return;
        }
        self.healing.gap = false;
        self.healing.asks = false;
        self.healing.attempts = 0;
        self.be_well();
        self.dial_if_due(now);
    }

    /// Whether there is a call at the gateway.
    pub(super) fn handle_query(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        if !self.healing.asks {
            return;
        }
        let has_call = match result {
            Err(Error::Refused { code: PluginCode::NO_CALL, .. }) => false,
            Err(Error::Refused { code: PluginCode::MISSING_SDP, .. }) => true,
            // It is asked again.
            _ => return,
        };
        self.healing.asks = false;
        self.healing.due = None;
        let mut gap = take(&mut self.healing.gap);
        // What was sent before the question was done before; its answer is lost.
        for (request, asked) in take(&mut self.requests) {
            match request < id {
                true => {
                    // With the answer, what came later may be lost, here or at the other side.
                    gap = true;
                    self.healing.unsure.push((request, asked, Error::AnswerLost));
                }
                false => drop(self.requests.insert(request, asked)),
            }
        }
        for (request, asked, error) in take(&mut self.healing.unsure) {
            self.clear_up(request, asked, error, has_call, now);
        }
        if self.healing.unsure.is_empty() {
            self.healing.attempts = 0;
        }
        self.compare(id, has_call, gap, now);
        if !matches!(self.name, Name::Asked { command: None, .. }) {
            self.be_well();
        }
        self.dial_if_due(now);
    }

    /// What became of a request, now that one knows if there is a call.
    fn clear_up(&mut self, id: RequestId, asked: Asked, error: Error, has_call: bool, now: Time) {
        let purpose = asked.purpose;
        let result = match (purpose, has_call) {
            (Purpose::Dial, true) => Ok(PluginEvent::Calling),
            (Purpose::Dial | Purpose::Accept, _) => {
                let is_current = self.call.as_ref().is_some_and(|call| {
                    call.stage == Stage::Dialing(id) || call.stage == Stage::Accepting(id)
                });
                // It was not done, or failed for a reason that the next attempt tells. Accepting twice
                // does no harm.
                if is_current && (has_call || matches!(purpose, Purpose::Dial)) {
                    if asked.may_be_repeated() {
                        return self.ask_once_more(&asked);
                    }
                    return self.conclude(id, purpose, Err(error), now);
                }
                Err(self.refused(PluginCode::NO_CALL, String::new(), &purpose))
            }
            (Purpose::HangUp, true) if self.call.is_none() && asked.may_be_repeated() => {
                if let Some(teardown) = &mut self.teardown {
                    teardown.request = None;
                }
                self.decline(reason::HUNG_UP, now);
                if let Some((_, again)) = self.requests.last_mut() {
                    again.repeats = asked.repeats.saturating_add(1);
                }
                return;
            }
            (Purpose::HangUp, _) => Ok(PluginEvent::HangUp(String::new())),
            (Purpose::Register | Purpose::List(_) | Purpose::Set(..), _) => {
                self.healing.unsure.push((id, asked, error));
                self.healing.due = Some(now + PATIENCE);
                return;
            }
            _ => Err(error),
        };
        self.conclude(id, purpose, result, now);
    }

    /// Asks again for something whose answer is lost.
    pub(super) fn repeat(&mut self, asked: &Asked, body: Request) -> RequestId {
        let id = self.request(asked.purpose, body, asked.jsep.clone());
        if let Some(again) = self.requests.get_mut(&id) {
            again.repeats = asked.repeats.saturating_add(1);
        }
        id
    }

    fn ask_once_more(&mut self, asked: &Asked) {
        let Some(call) = &mut self.call else { return };
        let body = match asked.purpose {
            Purpose::Dial => Request::call(&call.peer),
            _ => Request::Accept,
        };
        let id = self.repeat(asked, body);
        if let Some(call) = &mut self.call {
            call.stage = match asked.purpose {
                Purpose::Dial => Stage::Dialing(id),
                _ => Stage::Accepting(id),
            };
        }
    }

    /// Compares what this side believes with what the gateway said when it was asked.
    fn compare(&mut self, asked: RequestId, has_call: bool, gap: bool, now: Time) {
        let stage = match &self.call {
            Some(call) if call.doom.is_some() && !gap => return,
            Some(call) => Some(&call.stage),
            None => None,
        };
        match stage {
            // Later than the question, or about to be told.
            Some(Stage::Dialing(id) | Stage::Accepting(id)) if *id > asked || has_call => {}
            // Whether it was accepted, nobody can tell: the call is made once more.
            Some(Stage::RingingOut) if has_call && gap => self.call_once_more(now),
            Some(Stage::RingingIn { offer }) if !has_call && offer.is_empty() => {}
            Some(
                Stage::RingingOut
                | Stage::RingingIn { .. }
                | Stage::Answering
                | Stage::Answered { .. }
                | Stage::Accepting(_)
                | Stage::Up,
            ) if !has_call => {
                let error = End::ByGateway { reason: None }.into();
                self.end(reason::LOST, error, Farewell::HangUp(reason::LOST), now);
            }
            // Somebody called, and it was not heard: they shall call once more.
            None | Some(Stage::Offering | Stage::Offered { .. } | Stage::Yielding)
                if has_call && self.teardown.is_none() && matches!(self.life, Life::Open) =>
            {
                self.log(Level::Info, LOST_WORDS.into());
                self.decline(reason::ONCE_MORE, now);
            }
            _ => {}
        }
    }

    /// Words of this call were lost on the way here.
    pub(super) fn call_once_more(&mut self, now: Time) {
        if self.call.as_ref().is_some_and(|call| call.redials < MOST_REDIALS) {
            self.log(Level::Info, LOST_WORDS.into());
            self.dial_again(Farewell::HangUp(reason::ONCE_MORE), now);
        }
    }

    /// Words of this call were lost, here or there: the caller calls again, without the page's noticing.
    pub(super) fn once_more(&mut self, farewell: Farewell<'_>, now: Time) {
        let Some(call) = &mut self.call else { return };
        if call.redials >= MOST_REDIALS {
            let error = End::LostTooOften.into();
            return self.end(reason::LOST, error, farewell, now);
        }
        self.log(Level::Info, LOST_WORDS.into());
        if self.call.as_ref().is_some_and(|call| call.stage == Stage::RingingOut) {
            return self.dial_again(farewell, now);
        }
        self.put_down(farewell, now);
        let Some(call) = &mut self.call else { return };
        call.redials = call.redials.saturating_add(1);
        call.deadline = Some(now + YIELD);
        call.stage = match call.stage {
            Stage::RingingIn { .. } => Stage::RingingIn { offer: String::new() },
            _ => Stage::Yielding,
        };
        self.tell_trouble();
    }

    /// The gateway is in reach, and knows us.
    pub(super) fn be_well(&mut self) {
        if self.healing.detached || self.healing.out_of_reach || self.healing.asks {
            return;
        }
        let is_in_use = self.call.as_ref().is_some_and(Call::is_known_to_gateway);
        if take(&mut self.healing.stuck) && !is_in_use && matches!(self.life, Life::Open) {
            return self.reattach();
        }
        self.healing.trouble = None;
        self.tell_trouble();
    }

    /// With a stuck handle, all is not well, though nothing else is the matter.
    pub(super) fn give_up_stuck(&mut self) {
        if self.healing.trouble.is_none() {
            self.be_well();
        }
    }

    /// A connection that the gateway does not close is closed only with its handle, which takes no call until then.
    fn reattach(&mut self) {
        self.healing.trouble = Some(Error::WedgedHandle);
        self.forget_requests(&Error::WedgedHandle);
        self.want_name_again();
        self.outputs.push_back(Output::Reattach);
    }

    /// Tells the page when trouble begins and when all of it is over.
    pub(super) fn tell_trouble(&mut self) {
        let lost = self.call.as_ref().is_some_and(|call| call.path.is_lost);
        let cause = match &self.healing.trouble {
            Some(error) => Some(error.clone()),
            None => lost.then_some(Error::Media(peer::Error::PathLost)),
        };
        match cause {
            Some(error) if !self.healing.told => {
                self.healing.told = true;
                self.event(Event::Reconnecting(error.into()));
            }
            None if take(&mut self.healing.told) => self.event(Event::Reconnected),
            _ => {}
        }
    }
}
