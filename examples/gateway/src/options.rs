//! The options of a gateway.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How a [`Gateway`](crate::Gateway) behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// A session ends this long after its last activity. Janus' own default, 60 s, is the default.
    pub session_timeout: Duration,
    /// Requests must carry this `apisecret`, or one of the tokens. Default: anyone may come.
    pub api_secret: Option<String>,
    /// Requests must carry one of these as `token`, or the secret. Default: anyone may come.
    pub tokens: Vec<String>,
    /// The same seed gives the same ids and the same delays.
    pub seed: u64,
    /// The delays of the work of Janus' other threads.
    pub timing: Timing,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session_timeout: Duration::from_secs(60),
            api_secret: None,
            tokens: Vec::new(),
            seed: 0,
            timing: Timing::default(),
        }
    }
}

/// The delays of the work of Janus' other threads.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From the ack of a plugin request until the plugin handles it. One thread handles all, in
    /// order. A request that is acked while an earlier one still waits makes calls cross in the
    /// plugin.
    pub plugin: RangeInclusive<Duration>,
    /// From the plugin's request to close a PeerConnection until the core executes it.
    pub close: CloseTimer,
    /// From the closing of a PeerConnection until its own thread has told plugin and client.
    pub cleanup: RangeInclusive<Duration>,
}

/// When the core closes a PeerConnection on request of the plugin.
#[derive(Debug, Clone)]
pub enum CloseTimer {
    /// After a random delay from this range. The two sides of a call may then close far apart,
    /// which does not happen in Janus.
    After(RangeInclusive<Duration>),
    /// At the ticks of a clock that counts seconds, or at once within the 250 ms after a tick: what
    /// GLib does for Janus. The two ends of a call close at the same tick.
    EverySecond,
}

impl Default for Timing {
    /// The shortest delays that still send a plugin's hang-up before the core's: everything is
    /// immediate, but connections close a millisecond later.
    fn default() -> Self {
        Self {
            plugin: Duration::ZERO..=Duration::ZERO,
            close: CloseTimer::After(MILLISECOND..=MILLISECOND),
            cleanup: Duration::ZERO..=Duration::ZERO,
        }
    }
}

impl Timing {
    /// The delays of Janus 1.1.2.
    #[must_use]
    pub fn like_janus() -> Self {
        Self {
            plugin: Duration::from_micros(100)..=MILLISECOND,
            close: CloseTimer::EverySecond,
            cleanup: Duration::from_micros(100)..=MILLISECOND,
        }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
