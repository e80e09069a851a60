//! The end of a call, which the page sees once, and its teardown at the gateway.

use super::*;

impl VideoCall {
    /// Ends the call, for the page and at the gateway, for this reason.
    pub(super) fn end(&mut self, reason: &str, error: impl Into<Error>, now: Time) {
        self.end_with(reason, error, HangUpNotice::Send(reason), now);
    }

    /// Ends the call for the page, once, and at the gateway according to `notice`.
    pub(super) fn end_with(
        &mut self,
        reason: &str,
        error: impl Into<Error>,
        notice: HangUpNotice<'_>,
        now: Time,
    ) {
        let bye = match notice {
            HangUpNotice::Send(reason) => Some(reason),
            _ => None,
        };
        // Before the connection is removed, since the ids of incoming transfers contain its id.
        self.with_transfers(|transfers| transfers.end(reason, bye));
        self.take_down(notice, now);
        let Some(Call { peer, command, .. }) = self.call.take() else { return };
        self.timers.stop(Timer::Call);
        self.log(Level::Info, format!("the call with \"{peer}\" ended: {reason}"));
        if notice != HangUpNotice::Refused {
            self.teardown.remember(peer.clone(), now);
        }
        self.event(Event::HangUp { peer, reason: reason.to_owned() });
        // After the event, since it takes the browser milliseconds.
        self.outputs.push_back(Output::Release);
        // A lost media path has ended with the call.
        self.report_trouble();
        if let Some(command) = command {
            self.done(command, Err(error.into()));
        }
    }

    /// Removes the call's connection and begins its teardown at the gateway.
    pub(super) fn take_down(&mut self, notice: HangUpNotice<'_>, now: Time) {
        drop(self.early_candidates.take());
        self.timers.stop(Timer::DataEnd);
        let Some(call) = &mut self.call else { return };
        let is_known = call.is_known_to_gateway();
        let is_describing = call.connection.as_ref().is_some_and(Connection::is_describing);
        let is_reported = call.remote_end.is_some();
        let remote_end = call.remote_end.take().unwrap_or_default();
        let connection = call.disconnect();
        let notice = match notice {
            _ if !is_known => HangUpNotice::None,
            // The gateway opens a new connection for a description that arrives after the end.
            HangUpNotice::FromGateway | HangUpNotice::FromPeer if is_describing => {
                HangUpNotice::Send(reason::HUNG_UP)
            }
            HangUpNotice::FromPeer if is_reported => HangUpNotice::FromGateway,
            notice => notice,
        };
        let request = match notice {
            HangUpNotice::Send(reason) => {
                Some(self.request(Purpose::HangUp, Request::hang_up(reason), None))
            }
            _ => None,
        };
        // The connection's DTLS alert would end the call at the gateway before the reason arrives.
        let is_kept = request.is_some() || notice == HangUpNotice::FromPeer;
        let (kept, closed) = if is_kept { (connection, None) } else { (None, connection) };
        if let Some(id) = closed {
            self.peer_command(id, PeerCommand::Close);
        }
        if notice == HangUpNotice::None {
            return;
        }
        let closing = Closing {
            request,
            awaits_core: remote_end.core.is_none(),
            awaits_remote: notice != HangUpNotice::Refused && !remote_end.is_peer_gone,
            connection: kept,
        };
        self.teardown.begin(closing, &mut self.timers, now);
        if notice != HangUpNotice::FromPeer {
            self.teardown.check(&mut self.timers, now);
        }
        self.drain_teardown(now);
    }

    /// Declines a call, possibly while another one is being prepared.
    pub(super) fn decline(&mut self, reason: &str, now: Time) {
        // A hang-up that is under way ends this call too.
        if !self.teardown.is_hanging_up() {
            let id = self.request(Purpose::HangUp, Request::hang_up(reason), None);
            self.teardown.decline(id, &mut self.timers, now);
        }
    }

    /// The hang-up was answered, or has failed.
    pub(super) fn handle_hung_up(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        if self.teardown.handle_answer(id) {
            if let Err(error) = result {
                self.warn("the gateway did not accept the hang-up", &error);
            }
            self.teardown.check(&mut self.timers, now);
            self.drain_teardown(now);
        }
        self.give_up_wedged(now);
    }

    pub(super) fn close_connection(&mut self) {
        if let Some(id) = self.call.as_mut().and_then(Call::disconnect) {
            self.peer_command(id, PeerCommand::Close);
        }
    }

    /// `closeUsecase()` detaches once the hang-up is confirmed.
    pub(super) fn detach_when_complete(&mut self) {
        if let Life::Closing(commands) = &mut self.life
            && !self.teardown.is_hanging_up()
        {
            self.life = Life::Detaching(take(commands));
            self.outputs.push_back(Output::Detach);
        }
    }

    /// The session is lost for good, and the handle with it.
    pub(super) fn end_with_session(&mut self, end: &SessionEnd, now: Time) {
        let cause = Error::from(end.clone());
        self.lose_handle(reason::SESSION_LOST, &cause, now);
        for waiting in self.recovery.take_lists() {
            self.done(waiting.command, Err(cause.clone()));
        }
        self.registration.handle_end(&cause, &mut self.timers);
        self.drain_registration(now);
        if let Life::Closing(commands) | Life::Detaching(commands) =
            std::mem::replace(&mut self.life, Life::Closed)
        {
            for command in commands {
                self.done(command, Ok(()));
            }
        }
    }
}
