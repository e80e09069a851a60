//! One peer connection and what it sends. No use case and no browser here.
//!
//! A [`Connection`] belongs to a use case. It asks its owner for one thing: to carry descriptions and
//! candidates to the other end.

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
