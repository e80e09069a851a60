//! The settings of an echo test.

use std::time::Duration;

/// How patiently to test, and with what.
#[derive(Clone, Debug)]
pub struct EchoConfig {
    /// How long one's own media may take to come back, once the devices are open. Default 30 s.
    pub connect_timeout: Duration,
    /// Shown to the gateway's administrator in place of
    /// [`GatewayConfig::account`](crate::config::GatewayConfig).
    pub account: Option<String>,
    /// Whether audio or video is sent. Without both, the test is of data alone. Default true.
    pub sends_media: bool,
}

impl Default for EchoConfig {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(30), account: None, sends_media: true }
    }
}
