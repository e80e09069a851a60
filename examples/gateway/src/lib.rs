//! The embedded gateway: it answers like Janus' video call plugin, so that anyone can try the
//! library with one command, and tests can inject faults.
//!
//! It is **not a media server**. It forwards offers, answers and candidates between the peers, and
//! media flows directly between the two browsers. Use Janus in production.
//!
//! Two halves:
//!
//! - The core, [`Gateway`], does no I/O and reads no clock. A request or a poll goes in with the time,
//!   an answer comes out; work that Janus does on other threads waits in a queue until
//!   [`Gateway::handle_timeout`] or the next call. Its random numbers come from a seed, so that a test on
//!   a virtual clock sees the same run twice. Built with `default-features = false` it is all there is.
//! - The server (feature `server`, on by default) puts HTTP, the files of the example pages and scripted
//!   [faults](server::Faults) around it.
//!
//! The main path to read: [`Gateway::post`] in `gateway.rs`, the requests of Janus' core in
//! `request.rs`, those of the plugin in `videocall.rs`, and the life of a handle's PeerConnection
//! in `connection.rs`.

// Arithmetic on times and counters that this program made itself.
#![allow(clippy::arithmetic_side_effects)]

mod check;
mod connection;
mod gateway;
mod options;
mod random;
mod reply;
mod request;
#[cfg(feature = "server")]
pub mod server;
mod session;
mod videocall;
mod work;

pub use gateway::{Gateway, Get, Poll, PollTicket, Response};
pub use options::{CloseTimer, Options, Timing};

/// The only plugin.
pub const PLUGIN: &str = "janus.plugin.videocall";
