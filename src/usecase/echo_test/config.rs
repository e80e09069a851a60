//! The settings of an echo test.

use std::time::Duration;

/// The time limit and the media of an echo test.
#[derive(Clone, Debug)]
pub struct EchoConfig {
    /// The time limit for one's own media to come back, once the devices are open. Default 30 s.
    pub connect_timeout: Duration,
    /// Shown to the gateway's administrator in place of
    /// [`GatewayConfig::account`](crate::config::GatewayConfig).
    pub account: Option<String>,
    /// Whether audio or video is sent. Otherwise only data is tested. Default true.
    pub sends_media: bool,
}

impl Default for EchoConfig {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(30), account: None, sends_media: true }
    }
}
