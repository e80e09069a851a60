//! Requests: in lanes that keep their order, with deadlines, and posted again where that does no harm.

use super::*;

impl<B: Serialize> Session<B> {
    /// Attaches to a plugin; answered by [`Answer::Attached`]. While the session is being made, the request
    /// goes with it: the id is ours, and one round trip is saved.
    /// `account` is shown in place of the session's own.
    pub fn attach(
        &mut self,
        plugin: &str,
        account: Option<&str>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        let kind = match self.state {
            State::Opening { .. } => Kind::EarlyAttach,
            _ => Kind::Attach,
        };
        self.check_connected()?;
        let opaque_id = account.map(str::to_owned).or_else(|| self.config.account.clone());
        let request = Request::Attach { plugin: plugin.to_owned(), opaque_id };
        Ok(self.request(kind, ChannelKind::Free, request, now))
    }

    /// Posts again what was posted too early, or to a server that did not answer.
    pub(super) fn attach_early(&mut self, kind: Kind, now: Time) {
        for pending in self.pending.values_mut() {
            match pending.stage {
                _ if !matches!(pending.kind, Kind::EarlyAttach | Kind::Attach) => continue,
                Stage::Posted(_) if kind == Kind::Attach => continue,
                Stage::Posted(http) => self.outputs.push_back(Output::Abort(http)),
                _ => {}
            }
            pending.kind = kind;
            pending.deadline = now + self.config.request_timeout;
            pending.stage = kind.first_stage(now);
        }
        self.pump(ChannelKind::Free, now);
    }

    /// Sends the plugin a message; answered by [`Answer::Plugin`].
    pub fn message(
        &mut self,
        handle: HandleId,
        body: B,
        jsep: Option<Jsep>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        self.check_connected()?;
        let request = Request::Message { body, jsep };
        Ok(self.request(Kind::Message, ChannelKind::Messages(handle), request, now))
    }

    /// Sends local candidates, several in one request.
    pub fn trickle(
        &mut self,
        handle: HandleId,
        candidates: Vec<Candidate>,
        now: Time,
    ) -> Result<TransactionId, Error> {
        self.check_connected()?;
        let request = Request::Trickle(candidates.into());
        Ok(self.request(Kind::Trickle, ChannelKind::Candidates(handle), request, now))
    }

    /// Detaches the handle, after what was sent to it before.
    pub fn detach(&mut self, handle: HandleId, now: Time) -> Result<TransactionId, Error> {
        self.check_connected()?;
        Ok(self.request(Kind::Detach, ChannelKind::Messages(handle), Request::Detach, now))
    }

    /// Asks the gateway whether it knows the session, unless that is being asked.
    pub(super) fn probe(&mut self, now: Time) {
        if self.is_open() && self.pending.values().all(|pending| pending.kind != Kind::Keepalive) {
            self.request(Kind::Keepalive, ChannelKind::Free, Request::Keepalive, now);
        }
    }

    pub(super) fn check_connected(&self) -> Result<(), Error> {
        match self.state {
            State::Opening { .. } | State::Open { .. } => Ok(()),
            State::Closed | State::Closing { .. } => Err(Error::NotConnected),
        }
    }

    pub(super) fn next_transaction(&mut self) -> TransactionId {
        self.last_transaction = self.last_transaction.saturating_add(1);
        TransactionId(self.last_transaction)
    }

    pub(super) fn request(
        &mut self,
        kind: Kind,
        lane: ChannelKind,
        request: Request<B>,
        now: Time,
    ) -> TransactionId {
        let transaction = self.next_transaction();
        let pending = Pending {
            kind,
            lane,
            deadline: now + self.config.request_timeout,
            stage: kind.first_stage(now),
            request,
            token: self.credentials.generation(),
            is_refused: false,
            backoff: Backoff::default(),
        };
        self.pending.insert(transaction, pending);
        self.pump(lane, now);
        transaction
    }

    /// Posts what may be posted in a lane.
    pub(super) fn pump(&mut self, lane: ChannelKind, now: Time) {
        if self.credentials.is_asking() {
            return;
        }
        for (transaction, pending) in self.pending.iter_mut().filter(|(_, p)| p.lane == lane) {
            match &mut pending.stage {
                Stage::Acknowledged { .. } => {}
                Stage::Posted(_) | Stage::Again(_) if lane == ChannelKind::Free => {}
                Stage::Posted(_) | Stage::Again(_) => return,
                Stage::Queued => {
                    let Some(url) = self.state.url(pending.kind, lane) else { return };
                    if let Err(due) = self.budget.take(now) {
                        pending.stage = Stage::Again(due);
                        return;
                    }
                    let url = format!("{url}?client={}", self.client);
                    self.last_http = self.last_http.saturating_add(1);
                    let id = HttpId(self.last_http);
                    let body = body(&pending.request, *transaction, &self.credentials);
                    pending.token = self.credentials.generation();
                    pending.stage = Stage::Posted(id);
                    self.outputs.push_back(Output::Log(
                        Level::Trace,
                        format!("POST {}", pending.kind.as_str()),
                    ));
                    self.outputs.push_back(Output::Http(HttpRequest { id, url, body: Some(body) }));
                    if lane != ChannelKind::Free {
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn handle_post(
        &mut self,
        transaction: TransactionId,
        response: HttpResponse,
        now: Time,
    ) {
        let result = self.read_post(&response);
        // Janus looks at the token before anything else.
        let is_accepted = match &result {
            Ok(_) => true,
            Err(Error::Refused { code, .. }) => !code.is_unauthorized(),
            Err(_) => false,
        };
        if is_accepted && let Some(pending) = self.pending.get(&transaction) {
            self.credentials.handle_accepted(pending.token);
        }
        let result = match result {
            Ok(Message::Ack { .. }) => match self.pending.get_mut(&transaction) {
                Some(pending) if pending.kind == Kind::Message => {
                    pending.stage = Stage::Acknowledged { doubted: Some(now + ANSWER) };
                    return;
                }
                _ => Ok(Message::Ack { transaction: transaction.0 }),
            },
            Err(error) if error.is_token_refused() && self.will_post_again(transaction, now) => {
                return;
            }
            Err(_)
                if let Some(pending) = self.pending.get_mut(&transaction)
                    && pending.kind == Kind::EarlyAttach =>
            {
                // Too early, perhaps: the session is there first.
                pending.kind = Kind::Attach;
                pending.stage = Stage::Again(pending.deadline);
                if self.is_open() {
                    self.attach_early(Kind::Attach, now);
                }
                return;
            }
            Err(error) if error.is_uncertain() => match self.pending.get_mut(&transaction) {
                Some(pending) if pending.kind.is_repeatable() => {
                    pending.stage = Stage::Again(pending.backoff.next((self.random)(), now));
                    return self.warn("to be posted again", &error);
                }
                Some(pending) if pending.kind == Kind::Message => {
                    // The poll may be as dead, and would only say so later.
                    self.probe(now);
                    Err(error)
                }
                _ => Err(error),
            },
            other => other,
        };
        self.finish(transaction, result, now);
    }

    /// Ends a request, and does what its end means for the session.
    pub(super) fn finish(
        &mut self,
        transaction: TransactionId,
        result: Result<Message, Error>,
        now: Time,
    ) {
        let Some(Pending { kind, .. }) = self.pending.remove(&transaction) else {
            self.outputs.push_back(Output::Log(
                Level::Debug,
                "an answer to no open request was dropped: it came late or twice".into(),
            ));
            return;
        };
        if kind == Kind::Info {
            return self.handle_info(result, now);
        }
        let result = result.and_then(|message| answer_of(kind, message));
        match kind {
            Kind::Create => self.handle_created(result, now),
            Kind::Destroy => self.handle_destroyed(),
            Kind::Keepalive => self.handle_probed(result, now),
            _ => {
                let lost = result.as_ref().err().filter(|error| error.is_session_lost()).cloned();
                let result = match result {
                    // Detaching an unknown handle counts as success.
                    Err(Error::Refused { code: CoreCode::NO_SUCH_HANDLE, .. })
                        if kind == Kind::Detach =>
                    {
                        Ok(Answer::Done)
                    }
                    result => result,
                };
                self.trial.attached |= matches!(result, Ok(Answer::Attached(_)));
                self.outputs.push_back(Output::Answer(transaction, result));
                if let Some(error) = lost {
                    self.lose(error, now);
                }
            }
        }
    }

    pub(super) fn handle_probed(&mut self, result: Result<Answer, Error>, now: Time) {
        match result {
            // What is refused may be the polls alone.
            Ok(_) if self.poll.prove(now) => {}
            Ok(_) => self.heard(),
            Err(error) if error.ends_session() => self.lose(error, now),
            Err(error) => {
                if let Some(http) = self.poll.http() {
                    // It is as dead as this was, and would only say so later.
                    self.outputs.push_back(Output::Abort(http));
                    self.poll_failed(error, now);
                }
            }
        }
    }
}

/// What an answered request brought, by what was asked.
fn answer_of(kind: Kind, message: Message) -> Result<Answer, Error> {
    match (kind, message) {
        (Kind::Create | Kind::EarlyAttach | Kind::Attach, Message::Success { id, .. }) => {
            Ok(Answer::Attached(HandleId(message::checked_id(id)?)))
        }
        (Kind::Message, Message::Reply { data, jsep, .. }) => Ok(Answer::Plugin { data, jsep }),
        (Kind::Message, Message::Success { data: Some(data), .. }) => {
            Ok(Answer::Plugin { data, jsep: None })
        }
        (
            Kind::Trickle | Kind::Detach | Kind::Keepalive | Kind::Destroy,
            Message::Success { .. } | Message::Ack { .. },
        ) => Ok(Answer::Done),
        (kind, _) => Err(InvalidAnswer::Unexpected { request: kind.as_str() }.into()),
    }
}

/// A request as the gateway reads it.
pub(super) fn body<B: Serialize>(
    request: &Request<B>,
    transaction: TransactionId,
    credentials: &Credentials,
) -> String {
    let envelope = Envelope {
        request,
        transaction: transaction.0.to_string(),
        apisecret: credentials.api_secret(),
        token: credentials.token(),
    };
    envelope.to_json()
}
