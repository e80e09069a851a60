//! Calls between two users, with the plugin `janus.plugin.videocall`.

mod call;
mod config;
mod error;
mod event;
mod guest;
mod machine;
mod message;
mod recovery;
mod registration;
mod requests;
mod teardown;
mod timer;
mod transfers;

pub use config::CallConfig;
pub use error::{End, Error, Misuse, PluginCode};
pub use event::{Event, Settings};
pub use machine::{Reply, VideoCall};
pub use message::Request;
pub use transfers::{Data, Transfer, TransferId, TransferState};

#[doc(hidden)]
pub use message::{PluginEvent, Refusal, parse as parse_plugin_message};

/// The plugin's name at the gateway.
pub const PLUGIN: &str = "janus.plugin.videocall";

/// Why a call ended, if the other side gave no reason of its own.
pub mod reason {
    /// The other side is in another call.
    pub const BUSY: &str = "User busy";
    /// The other side declined.
    pub const DECLINED: &str = "Call declined";
    /// The caller hung up before the callee answered.
    pub const CANCELLED: &str = "Cancelled";
    /// The call rang for too long.
    pub const NO_ANSWER: &str = "No answer";
    /// One side hung up.
    pub const HUNG_UP: &str = "Hung up";
    /// Nobody is registered under the name.
    pub const NO_SUCH_USER: &str = "No such user";
    /// The user called their own name.
    pub const SELF: &str = "Calling yourself";
    /// The other side vanished: a closed page or a lost network.
    pub const LEFT: &str = "The other side left";
    /// ICE or DTLS failed.
    pub const MEDIA_FAILED: &str = "Media connection failed";
    /// The gateway ended the call or did not answer.
    pub const LOST: &str = "Connection lost";
    /// The session at the gateway is lost.
    pub const SESSION_LOST: &str = "Session lost";
    /// This side could not open its devices.
    pub const NO_DEVICE: &str = "Could not open the camera or the microphone";
    /// The caller's reason when the callee could not open its devices.
    pub const PEER_NO_DEVICE: &str = "The other side could not open its camera or microphone";
    /// Between clients: events of this call were lost, and the caller should redial.
    pub(super) const REDIAL: &str = "videortc: once more";
    /// Between clients: two calls crossed, and this one yields.
    pub(super) const CROSSING: &str = "videortc: crossing calls";
}
