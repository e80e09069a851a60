//! What can go wrong with a message or a file, by who is to blame.

/// Why a message or a file did not arrive, or was not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The page, or the page of the peer.
    /// Data is switched off here.
    #[error("data is switched off")]
    Disabled,
    /// Data is switched off at the peer.
    #[error("the peer has switched data off")]
    DisabledByPeer,
    /// The peer's description has no data section.
    #[error("the call has no data channel")]
    NoChannel,
    /// The peer speaks plain text only.
    #[error("the peer takes plain text only")]
    NotSupportedByPeer {
        /// The type of what was to be sent.
        kind: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The peer does not take the type.
    #[error("type \"{kind}\" refused by the peer")]
    TypeRefused {
        /// The type.
        kind: String,
    },
    /// The peer does not take so many bytes.
    #[error("{size} bytes refused by the peer")]
    TooLargeForPeer {
        /// How many.
        size: u64,
    },
    /// The peer sent a type that is not allowed here.
    #[error("type \"{kind}\" not allowed")]
    TypeNotAllowed {
        /// The type, cut short.
        kind: String,
    },
    /// The peer sent more bytes than are taken here.
    #[error("{size} bytes of \"{kind}\" are too large")]
    TooLarge {
        /// The type, cut short.
        kind: String,
        /// How many.
        size: u64,
    },
    /// This page cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// The peer's page cancelled it.
    #[error("cancelled by the peer")]
    CancelledByPeer,
    /// The page's signal was aborted before anything was sent.
    #[error("aborted before it was sent")]
    Aborted,

    // The content.
    /// The source cannot be read.
    #[error("the source cannot be read: {cause}")]
    Unreadable {
        /// The browser's words.
        cause: String,
    },
    /// The source is of another size than it said.
    #[error("the source changed")]
    Changed,
    /// The browser could not keep what came.
    #[error("could not be kept")]
    NotKept,
    /// The peer's browser could not keep it.
    #[error("could not be kept by the peer")]
    NotKeptByPeer,

    // The peer, or the connection.
    /// The peer broke the data protocol.
    #[error("the peer broke the data protocol")]
    PeerMisbehaved,
    /// The peer says that we broke it.
    #[error("not understood by the peer")]
    NotUnderstoodByPeer,
    /// The peer did not take it, and does not say why.
    #[error("not taken by the peer")]
    NotTakenByPeer,
    /// It had to be sent again too often.
    #[error("damaged again and again")]
    Damaged,
    /// The peer announced the data protocol and has never spoken it.
    #[error("the peer has never said anything")]
    PeerNeverSpoke,
    /// The peer fell silent. It may or may not have received it.
    #[error("the peer says nothing any more")]
    PeerSilent,
    /// The data channel was closed while the call goes on.
    #[error("the data channel was closed")]
    ChannelClosed,
    /// The call ended first.
    #[error("the call ended: {reason}")]
    CallEnded {
        /// The reason of the hang-up.
        reason: String,
    },
}
