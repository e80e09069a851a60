//! The setup of a call: offering, dialing, answering, and the crossing of two calls.

use super::*;

impl VideoCall {
    /// Starts a new offer, which is sent once the gateway is done with the previous call.
    pub(super) fn offer(&mut self, now: Time) {
        let connection = Connection::offer(self.next_connection());
        let Some(call) = &mut self.call else { return };
        call.stage = Stage::Offering;
        call.crossed_by = None;
        call.connect(connection);
        self.timers.set(Timer::Call, now + DEVICES);
        self.drain_connection(now);
    }

    pub(super) fn answer(&mut self, offer: String, now: Time) {
        let id = self.next_connection();
        let early = self.early_candidates.take();
        let Some(call) = &mut self.call else { return };
        call.stage = Stage::Answering;
        call.support = sdp::support(&offer);
        call.connect(Connection::answer(id, offer, early));
        self.timers.set(Timer::Call, now + DEVICES);
        self.drain_connection(now);
    }

    fn next_connection(&mut self) -> ConnectionId {
        self.last_connection = self.last_connection.saturating_add(1);
        ConnectionId(self.last_connection)
    }

    /// Whether the gateway is done with the previous call, as far as we know, and has our name.
    fn may_dial(&self) -> bool {
        self.teardown.is_complete()
            && !self.requests.has_uncertain()
            && !self.teardown.is_wedged()
            && self.registration.name().is_some()
    }

    /// Sends the waiting offer or answer if the gateway is ready.
    pub(super) fn dial_if_due(&mut self, now: Time) {
        if !self.may_dial() {
            return;
        }
        let rests = self.timers.due(Timer::Rest).is_some_and(|due| due > now);
        let Some(call) = &self.call else { return };
        let stage = match &call.stage {
            Stage::Offered { sdp } if !rests => {
                let jsep = Jsep::offer(call.transfers.announce(sdp));
                let body = Request::call(&call.peer);
                Stage::Dialing(self.request(Purpose::Dial, body, Some(jsep)))
            }
            Stage::Answered { sdp } => {
                let jsep = Jsep::answer(call.transfers.announce(sdp));
                Stage::Accepting(self.request(Purpose::Accept, Request::Accept, Some(jsep)))
            }
            _ => return,
        };
        if let Some(call) = &mut self.call {
            call.stage = stage;
        }
        // The request has its own deadline.
        self.timers.stop(Timer::Call);
        self.with_connection(Connection::handle_carried, now);
    }

    pub(super) fn handle_dialed(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        let Some(call) = &mut self.call else { return };
        if call.stage != Stage::Dialing(id) {
            return;
        }
        let peer = call.peer.clone();
        // The previous call may cause a refusal until the gateway has ended it everywhere.
        let may_retry = call.may_redial() && self.teardown.may_explain_refusal(&peer, now);
        match result {
            Ok(PluginEvent::Calling) => {
                call.stage = Stage::RingingOut;
                self.timers.set(Timer::Call, now + self.config.ring_timeout);
                self.announce();
            }
            Ok(PluginEvent::HangUp(_)) if may_retry => {
                self.redial(HangUpNotice::Refused, now);
            }
            Ok(PluginEvent::HangUp(_)) => {
                self.end_with(reason::BUSY, Error::Busy { peer }, HangUpNotice::Refused, now);
            }
            Ok(other) => self.end_dialing(Error::unexpected(&other), now),
            Err(error) => self.handle_dial_refused(error, may_retry, now),
        }
    }

    fn handle_dial_refused(&mut self, error: Error, may_retry: bool, now: Time) {
        let is_announced = self.call.as_ref().is_some_and(Call::is_announced);
        let code = match &error {
            Error::Gateway(signaling::Error::Refused { code: CoreCode::UNKNOWN, .. }) => {
                return self.handle_core_busy(error, now);
            }
            Error::Refused { code, .. } => *code,
            _ => return self.end_dialing(error, now),
        };
        let reason = match code {
            PluginCode::ALREADY_IN_CALL => return self.handle_crossing(error, now),
            // The peer's side rang a moment ago.
            PluginCode::NO_SUCH_USERNAME if is_announced => reason::LEFT,
            // The peer's handle was wedged, and its client is attaching another.
            PluginCode::NO_SUCH_USERNAME if may_retry => {
                return self.redial(HangUpNotice::Refused, now);
            }
            PluginCode::NO_SUCH_USERNAME => reason::NO_SUCH_USER,
            PluginCode::USE_ECHO_TEST => reason::SELF,
            _ => return self.end_dialing(error, now),
        };
        self.end_with(reason, error, HangUpNotice::Refused, now);
    }

    /// Dialing failed, but the gateway may have the call nevertheless.
    fn end_dialing(&mut self, error: Error, now: Time) {
        self.end_with(reason::LOST, error, HangUpNotice::Send(reason::CANCELLED), now);
    }

    /// The core refused our call, for one of two reasons: it took another user's call meanwhile,
    /// which rings here, or it is not done with the previous call.
    fn handle_core_busy(&mut self, error: Error, now: Time) {
        let Some(call) = &mut self.call else { return };
        if !call.may_redial() {
            return self.end_with(reason::LOST, error, HangUpNotice::Refused, now);
        }
        call.count_redial();
        call.stage = Stage::Yielding;
        let crossed_by = call.crossed_by.take();
        let is_same_peer = crossed_by.as_ref().is_none_or(|(caller, _)| *caller == call.peer);
        self.timers.set(Timer::Call, now + CROSSING_CALL);
        self.log(Level::Info, "the gateway is not ready for the call");
        self.close_connection();
        match crossed_by {
            Some((_, offer)) if is_same_peer => self.answer(offer, now),
            Some(_) => self.decline(reason::BUSY, now),
            None => {}
        }
    }

    /// The plugin refused our call since it has us in another one, and ends both. The user whose
    /// name sorts first redials.
    fn handle_crossing(&mut self, error: Error, now: Time) {
        let Some(call) = &self.call else { return };
        let notice = HangUpNotice::Send(reason::CROSSING);
        if !call.may_redial() {
            return self.end_with(reason::LOST, error, notice, now);
        }
        let is_by_third = call.crossed_by.as_ref().is_some_and(|(other, _)| *other != call.peer);
        self.log(Level::Info, format!("two calls crossed ({error})"));
        if is_by_third {
            return self.redial(HangUpNotice::Send(reason::BUSY), now);
        }
        self.take_down(notice, now);
        self.yield_or_redial(now);
    }

    /// After a crossing, the user whose name sorts first redials. The other one waits for that
    /// call.
    pub(super) fn yield_or_redial(&mut self, now: Time) {
        let notice = HangUpNotice::FromGateway;
        let Some(call) = &self.call else { return };
        // A peer that claims crossings again and again must not keep us redialing.
        if !call.may_redial() {
            return self.end_with(reason::DECLINED, End::CrossedTooOften, notice, now);
        }
        if self.registration.name().is_some_and(|me| *me < call.peer) {
            return self.redial(notice, now);
        }
        self.take_down(notice, now);
        if let Some(call) = &mut self.call {
            call.stage = Stage::Yielding;
            call.count_redial();
            self.timers.set(Timer::Call, now + YIELD);
        }
    }

    pub(super) fn redial(&mut self, notice: HangUpNotice<'_>, now: Time) {
        self.take_down(notice, now);
        if let Some(call) = &mut self.call {
            call.count_redial();
            self.offer(now);
        }
    }

    pub(super) fn handle_accept_answered(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        if !self.is_in_stage(|stage| *stage == Stage::Accepting(id)) {
            return;
        }
        let error = match result {
            Ok(PluginEvent::Accepted) => return self.establish(now),
            Ok(other) => Error::unexpected(&other),
            Err(error) => error,
        };
        match &error {
            Error::Refused { code: PluginCode::NO_CALL, .. } => {
                self.end_with(reason::CANCELLED, error, HangUpNotice::FromGateway, now);
            }
            // The gateway closed the previous call's connection late, and lost this offer with it.
            Error::Gateway(signaling::Error::Refused {
                code: CoreCode::UNEXPECTED_ANSWER, ..
            }) => self.ask_for_redial(HangUpNotice::Send(reason::REDIAL), now),
            _ => self.end(reason::LOST, error, now),
        }
    }

    /// The call is accepted, at both ends.
    pub(super) fn establish(&mut self, now: Time) {
        let Some(call) = &mut self.call else { return };
        call.stage = Stage::Up;
        // A reported end belongs to the previous call.
        call.remote_end = None;
        match call.has_path() {
            true => self.timers.stop(Timer::Call),
            false => self.timers.set(Timer::Call, now + self.config.connect_timeout),
        }
        let (accepted, command) = (call.accepted(), call.command.take());
        let (support, renegotiates) = (call.support, call.peer_renegotiates());
        let has_media = call.connection.as_ref().is_some_and(Connection::has_remote_media);
        let media = has_media.then(|| Event::RemoteMedia(call.peer.clone()));
        for event in accepted.into_iter().chain(media) {
            self.event(event);
        }
        if let Some(command) = command {
            self.done(command, Ok(()));
        }
        self.with_connection(|connection| connection.handle_established(renegotiates, now), now);
        self.with_transfers(|transfers| transfers.handle_up(support, now));
    }

    /// The peer's side is ringing.
    pub(super) fn announce(&mut self) {
        let Some(call) = &mut self.call else { return };
        if let Some(event) = call.announce() {
            let command = call.command.take();
            self.event(event);
            if let Some(command) = command {
                self.done(command, Ok(()));
            }
        }
    }
}
