//! What can be chosen about a gateway.

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
    /// How late the work of Janus' other threads is done.
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

/// How late the work of Janus' other threads is done.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From the ack of a plugin request until the plugin handles it. One thread handles all, in order.
    /// A request that is acked while an earlier one still waits makes calls cross in the plugin.
    pub plugin: RangeInclusive<Duration>,
    /// From the plugin's wish to close a PeerConnection until the core does it.
    pub close: CloseTimer,
    /// From the closing of a PeerConnection until its own thread has told plugin and client.
    pub cleanup: RangeInclusive<Duration>,
}

/// When the core closes a PeerConnection that the plugin wishes closed.
#[derive(Debug, Clone)]
pub enum CloseTimer {
    /// After a time from this range, drawn for each. Two ends of a call may then close far apart, which
    /// Janus does not do.
    After(RangeInclusive<Duration>),
    /// At the ticks of a clock that counts seconds, or at once within the 250 ms after a tick: what GLib
    /// does for Janus. The two ends of a call close at the same tick.
    EverySecond,
}

impl Default for Timing {
    /// The shortest that still shows a plugin's hang-up before the core's: all is done at once, but
    /// connections are closed a millisecond later.
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
