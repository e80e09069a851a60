//! The way to a call: offering, dialing, and what to do when two calls cross.

use super::*;

impl VideoCall {
    /// Has a new offer made, to be sent once the gateway is done with the call before.
    pub(super) fn offer(&mut self, now: Time) {
        let connection = self.next_connection();
        let Some(call) = &mut self.call else { return };
        call.stage = Stage::Offering;
        call.deadline = Some(now + DEVICES);
        call.crossed_by = None;
        call.connection = Some(connection);
        call.path = Path::default();
        self.media(Media::Offer(connection));
    }

    pub(super) fn answer(&mut self, offer: String, now: Time) {
        let connection = self.next_connection();
        let early = take(&mut self.early_candidates);
        let Some(call) = &mut self.call else { return };
        call.stage = Stage::Answering;
        call.deadline = Some(now + DEVICES);
        call.connection = Some(connection);
        call.path = Path { is_polite: true, ..Path::default() };
        call.support = sdp::support(&offer);
        self.media(Media::Answer(connection, offer));
        if !early.is_empty() {
            self.media(Media::Candidates(connection, early));
        }
    }

    /// Whether the gateway is done with the call before, as far as is known, and knows us.
    pub(super) fn may_dial(&self) -> bool {
        self.teardown.is_none()
            && self.healing.unsure.is_empty()
            && !self.healing.stuck
            && matches!(self.name, Name::Held(_))
    }

    /// Sends the offer or the answer that waits for its time.
    pub(super) fn dial_if_due(&mut self, now: Time) {
        if !self.may_dial() {
            return;
        }
        let Some(call) = &mut self.call else { return };
        let version = call.link.version();
        let stage = match &call.stage {
            Stage::Offered { sdp } if self.rest_until <= now => {
                let jsep = Jsep::offer(sdp::announce(sdp, version));
                let body = Request::call(&call.peer);
                Stage::Dialing(self.request(Purpose::Dial, body, Some(jsep)))
            }
            Stage::Answered { sdp } => {
                let jsep = Jsep::answer(sdp::announce(sdp, version));
                Stage::Accepting(self.request(Purpose::Accept, Request::Accept, Some(jsep)))
            }
            _ => return,
        };
        if let Some(call) = &mut self.call {
            call.stage = stage;
            call.deadline = None;
        }
        self.flush_candidates();
    }

    /// The core refused our call because it was given another's meanwhile, which is whole and rings
    /// here; or because it is not done with the call before.
    pub(super) fn handle_core_busy(&mut self, error: Error, now: Time) {
        let Some(call) = &mut self.call else { return };
        if call.redials >= MOST_REDIALS {
            return self.end(reason::LOST, error, Farewell::Refused, now);
        }
        call.redials = call.redials.saturating_add(1);
        let crossed_by = call.crossed_by.take();
        let wanted = crossed_by.as_ref().is_none_or(|(caller, _)| *caller == call.peer);
        call.stage = Stage::Yielding;
        call.deadline = Some(now + CROSSER);
        self.log(Level::Info, "the gateway is not ready for the call".into());
        self.close_connection();
        match crossed_by {
            Some((_, offer)) if wanted => self.answer(offer, now),
            Some(_) => self.decline(reason::BUSY, now),
            None => {}
        }
    }

    /// The plugin refused our call because it has us in another, and takes both down. The one whose
    /// name comes first calls again.
    pub(super) fn handle_crossing(&mut self, error: Error, now: Time) {
        let Some(call) = &self.call else { return };
        if call.redials >= MOST_REDIALS {
            return self.end(reason::LOST, error, Farewell::HangUp(reason::CROSSING), now);
        }
        let by_third = call.crossed_by.as_ref().is_some_and(|(other, _)| *other != call.peer);
        self.log(Level::Info, format!("two calls crossed ({error})"));
        if by_third {
            return self.dial_again(Farewell::HangUp(reason::BUSY), now);
        }
        self.put_down(Farewell::HangUp(reason::CROSSING), now);
        self.make_way(now);
    }

    /// After a crossing: the first by name calls again, the other waits for that call.
    pub(super) fn make_way(&mut self, now: Time) {
        // A peer that says so again and again must not keep us calling.
        if self.call.as_ref().is_some_and(|call| call.redials >= MOST_REDIALS) {
            let error = End::CrossedTooOften.into();
            return self.end(reason::DECLINED, error, Farewell::Await, now);
        }
        let wins = match (&self.name, &self.call) {
            (Name::Held(me), Some(call)) => *me < call.peer,
            _ => false,
        };
        if wins {
            return self.dial_again(Farewell::Await, now);
        }
        self.put_down(Farewell::Await, now);
        if let Some(call) = &mut self.call {
            call.stage = Stage::Yielding;
            call.deadline = Some(now + YIELD);
            call.redials = call.redials.saturating_add(1);
        }
    }

    pub(super) fn dial_again(&mut self, farewell: Farewell<'_>, now: Time) {
        self.put_down(farewell, now);
        if let Some(call) = &mut self.call {
            call.redials = call.redials.saturating_add(1);
            self.offer(now);
        }
    }
}
