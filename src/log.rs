//! What a log line may be, and how loud. No line ever holds a secret, a token or an SDP.
//!
//! | level | means |
//! | --- | --- |
//! | error | a listener of the page threw, or something of ours is broken: somebody must act |
//! | warn | the page, the peer or the gateway did something wrong, and we went on |
//! | info | a milestone: connected, registered, ringing, in a call, ended |
//! | debug | every request and every event, by kind |
//! | trace | every HTTP exchange and every stage of a call |

/// How loud a line is. The order is from the loudest to the quietest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody must act.
    Error,
    /// Something was wrong, and we went on.
    Warn,
    /// A milestone.
    Info,
    /// Requests and events, by kind.
    Debug,
    /// Everything but secrets and SDP.
    Trace,
}

impl Level {
    /// The words for what a log may hold, from nothing to everything.
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

/// A stranger's text, made fit for a message or a log line: short, and on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 120;
    let mut short: String =
        text.chars().take(LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LIMIT).is_some() {
        short.push('…');
    }
    short
}
