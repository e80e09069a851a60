//! What authorizes a request: the API secret, and a token that the page may have to be asked for.
//!
//! A token that expires is refused one day. Then the page is asked for a fresh one, once, however many requests
//! were refused; they are posted again with it. Where that is refused as well, the next one would be no better:
//! the refusal is final. Where tokens are taken and refused in turn, the page is asked with pauses.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::Backoff;
use crate::config::{Secret, Token};
use crate::time::Time;

/// How many tokens of before are still taken out of what is logged or reported.
const MOST_OLD: usize = 32;

/// How long a token is fresh. One that is refused later may have expired, whether it was ever used or not.
const FRESH: Duration = Duration::from_secs(30);

/// Names a request to the page for a token; its answer bears the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRequest(u64);

/// Counts the tokens, so that a refusal tells of which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Generation(u64);

#[derive(Debug)]
pub(super) struct Credentials {
    api_secret: Option<Secret>,
    /// The page gives the token whenever it is asked.
    is_asked: bool,
    token: Option<Secret>,
    generation: Generation,
    /// When the page gave it.
    given_at: Time,
    standing: Standing,
    asking: Option<Asking>,
    /// Between tokens that are refused, though the gateway took them meanwhile.
    backoff: Backoff,
    last_request: u64,
    /// The tokens of before, the oldest first. What was sent with them may still be echoed.
    old: VecDeque<Secret>,
}

/// What the gateway made of the current token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Untried,
    Accepted,
    Refused,
}

/// What is done about another token.
#[derive(Debug)]
enum Asking {
    /// The page is asked then.
    Later(Time),
    /// The page is asked.
    Now { request: TokenRequest, since: Time, deadline: Time },
}

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no better token.
    Final,
    /// There is another token already.
    Again,
    /// Another token is being asked for.
    Wait,
    /// Another token has to be asked for.
    Ask,
}

impl Credentials {
    pub(super) fn new(api_secret: Option<Secret>, token: Token) -> Self {
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
            asking: None,
            backoff: Backoff::default(),
            last_request: 0,
            old: VecDeque::new(),
        }
    }

    pub(super) fn api_secret(&self) -> Option<&str> {
        self.api_secret.as_ref().map(Secret::reveal)
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(Secret::reveal)
    }

    /// Which token the next request has.
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether nothing should be sent before the page has given a token.
    pub(super) fn needs_token(&self) -> bool {
        self.is_asked && (self.token.is_none() || self.standing == Standing::Refused)
    }

    /// Whether another token is on its way, or will be.
    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// Whether it is the page that takes its time.
    pub(super) fn waits_for_page(&self) -> bool {
        matches!(self.asking, Some(Asking::Now { .. }))
    }

    /// When the page is asked, or until when it may take.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.asking.as_ref().map(|asking| match asking {
            Asking::Later(due) => *due,
            Asking::Now { deadline, .. } => *deadline,
        })
    }

    /// Asks the page, at once.
    pub(super) fn ask(&mut self, limit: Duration, now: Time) -> TokenRequest {
        self.last_request = self.last_request.saturating_add(1);
        let request = TokenRequest(self.last_request);
        self.asking = Some(Asking::Now { request, since: now, deadline: now + limit });
        request
    }

    /// The page is to be asked once more: at once after a time of calm, else after a pause.
    pub(super) fn ask_in_time(&mut self, jitter: u64, now: Time) {
        self.asking = Some(Asking::Later(self.backoff.now_or_next(jitter, now)));
    }

    /// Whether the pause is over.
    pub(super) fn is_due(&self, now: Time) -> bool {
        matches!(self.asking, Some(Asking::Later(due)) if due <= now)
    }

    pub(super) fn stop_asking(&mut self) {
        self.asking = None;
    }

    /// The next session begins with a fresh token.
    pub(super) fn forget_token(&mut self) {
        if self.is_asked {
            self.replace(None);
        }
    }

    /// How long the page took, where this answer is waited for; then it is no more.
    pub(super) fn take_answer(&mut self, request: TokenRequest, now: Time) -> Option<Duration> {
        match self.asking {
            Some(Asking::Now { request: asked, since, .. }) if asked == request => {
                self.asking = None;
                Some(now.since(since))
            }
            _ => None,
        }
    }

    pub(super) fn renew(&mut self, token: Secret, now: Time) {
        self.replace(Some(token));
        self.given_at = now;
    }

    fn replace(&mut self, token: Option<Secret>) {
        self.old.extend(std::mem::replace(&mut self.token, token));
        if self.old.len() > MOST_OLD {
            self.old.pop_front();
        }
        self.generation.0 = self.generation.0.saturating_add(1);
        self.standing = Standing::Untried;
    }

    /// A request was taken with this token.
    pub(super) fn handle_accepted(&mut self, generation: Generation) {
        if generation == self.generation {
            self.standing = Standing::Accepted;
        }
    }

    /// A request was refused for this token; `is_second` tells if it was refused before for another.
    pub(super) fn handle_refused(
        &mut self,
        generation: Generation,
        is_second: bool,
        now: Time,
    ) -> Refused {
        if !self.is_asked {
            return Refused::Final;
        }
        if self.is_asking() {
            return Refused::Wait;
        }
        if generation != self.generation {
            return Refused::Again;
        }
        let was_accepted =
            std::mem::replace(&mut self.standing, Standing::Refused) == Standing::Accepted;
        let is_fresh = now.since(self.given_at) < FRESH;
        if is_fresh && (is_second || !was_accepted) { Refused::Final } else { Refused::Ask }
    }

    /// A text without the secrets, however spelled. JSON stays JSON.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.api_secret.iter().chain(&self.token).chain(&self.old) {
            // An empty one is no secret, and would be found between any two characters.
            if !secret.reveal().is_empty() {
                text = without(&text, secret.reveal());
            }
        }
        text
    }
}

fn without(text: &str, secret: &str) -> String {
    let mut text = text.replace(&percent_encode(secret), "…");
    // As it is, as a string of JSON, and as one that is quoted in another.
    let mut spelling = secret.to_owned();
    for _ in 0..3 {
        text = text.replace(&spelling, "…");
        let quoted = serde_json::to_string(&spelling).unwrap_or_default();
        let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        spelling = inner.unwrap_or(&quoted).to_owned();
    }
    text
}

/// RFC 3986, section 2.1.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
