//! Settings of the user. Each value is checked when it is created, and valid from then on.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::log::excerpt;

/// A gateway's base URL: `http` or `https`, no user name, no query, no fragment.
///
/// One slash at the end is kept, since a proxy may serve `/janus/` and not `/janus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Takes an address that was checked before.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Rejects texts that cannot be a gateway address. The browser checks the rest (RFC 3986).
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::error::Code::InvalidArgument), with the reason. The message
    /// never repeats a secret from the address.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = trim(text);
        let (scheme, rest) = split(url)?;
        if let Some(why) = fault(scheme, rest) {
            let example = "write it like \"https://example.com/janus\"";
            return Err(Error::invalid_argument(format!(
                "\"{}\" is not a gateway address: {why}; {example}",
                excerpt(text)
            )));
        }
        let base = url.trim_end_matches('/');
        let slash = if base.len() < url.len() { "/" } else { "" };
        Ok(Self(format!("{base}{slash}")))
    }

    /// Parses a list of addresses. Skips WebSocket addresses if the list has any other.
    ///
    /// # Errors
    ///
    /// As [`ServerUrl::parse`]; also if the list is empty.
    pub fn parse_list(texts: &[String]) -> Result<Vec<Self>, Error> {
        let Some(first) = texts.first() else {
            let message = "servers is an empty array: it must hold a gateway address";
            return Err(Error::invalid_argument(message));
        };
        let spoken: Vec<_> = texts.iter().filter(|text| !Self::is_websocket(text)).collect();
        match spoken.is_empty() {
            true => Self::parse(first).map(|server| vec![server]),
            false => spoken.into_iter().map(|text| Self::parse(text)).collect(),
        }
    }

    /// Whether an address belongs to a WebSocket transport, which this library does not support.
    pub fn is_websocket(text: &str) -> bool {
        trim(text).split_once("://").is_some_and(|(scheme, _)| is_websocket(scheme))
    }

    /// The URL as the page wrote it, without surrounding white space and with at most one trailing
    /// slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends a path. An empty path gives the base itself.
    pub fn join(&self, path: &str) -> String {
        match path {
            "" => self.0.clone(),
            path => {
                format!("{}/{}", self.0.trim_end_matches('/'), path.trim_start_matches('/'))
            }
        }
    }
}

/// Splits an address into scheme and rest. Rejects an address that may contain a secret here,
/// before any error message quotes it.
fn split(url: &str) -> Result<(Option<&str>, &str), Error> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let before_path = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if before_path.contains('@') {
        return Err(Error::invalid_argument(
            "a gateway address holds a user name, which browsers refuse to send: leave out what \
             stands before the @",
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(Error::invalid_argument(
            "a gateway address must not have a query or a fragment: leave out what follows the ? \
             or #, and give secrets as apiSecret or token",
        ));
    }
    Ok((scheme, rest))
}

/// The first problem of an address.
fn fault(scheme: Option<&str>, rest: &str) -> Option<&'static str> {
    let Some(scheme) = scheme else { return Some("it has no http:// or https://") };
    let host = rest.split('/').next().unwrap_or_default();
    // Colons before a bracket belong to an IPv6 address.
    let after_brackets = host.rsplit_once(']').map_or(host, |(_, after)| after);
    let port = after_brackets.split_once(':').map(|(_, port)| port);
    if is_websocket(scheme) {
        Some("only the http and https transports are spoken here")
    } else if !["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        Some("it must begin with http:// or https://")
    } else if host.is_empty() {
        Some("it names no host")
    } else if rest.contains(is_foreign_to_urls) {
        Some("it holds a character that URLs do not have")
    } else if !port.is_none_or(is_port) {
        Some("its port is not a number below 65536")
    } else {
        None
    }
}

fn is_websocket(scheme: &str) -> bool {
    ["ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_foreign_to_urls(c: char) -> bool {
    is_space(c) || c.is_control() || matches!(c, '<' | '>' | '"' | '\\')
}

/// White space as defined by JavaScript's `trim()`.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The name of a user at the gateway: 1 to 128 characters without control characters. The gateway's
/// JSON parser rejects NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UserName(String);

impl UserName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 128;

    /// Checks a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::checked(text).ok()
    }

    /// Checks a name; the error says what is wrong with it.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::error::Code::InvalidArgument).
    pub fn checked(text: &str) -> Result<Self, Error> {
        let count = text.chars().count();
        if trim(text).is_empty() {
            return Err(Error::invalid_argument("a user name must not be empty"));
        }
        if count > Self::LONGEST {
            return Err(Error::invalid_argument(format!(
                "the user name \"{}\" has {count} characters; at most {} are allowed",
                excerpt(text),
                Self::LONGEST
            )));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::invalid_argument(format!(
                "the user name \"{}\" holds a control character; leave it out",
                excerpt(text)
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes a name that the gateway reports. Other clients may use names that this library would
    /// reject, so it is truncated instead.
    pub(crate) fn truncated(text: &str) -> Self {
        Self(text.chars().take(Self::LONGEST).collect())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that must not appear in log lines or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the gateway's token comes from.
#[derive(Clone, Debug, Default)]
pub enum Token {
    /// No token.
    #[default]
    None,
    /// One fixed token.
    Fixed(Secret),
    /// The page supplies it at every `connect()`, and again when the gateway rejects it.
    Asked,
}

/// The addresses, credentials and time limits of the gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Tried in order; never empty.
    pub servers: Vec<ServerUrl>,
    /// Janus' `apisecret`, sent with every request.
    pub api_secret: Option<Secret>,
    /// Janus' stored or signed `token`, sent with every request. Default none.
    pub token: Token,
    /// Shown to the gateway's administrator as the `opaque_id` of every handle.
    pub account: Option<String>,
    /// How long a request may take until its final answer. Default 10 s, after which Janus gives up
    /// on a request too.
    pub request_timeout: Duration,
    /// How long to retry an unreachable gateway before the session counts as lost. Default 120 s.
    pub retry_limit: Duration,
    /// Maximum number of events per long poll (Janus' `maxev`). Default 10.
    pub poll_events: u32,
}

impl GatewayConfig {
    /// The defaults, for these servers.
    pub fn new(servers: Vec<ServerUrl>) -> Self {
        Self {
            servers,
            api_secret: None,
            token: Token::None,
            account: None,
            request_timeout: Duration::from_secs(10),
            retry_limit: Duration::from_secs(120),
            poll_events: 10,
        }
    }
}
