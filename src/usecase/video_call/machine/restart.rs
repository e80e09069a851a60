//! A lost media path is mended on the peer connection that is there: a new offer with new ICE credentials
//! (RFC 8839, section 4.4.1.1.1), which the gateway passes on in a `set` and an `update`.
//!
//! Each end has a connection of its own to the gateway, and only the one that asks gets new credentials.
//! Where both ask at once, the one that answered the call takes its offer back (W3C WebRTC, section 10.7,
//! "perfect negotiation").

use super::*;

/// How long the answer to a new offer may take. Then another is made.
const ANSWER: Duration = Duration::from_secs(8);
/// How long the caller's media may be missing before the caller is asked for it: it may not have heard that
/// it was accepted.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// How long a connection may take to come back after a negotiation, before the next one.
const RETRY: Duration = Duration::from_secs(3);
/// How much longer the one that answered the call waits.
const COURTESY: Duration = Duration::from_secs(2);

/// How long after a change of network a path that is lost counts as lost with it.
const CHANGE: Duration = Duration::from_secs(20);

impl Path {
    /// A negotiation ended: if it did not help, another follows.
    fn look_again(&mut self, now: Time) {
        let courtesy = if self.is_polite { COURTESY } else { Duration::ZERO };
        self.due = (self.is_lost || self.is_wanted).then(|| now + RETRY + courtesy);
    }
}

impl VideoCall {
    /// The browser says that the network may be another one. That is a hint: a path that flows is left alone, and
    /// one that is lost, now or soon, is mended without waiting for the browser to give it up.
    pub fn handle_network_changed(&mut self, now: Time) {
        let Some(call) = self.call.as_mut().filter(|call| call.connection.is_some()) else {
            return;
        };
        call.path.changed = Some(now);
        if call.stage == Stage::Up && !call.connected {
            self.restart_after_change(now);
        }
    }

    /// The network changed, and the path does not flow. Firefox closes the sockets of a network that is gone, and
    /// gathers no new ones: what was offered before is of no use.
    pub(super) fn restart_after_change(&mut self, now: Time) {
        let Some(call) = &mut self.call else { return };
        if call.knows_updates() {
            return self.restart(now);
        }
        // It may yet come up, or back.
        if !call.path.was_up {
            let due = now + RETRY;
            call.path.due = Some(call.path.due.map_or(due, |before| before.min(due)));
        }
    }

    /// Media flowed, and does not any more.
    pub(super) fn lose_path(&mut self, state: ConnectionState, now: Time) {
        let Some(call) = &mut self.call else { return };
        if !std::mem::replace(&mut call.path.is_lost, true) && call.doom.is_none() {
            call.deadline = Some(now + self.config.connect_timeout);
        }
        let changed = call.path.changed.is_some_and(|at| now.since(at) <= CHANGE);
        // What is only disconnected often comes back by itself, but hardly on another network.
        match state {
            ConnectionState::Failed => self.restart(now),
            _ if changed => self.restart_after_change(now),
            _ => {}
        }
    }

    /// Has the connection negotiated anew: by the caller at once, by the other a moment later. Two offers that
    /// cross leave the gateway with credentials that neither end knows; what one end lost, the other often
    /// lost too.
    pub(super) fn restart(&mut self, now: Time) {
        let Some(call) = &mut self.call else { return };
        call.path.is_wanted = true;
        let due = if call.path.is_polite { now + COURTESY } else { now };
        call.path.due = Some(call.path.due.map_or(due, |before| before.min(due)));
        self.handle_restart_timeout(now);
    }

    /// Whether a description is under way that must arrive before its candidates.
    pub(super) fn is_renegotiating(&self) -> bool {
        let offering = self
            .call
            .as_ref()
            .is_some_and(|call| call.path.negotiation == Some(Negotiation::Offering));
        offering || self.is_sending_description()
    }

    /// Whether a new description is on its way to the gateway.
    pub(super) fn is_sending_description(&self) -> bool {
        self.requests.values().any(|asked| matches!(asked.purpose, Purpose::Renegotiate))
    }

    /// A new offer, or the answer to one, is made.
    pub(super) fn handle_new_description(
        &mut self,
        result: Result<String, peer::Error>,
        now: Time,
    ) {
        let Some(call) = &mut self.call else { return };
        let version = call.link.version();
        let jsep = match (call.path.negotiation.take(), result) {
            (Some(Negotiation::Offering), Ok(sdp)) => {
                call.path.negotiation = Some(Negotiation::Offered(now + ANSWER));
                Jsep::offer(sdp::announce(&sdp, version))
            }
            (Some(Negotiation::Answering), Ok(sdp)) => {
                // It mended their connection. Ours may be lost as well.
                call.path.look_again(now);
                Jsep::answer(sdp::announce(&sdp, version))
            }
            (other, result) => {
                call.path.look_again(now);
                if let (Some(_), Err(error)) = (other, result) {
                    self.warn("the connection cannot be negotiated anew", &error);
                }
                self.flush_candidates();
                return;
            }
        };
        self.request(Purpose::Renegotiate, Request::renegotiate(), Some(jsep));
    }

    /// The gateway passed our offer or answer on, or did not.
    pub(super) fn handle_renegotiated(&mut self, result: Result<PluginEvent, Error>, now: Time) {
        let result = result.and_then(|event| match event {
            PluginEvent::Set => Ok(()),
            other => Err(Error::unexpected(&other)),
        });
        if let Err(error) = result {
            self.warn("a new description was not passed on", &error);
            if let Some(call) = &mut self.call {
                call.path.negotiation = None;
                call.path.look_again(now);
            }
        }
        self.flush_candidates();
    }

    /// The other side's new offer, or its answer to ours.
    pub(super) fn handle_update(&mut self, jsep: Jsep, now: Time) {
        let Some(call) = &mut self.call else { return };
        if call.stage == Stage::RingingOut && jsep.kind == JsepKind::Offer {
            // So it was accepted, and that was not heard.
            return self.call_once_more(now);
        }
        let Some(connection) = call.connection.filter(|_| call.stage == Stage::Up) else { return };
        let ours =
            matches!(call.path.negotiation, Some(Negotiation::Offering | Negotiation::Offered(_)));
        match jsep.kind {
            JsepKind::Offer if ours && !call.path.is_polite => {}
            JsepKind::Offer => {
                // Ours is taken back, and made again when theirs is answered.
                call.path.is_wanted |= ours;
                call.path.negotiation = Some(Negotiation::Answering);
                self.media(Media::Renegotiate(connection, jsep.sdp));
            }
            JsepKind::Answer if matches!(call.path.negotiation, Some(Negotiation::Offered(_))) => {
                call.path.negotiation = None;
                call.path.look_again(now);
                self.media(Media::Remote(connection, jsep.sdp));
            }
            // To an offer that was taken back.
            JsepKind::Answer => {}
        }
    }

    pub(super) fn handle_restart_timeout(&mut self, now: Time) {
        let Some(call) = &mut self.call else { return };
        if call.path.deadline().is_none_or(|due| due > now) {
            return;
        }
        let knows_updates = call.knows_updates();
        let path = &mut call.path;
        let is_silent = path.is_polite && !call.flows && path.negotiation.is_none();
        let is_silent = is_silent && knows_updates;
        let is_stale = path.changed.is_some() && !path.was_up;
        let is_wanted = take(&mut path.is_wanted) || path.is_lost || is_silent || is_stale;
        path.negotiation = None;
        path.due = None;
        if let Some(connection) = call.connection.filter(|_| is_wanted) {
            path.negotiation = Some(Negotiation::Offering);
            path.changed = None;
            self.log(Level::Info, "the media connection is negotiated anew".into());
            self.media(Media::Restart(connection));
        }
    }
}
