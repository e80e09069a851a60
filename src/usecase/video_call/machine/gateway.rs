//! The gateway's news: answers to requests, and what it tells unasked.

use super::*;

impl VideoCall {
    /// The session is gone, and the handle with it.
    pub fn handle_session_end(&mut self, error: &Error, now: Time) {
        self.lose_handle(reason::SESSION_LOST, error, now);
        for waiting in take(&mut self.healing.lists) {
            self.done(waiting.command, Err(error.clone()));
        }
        if let Name::Asked { name, command, .. } = std::mem::replace(&mut self.name, Name::None) {
            self.event(Event::Registered { name, is_registered: false });
            if let Some(waiting) = command {
                self.done(waiting.command, Err(error.clone()));
            }
        }
        self.become_closed();
    }

    /// The handle is detached, or nobody is there to detach it.
    pub fn handle_detached(&mut self, now: Time) {
        if !matches!(self.life, Life::Closed) {
            self.handle_session_end(&End::Detached.into(), now);
        }
    }

    /// What became of a request.
    pub fn handle_answer(
        &mut self,
        id: RequestId,
        answer: Result<Answer, signaling::Error>,
        now: Time,
    ) {
        let Some(asked) = self.requests.remove(&id) else { return };
        let result = match answer {
            Ok(Answer::Plugin { data, .. }) => message::parse(&data)
                .map_err(|Refusal { code, reason }| self.refused(code, reason, &asked.purpose)),
            Ok(_) => Ok(PluginEvent::Unknown("answer without a message".into())),
            // Something else may have made that answer so long: a list is asked for once more, at once. One
            // that is too long itself stays so.
            Err(error) if error.is_too_long() && matches!(asked.purpose, Purpose::List(_)) => {
                if asked.repeats == 0 {
                    self.repeat(&asked, Request::List);
                    return;
                }
                Err(error.into())
            }
            Err(error) if error.is_uncertain() || error.is_session_lost() => {
                return self.handle_uncertain(id, asked, error.into(), now);
            }
            Err(error) => Err(error.into()),
        };
        self.conclude(id, asked.purpose, result, now);
    }

    /// Does what the answer to a request means.
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
            Purpose::Register => self.handle_registered(result, now),
            Purpose::List(waiting) => {
                let result = result.and_then(|event| match event {
                    PluginEvent::List(names) => Ok(Reply::Names(names)),
                    other => Err(Error::unexpected(&other)),
                });
                self.done(waiting.command, result);
            }
            Purpose::Set(command, settings) => {
                let result = result.and_then(|event| match event {
                    PluginEvent::Set => Ok(Reply::Set(settings)),
                    other => Err(Error::unexpected(&other)),
                });
                if result.is_ok() {
                    self.event(Event::SetCall(settings));
                }
                self.done(command, result);
            }
            Purpose::Dial => self.handle_dialed(id, result, now),
            Purpose::Accept => self.handle_accept_answered(id, result, now),
            Purpose::HangUp => {
                if let Some(teardown) = &mut self.teardown
                    && teardown.request == Some(id)
                {
                    teardown.request = None;
                    if let Err(error) = result {
                        self.warn("the gateway did not take the hang-up", &error);
                    }
                    self.check_teardown(now);
                }
                self.give_up_stuck();
            }
        }
    }

    /// The plugin's refusal, with the name that the request was about.
    pub(super) fn refused(&self, code: PluginCode, reason: String, purpose: &Purpose) -> Error {
        let name = match (purpose, &self.name, &self.call) {
            (Purpose::Register, Name::Asked { name, .. }, _) => Some(name.clone()),
            (Purpose::Dial | Purpose::Accept, _, Some(call)) => Some(call.peer.clone()),
            _ => None,
        };
        Error::Refused { code, reason, name }
    }

    pub(super) fn handle_registered(&mut self, result: Result<PluginEvent, Error>, now: Time) {
        let before = std::mem::replace(&mut self.name, Name::None);
        let Name::Asked { name, command, guests_left, again } = before else {
            self.name = before;
            return;
        };
        let error = match result {
            Ok(PluginEvent::Registered) => return self.hold(name, command, now),
            Ok(other) => Error::unexpected(&other),
            Err(error) => error,
        };
        let is_taken = error.is_refusal(PluginCode::USERNAME_TAKEN);
        let cuts = again.as_ref().map_or(0, |again| again.cuts);
        let is_cut_off = command.is_none() && error.is_uncertain() && cuts < MOST_REPEATS;
        match (&error, again) {
            _ if is_taken && guests_left > 0 => {
                let other = guest_name((self.random)());
                return self.ask_for_name(other, command, guests_left.saturating_sub(1));
            }
            // A session of our own may hold it still: the one that is lost, or, for a moment, that of a page just reloaded.
            (_, again)
                if is_cut_off
                    || is_taken && again.as_ref().is_none_or(|again| now < again.until) =>
            {
                let mut again = again.unwrap_or_else(|| Again::new(now));
                if is_cut_off {
                    again.until = now + healing::NAME_HELD;
                    // Out of reach, the session's limit counts.
                    again.cuts = again.cuts.saturating_add(u8::from(!self.healing.out_of_reach));
                }
                self.log(Level::Info, "the name will be asked for again".into());
                again.due = Some(again.backoff.next((self.random)(), now));
                self.name = Name::Asked { name, command, guests_left, again: Some(again) };
                return;
            }
            // A registration whose answer was lost, and that was asked for again.
            // Janus gives the name that is held only in its words: "Already registered (Tom)".
            (Error::Refused { code: PluginCode::ALREADY_REGISTERED, reason, .. }, _)
                if reason.contains(&format!("({name})")) =>
            {
                return self.hold(name, command, now);
            }
            _ => {}
        }
        self.event(Event::Registered { name, is_registered: false });
        // A call that waits for the name.
        self.end(reason::LOST, error.clone(), Farewell::HangUp(reason::LOST), now);
        match command {
            Some(waiting) => self.done(waiting.command, Err(error)),
            None => self.event(Event::Error(error.into())),
        }
        self.be_well();
    }

    pub(super) fn hold(&mut self, name: UserName, command: Option<Waiting>, now: Time) {
        self.log(Level::Info, format!("registered as \"{name}\""));
        self.name = Name::Held(name.clone());
        self.event(Event::Registered { name: name.clone(), is_registered: true });
        if let Some(waiting) = command {
            self.done(waiting.command, Ok(Reply::Name(name)));
        }
        self.be_well();
        self.dial_if_due(now);
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
        // What is still to be cleared up after the call before may stand in the way of this one.
        let is_afterglow = call.redials < MOST_REDIALS
            && self
                .last
                .as_ref()
                .is_some_and(|(last, at)| *last == peer && now.since(*at) < AFTERGLOW);
        match result {
            Ok(PluginEvent::Calling) => {
                call.stage = Stage::RingingOut;
                call.deadline = Some(now + self.config.ring_timeout);
                self.announce();
            }
            Ok(PluginEvent::HangUp(_)) => {
                if is_afterglow {
                    return self.dial_again(Farewell::Refused, now);
                }
                let error = Error::Busy { peer };
                self.end(reason::BUSY, error, Farewell::Refused, now);
            }
            Ok(other) => {
                let error = Error::unexpected(&other);
                self.end(reason::LOST, error, Farewell::HangUp(reason::CANCELLED), now);
            }
            Err(error) => self.handle_dial_refused(error, is_afterglow, now),
        }
    }

    fn handle_dial_refused(&mut self, error: Error, is_afterglow: bool, now: Time) {
        let announced = self.call.as_ref().is_some_and(|call| call.announced);
        match &error {
            Error::Gateway(signaling::Error::Refused { code: CoreCode::UNKNOWN, .. }) => {
                self.handle_core_busy(error, now);
            }
            Error::Refused { code, .. } => match *code {
                PluginCode::ALREADY_IN_CALL => self.handle_crossing(error, now),
                // It rang there a moment ago.
                PluginCode::NO_SUCH_USERNAME if announced => {
                    self.end(reason::LEFT, error, Farewell::Refused, now);
                }
                // Its handle is stuck in the call before, and it takes another.
                PluginCode::NO_SUCH_USERNAME if is_afterglow => {
                    self.dial_again(Farewell::Refused, now);
                }
                PluginCode::NO_SUCH_USERNAME => {
                    self.end(reason::NO_SUCH_USER, error, Farewell::Refused, now);
                }
                PluginCode::USE_ECHO_TEST => self.end(reason::SELF, error, Farewell::Refused, now),
                _ => self.end(reason::LOST, error, Farewell::HangUp(reason::CANCELLED), now),
            },
            _ => self.end(reason::LOST, error, Farewell::HangUp(reason::CANCELLED), now),
        }
    }

    pub(super) fn handle_accept_answered(
        &mut self,
        id: RequestId,
        result: Result<PluginEvent, Error>,
        now: Time,
    ) {
        if !self.call.as_ref().is_some_and(|call| call.stage == Stage::Accepting(id)) {
            return;
        }
        let error = match result {
            Ok(PluginEvent::Accepted) => return self.come_up(now),
            Ok(other) => Error::unexpected(&other),
            Err(error) => error,
        };
        match &error {
            Error::Refused { code: PluginCode::NO_CALL, .. } => {
                self.end(reason::CANCELLED, error, Farewell::Await, now);
            }
            // The gateway closes a connection late: that of the call before took this offer with it.
            Error::Gateway(signaling::Error::Refused {
                code: CoreCode::UNEXPECTED_ANSWER, ..
            }) => {
                self.once_more(Farewell::HangUp(reason::ONCE_MORE), now);
            }
            _ => self.end(reason::LOST, error, Farewell::HangUp(reason::LOST), now),
        }
    }

    /// What the gateway tells unasked.
    pub fn handle_notice(&mut self, notice: Notice, now: Time) {
        match notice {
            Notice::Event { data, jsep } => match message::parse(&data) {
                Ok(event) => self.handle_plugin_event(event, jsep, now),
                Err(Refusal { code, reason }) => {
                    self.log(Level::Warn, format!("the plugin complains: {reason} ({code})"));
                }
            },
            Notice::Candidates(candidates) => self.handle_remote_candidates(candidates, now),
            Notice::Hangup(words) => self.handle_core_hangup(words, now),
            Notice::IceFailed => self.log(Level::Warn, "ICE failed at the gateway's end".into()),
            Notice::Detached => {
                if matches!(self.life, Life::Open) {
                    self.event(Event::Error(Error::from(End::Detached).into()));
                }
                self.handle_detached(now);
            }
            Notice::SlowLink { media, uplink, lost } => {
                // The gateway's uplink is what it sends: our downlink.
                self.event(Event::SlowLink { media, uplink: !uplink, lost });
            }
            // The browser tells of both itself.
            Notice::WebrtcUp | Notice::Media => {}
        }
    }

    pub(super) fn handle_plugin_event(
        &mut self,
        event: PluginEvent,
        jsep: Option<Jsep>,
        now: Time,
    ) {
        match (event, jsep) {
            (PluginEvent::IncomingCall(peer), Some(Jsep { kind: JsepKind::Offer, sdp })) => {
                self.handle_incoming(peer, sdp, now);
            }
            (PluginEvent::IncomingCall(peer), _) if matches!(self.life, Life::Open) => {
                self.log(Level::Warn, format!("\"{peer}\" calls without an offer; declined"));
                self.decline(reason::DECLINED, now);
            }
            (PluginEvent::Accepted, jsep) => self.handle_accepted(jsep, now),
            (PluginEvent::HangUp(words), _) => self.handle_hang_up(words, Farewell::Await, now),
            // The core's own notice tells the same, with the number of lost packets.
            (PluginEvent::SlowLink, _) => {}
            (PluginEvent::Update, Some(jsep)) => self.handle_update(jsep, now),
            (other, _) => self.log(Level::Warn, format!("skipped {}", other.as_str())),
        }
    }

    pub(super) fn handle_incoming(&mut self, peer: UserName, offer: String, now: Time) {
        if !matches!(self.life, Life::Open) {
            return;
        }
        // The gateway tells in order: our hang-up, not yet answered, will hit this call.
        if self.is_leaving() {
            self.log(Level::Warn, format!("a call from \"{peer}\" crossed a hang-up and is lost"));
            return;
        }
        if offer == self.last_offer {
            return self.log(Level::Info, "a call is told twice".into());
        }
        self.last_offer.clone_from(&offer);
        self.healing.doubted = None;
        match &mut self.call {
            None => {}
            Some(call) => match call.stage {
                // Both want to call, and the other was faster: no need to call any more.
                Stage::Offering | Stage::Offered { .. } | Stage::RingingOut | Stage::Yielding
                    if call.peer == peer =>
                {
                    self.log(Level::Info, format!("\"{peer}\" calls too: accepting"));
                    self.close_connection();
                    return self.answer(offer, now);
                }
                Stage::Offering | Stage::Offered { .. } | Stage::Yielding => {
                    self.log(Level::Info, format!("\"{peer}\" calls meanwhile: busy"));
                    return self.decline(reason::BUSY, now);
                }
                // The call that was to come once more; the page knows of it.
                Stage::RingingIn { offer: ref mut waiting }
                    if call.peer == peer && waiting.is_empty() =>
                {
                    *waiting = offer;
                    call.deadline = Some(now + self.config.ring_timeout);
                    return;
                }
                // The answer to our own call decides.
                Stage::Dialing(_) => {
                    call.crossed_by = Some((peer, offer));
                    return;
                }
                // The gateway lets nobody through to one who is in a call: so that call is over.
                _ => {
                    let error = End::ByGateway { reason: None }.into();
                    self.end(reason::LOST, error, Farewell::None, now);
                }
            },
        }
        let stage = Stage::RingingIn { offer };
        let deadline = now + self.config.ring_timeout;
        self.call = Some(Call::new(peer.clone(), stage, deadline, self.config.data.clone()));
        self.event(Event::IncomingCall(peer));
    }

    pub(super) fn handle_accepted(&mut self, jsep: Option<Jsep>, now: Time) {
        let Some(call) = &mut self.call else { return };
        if !matches!(call.stage, Stage::Dialing(_) | Stage::RingingOut) {
            return;
        }
        let (Some(connection), Some(Jsep { kind: JsepKind::Answer, sdp })) =
            (call.connection, jsep)
        else {
            let farewell = Farewell::HangUp(reason::LOST);
            return self.end(reason::LOST, Error::MissingAnswer, farewell, now);
        };
        call.support = sdp::support(&sdp);
        self.announce();
        self.media(Media::Remote(connection, sdp));
        self.come_up(now);
    }

    pub(super) fn come_up(&mut self, now: Time) {
        let Some(call) = &mut self.call else { return };
        call.stage = Stage::Up;
        // What was told of an end before this was about the call before.
        call.doom = None;
        call.deadline = (!call.connected).then(|| now + self.config.connect_timeout);
        let (peer, command, flows) = (call.peer.clone(), call.command.take(), call.flows);
        let support = call.support;
        let is_stale = call.path.changed.is_some() && !call.connected;
        if call.path.is_polite {
            call.path.due = Some(now + restart::SILENCE);
        }
        let first = !std::mem::replace(&mut call.accepted, true);
        if first {
            self.event(Event::Accepted(peer.clone()));
        }
        if flows {
            self.event(Event::RemoteMedia(peer));
        }
        if let Some(command) = command {
            self.done(command, Ok(Reply::Done));
        }
        if is_stale {
            self.restart_after_change(now);
        }
        self.with_link(|link| link.handle_up(support, now));
    }

    pub(super) fn announce(&mut self) {
        let Some(call) = &mut self.call else { return };
        if !std::mem::replace(&mut call.announced, true) {
            let (peer, command) = (call.peer.clone(), call.command.take());
            self.event(Event::Calling(peer));
            if let Some(command) = command {
                self.done(command, Ok(Reply::Done));
            }
        }
    }

    /// The plugin, or the other side itself, says that a call is over.
    pub(super) fn handle_hang_up(&mut self, words: String, farewell: Farewell<'_>, now: Time) {
        // Some words have a meaning of their own, but not where the other side says them by itself.
        let is_gateways = matches!(farewell, Farewell::Await);
        if is_gateways && words == REMOTE_GONE {
            return self.handle_remote_gone(now);
        }
        if is_gateways {
            self.handle_told(now);
        }
        let Some(call) = &self.call else { return };
        let own = match &call.stage {
            // Nothing of this call is at the gateway: this is about the one before. A call
            // that was just sent has an answer of its own.
            Stage::Offering | Stage::Offered { .. } | Stage::Yielding | Stage::Dialing(_) => return,
            Stage::RingingOut if words == reason::CROSSING => return self.make_way(now),
            _ if is_gateways && words == reason::ONCE_MORE => return self.once_more(farewell, now),
            Stage::RingingOut => reason::DECLINED,
            Stage::RingingIn { .. }
            | Stage::Answering
            | Stage::Answered { .. }
            | Stage::Accepting(_) => reason::CANCELLED,
            Stage::Up => reason::HUNG_UP,
        };
        let words = match words.as_str() {
            reason::NO_DEVICE => reason::PEER_NO_DEVICE,
            // Of us, who are here: so the way between was lost.
            reason::LEFT => reason::LOST,
            words if DEFAULT_REASONS.contains(&words) => own,
            words => words,
        };
        let error = End::ByPeer { reason: words.to_owned() };
        self.end(words, error.into(), farewell, now);
    }

    /// Of an end that the other side told first, the gateway has told now. Its closing begins only then.
    pub(super) fn handle_told(&mut self, now: Time) {
        if let Some(teardown) = &mut self.teardown
            && teardown.request.is_none()
            && teardown.connection.is_some()
        {
            teardown.deadline = now + TEARDOWN;
            self.check_teardown(now);
        }
    }

    /// The plugin says that the other end's media connection is gone: an echo of the hang-up before,
    /// or the end of this call, whose reason may follow.
    pub(super) fn handle_remote_gone(&mut self, now: Time) {
        if let Some(teardown) = &mut self.teardown
            && std::mem::take(&mut teardown.echo)
        {
            return self.check_teardown(now);
        }
        if let Some(call) = &mut self.call
            && call.is_linked()
        {
            call.doom(now + WORDS).remote_gone = true;
        }
    }

    /// The core says that the media connection is gone.
    pub(super) fn handle_core_hangup(&mut self, words: String, now: Time) {
        self.healing.stuck = false;
        if let Some(teardown) = &mut self.teardown
            && std::mem::take(&mut teardown.core)
        {
            return self.check_teardown(now);
        }
        if let Some(call) = &mut self.call
            && call.is_linked()
        {
            call.doom(now + WORDS).core = Some(words);
        }
    }

    pub(super) fn handle_remote_candidates(&mut self, candidates: Vec<Candidate>, now: Time) {
        if let Some(connection) = self.call.as_ref().and_then(|call| call.connection) {
            return self.media(Media::Candidates(connection, candidates));
        }
        // Until the gateway has closed the connection of the call before, they are that one's.
        if self.call.is_none() && self.teardown.is_some() {
            return;
        }
        // The call they belong to may come a moment later, or be lost.
        if self.call.is_none() {
            self.doubt(healing::PATIENCE, now);
        }
        let room = MOST_EARLY_CANDIDATES.saturating_sub(self.early_candidates.len());
        self.early_candidates.extend(candidates.into_iter().take(room));
    }
}
