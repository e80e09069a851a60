//! One peer connection and what it sends. No use case and no browser here.

mod error;

pub use error::{Error, Step};
