//! One peer connection. This module knows no use case and no browser.
//!
//! A [`Connection`] belongs to a use case, which sends its descriptions and candidates to the other
//! end.

mod candidates;
mod connection;
mod error;
mod stats;

pub use candidates::EarlyCandidates;
pub use connection::{
    Connection, ConnectionId, ConnectionState, MediaPath, Output, PeerCommand, PeerEvent,
};
pub use error::{Error, Step};
pub use stats::{CandidatePair, MediaStats, Stats, StreamStats};
