//! The token: asked for when it is refused, while nothing is posted.

use super::*;

impl<B: Serialize> Session<B> {
    /// The token that [`Output::AskToken`] asked for, or the page's words on why there is none.
    pub fn handle_token(
        &mut self,
        request: TokenRequest,
        result: Result<Secret, String>,
        now: Time,
    ) {
        // What was given up or asked for anew is not waited for.
        let Some(waited) = self.credentials.take_answer(request, now) else { return };
        match result {
            Ok(token) => {
                self.credentials.renew(token, now);
                self.resume(waited, now);
            }
            Err(cause) => self.fail_for_token(Error::NoToken { cause }, now),
        }
    }

    pub(super) fn ask_token(&mut self, now: Time) {
        let request = self.credentials.ask(self.config.request_timeout, now);
        self.outputs.push_back(Output::Log(Level::Debug, "asking the page for a token".into()));
        self.outputs.push_back(Output::AskToken(request));
    }

    /// The token is refused: another is asked for, with pauses where that goes on and on.
    pub(super) fn ask_token_again(&mut self, now: Time) {
        self.credentials.ask_in_time((self.random)(), now);
        if self.credentials.is_due(now) {
            self.ask_token(now);
        }
    }

    /// Whether a request is not posted, nor late, before there is a token. The end of the session is: nobody
    /// waits for that for long.
    pub(super) fn is_held(&self, pending: &Pending<B>) -> bool {
        self.credentials.waits_for_page()
            && pending.kind != Kind::Destroy
            && !matches!(pending.stage, Stage::Posted(_))
    }

    /// A request was refused for its token. Says whether it will be posted with another.
    pub(super) fn will_post_again(&mut self, transaction: TransactionId, now: Time) -> bool {
        let Some(pending) = self.pending.get_mut(&transaction) else { return false };
        match self.credentials.handle_refused(pending.token, pending.is_refused, now) {
            Refused::Final => return false,
            Refused::Again | Refused::Wait => {}
            Refused::Ask => self.ask_token_again(now),
        }
        if let Some(pending) = self.pending.get_mut(&transaction) {
            pending.is_refused = true;
            pending.stage = Stage::Queued;
            let lane = pending.lane;
            self.pump(lane, now);
        }
        true
    }

    /// The poll was refused for its token. Says whether it will be made with another.
    pub(super) fn will_poll_again(&mut self, now: Time) -> bool {
        match self.credentials.handle_refused(self.poll_token, self.is_poll_refused, now) {
            Refused::Final => return false,
            Refused::Again => self.start_poll(now),
            Refused::Wait => self.poll.suspend(),
            Refused::Ask => {
                self.poll.suspend();
                self.ask_token_again(now);
            }
        }
        self.is_poll_refused = true;
        true
    }

    /// There is a token: what waited for it goes on, and the time that the page took does not count.
    pub(super) fn resume(&mut self, waited: Duration, now: Time) {
        let mut lanes = Vec::new();
        for pending in self.pending.values_mut() {
            if matches!(pending.stage, Stage::Posted(_)) {
                continue;
            }
            if pending.kind != Kind::Destroy {
                pending.deadline = pending.deadline + waited;
            }
            if pending.kind == Kind::EarlyAttach {
                pending.stage = pending.kind.first_stage(now);
            }
            lanes.push(pending.lane);
        }
        for lane in lanes {
            self.pump(lane, now);
        }
        if self.poll.is_off() {
            self.start_poll(now);
        }
    }

    /// There is no token to be had.
    pub(super) fn fail_for_token(&mut self, error: Error, now: Time) {
        match self.state {
            State::Opening { .. } => self.fail_to_open(error),
            State::Open { .. } | State::Closing { .. } => self.lose(error, now),
            State::Closed => {}
        }
    }
}
