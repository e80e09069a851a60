//! The echo test, with the plugin `janus.plugin.echotest`. The gateway sends everything back, so a
//! user sees and hears the quality of a call without a second person.

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
