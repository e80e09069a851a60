//! Reports of the gateway: answers to requests, and events.

use super::*;

impl VideoCall {
    /// A request was answered, or failed.
    pub(super) fn read_answer(
        &mut self,
        id: RequestId,
        answer: Result<Answer, signaling::Error>,
        now: Time,
    ) {
        let Some(pending) = self.requests.close(id) else { return };
        let result = match answer {
            Ok(Answer::Plugin { data, .. }) => message::parse(&data)
                .map_err(|Refusal { code, reason }| self.refused(code, reason, &pending.purpose)),
            Ok(_) => Ok(PluginEvent::Unknown("answer without a message".into())),
            // Another event in the same poll may have made the response too long, so a list is
            // requested once again. A list that is too long itself fails then.
            Err(error) if error.is_too_long() && matches!(pending.purpose, Purpose::List(_)) => {
                if pending.is_first() {
                    self.repeat(&pending, Request::List);
                    return;
                }
                Err(error.into())
            }
            Err(error) if error.is_uncertain() || error.is_session_lost() => {
                let error = error.into();
                return self.handle_uncertain(Uncertain { id, pending, error }, now);
            }
            Err(error) => Err(error.into()),
        };
        self.conclude(id, pending.purpose, result, now);
    }

    /// Passes the result of a request on to its part.
    pub(super) fn conclude(
        &mut self,
        id: RequestId,
        purpose: Purpose,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        match purpose {
            Purpose::Query => self.handle_query(id, result, now),
            Purpose::Renegotiate => self.handle_renegotiated(result, now),
            Purpose::Register => {
                let is_reachable = self.recovery.is_reachable();
                self.registration.handle_answer(result, is_reachable, &mut self.timers, now);
                self.drain_registration(now);
            }
            Purpose::List(waiting) => {
                let result = result.and_then(|event| match event {
                    PluginEvent::List(names) => Ok(Reply::Names(names)),
                    other => Err(Error::unexpected(&other)),
                });
                self.reply(waiting.command, result);
            }
            Purpose::Set(command, settings) => {
                let result = result.and_then(|event| match event {
                    PluginEvent::Set => Ok(Reply::Set(settings)),
                    other => Err(Error::unexpected(&other)),
                });
                if result.is_ok() {
                    self.event(Event::SetCall(settings));
                }
                self.reply(command, result);
            }
            Purpose::Dial => self.handle_dialed(id, result, now),
            Purpose::Accept => self.handle_accept_answered(id, result, now),
            Purpose::HangUp => self.handle_hung_up(id, result, now),
        }
    }

    /// The plugin's refusal, with the name in the request.
    pub(super) fn refused(&self, code: PluginCode, reason: String, purpose: &Purpose) -> Error {
        let name = match purpose {
            Purpose::Register => self.registration.wanted(),
            Purpose::Dial | Purpose::Accept => self.peer(),
            _ => None,
        };
        Error::Refused { code, reason, name: name.cloned() }
    }

    /// An event of the handle.
    pub(super) fn read_notice(&mut self, notice: Notice, now: Time) {
        match notice {
            Notice::Event { data, jsep } => match message::parse(&data) {
                Ok(event) => self.handle_plugin_event(event, jsep, now),
                Err(Refusal { code, reason }) => {
                    self.log(
                        Level::Warn,
                        format!("the plugin reported an error: {reason} ({code})"),
                    );
                }
            },
            Notice::Candidates(candidates) => self.handle_remote_candidates(candidates, now),
            Notice::Hangup(reason) => self.handle_core_hangup(reason, now),
            Notice::IceFailed => self.log(Level::Warn, "ICE failed at the gateway's end"),
            Notice::Detached => {
                if self.is_open() {
                    self.event(Event::Error(Closed::ByGateway.into()));
                }
                self.handle_detached(now);
            }
            Notice::SlowLink { media, uplink, lost } => {
                // The gateway's uplink is our downlink.
                self.event(Event::SlowLink { media, uplink: !uplink, lost });
            }
            // The browser reports both.
            Notice::WebrtcUp | Notice::Media => {}
        }
    }

    fn handle_plugin_event(&mut self, event: PluginEvent, jsep: Option<Jsep>, now: Time) {
        match (event, jsep) {
            (PluginEvent::IncomingCall(peer), Some(Jsep { kind: JsepKind::Offer, sdp })) => {
                self.handle_incoming(peer, sdp, now);
            }
            (PluginEvent::IncomingCall(peer), _) if self.is_open() => {
                self.log(Level::Warn, format!("\"{peer}\" calls without an offer; declined"));
                self.decline(reason::DECLINED, now);
            }
            (PluginEvent::Accepted, jsep) => self.handle_accepted(jsep, now),
            (PluginEvent::HangUp(reason), _) => {
                self.handle_hang_up(reason, HangUpNotice::FromGateway, now);
            }
            // The core reports the same, with the number of lost packets.
            (PluginEvent::SlowLink, _) => {}
            (PluginEvent::Update, Some(jsep)) => self.handle_update(jsep, now),
            (other, _) => self.log(Level::Warn, format!("skipped {}", other.as_str())),
        }
    }

    fn handle_incoming(&mut self, peer: UserName, offer: String, now: Time) {
        if !self.is_open() {
            return;
        }
        // The gateway reports in order, so our hang-up, which has no answer yet, will end this
        // call.
        if self.teardown.is_hanging_up() {
            self.log(Level::Warn, format!("a call from \"{peer}\" crossed a hang-up and is lost"));
            return;
        }
        if self.last_offer.as_ref() == Some(&offer) {
            return self.log(Level::Info, "skipped a call that was reported twice");
        }
        self.last_offer = Some(offer.clone());
        Recovery::cancel_doubt(&mut self.timers);
        let deadline = now + self.config.ring_timeout;
        if let Some(call) = &mut self.call {
            let is_same_peer = call.peer == peer;
            match call.stage {
                // Both sides call, and the peer was faster: accept its call instead.
                Stage::Offering | Stage::Offered { .. } | Stage::RingingOut | Stage::Yielding
                    if is_same_peer =>
                {
                    self.log(Level::Info, format!("\"{peer}\" calls too: accepting"));
                    self.close_connection();
                    return self.answer(offer, now);
                }
                Stage::Offering | Stage::Offered { .. } | Stage::Yielding => {
                    self.log(Level::Info, format!("\"{peer}\" calls meanwhile: busy"));
                    return self.decline(reason::BUSY, now);
                }
                // The page was told of the call.
                Stage::AwaitingRedial if is_same_peer => {
                    call.stage = Stage::RingingIn { offer };
                    return self.timers.set(Timer::Call, deadline);
                }
                // The answer to our own call decides.
                Stage::Dialing(_) => {
                    call.crossed_by = Some((peer, offer));
                    return;
                }
                // The gateway passes no call to a user who is in a call, so the previous call has
                // ended.
                _ => {
                    let error = End::ByGateway { reason: None };
                    self.end_with(reason::LOST, error, HangUpNotice::None, now);
                }
            }
        }
        let stage = Stage::RingingIn { offer };
        self.call = Some(Call::new(peer.clone(), stage, self.config.data.clone()));
        self.timers.set(Timer::Call, deadline);
        self.event(Event::IncomingCall(peer));
    }

    fn handle_accepted(&mut self, jsep: Option<Jsep>, now: Time) {
        if !self.is_in_stage(|stage| matches!(stage, Stage::Dialing(_) | Stage::RingingOut)) {
            return;
        }
        let Some(jsep) = jsep.filter(|jsep| jsep.kind == JsepKind::Answer) else {
            return self.end(reason::LOST, Error::MissingAnswer, now);
        };
        if let Some(call) = &mut self.call {
            call.support = sdp::support(&jsep.sdp);
        }
        self.announce();
        self.with_connection(|connection| connection.handle_remote_description(jsep, now), now);
        self.establish(now);
    }

    /// The peer's new offer, or its answer to ours.
    fn handle_update(&mut self, jsep: Jsep, now: Time) {
        let Some(call) = &self.call else { return };
        match call.stage {
            // The peer renegotiates, so it has accepted and that event is lost.
            Stage::RingingOut if jsep.kind == JsepKind::Offer => self.redial_after_loss(now),
            Stage::Up => self
                .with_connection(|connection| connection.handle_remote_description(jsep, now), now),
            _ => {}
        }
    }

    /// The plugin, or the peer by its BYE, reports the end of a call.
    pub(super) fn handle_hang_up(&mut self, reason: String, notice: HangUpNotice<'_>, now: Time) {
        // Some reasons of the plugin have a special meaning. In a BYE they have none.
        let is_gateways = notice == HangUpNotice::FromGateway;
        if is_gateways && reason == REMOTE_GONE {
            return self.handle_remote_gone(now);
        }
        if is_gateways {
            self.teardown.handle_confirmed(&mut self.timers, now);
            self.drain_teardown(now);
        }
        let Some(call) = &self.call else { return };
        let own = match &call.stage {
            // The gateway does not have this call, so the report is about the previous one. A call
            // that is being sent ends by its answer.
            Stage::Offering | Stage::Offered { .. } | Stage::Yielding | Stage::Dialing(_) => return,
            Stage::RingingOut if reason == reason::CROSSING => return self.yield_or_redial(now),
            _ if is_gateways && reason == reason::REDIAL => {
                return self.ask_for_redial(notice, now);
            }
            Stage::RingingOut => reason::DECLINED,
            Stage::RingingIn { .. }
            | Stage::AwaitingRedial
            | Stage::Answering
            | Stage::Answered { .. }
            | Stage::Accepting(_) => reason::CANCELLED,
            Stage::Up => reason::HUNG_UP,
        };
        let reason = match reason.as_str() {
            reason::NO_DEVICE => reason::PEER_NO_DEVICE,
            // The peer believes that we left. We did not, so the connection was lost.
            reason::LEFT => reason::LOST,
            reason if DEFAULT_REASONS.contains(&reason) => own,
            reason => reason,
        };
        self.end_with(reason, End::ByPeer { reason: reason.to_owned() }, notice, now);
    }

    /// The gateway closed the peer's media connection: a part of the previous call's teardown, or
    /// the end of this call, whose reason may follow.
    fn handle_remote_gone(&mut self, now: Time) {
        if self.teardown.handle_remote_gone() {
            self.teardown.check(&mut self.timers, now);
            return self.drain_teardown(now);
        }
        if let Some(end) = self.remote_end(now) {
            end.is_peer_gone = true;
        }
    }

    /// The core closed our media connection.
    fn handle_core_hangup(&mut self, reason: String, now: Time) {
        if self.teardown.handle_core_hangup() {
            self.teardown.check(&mut self.timers, now);
            return self.drain_teardown(now);
        }
        if let Some(end) = self.remote_end(now) {
            end.core = Some(reason);
        }
    }

    /// Notes that the call has ended at the gateway, and waits for the reason.
    fn remote_end(&mut self, now: Time) -> Option<&mut RemoteEnd> {
        let call = self.call.as_mut().filter(|call| call.is_linked())?;
        if call.remote_end.is_none() {
            self.timers.set(Timer::Call, now + REASON);
        }
        Some(call.remote_end.get_or_insert_default())
    }

    fn handle_remote_candidates(&mut self, candidates: Vec<Candidate>, now: Time) {
        if self.call.as_ref().is_some_and(|call| call.connection.is_some()) {
            let add = |connection: &mut Connection| {
                connection.handle_remote_candidates(candidates);
            };
            return self.with_connection(add, now);
        }
        if self.call.is_none() {
            // Until the gateway has closed the previous call's connection, they belong to that one.
            if !self.teardown.is_complete() {
                return;
            }
            // The call's event may come a moment later, or be lost.
            self.recovery.doubt_soon((self.random)(), &mut self.timers, now);
        }
        self.early_candidates.keep(candidates);
    }
}
