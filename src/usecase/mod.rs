//! What can be done in a session. Each folder is one plugin of the gateway, and none knows another.
//! They share `peer` (a peer connection) and `data` (what goes through its data channels).
//!
//! A use case takes the inputs of [`Plugin`] and the page's commands, and gives [`Output`]s.

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

/// The plugin that most pages want first: its handle is attached with the session.
pub(crate) const FIRST_PLUGIN: &str = video_call::PLUGIN;

/// Names a command of the page; its [`Reply`] bears the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command(pub u64);

/// Names a request to a plugin, within one use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// Why an object takes no commands any more.
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

/// How a handle was lost where another will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleLoss {
    /// The page is hidden, and may come back.
    PageLeft,
    /// The session is lost.
    SessionLost,
}

/// Why there will be no other handle.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SessionEnd {
    /// The session is lost for good.
    #[error(transparent)]
    Lost(#[from] signaling::Error),
    /// It was ended, or the handle was.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// How a command ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Done, with nothing to report.
    Done,
    /// A video call's.
    VideoCall(video_call::Reply),
    /// The report of an echo test.
    EchoTest(Box<echo_test::Report>),
}

/// A request to a plugin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// To the video call plugin.
    VideoCall(video_call::Request),
    /// To the echo test plugin.
    EchoTest(echo_test::Request),
}

/// Something that happened, for the page.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// In a video call.
    VideoCall(video_call::Event),
    /// In an echo test.
    EchoTest(echo_test::Event),
}

impl Event {
    /// The event without what `hide` takes out of its errors.
    pub(crate) fn redacted(self, hide: impl Fn(&str) -> String) -> Self {
        match self {
            Self::VideoCall(event) => Self::VideoCall(event.redacted(hide)),
            Self::EchoTest(event) => Self::EchoTest(event.redacted(hide)),
        }
    }
}

/// What a use case needs or reports. Drain it after every input.
#[derive(Debug)]
pub enum Output {
    /// Send the plugin this message; tell [`Plugin::handle_answer`].
    Request {
        /// Comes back with the answer.
        id: RequestId,
        /// The message.
        body: Body,
        /// A session description that goes with it.
        jsep: Option<Jsep>,
    },
    /// Send local candidates.
    Trickle(Vec<Candidate>),
    /// Detach from the plugin; tell [`Plugin::handle_detached`].
    Detach,
    /// Detach, and attach anew; tell [`Plugin::handle_attached`].
    Reattach,
    /// The browser is to do this with a peer connection.
    Peer(ConnectionId, PeerCommand),
    /// Send this on a data channel of a peer connection.
    Send(ConnectionId, ChannelMessage),
    /// Everything is over for the page: stop the devices and clear the video elements.
    Release,
    /// Do this with a message or file, or report it to the page.
    Transfer(video_call::Data),
    /// Tell the page.
    Event(Event),
    /// A command of the page ended.
    Done(Command, Result<Reply, Error>),
    /// A line for the log.
    Log(Level, String),
}

/// What every use case hears of its handle, its connections and the time.
pub trait Plugin {
    /// The plugin's name at the gateway.
    fn name(&self) -> &'static str;

    /// The account that its handle bears, if it has one of its own.
    fn account(&self) -> Option<&str>;

    /// Whether it is at its end.
    fn is_closed(&self) -> bool;

    /// Whether the gateway still has to hear of an end here.
    fn is_leaving(&self) -> bool;

    /// Whether media flows, so that it does not need the gateway yet.
    fn is_flowing(&self) -> bool;

    /// There is a handle.
    fn handle_attached(&mut self, now: Time);

    /// The handle is detached, or the gateway does not know it.
    fn handle_detached(&mut self, now: Time);

    /// The handle is gone, and another will follow.
    fn handle_session_lost(&mut self, loss: HandleLoss, error: &signaling::Error, now: Time);

    /// There will be no other handle.
    fn handle_session_end(&mut self, end: &SessionEnd, now: Time);

    /// The gateway is out of reach, and events may be lost.
    fn handle_trouble(&mut self, error: &signaling::Error, now: Time);

    /// The gateway is in reach again.
    fn handle_restored(&mut self, now: Time);

    /// An event may be lost, though nothing has failed.
    fn handle_doubt(&mut self, doubt: Doubt, now: Time);

    /// The browser reports that the network may be another one.
    fn handle_network_changed(&mut self, now: Time);

    /// A request ended.
    fn handle_answer(&mut self, id: RequestId, answer: Result<Answer, signaling::Error>, now: Time);

    /// The gateway reports something about the handle that answers no request.
    fn handle_notice(&mut self, notice: Notice, now: Time);

    /// The browser reports something about a peer connection.
    fn handle_peer(&mut self, id: ConnectionId, event: PeerEvent, now: Time);

    /// The browser reports something about the data channels of a peer connection.
    fn handle_channel(&mut self, id: ConnectionId, event: ChannelEvent, now: Time);

    /// Ends what is under way without detaching: the session is about to be ended.
    fn leave(&mut self, now: Time);

    /// The time has come.
    fn handle_timeout(&mut self, now: Time);

    /// The moment by which [`Plugin::handle_timeout`] must be called.
    fn poll_timeout(&self) -> Option<Time>;

    /// What to do next, if anything.
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
    /// The part that all have in common.
    pub fn plugin(&self) -> &dyn Plugin {
        match self {
            Self::VideoCall(call) => &**call,
            Self::EchoTest(test) => &**test,
        }
    }

    /// The part that all have in common.
    pub fn plugin_mut(&mut self) -> &mut dyn Plugin {
        match self {
            Self::VideoCall(call) => &mut **call,
            Self::EchoTest(test) => &mut **test,
        }
    }

    /// The event that reports a failure for which no promise is there.
    pub(crate) fn error_event(&self, error: Error) -> Event {
        match self {
            Self::VideoCall(_) => Event::VideoCall(video_call::Event::Error(error)),
            Self::EchoTest(_) => Event::EchoTest(echo_test::Event::Error(error)),
        }
    }
}
