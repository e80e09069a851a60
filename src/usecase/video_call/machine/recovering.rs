//! Recovery after an outage: lost answers, lost events, and a new handle that needs the name again.

use super::*;
use crate::usecase::video_call::recovery::Step;

impl VideoCall {
    pub(super) fn handle_recovery_timeout(&mut self, timer: Timer, now: Time) {
        match self.recovery.handle_timeout(timer) {
            Some(Step::Ask) => self.ask(now),
            Some(Step::GiveUp) => self.stop_asking(now),
            None => {}
        }
    }

    // The handle.

    /// The session is lost, and another one is being created.
    pub(super) fn lose_session(&mut self, reason: &str, error: &signaling::Error, now: Time) {
        let error = Error::from(error.clone());
        // Before the call ends, so that its end does not report that everything is restored.
        self.recovery.set_trouble(error.clone());
        // There is no handle to detach any more. `detach_when_complete` finishes the object below.
        if let Life::Detaching(commands) = &mut self.life {
            self.life = Life::Closing(take(commands));
        }
        self.lose_handle(reason, &error, now);
        self.registration.handle_detached(&error, &mut self.timers);
        self.drain_registration(now);
        self.report_trouble();
        self.detach_when_complete();
    }

    /// Ends the call and the requests. Those that can be sent again wait for the next handle.
    pub(super) fn lose_handle(&mut self, reason: &str, error: &Error, now: Time) {
        self.end_with(reason, error.clone(), HangUpNotice::None, now);
        self.forget_requests(error, now);
    }

    fn forget_requests(&mut self, error: &Error, now: Time) {
        self.teardown.abandon(&mut self.timers);
        self.drain_teardown(now);
        let mut lists = self.recovery.take_lists();
        for purpose in self.requests.abandon() {
            match purpose {
                Purpose::List(waiting) => lists.push(waiting),
                Purpose::Set(command, _) => self.done(command, Err(error.clone())),
                _ => {}
            }
        }
        for mut waiting in lists {
            match waiting.lose() {
                true => self.done(waiting.command, Err(error.clone())),
                false => self.recovery.keep_list(waiting),
            }
        }
        self.recovery.handle_detached(&mut self.timers);
    }

    /// There is a new handle.
    pub(super) fn recover_with_handle(&mut self, now: Time) {
        self.recovery.handle_attached();
        for waiting in self.recovery.take_lists() {
            self.request(Purpose::List(waiting), Request::List, None);
        }
        self.registration.handle_attached(now);
        self.drain_registration(now);
        if self.registration.wanted().is_none() {
            self.settle_trouble(now);
        }
    }

    /// Replaces a wedged handle: the gateway closes its connection only with the handle, which
    /// takes no call until then.
    fn reattach(&mut self, now: Time) {
        self.recovery.set_trouble(Error::WedgedHandle);
        self.forget_requests(&Error::WedgedHandle, now);
        self.registration.handle_detached(&Error::WedgedHandle, &mut self.timers);
        self.drain_registration(now);
        self.report_trouble();
        self.outputs.push_back(Output::Reattach);
    }

    // Lost answers.

    /// The gateway may have executed a request or not.
    pub(super) fn handle_uncertain(&mut self, uncertain: Uncertain, now: Time) {
        self.warn("an answer may be lost", &uncertain.error);
        match uncertain.pending.purpose {
            // Another query was answered meanwhile.
            Purpose::Query if !self.recovery.is_asking() => return,
            Purpose::Query => {}
            _ => self.requests.put_aside(uncertain),
        }
        self.recovery.handle_uncertain(&mut self.timers, now);
    }

    /// Repeats the uncertain requests that are idempotent, then queries whether there is a call.
    pub(super) fn ask(&mut self, now: Time) {
        if !self.recovery.may_ask(&mut self.timers) {
            return self.stop_asking(now);
        }
        for uncertain in self.requests.take_uncertain() {
            let body = match (&uncertain.pending.purpose, self.registration.wanted()) {
                (Purpose::Register, Some(name)) => Request::register(name),
                (Purpose::List(_), _) => Request::List,
                (Purpose::Set(_, settings), _) => Request::Set(*settings),
                _ => {
                    self.requests.put_aside(uncertain);
                    continue;
                }
            };
            let Uncertain { id, pending, error } = uncertain;
            match pending.may_be_repeated() {
                true => drop(self.repeat(&pending, body)),
                false => self.conclude(id, pending.purpose, Err(error), now),
            }
        }
        self.request(Purpose::Query, Request::Accept, None);
        self.recovery.handle_asked(&mut self.timers, now);
    }

    /// The gateway does not answer, so the uncertain requests fail.
    fn stop_asking(&mut self, now: Time) {
        let is_reachable = self.recovery.is_reachable();
        for uncertain in self.requests.take_uncertain() {
            match uncertain.pending.purpose {
                // The hang-up is still needed: the call must not come back with the gateway.
                Purpose::HangUp if !is_reachable => self.requests.put_aside(uncertain),
                purpose => self.conclude(uncertain.id, purpose, Err(uncertain.error), now),
            }
        }
        if is_reachable {
            self.recovery.give_up();
            self.settle_trouble(now);
            self.dial_if_due(now);
        }
    }

    /// The plugin answered whether there is a call.
    pub(super) fn handle_query(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        if !self.recovery.is_asking() {
            return;
        }
        let has_call = match result {
            Err(Error::Refused { code: PluginCode::NO_CALL, .. }) => false,
            Err(Error::Refused { code: PluginCode::MISSING_SDP, .. }) => true,
            // Another query follows.
            _ => return,
        };
        let mut has_gap = self.recovery.handle_answered(&mut self.timers);
        // Where an answer was lost, later events may be lost too, here or at the other side.
        has_gap |= self.requests.lose_answers_before(id);
        for uncertain in self.requests.take_uncertain() {
            self.resolve(uncertain, has_call, now);
        }
        if !self.requests.has_uncertain() {
            self.recovery.forget_attempts();
        }
        self.compare(id, has_call, has_gap, now);
        if !self.registration.is_reclaiming() {
            self.settle_trouble(now);
        }
        self.dial_if_due(now);
    }

    /// Determines the result of a request, now that we know whether there is a call.
    fn resolve(&mut self, uncertain: Uncertain, has_call: bool, now: Time) {
        let Uncertain { id, pending, error } = uncertain;
        let purpose = pending.purpose;
        let result = match (purpose, has_call) {
            (Purpose::Dial, true) => Ok(PluginEvent::Calling),
            (Purpose::Dial | Purpose::Accept, _) => {
                let is_current = self.call.as_ref().is_some_and(|call| call.waits_for(id));
                // It was not executed, or it failed for a reason that the next attempt reports. A
                // second `accept` does no harm.
                if is_current && (has_call || matches!(purpose, Purpose::Dial)) {
                    if pending.may_be_repeated() {
                        return self.repeat_for_call(&pending);
                    }
                    return self.conclude(id, purpose, Err(error), now);
                }
                Err(self.refused(PluginCode::NO_CALL, String::new(), &purpose))
            }
            (Purpose::HangUp, true) if self.call.is_none() && pending.may_be_repeated() => {
                let id = self.repeat(&pending, Request::hang_up(reason::HUNG_UP));
                return self.teardown.decline(id, &mut self.timers, now);
            }
            (Purpose::HangUp, _) => Ok(PluginEvent::HangUp(String::new())),
            (Purpose::Register | Purpose::List(_) | Purpose::Set(..), _) => {
                self.requests.put_aside(Uncertain { id, pending, error });
                return self.recovery.handle_uncertain(&mut self.timers, now);
            }
            _ => Err(error),
        };
        self.conclude(id, purpose, result, now);
    }

    fn repeat_for_call(&mut self, pending: &Pending) {
        let Some(call) = &self.call else { return };
        let is_dial = matches!(pending.purpose, Purpose::Dial);
        let body = if is_dial { Request::call(&call.peer) } else { Request::Accept };
        let id = self.repeat(pending, body);
        if let Some(call) = &mut self.call {
            call.stage = if is_dial { Stage::Dialing(id) } else { Stage::Accepting(id) };
        }
    }

    // Lost events.

    /// Compares our call with the gateway's answer to the query.
    fn compare(&mut self, asked: RequestId, has_call: bool, has_gap: bool, now: Time) {
        let stage = match &self.call {
            Some(call) if call.remote_end.is_some() && !has_gap => return,
            Some(call) => Some(&call.stage),
            None => None,
        };
        match stage {
            // Sent after the query, or its answer is about to arrive.
            Some(Stage::Dialing(id) | Stage::Accepting(id)) if *id > asked || has_call => {}
            // The peer may have accepted, and the query cannot tell: redial.
            Some(Stage::RingingOut) if has_call && has_gap => self.redial_after_loss(now),
            Some(
                Stage::RingingOut
                | Stage::RingingIn { .. }
                | Stage::Answering
                | Stage::Answered { .. }
                | Stage::Accepting(_)
                | Stage::Up,
            ) if !has_call => self.end(reason::LOST, End::ByGateway { reason: None }, now),
            // We missed an incoming call: decline it so that the caller redials.
            None | Some(Stage::Offering | Stage::Offered { .. } | Stage::Yielding)
                if has_call && self.teardown.is_complete() && self.is_open() =>
            {
                self.log(Level::Info, EVENTS_LOST);
                self.decline(reason::REDIAL, now);
            }
            _ => {}
        }
    }

    /// Events of our outgoing call were lost.
    pub(super) fn redial_after_loss(&mut self, now: Time) {
        if self.call.as_ref().is_some_and(Call::may_redial) {
            self.log(Level::Info, EVENTS_LOST);
            self.redial(HangUpNotice::Send(reason::REDIAL), now);
        }
    }

    /// Events of this call were lost, here or there. The caller redials, and neither page notices.
    pub(super) fn ask_for_redial(&mut self, notice: HangUpNotice<'_>, now: Time) {
        let Some(call) = &self.call else { return };
        if !call.may_redial() {
            return self.end_with(reason::LOST, End::LostTooOften, notice, now);
        }
        let is_caller = call.stage == Stage::RingingOut;
        self.log(Level::Info, EVENTS_LOST);
        if is_caller {
            return self.redial(notice, now);
        }
        self.take_down(notice, now);
        let Some(call) = &mut self.call else { return };
        call.count_redial();
        call.stage = match call.stage {
            Stage::RingingIn { .. } | Stage::AwaitingRedial => Stage::AwaitingRedial,
            _ => Stage::Yielding,
        };
        self.timers.set(Timer::Call, now + YIELD);
        self.report_trouble();
    }

    // Reports to the page.

    /// Once the gateway is in reach and no query is open: replaces a wedged handle, or else reports
    /// that everything is restored.
    pub(super) fn settle_trouble(&mut self, now: Time) {
        if !self.recovery.is_settled() {
            return;
        }
        let is_in_use = self.call.as_ref().is_some_and(Call::is_known_to_gateway);
        if self.teardown.take_wedged() && !is_in_use && self.is_open() {
            return self.reattach(now);
        }
        self.recovery.forget_trouble();
        self.report_trouble();
    }

    /// Replaces a wedged handle, even if there is no other trouble.
    pub(super) fn give_up_wedged(&mut self, now: Time) {
        if self.recovery.trouble().is_none() {
            self.settle_trouble(now);
        }
    }

    /// Reports to the page when trouble begins, and when all of it is over.
    pub(super) fn report_trouble(&mut self) {
        let is_interrupted = self.call.as_ref().is_some_and(|call| call.is_interrupted);
        let cause = match self.recovery.trouble() {
            Some(error) => Some(error.clone()),
            None => is_interrupted.then_some(Error::Media(peer::Error::PathLost)),
        };
        let event = match cause {
            Some(error) if self.recovery.report(true) => Event::Reconnecting(error.into()),
            None if self.recovery.report(false) => Event::Reconnected,
            _ => return,
        };
        self.event(event);
    }
}
