//! Messages and files on the data channel: `docs/data-protocol.md`, as code. It knows neither the
//! gateway nor the call: bytes, a window and the time go in, frames and news come out.
//!
//! A [`Link`] is one call's. It joins the sending side (`outgoing`), the receiving side (`incoming`) and the
//! greeting that comes before both.

mod channel;
mod error;
pub mod frame;
mod incoming;
mod link;
mod outgoing;
mod pace;
mod policy;
pub mod sdp;

pub use channel::{ChannelEvent, ChannelMessage};
pub use error::Error;
pub use incoming::Content;
pub use link::{Key, Link, Output, Report};
pub use policy::{Policy, clean_filename, is_kind};

/// The version of the protocol that is spoken here. A peer of another speaks the lower of the two.
pub const VERSION: u8 = 1;
/// The longest message. The gateway announces 65536 bytes, and drops a message of as many.
pub const LONGEST_MESSAGE: usize = 65_535;
/// The most bytes that travel inside an offer; also the most that a peer without this protocol can be
/// sent. It leaves room for the longest offer's head.
pub const LONGEST_INLINE: usize = 64_000;
/// The longest text that arrives as a string: it has to stand in memory whole.
pub const LONGEST_TEXT: u64 = 16 * 1024 * 1024;
/// The largest size that can be told: what a JavaScript number holds exactly.
pub const LARGEST: u64 = (1 << 53) - 1;

/// The bytes of one chunk: the longer a message, the faster they go through the gateway.
const CHUNK: usize = LONGEST_MESSAGE - frame::CHUNK_FRAME;
/// The least that a chunk may hold, unless it is a transfer's last.
const LEAST_CHUNK: usize = 4096;
/// How much of a source is read at a time.
const BLOCK: u64 = 4 * CHUNK as u64;
/// What a receiver lets be on its way to it, in bytes of chunks.
const WINDOW: u32 = 1024 * 1024;
/// A receiver acknowledges whenever so many bytes have come.
const ACK_EVERY: u32 = 32_000;
/// How many transfers may be open in one direction; an id's remainder by this is its slot.
const SLOTS: u32 = 64;
/// How many of them may be files, so that messages always find a slot.
const FILE_SLOTS: u32 = 32;

/// The two channels of a link, by how long what is in them may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Short messages and everything about transfers: the channel `JanusDataChannel`, by default that of janus.js
    /// and the gateway. Plain text on it is what janus.js speaks.
    Messages,
    /// What may be long: the channel `videortc-bulk`.
    Bulk,
}

/// What is being sent, in the sender's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The MIME type, or any word that the two pages agree on.
    pub kind: String,
    /// The file name, without a path.
    pub filename: Option<String>,
    /// In bytes; of text, in UTF-8.
    pub size: u64,
    /// It was a string, and arrives as one.
    pub is_text: bool,
}
