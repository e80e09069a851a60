//! The way to a call: offering, dialing, and what to do when two calls cross.

use super::*;

impl Call {
    /// Has a new offer made, to be sent once the gateway is done with the conversation before.
    pub(super) fn offer(&mut self, now: Time) {
        let leg = self.next_leg();
        let Some(talk) = &mut self.talk else { return };
        talk.stage = Stage::Offering;
        talk.deadline = Some(now + DEVICES);
        talk.crossed_by = None;
        talk.leg = Some(leg);
        talk.path = Path::default();
        self.media(Media::Offer(leg));
    }

    pub(super) fn answer(&mut self, offer: String, now: Time) {
        let leg = self.next_leg();
        let early = take(&mut self.early_candidates);
        let Some(talk) = &mut self.talk else { return };
        talk.stage = Stage::Answering;
        talk.deadline = Some(now + DEVICES);
        talk.leg = Some(leg);
        talk.path = Path { is_polite: true, ..Path::default() };
        talk.support = sdp::support(&offer);
        self.media(Media::Answer(leg, offer));
        if !early.is_empty() {
            self.media(Media::Candidates(leg, early));
        }
    }

    /// Whether the gateway is done with the conversation before, as far as is known, and knows us.
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
        let Some(talk) = &mut self.talk else { return };
        let version = talk.link.version();
        let stage = match &talk.stage {
            Stage::Offered { sdp } if self.rest_until <= now => {
                let jsep = Jsep::offer(sdp::announce(sdp, version));
                let body = Request::call(&talk.peer);
                Stage::Dialing(self.request(Purpose::Dial, body, Some(jsep)))
            }
            Stage::Answered { sdp } => {
                let jsep = Jsep::answer(sdp::announce(sdp, version));
                Stage::Accepting(self.request(Purpose::Accept, Request::Accept, Some(jsep)))
            }
            _ => return,
        };
        if let Some(talk) = &mut self.talk {
            talk.stage = stage;
            talk.deadline = None;
        }
        self.flush_candidates();
    }

    /// The core refused our call because it was given another's meanwhile, which is whole and rings
    /// here; or because it is not done with the call before.
    pub(super) fn handle_core_busy(&mut self, error: Error, now: Time) {
        let Some(talk) = &mut self.talk else { return };
        if talk.redials >= MOST_REDIALS {
            return self.end(reason::LOST, error, Farewell::Refused, now);
        }
        talk.redials = talk.redials.saturating_add(1);
        let crossed_by = talk.crossed_by.take();
        let wanted = crossed_by.as_ref().is_none_or(|(caller, _)| *caller == talk.peer);
        talk.stage = Stage::Yielding;
        talk.deadline = Some(now + CROSSER);
        self.log(Level::Info, "the gateway is not ready for the call".into());
        self.close_leg();
        match crossed_by {
            Some((_, offer)) if wanted => self.answer(offer, now),
            Some(_) => self.decline(reason::BUSY, now),
            None => {}
        }
    }

    /// The plugin refused our call because it has us in another, and takes both down. The one whose
    /// name comes first calls again.
    pub(super) fn handle_crossing(&mut self, error: Error, now: Time) {
        let Some(talk) = &self.talk else { return };
        if talk.redials >= MOST_REDIALS {
            return self.end(reason::LOST, error, Farewell::HangUp(reason::CROSSING), now);
        }
        let by_third = talk.crossed_by.as_ref().is_some_and(|(other, _)| *other != talk.peer);
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
        if self.talk.as_ref().is_some_and(|talk| talk.redials >= MOST_REDIALS) {
            let error = End::CrossedTooOften.into();
            return self.end(reason::DECLINED, error, Farewell::Await, now);
        }
        let wins = match (&self.name, &self.talk) {
            (Name::Held(me), Some(talk)) => *me < talk.peer,
            _ => false,
        };
        if wins {
            return self.dial_again(Farewell::Await, now);
        }
        self.put_down(Farewell::Await, now);
        if let Some(talk) = &mut self.talk {
            talk.stage = Stage::Yielding;
            talk.deadline = Some(now + YIELD);
            talk.redials = talk.redials.saturating_add(1);
        }
    }

    pub(super) fn dial_again(&mut self, farewell: Farewell<'_>, now: Time) {
        self.put_down(farewell, now);
        if let Some(talk) = &mut self.talk {
            talk.redials = talk.redials.saturating_add(1);
            self.offer(now);
        }
    }
}
