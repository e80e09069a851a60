//! The settings of a video call object.

use std::time::Duration;

use crate::data::Policy;

/// How patiently to call, and what data to take.
#[derive(Clone, Debug)]
pub struct CallConfig {
    /// How long a call may ring, at either end. Default 60 s.
    pub ring_timeout: Duration,
    /// How long the media connection may take once a call is accepted. Default 30 s.
    pub connect_timeout: Duration,
    /// What is taken from the other side on the data channel.
    pub data: Policy,
    /// Shown to the gateway's administrator in place of [`GatewayConfig::account`](crate::config::GatewayConfig).
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
