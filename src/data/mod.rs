//! Messages and files on the data channel: implements `docs/data-protocol.md`.
//!
//! This layer knows neither the gateway nor the call. Its inputs are bytes and the time; its
//! outputs are frames and events.
//!
//! A [`Link`] belongs to one call. It joins the sending side (`outgoing`), the receiving side
//! (`incoming`) and the HELLO exchange that precedes both.

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

/// The protocol version that this library speaks. Two peers use the lower of their two versions.
pub const VERSION: u8 = 1;
/// The longest message. The gateway announces 65536 bytes but drops a message of exactly that size.
pub const LONGEST_MESSAGE: usize = 65_535;
/// The most content bytes that travel inside an OFFER, and the longest text for a peer without this
/// protocol. It leaves room for the longest OFFER header.
pub const LONGEST_INLINE: usize = 64_000;
/// The longest text that can be received as a string: a string has to be in memory as a whole.
pub const LONGEST_TEXT: u64 = 16 * 1024 * 1024;
/// The largest size that a frame may state: the largest integer a JavaScript number holds exactly.
pub const LARGEST: u64 = (1 << 53) - 1;

/// The content bytes of one chunk. Longer messages pass the gateway faster.
const CHUNK: usize = LONGEST_MESSAGE - frame::CHUNK_FRAME;
/// The fewest bytes a chunk may hold, unless it is the last one of a transfer.
const MIN_CHUNK: usize = 4096;
/// Bytes read from a source at a time.
const BLOCK: u64 = 4 * CHUNK as u64;
/// The window that a receiver grants: bytes of chunk content in flight to it.
const WINDOW: u32 = 1024 * 1024;
/// A receiver acknowledges whenever this many bytes have arrived.
const ACK_EVERY: u32 = 32_000;
/// Open transfers per direction. The slot of a transfer is its id modulo this number.
const SLOTS: u32 = 64;
/// Slots that files may use. The rest are for messages, so that files never block them.
const FILE_SLOTS: u32 = 32;

/// The two channels of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// Short messages and the control frames of transfers: the channel `JanusDataChannel`. It is
    /// the default channel of janus.js and the gateway; janus.js sends plain text on it.
    Messages,
    /// The content of long transfers: the channel `videortc-bulk`.
    Bulk,
}

/// The sender's description of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The MIME type, or any word that the two pages agree on.
    pub kind: String,
    /// The file name, without a path.
    pub filename: Option<String>,
    /// Size in bytes; for text, of its UTF-8 form.
    pub size: u64,
    /// Whether the content is a string and has to be delivered as one.
    pub is_text: bool,
}
