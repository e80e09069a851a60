//! Everything that authorizes a request: the API secret, a token that the page may have to be asked
//! for, and the id of the session.
//!
//! A token that expires is refused one day. Then the page is asked for a fresh one, once, however
//! many requests were refused; they are sent again with it. If that is refused as well, the next
//! one would be no better: the refusal is final. If tokens are accepted and refused in turn, the
//! page is asked with pauses.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::backoff::Backoff;
use super::error::{CoreCode, Error};
use super::message::SessionId;
use super::redact;
use crate::config::{Secret, Token};
use crate::log::excerpt;
use crate::time::Time;

/// How many former tokens are still taken out of texts.
const MOST_OLD: usize = 32;

/// How long a token is fresh. One that is refused later may have expired, whether it was ever used
/// or not.
const FRESH: Duration = Duration::from_secs(30);

/// Names a request to the page for a token; its answer bears the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRequest(u64);

/// Counts the tokens, so that a refusal tells which one it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Generation(u64);

/// Which token a request was last sent with, and whether one was refused to it before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Authorization {
    token: Generation,
    was_refused: bool,
}

/// An event of the credentials.
pub(super) enum Output {
    /// Ask the page for a token.
    Ask(TokenRequest),
    /// The page gave a token after so long.
    Renewed(Duration),
    /// The page gives no token.
    Failed(Error),
}

/// The API secret, the token and the session id.
pub(super) struct Credentials {
    api_secret: Option<Secret>,
    /// The page gives the token whenever it is asked.
    is_asked: bool,
    token: Option<Secret>,
    generation: Generation,
    /// When the page gave it.
    given_at: Time,
    standing: Standing,
    asking: Asking,
    /// Between tokens that are refused although the gateway accepted others meanwhile.
    backoff: Backoff,
    /// How long the page may take.
    limit: Duration,
    random: Rc<dyn Fn() -> u64>,
    last_request: u64,
    /// Former tokens, the oldest first. Answers may still echo requests that bore them.
    old: VecDeque<Secret>,
    /// Whoever knows it owns the session.
    session: Option<SessionId>,
    outputs: VecDeque<Output>,
}

/// How the gateway received the current token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Untried,
    Accepted,
    Refused,
}

/// Whether another token is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    No,
    /// The page will be asked then.
    Later(Time),
    /// The page has been asked.
    Now {
        request: TokenRequest,
        since: Time,
        deadline: Time,
    },
}

impl Credentials {
    /// `limit` is how long the page may take to give a token.
    pub(super) fn new(
        api_secret: Option<Secret>,
        token: Token,
        limit: Duration,
        random: Rc<dyn Fn() -> u64>,
    ) -> Self {
        let (is_asked, token) = match token {
            Token::None => (false, None),
            Token::Fixed(token) => (false, Some(token)),
            Token::Asked => (true, None),
        };
        Self {
            api_secret,
            is_asked,
            token,
            generation: Generation::default(),
            given_at: Time::default(),
            standing: Standing::Untried,
            asking: Asking::No,
            backoff: Backoff::default(),
            limit,
            random,
            last_request: 0,
            old: VecDeque::new(),
            session: None,
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn api_secret(&self) -> Option<&str> {
        self.api_secret.as_ref().map(Secret::reveal)
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(Secret::reveal)
    }

    /// The session that requests are for: the one that is being made, or the one that is there.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Requests are for this session from now on.
    pub(super) fn begin_session(&mut self, id: SessionId) {
        self.session = Some(id);
    }

    /// There is no session any more.
    pub(super) fn end_session(&mut self) {
        self.session = None;
    }

    /// Notes that a request is sent with the current token.
    pub(super) fn authorize(&self, authorization: &mut Authorization) {
        authorization.token = self.generation;
    }

    /// Whether another token is on its way, or will be. Nothing is sent meanwhile.
    pub(super) fn is_asking(&self) -> bool {
        self.asking != Asking::No
    }

    /// Whether it is the page that takes its time.
    pub(super) fn waits_for_page(&self) -> bool {
        matches!(self.asking, Asking::Now { .. })
    }

    /// When the page will be asked, or until when it may take.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        match self.asking {
            Asking::No => None,
            Asking::Later(due) => Some(due),
            Asking::Now { deadline, .. } => Some(deadline),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A session is about to be made: asks for a token if there is none that could do.
    pub(super) fn handle_opening(&mut self, now: Time) {
        let is_unusable = self.token.is_none() || self.standing == Standing::Refused;
        if self.is_asked && is_unusable {
            self.ask(now);
        }
    }

    /// The pause is over, or the page took too long.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        match self.asking {
            Asking::Later(due) if due <= now => self.ask(now),
            Asking::Now { deadline, .. } if deadline <= now => {
                self.asking = Asking::No;
                let error = Error::TokenTimeout { limit: self.limit };
                self.outputs.push_back(Output::Failed(error));
            }
            _ => {}
        }
    }

    fn ask(&mut self, now: Time) {
        self.last_request = self.last_request.saturating_add(1);
        let request = TokenRequest(self.last_request);
        self.asking = Asking::Now { request, since: now, deadline: now + self.limit };
        self.outputs.push_back(Output::Ask(request));
    }

    /// Nobody needs a token any more.
    pub(super) fn stop_asking(&mut self) {
        self.asking = Asking::No;
    }

    /// The next session begins with a fresh token, if the page gives it.
    pub(super) fn forget_token(&mut self) {
        if self.is_asked {
            self.replace(None);
        }
    }

    /// The page's answer. Ignored if it is not the one that is awaited.
    pub(super) fn handle_token(
        &mut self,
        answered: TokenRequest,
        result: Result<Secret, String>,
        now: Time,
    ) {
        let Asking::Now { request, since, .. } = self.asking else { return };
        if request != answered {
            return;
        }
        self.asking = Asking::No;
        let output = match result {
            Ok(token) => {
                self.replace(Some(token));
                self.given_at = now;
                Output::Renewed(now.since(since))
            }
            Err(cause) => Output::Failed(Error::NoToken { cause }),
        };
        self.outputs.push_back(output);
    }

    fn replace(&mut self, token: Option<Secret>) {
        self.old.extend(std::mem::replace(&mut self.token, token));
        if self.old.len() > MOST_OLD {
            self.old.pop_front();
        }
        self.generation.0 = self.generation.0.saturating_add(1);
        self.standing = Standing::Untried;
    }

    /// A request was accepted with its token.
    pub(super) fn handle_accepted(&mut self, authorization: &Authorization) {
        if authorization.token == self.generation {
            self.standing = Standing::Accepted;
        }
    }

    /// A request was refused for its token. Says whether to send it again, which is possible as
    /// soon as no token is being asked for; if not, there is no better token.
    pub(super) fn handle_refused(&mut self, authorization: &mut Authorization, now: Time) -> bool {
        let sends_again = self.is_asked
            && (self.is_asking()
                || authorization.token != self.generation
                || self.handle_current_refused(authorization.was_refused, now));
        authorization.was_refused |= sends_again;
        sends_again
    }

    /// The current token was refused, by a request that may have been refused another one before.
    /// Says whether another is asked for: at once if all was calm, else after a pause.
    fn handle_current_refused(&mut self, was_refused: bool, now: Time) -> bool {
        let was_accepted =
            std::mem::replace(&mut self.standing, Standing::Refused) == Standing::Accepted;
        let is_fresh = now.since(self.given_at) < FRESH;
        if is_fresh && (was_refused || !was_accepted) {
            return false;
        }
        self.asking = Asking::Later(self.backoff.now_or_next((self.random)(), now));
        self.handle_timeout(now);
        true
    }

    /// A text without the secrets, however they are spelled, and without the session id. JSON stays
    /// JSON.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.api_secret.iter().chain(&self.token).chain(&self.old) {
            // An empty one is no secret, and would be found between any two characters.
            if !secret.reveal().is_empty() {
                text = redact::without(&text, secret.reveal());
            }
        }
        match self.session {
            Some(id) => text.replace(&id.0.to_string(), "0"),
            None => text,
        }
    }

    /// A refusal by the gateway's core. Its reason may echo the request.
    pub(super) fn refusal(&self, code: CoreCode, reason: &str) -> Error {
        Error::Refused { code, reason: excerpt(&self.hide(reason)) }
    }
}
