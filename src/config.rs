//! What the user may set, checked once: whoever holds one of these values need not check again.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A gateway's base URL: `http` or `https`, no query, no fragment. A slash at its end is the page's: some
/// proxies redirect where it is missing, and a POST does not survive that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Takes an address as `pkg-template/arguments.js` has checked it: that must be done before the module is there.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of something below this one; the base itself for an empty path.
    pub fn join(&self, path: &str) -> String {
        match path {
            "" => self.0.clone(),
            path => {
                format!("{}/{}", self.0.trim_end_matches('/'), path.trim_start_matches('/'))
            }
        }
    }
}

/// The name of a user at the gateway: 1 to 128 characters, none of them a control character (the
/// gateway's JSON parser refuses NUL, and the others have no place in a name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UserName(String);

impl UserName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 128;

    /// A name that fits. What a page gives is checked by JavaScript, which says what does not.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.trim().is_empty()
            && text.chars().count() <= Self::LONGEST
            && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// A name that the gateway reports. Others may have chosen what this library would refuse, so
    /// it is cut, not refused.
    pub(crate) fn of_stranger(text: &str) -> Self {
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

/// A text that must not show up in a log line or an error.
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
    /// There is none.
    #[default]
    None,
    /// It is always the same.
    Fixed(Secret),
    /// The page gives it: at every `connect()`, and whenever the gateway refuses the one before.
    Asked,
}

/// How to reach the gateway, and how patiently.
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
    /// How long one request may take until its final answer. Default 10 s, as Janus cuts a request
    /// then.
    pub request_timeout: Duration,
    /// How long a gateway out of reach is tried again before the session counts as lost for good. Default
    /// 120 s.
    pub retry_limit: Duration,
    /// How many events one long poll may bring (Janus' `maxev`). Default 10.
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

/// How patiently to call, and what data to take.
#[derive(Clone, Debug)]
pub struct CallConfig {
    /// How long a call may ring, at either end. Default 60 s.
    pub ring_timeout: Duration,
    /// How long the media connection may take once a call is accepted. Default 30 s.
    pub connect_timeout: Duration,
    /// What is taken from the other side on the data channel.
    pub data: Policy,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            ring_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(30),
            data: Policy::default(),
        }
    }
}

/// What the page takes from the other side on the data channel.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether there is a data channel at all. Default true.
    pub enabled: bool,
    /// The types that are taken; `image/*` stands for all that begin so. Default: every type.
    pub allowed: Option<Vec<String>>,
    /// The largest size that is taken, in bytes. Default 1 GiB.
    pub max_size: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { enabled: true, allowed: None, max_size: 1 << 30 }
    }
}
