//! The use cases of a session. Each folder implements one plugin of the gateway, and none knows
//! another. They share `peer` (one peer connection) and `data` (messages and files on its data
//! channels).
//!
//! A use case takes the page's commands and the inputs of [`Plugin`], and returns [`Output`]s.

pub mod echo_test;
pub mod video_call;
mod waiting;

use serde::Serialize;

use crate::data::{ChannelEvent, ChannelMessage};
use crate::error::Error;
use crate::log::Level;
use crate::peer::{ConnectionId, PeerCommand, PeerEvent};
use crate::signaling::{self, Answer, Candidate, Doubt, Jsep, Notice};
use crate::time::Time;
use echo_test::EchoTest;
use video_call::VideoCall;
pub(crate) use waiting::Waiting;

/// Most pages use this plugin first, so the client attaches to it together with the session.
pub(crate) const FIRST_PLUGIN: &str = video_call::PLUGIN;

/// Identifies a command of the page and its [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command(pub u64);

/// Identifies a request to a plugin, within one use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// Why an object accepts no more commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The page closed it.
    #[error("closed")]
    ByPage,
    /// `disconnect()` closed it.
    #[error("closed by disconnect()")]
    ByDisconnect,
    /// The gateway closed its handle.
    #[error("the handle was closed")]
    ByGateway,
}

/// How a handle was lost that another one will replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleLoss {
    /// The page was left, and may come back.
    PageLeft,
    /// The session is lost.
    SessionLost,
}

/// Why no other handle will follow.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SessionEnd {
    /// The session is lost for good.
    #[error(transparent)]
    Lost(#[from] signaling::Error),
    /// The session was ended, or the handle was closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// The result of a command that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Done, with nothing to report.
    Done,
    /// The result of a video call's command.
    VideoCall(video_call::Reply),
    /// The report of an echo test.
    EchoTest(Box<echo_test::Report>),
}

/// A request to a plugin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// A request to the video call plugin.
    VideoCall(video_call::Request),
    /// A request to the echo test plugin.
    EchoTest(echo_test::Request),
}

/// An event for the page.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An event of a video call.
    VideoCall(video_call::Event),
    /// An event of an echo test.
    EchoTest(echo_test::Event),
}

impl Event {
    /// Returns the event with `hide` applied to the texts of its error.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        match self {
            Self::VideoCall(event) => Self::VideoCall(event.redacted(hide)),
            Self::EchoTest(event) => Self::EchoTest(event.redacted(hide)),
        }
    }
}

/// An output of a use case. Drain them after every input.
#[derive(Debug)]
pub enum Output {
    /// Send this message to the plugin; the answer goes to [`Plugin::handle_answer`].
    Request {
        /// The answer carries the same id.
        id: RequestId,
        /// The message.
        body: Body,
        /// The session description that the message carries.
        jsep: Option<Jsep>,
    },
    /// Send local candidates.
    Trickle(Vec<Candidate>),
    /// Detach from the plugin, then call [`Plugin::handle_detached`].
    Detach,
    /// Detach and attach again, then call [`Plugin::handle_attached`].
    Reattach,
    /// Execute this command on a peer connection.
    Peer(ConnectionId, PeerCommand),
    /// Send this on a data channel of a peer connection.
    Send(ConnectionId, ChannelMessage),
    /// The call or test is over for the page: stop the devices and clear the video elements.
    Release,
    /// Process a message or file, or report it to the page.
    Transfer(video_call::Data),
    /// Report an event to the page.
    Event(Event),
    /// A command of the page ended.
    Done(Command, Result<Reply, Error>),
    /// A line for the log.
    Log(Level, String),
}

/// The inputs that every use case takes: its handle, its peer connections and the time.
pub trait Plugin {
    /// The plugin's name at the gateway.
    fn name(&self) -> &'static str;

    /// The handle's account, if it differs from the session's.
    fn account(&self) -> Option<&str>;

    /// Whether the object has ended.
    fn is_closed(&self) -> bool;

    /// Whether the gateway has not confirmed a hang-up yet.
    fn is_leaving(&self) -> bool;

    /// Whether media flows. Meanwhile, a gateway out of reach is waited for without a limit.
    fn is_flowing(&self) -> bool;

    /// A handle is attached.
    fn handle_attached(&mut self, now: Time);

    /// The handle is detached, or unknown to the gateway.
    fn handle_detached(&mut self, now: Time);

    /// The handle is lost, and another one will follow.
    fn handle_session_lost(&mut self, loss: HandleLoss, error: &signaling::Error, now: Time);

    /// The handle is lost, and no other one will follow.
    fn handle_session_end(&mut self, end: &SessionEnd, now: Time);

    /// The gateway is out of reach, and events may get lost.
    fn handle_trouble(&mut self, error: &signaling::Error, now: Time);

    /// The gateway is in reach again.
    fn handle_restored(&mut self, now: Time);

    /// An event may be lost, although nothing has failed.
    fn handle_doubt(&mut self, doubt: Doubt, now: Time);

    /// The network may have changed.
    fn handle_network_changed(&mut self, now: Time);

    /// A request was answered, or failed.
    fn handle_answer(&mut self, id: RequestId, answer: Result<Answer, signaling::Error>, now: Time);

    /// An event of the handle that answers no request.
    fn handle_notice(&mut self, notice: Notice, now: Time);

    /// An event of a peer connection.
    fn handle_peer(&mut self, id: ConnectionId, event: PeerEvent, now: Time);

    /// An event of a peer connection's data channels.
    fn handle_channel(&mut self, id: ConnectionId, event: ChannelEvent, now: Time);

    /// Ends the call or test without detaching, since the session ends next.
    fn leave(&mut self, now: Time);

    /// A deadline has passed.
    fn handle_timeout(&mut self, now: Time);

    /// When to call [`Plugin::handle_timeout`].
    fn poll_timeout(&self) -> Option<Time>;

    /// The next output, if any.
    fn poll_output(&mut self) -> Option<Output>;
}

/// One use case.
pub enum UseCase {
    /// A video call object.
    VideoCall(Box<VideoCall>),
    /// An echo test object.
    EchoTest(Box<EchoTest>),
}

impl UseCase {
    /// The interface that all use cases share.
    pub fn plugin(&self) -> &dyn Plugin {
        match self {
            Self::VideoCall(call) => &**call,
            Self::EchoTest(test) => &**test,
        }
    }

    /// The interface that all use cases share.
    pub fn plugin_mut(&mut self) -> &mut dyn Plugin {
        match self {
            Self::VideoCall(call) => &mut **call,
            Self::EchoTest(test) => &mut **test,
        }
    }

    /// The event that reports an error to which no promise belongs.
    pub(crate) fn error_event(&self, error: Error) -> Event {
        match self {
            Self::VideoCall(_) => Event::VideoCall(video_call::Event::Error(error)),
            Self::EchoTest(_) => Event::EchoTest(echo_test::Event::Error(error)),
        }
    }
}
