//! HTTP requests, and how their responses are read. A response may come from a proxy and may echo
//! the request: errors quote it without secrets.

use super::super::credentials::Credentials;
use super::super::error::{Error, InvalidAnswer};
use super::super::message::{self, LONGEST_BODY, Message};
use crate::log::excerpt;

/// Names an HTTP request that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpId(pub u64);

/// An HTTP request to be made. A body makes it a POST, as `text/plain`: the gateway does not look
/// at the content type, and the browser then asks for no CORS preflight.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Comes back with the response.
    pub id: HttpId,
    /// The address. Holds the session id and secrets: not for logs.
    pub url: String,
    /// The body of a POST; absent for a GET.
    pub body: Option<String>,
}

/// The result of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpResponse {
    /// A server answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body as text.
        body: String,
    },
    /// A server answered after a redirect, which makes a GET of a POST.
    Redirected {
        /// The last address.
        to: String,
        /// The HTTP status there.
        status: u16,
        /// The body as text.
        body: String,
    },
    /// Nothing answered, with the browser's reason.
    Failed(String),
}

impl HttpResponse {
    fn status_and_body(&self) -> Result<(u16, &str), Error> {
        match self {
            Self::Answered { status, body } | Self::Redirected { status, body, .. } => {
                Ok((*status, body))
            }
            Self::Failed(cause) => Err(Error::Unreachable { cause: cause.clone() }),
        }
    }

    /// Whether there is an answer that is too long to be read.
    pub(super) fn overlong(&self) -> Option<InvalidAnswer> {
        let length = match self.status_and_body() {
            Ok((200, body)) => body.len(),
            _ => return None,
        };
        (length > LONGEST_BODY).then_some(InvalidAnswer::TooLong { length, most: LONGEST_BODY })
    }

    /// The body, which is empty if nothing answered.
    pub(super) fn body(&self) -> &str {
        self.status_and_body().map_or("", |(_, body)| body)
    }

    /// Reads the response to a POST: one message, which is not a refusal.
    pub(super) fn read_post(&self, credentials: &Credentials) -> Result<Message, Error> {
        self.read(credentials, |status, body| {
            let body = checked_body(status, body, credentials)?;
            match message::read_one(body, &|text| credentials.hide(text))? {
                Message::Error { code, reason, .. } => Err(credentials.refusal(code, &reason)),
                message => Ok(message),
            }
        })
    }

    /// Reads the response to a poll: any number of messages.
    pub(super) fn read_poll(&self, credentials: &Credentials) -> Result<Vec<Message>, Error> {
        self.read(credentials, |status, body| {
            // The next request tells whether the session is gone, or a proxy said so.
            if status == 404 {
                return Err(InvalidAnswer::NotFound.into());
            }
            let body = checked_body(status, body, credentials)?;
            let batch = message::read_batch(body, &|text| credentials.hide(text))?;
            match batch.as_slice() {
                [Message::Error { transaction: None, code, reason }] => {
                    Err(credentials.refusal(*code, reason))
                }
                _ => Ok(batch),
            }
        })
    }

    /// An invalid answer behind a redirect is the redirect's fault.
    fn read<T>(
        &self,
        credentials: &Credentials,
        read: impl FnOnce(u16, &str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (status, body) = self.status_and_body()?;
        read(status, body).map_err(|error| match (self, error) {
            (Self::Redirected { to, .. }, Error::InvalidAnswer(_)) => {
                // The query holds secrets.
                let to = to.split(['?', '#']).next().unwrap_or_default();
                InvalidAnswer::Redirected { to: excerpt(&credentials.hide(to)) }.into()
            }
            (_, error) => error,
        })
    }
}

/// The body, if the status is one that Janus gives to an answer.
fn checked_body<'a>(
    status: u16,
    body: &'a str,
    credentials: &Credentials,
) -> Result<&'a str, Error> {
    if status == 200 {
        return Ok(body);
    }
    let hide = |text: &str| credentials.hide(text);
    let shown = message::gist(&hide(body));
    if status != 403 {
        return Err(InvalidAnswer::Status { status, body: shown }.into());
    }
    Err(match message::read_one(body, &hide) {
        Ok(Message::Error { code, reason, .. }) => credentials.refusal(code, &reason),
        // Janus sends no body with 403, to a poll or to an address that it does not serve.
        _ if body.is_empty() => Error::Forbidden { body: shown },
        // A firewall, or a limit of requests.
        _ => InvalidAnswer::Status { status, body: shown }.into(),
    })
}
