//! The settings of a video call object.

use std::time::Duration;

use crate::data::Policy;

/// Time limits of a call, and its data policy.
#[derive(Clone, Debug)]
pub struct CallConfig {
    /// The time limit for ringing, at either end. Default 60 s.
    pub ring_timeout: Duration,
    /// The time limit for the media connection of an accepted call. Default 30 s.
    pub connect_timeout: Duration,
    /// Which messages and files are accepted from the other side.
    pub data: Policy,
    /// Shown to the gateway's administrator in place of
    /// [`GatewayConfig::account`](crate::config::GatewayConfig).
    pub account: Option<String>,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            ring_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(30),
            data: Policy::default(),
            account: None,
        }
    }
}
