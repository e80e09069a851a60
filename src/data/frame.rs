//! Encodes and decodes the frames of the data protocol.

use super::{LARGEST, Meta};

/// Starts every HELLO, so that no other message is mistaken for one.
const MAGIC: [u8; 4] = *b"VRTC";

/// Overhead of a [`Frame::Chunk`] in bytes.
pub(super) const CHUNK_FRAME: usize = 17;

/// The largest overhead of a [`Frame::Offer`] in bytes.
const LONGEST_OFFER_FRAME: usize = 530;

/// One binary message. Numbers are unsigned and big-endian. The sender assigns each transfer's
/// `id`. The last four bytes of every message are the CRC-32 of the bytes before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Announces this side's version and window. Repeated until the peer's HELLO arrives.
    Hello {
        /// The highest version that the sender speaks.
        version: u8,
        /// Whether the sender has received the peer's HELLO.
        seen: bool,
        /// Bytes of chunk content that may be in flight to the sender of this frame.
        window: u32,
    },
    /// Starts a transfer. Short content is included; otherwise chunks follow.
    Offer {
        /// The transfer.
        id: u32,
        /// Its description.
        meta: Meta,
        /// The whole content, or empty.
        content: &'a [u8],
    },
    /// The next bytes of a transfer.
    Chunk {
        /// The transfer.
        id: u32,
        /// The position of the first byte.
        offset: u64,
        /// The bytes; never empty.
        content: &'a [u8],
    },
    /// The sender asks how much has arrived, since it heard nothing for a while.
    Ask {
        /// The transfer.
        id: u32,
        /// Bytes sent before this frame.
        sent: u64,
    },
    /// The sender cancels a transfer. Answered by [`Frame::Result`].
    Cancel {
        /// The transfer.
        id: u32,
    },
    /// The receiver reports how much has arrived.
    Ack {
        /// The transfer.
        id: u32,
        /// Bytes received from the start without a gap.
        received: u64,
        /// Whether the bytes that follow are missing and have to be resent.
        again: bool,
    },
    /// How a transfer ended. The receiver drops later frames of the transfer.
    Result {
        /// The transfer.
        id: u32,
        /// The outcome.
        verdict: Verdict,
    },
    /// The receiver does not know the transfer: offer it again.
    Unknown {
        /// The transfer.
        id: u32,
    },
    /// The sender has hung up. The gateway reports this too, but later.
    Bye {
        /// The reason.
        reason: String,
    },
}

/// How a transfer ended at the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// It arrived completely and was delivered to the page.
    Received = 0,
    /// The receiver does not accept its type.
    TypeRefused = 1,
    /// It is larger than the receiver accepts.
    TooLarge = 2,
    /// The receiver cancelled it.
    CancelledByReceiver = 3,
    /// The sender cancelled it, in time.
    CancelledBySender = 4,
    /// The receiver could not store it.
    NotKept = 5,
    /// It violated the protocol.
    Malformed = 6,
    /// A verdict that this version does not know.
    Other = 255,
}

impl Verdict {
    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Received,
            1 => Self::TypeRefused,
            2 => Self::TooLarge,
            3 => Self::CancelledByReceiver,
            4 => Self::CancelledBySender,
            5 => Self::NotKept,
            6 => Self::Malformed,
            _ => Self::Other,
        }
    }
}

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The frame kind is unknown to this version.
    UnknownKind(u8),
    /// The checksum does not match.
    Checksum,
    /// The message is too short or too long.
    Length,
    /// A field holds an invalid value.
    Field,
}

impl Frame<'_> {
    /// Encodes the frame. A text that is too long for its field is truncated.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Frame::Hello { version, seen, window } => {
                out.push(1);
                out.extend(MAGIC);
                out.extend([*version, u8::from(*seen)]);
                out.extend(window.to_be_bytes());
            }
            Frame::Offer { id, meta, content } => {
                out.reserve_exact(content.len().saturating_add(LONGEST_OFFER_FRAME));
                out.push(2);
                out.extend(id.to_be_bytes());
                out.push(u8::from(meta.is_text) | (u8::from(meta.filename.is_some()) << 1));
                out.extend(meta.size.to_be_bytes());
                push_text(&mut out, &meta.kind);
                push_text(&mut out, meta.filename.as_deref().unwrap_or_default());
                out.extend_from_slice(content);
            }
            Frame::Chunk { id, offset, content } => {
                out.reserve_exact(content.len().saturating_add(CHUNK_FRAME));
                out.push(3);
                out.extend(id.to_be_bytes());
                out.extend(offset.to_be_bytes());
                out.extend_from_slice(content);
            }
            Frame::Ask { id, sent } => {
                out.push(4);
                out.extend(id.to_be_bytes());
                out.extend(sent.to_be_bytes());
            }
            Frame::Cancel { id } => {
                out.push(5);
                out.extend(id.to_be_bytes());
            }
            Frame::Ack { id, received, again } => {
                out.push(6);
                out.extend(id.to_be_bytes());
                out.extend(received.to_be_bytes());
                out.push(u8::from(*again));
            }
            Frame::Result { id, verdict } => {
                out.push(7);
                out.extend(id.to_be_bytes());
                out.push(*verdict as u8);
            }
            Frame::Unknown { id } => {
                out.push(8);
                out.extend(id.to_be_bytes());
            }
            Frame::Bye { reason } => {
                out.push(9);
                push_text(&mut out, reason);
            }
        }
        out.extend(checksum(&out).to_be_bytes());
        out
    }

    /// Decodes a message from the peer, which may hold anything.
    pub fn decode(message: &[u8]) -> Result<Frame<'_>, Broken> {
        let (body, sum) = message.split_last_chunk().ok_or(Broken::Length)?;
        if checksum(body) != u32::from_be_bytes(*sum) {
            return Err(Broken::Checksum);
        }
        let mut input = Input(body);
        let kind = input.u8()?;
        let frame = match kind {
            1 => {
                if input.take(MAGIC.len())? != MAGIC {
                    return Err(Broken::Field);
                }
                let hello = Frame::Hello {
                    version: input.u8()?,
                    seen: input.flag()?,
                    window: input.u32()?,
                };
                // Later versions may append fields.
                if input.0.is_empty() || matches!(hello, Frame::Hello { version: 2.., .. }) {
                    return Ok(hello);
                }
                return Err(Broken::Length);
            }
            2 => {
                let id = input.u32()?;
                let flags = input.u8()?;
                let size = input.size()?;
                let kind = input.text()?;
                let filename = input.text()?;
                let has_filename = flags & 2 != 0;
                if flags > 3 || kind.is_empty() || (!has_filename && !filename.is_empty()) {
                    return Err(Broken::Field);
                }
                let content = std::mem::take(&mut input.0);
                if !content.is_empty() && content.len() as u64 != size {
                    return Err(Broken::Length);
                }
                let filename = has_filename.then_some(filename);
                let meta = Meta { kind, filename, size, is_text: flags & 1 != 0 };
                Frame::Offer { id, meta, content }
            }
            3 => {
                let (id, offset) = (input.u32()?, input.size()?);
                let content = std::mem::take(&mut input.0);
                if content.is_empty() {
                    return Err(Broken::Length);
                }
                Frame::Chunk { id, offset, content }
            }
            4 => Frame::Ask { id: input.u32()?, sent: input.size()? },
            5 => Frame::Cancel { id: input.u32()? },
            6 => Frame::Ack { id: input.u32()?, received: input.size()?, again: input.flag()? },
            7 => Frame::Result { id: input.u32()?, verdict: Verdict::from_byte(input.u8()?) },
            8 => Frame::Unknown { id: input.u32()? },
            9 => Frame::Bye { reason: input.text()? },
            other => return Err(Broken::UnknownKind(other)),
        };
        if input.0.is_empty() { Ok(frame) } else { Err(Broken::Length) }
    }
}

/// The integrity check: CRC-32 as in ISO-HDLC (Ethernet, zip).
#[expect(clippy::missing_const_for_thread_local, reason = "the table would travel in the module")]
fn checksum(bytes: &[u8]) -> u32 {
    thread_local! {
        // The 16 kB table is five times as fast as the small one, which used 3 % of a core at each
        // end of a fast file transfer. It is computed on first use: it does not compress well, so
        // a constant would enlarge the download.
        static CRC: crc::Crc<u32, crc::Table<16>> =
            crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);
    }
    CRC.with(|crc| crc.checksum(bytes))
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    // Truncates at a character boundary.
    let ends = text.char_indices().map(|(at, c)| at.saturating_add(c.len_utf8()));
    let length = ends.map_while(|end| u8::try_from(end).ok()).last().unwrap_or_default();
    out.push(length);
    out.extend(text.bytes().take(length.into()));
}

/// The bytes not read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N)?.try_into().map_err(|_| Broken::Length)
    }

    fn u8(&mut self) -> Result<u8, Broken> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_be_bytes)
    }

    fn size(&mut self) -> Result<u64, Broken> {
        let size = u64::from_be_bytes(self.array()?);
        if size <= LARGEST { Ok(size) } else { Err(Broken::Field) }
    }

    fn flag(&mut self) -> Result<bool, Broken> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken::Field),
        }
    }

    fn text(&mut self) -> Result<String, Broken> {
        let length = self.u8()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Broken::Field)
    }
}
