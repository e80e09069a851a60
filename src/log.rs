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
    /// Reads the page's `debugLevel`; the outer `None` is an unknown word, the inner one `"none"`.
    pub fn parse(word: &str) -> Option<Option<Self>> {
        Some(match word {
            "none" => None,
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            "trace" => Some(Self::Trace),
            _ => return None,
        })
    }
}

/// A stranger's text, made fit for a message or a log line: short, and on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 120;
    let mut short: String =
        text.chars().take(LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
