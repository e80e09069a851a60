//! Responses. What answers may echo the request: its words are quoted without what must not show.

use super::*;

impl<B: Serialize> Session<B> {
    pub(super) fn read_post(&self, response: &HttpResponse) -> Result<Message, Error> {
        self.parse_post(response).map_err(|error| self.with_redirect(error))
    }

    pub(super) fn read_poll(&self, response: &HttpResponse) -> Result<Vec<Message>, Error> {
        self.parse_poll(response).map_err(|error| self.with_redirect(error))
    }

    /// What is no answer of Janus, where a redirect was followed, is the redirect's fault.
    pub(super) fn with_redirect(&self, error: Error) -> Error {
        match (&self.redirected_to, error) {
            (Some(to), Error::InvalidAnswer(_)) => {
                InvalidAnswer::Redirected { to: to.clone() }.into()
            }
            (_, error) => error,
        }
    }

    pub(super) fn parse_post(&self, response: &HttpResponse) -> Result<Message, Error> {
        let hide = |text: &str| self.without_secrets(text);
        match message::read_one(self.checked_body(response)?, &hide)? {
            Message::Error { code, reason, .. } => Err(self.refused(code, &reason)),
            message => Ok(message),
        }
    }

    pub(super) fn parse_poll(&self, response: &HttpResponse) -> Result<Vec<Message>, Error> {
        // The next request tells whether the session is gone, or a proxy said so.
        if let HttpResponse::Answered { status: 404, .. } = response {
            return Err(InvalidAnswer::NotFound.into());
        }
        let hide = |text: &str| self.without_secrets(text);
        let batch = message::read_batch(self.checked_body(response)?, &hide)?;
        match batch.as_slice() {
            [Message::Error { transaction: None, code, reason }] => {
                Err(self.refused(*code, reason))
            }
            _ => Ok(batch),
        }
    }

    pub(super) fn checked_body<'a>(&self, response: &'a HttpResponse) -> Result<&'a str, Error> {
        let (status, body) = match response {
            HttpResponse::Answered { status: 200, body } => return Ok(body),
            HttpResponse::Answered { status, body }
            | HttpResponse::Redirected { status, body, .. } => (*status, body),
            HttpResponse::Failed(cause) => {
                return Err(Error::Unreachable { cause: cause.clone() });
            }
        };
        let hide = |text: &str| self.without_secrets(text);
        let shown = message::gist(&hide(body));
        if status != 403 {
            return Err(InvalidAnswer::Status { status, body: shown }.into());
        }
        Err(match message::read_one(body, &hide) {
            Ok(Message::Error { code, reason, .. }) => self.refused(code, &reason),
            // Janus has no more to say: neither to a poll, nor to an address that it does not serve.
            _ if body.is_empty() => Error::Forbidden { body: shown },
            // A firewall, or a limit of requests.
            _ => InvalidAnswer::Status { status, body: shown }.into(),
        })
    }

    /// What the gateway's core refused.
    pub(super) fn refused(&self, code: CoreCode, reason: &str) -> Error {
        Error::Refused { code, reason: excerpt(&self.without_secrets(reason)) }
    }

    /// A text without the secrets, however spelled, and without the session's id. JSON stays JSON.
    pub fn without_secrets(&self, text: &str) -> String {
        let text = self.credentials.hide(text);
        match &self.state {
            State::Opening { id, .. } | State::Open { id, .. } | State::Closing { id, .. } => {
                text.replace(&id.0.to_string(), "0")
            }
            State::Closed => text,
        }
    }
}
