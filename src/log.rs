//! The log levels. No line ever contains a secret, a token or an SDP.
//!
//! | level | used for |
//! | --- | --- |
//! | error | a listener of the page threw, or this library has a bug: a developer must act |
//! | warn | the page, the peer or the gateway did something wrong; the call continues |
//! | info | a milestone: connected, registered, ringing, in a call, ended |
//! | debug | every request and every event, by kind |
//! | trace | every HTTP exchange and every stage of a call |

/// The level of a log line, from the most to the least severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A developer must act.
    Error,
    /// Something went wrong; the call continues.
    Warn,
    /// A milestone.
    Info,
    /// Requests and events, by kind.
    Debug,
    /// Everything but secrets and SDP.
    Trace,
}

impl Level {
    /// The values of `debugLevel`, from no output to all.
    pub const WORDS: [&str; 6] = ["none", "error", "warn", "info", "debug", "trace"];

    /// Reads the page's `debugLevel`; the outer `None` is an unknown word, the inner one `"none"`.
    pub fn parse(word: &str) -> Option<Option<Self>> {
        let levels = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
        let levels = std::iter::once(None).chain(levels.map(Some));
        Self::WORDS
            .into_iter()
            .zip(levels)
            .find(|(known, _)| *known == word)
            .map(|(_, level)| level)
    }
}

/// Makes a foreign text fit for a message or a log line: truncates it and puts it on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 120;
    let mut short: String =
        text.chars().take(LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LIMIT).is_some() {
        short.push('…');
    }
    short
}
