//! The echo test, by the plugin `janus.plugin.echotest`: the gateway sends back what it gets, so a user sees
//! and hears what a call would carry, and no second person is needed.

mod config;
mod error;
mod event;
mod machine;
mod message;
mod probes;
mod report;

pub use config::EchoConfig;
pub use error::{Error, Misuse};
pub use event::Event;
pub use machine::EchoTest;
pub use message::Request;
pub use report::{DataReport, Direction, MediaReport, Report};

/// The plugin's name at the gateway.
pub const PLUGIN: &str = "janus.plugin.echotest";
