//! The poll: what it brings, what its silence means, and what it keeps alive.

use super::*;

impl<B: Serialize> Session<B> {
    /// The gateway is in reach.
    pub(super) fn heard(&mut self) {
        if self.poll.heard() {
            self.outputs.push_back(Output::Restored);
        }
    }

    pub(super) fn start_poll(&mut self, now: Time) {
        let State::Open { server, id } = &self.state else { return };
        if self.credentials.is_asking() {
            return self.poll.suspend();
        }
        let mut url = self.addressed(&server.join(&id.0.to_string()));
        self.last_http = self.last_http.saturating_add(1);
        let http = HttpId(self.last_http);
        // No cache on the way has an answer to an address that was never asked: a service worker would give the
        // one of before for ever.
        url.push_str(&format!("&maxev={}&poll={}", self.config.poll_events.max(1), http.0));
        let secrets =
            [("apisecret", self.credentials.api_secret()), ("token", self.credentials.token())];
        for (key, secret) in secrets {
            if let Some(secret) = secret {
                url.push_str(&format!("&{key}={}", percent_encode(secret)));
            }
        }
        self.poll_token = self.credentials.generation();
        self.poll.start(http, now);
        self.schedule_keepalive(now);
        self.outputs.push_back(Output::Http(HttpRequest { id: http, url, body: None }));
    }

    /// At half the time after which the session ends.
    pub(super) fn schedule_keepalive(&mut self, now: Time) {
        let interval = self.timeout.and_then(|timeout| timeout.checked_div(2));
        self.keepalive_due = interval.map(|interval| now + interval);
    }

    pub(super) fn handle_info(&mut self, result: Result<Message, Error>, now: Time) {
        // Where it is not answered, the next loss asks again.
        let Ok(Message::ServerInfo { session_timeout: Some(seconds), .. }) = result else { return };
        let timeout = Duration::from_secs(seconds);
        self.timeout = (!timeout.is_zero() && timeout <= LONGEST_POLL).then_some(timeout);
        let line = format!("the gateway forgets sessions after {seconds} s");
        self.outputs.push_back(Output::Log(Level::Info, line));
        self.schedule_keepalive(now);
    }

    pub(super) fn doubt(&mut self, why: &str, doubt: Doubt) {
        self.outputs.push_back(Output::Log(Level::Info, format!("{why}: an event may be lost")));
        self.outputs.push_back(Output::Doubt(doubt));
    }

    pub(super) fn stop_poll(&mut self) {
        self.keepalive_due = None;
        if let Some(http) = self.poll.stop() {
            self.outputs.push_back(Output::Abort(http));
        }
    }

    pub(super) fn handle_poll(&mut self, response: HttpResponse, now: Time) {
        if let HttpResponse::Answered { status: 200, body } = &response
            && body.len() > message::LONGEST_BODY
        {
            return self.skip_poll(body, now);
        }
        let batch = match self.read_poll(&response) {
            Ok(batch) => batch,
            // What is refused brings nothing: it is no sign yet that all is well.
            Err(error) if error.is_token_refused() && self.will_poll_again(now) => return,
            Err(error) if error.is_session_lost() => return self.lose(error, now),
            // So may something in between: a keepalive tells.
            Err(error) if error.is_unauthorized() => {
                let answer = InvalidAnswer::Status { status: 403, body: String::new() };
                self.poll_failed(answer.into(), now);
                return self.probe(now);
            }
            Err(error) => return self.poll_failed(error, now),
        };
        self.trial.polled = true;
        self.heard();
        let is_keepalive = |message: &_| matches!(message, Message::Keepalive);
        if !batch.is_empty()
            && batch.iter().all(is_keepalive)
            && let Some(doubt) = self.poll.judge(now)
        {
            self.doubt("another poll took what woke this one", doubt);
        }
        self.credentials.handle_accepted(self.poll_token);
        self.is_poll_refused = false;
        let is_nothing = |message: &_| matches!(message, Message::Keepalive | Message::Unknown(_));
        let brought_something = !batch.iter().all(is_nothing);
        let HttpResponse::Answered { body, .. } = &response else { return };
        self.poll.succeeded(brought_something, body, now);
        for message in batch {
            self.handle_message(message, now);
        }
        if self.poll.deadline().is_some_and(|due| due <= now) && self.poll.http().is_none() {
            self.start_poll(now);
        }
    }

    /// A poll brought more than is read. That is no silence: who made it so must not end the session by it. But
    /// what it was to bring does not come any more.
    pub(super) fn skip_poll(&mut self, body: &str, now: Time) {
        let error =
            Error::from(InvalidAnswer::TooLong { length: body.len(), most: message::LONGEST_BODY });
        self.warn("a poll was skipped", &error);
        self.heard();
        self.poll.succeeded(false, body, now);
        let waiting = self.pending.iter();
        let waiting = waiting.filter(|(_, p)| matches!(p.stage, Stage::Acknowledged { .. }));
        for transaction in waiting.map(|(transaction, _)| *transaction).collect::<Vec<_>>() {
            self.finish(transaction, Err(error.clone()), now);
        }
        self.doubt("a poll was skipped", Doubt::Lost);
        self.handle_timeout(now);
    }

    pub(super) fn poll_failed(&mut self, error: Error, now: Time) {
        self.warn("a poll failed", &error);
        let limit = match self.config.servers.len() {
            _ if self.is_patient => Duration::MAX,
            0 | 1 => self.config.retry_limit,
            _ => self.config.retry_limit.min(FAILOVER),
        };
        let first = !self.poll.is_failing();
        let is_answer = matches!(error, Error::InvalidAnswer(_));
        if !self.poll.failed(is_answer, limit, (self.random)(), now) {
            self.lose(given_up(&error), now);
        } else if first {
            self.outputs.push_back(Output::Trouble(error));
        }
    }

    pub(super) fn handle_message(&mut self, message: Message, now: Time) {
        match message {
            Message::Keepalive => {}
            Message::Notice { sender, notice } => {
                self.outputs.push_back(Output::Notice(sender, notice))
            }
            Message::Error { transaction: Some(transaction), code, reason } => {
                let error = self.refused(code, &reason);
                self.handle_polled_answer(TransactionId(transaction), Err(error), now);
            }
            Message::Reply { transaction, .. } | Message::Success { transaction, .. } => {
                self.handle_polled_answer(TransactionId(transaction), Ok(message), now);
            }
            Message::Error { transaction: None, code, reason } => {
                match self.refused(code, &reason) {
                    error if error.is_session_lost() => self.lose(error, now),
                    error if error.is_unauthorized() => self.probe(now),
                    error => self.warn("the gateway says", &error),
                }
            }
            Message::Timeout => self.lose(Error::SessionTimedOut, now),
            Message::Ack { .. } | Message::ServerInfo { .. } => {}
            Message::Unknown(what) => {
                let line = format!("skipped {}", self.without_secrets(&what));
                self.outputs.push_back(Output::Log(Level::Warn, line));
            }
        }
    }

    pub(super) fn handle_polled_answer(
        &mut self,
        transaction: TransactionId,
        result: Result<Message, Error>,
        now: Time,
    ) {
        if let Err(error) = &result
            && error.is_token_refused()
            && self.will_post_again(transaction, now)
        {
            return;
        }
        let lane = self.pending.get(&transaction).map(|pending| pending.lane);
        self.finish(transaction, result, now);
        if let Some(lane) = lane {
            self.pump(lane, now);
        }
    }
}
