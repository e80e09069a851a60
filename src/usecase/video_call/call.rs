//! One call, from `call()` or the first ring to its one end.

use super::event::Event;
use super::transfers::Transfers;
use crate::config::UserName;
use crate::data::{Policy, sdp};
use crate::peer::{Connection, ConnectionId, MediaPath};
use crate::usecase::{Command, RequestId};

/// The maximum of redials per call.
const MOST_REDIALS: u8 = 5;

/// A call. It always has a deadline, except while its media flows.
pub(super) struct Call {
    pub(super) peer: UserName,
    pub(super) stage: Stage,
    /// The page's pending command: `call()` until it rings, `accept()` until the call is up.
    pub(super) command: Option<Command>,
    /// The current peer connection. A call may need several, one after another.
    pub(super) connection: Option<Connection>,
    /// The media path was lost and has not been restored.
    pub(super) is_interrupted: bool,
    /// The events that the page has received.
    reported: Reported,
    /// The number of redials after crossing calls and lost events.
    redials: u8,
    /// The caller and the offer of a call that came while ours was being sent.
    pub(super) crossed_by: Option<(UserName, String)>,
    /// The gateway closed a media connection. The plugin's reason may follow.
    pub(super) remote_end: Option<RemoteEnd>,
    /// The call's messages and files. They wait there until the call is up.
    pub(super) transfers: Transfers,
    /// The peer's support for the data protocol, by its session description.
    pub(super) support: sdp::Support,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reported {
    Nothing,
    Calling,
    Accepted,
}

/// The gateway's reports that a call has ended, while the plugin's reason is missing.
#[derive(Debug, Default)]
pub(super) struct RemoteEnd {
    /// The core closed our media connection, for this reason.
    pub(super) core: Option<String>,
    /// The plugin reported that the peer's media connection is closed.
    pub(super) is_peer_gone: bool,
}

/// The stage of a call.
///
/// | from | by | to |
/// | --- | --- | --- |
/// | Offering | the offer is made | Offered |
/// | Offered | the gateway is done with the previous call | Dialing |
/// | Dialing | "calling" | RingingOut |
/// | Offering, Offered, RingingOut | the peer calls too | Answering |
/// | Dialing | the gateway's core is not ready for a call | Yielding |
/// | Dialing | refused, since the previous call has not ended everywhere | Offering |
/// | Dialing, RingingOut | two calls crossed | Offering (the winner) or Yielding |
/// | Yielding | the winner calls | Answering |
/// | Yielding | it does not | Offering |
/// | RingingOut | "accepted" | Up |
/// | RingingIn | the user accepts | Answering |
/// | RingingIn | the caller lost events | AwaitingRedial |
/// | AwaitingRedial | the caller calls again | RingingIn |
/// | AwaitingRedial | the user accepts | Yielding |
/// | Answering | the answer is made | Answered |
/// | Answered | the gateway is done with the previous call | Accepting |
/// | Accepting | "accepted" | Up |
/// | RingingOut | events were lost, here or there | Offering |
/// | Answering to Up | the caller lost events, or the gateway the offer | Yielding |
#[derive(Debug, PartialEq)]
pub(super) enum Stage {
    /// The browser opens the devices and makes an offer. Nothing was sent.
    Offering,
    /// The offer waits until the gateway is ready for a call.
    Offered { sdp: String },
    /// The call was sent.
    Dialing(RequestId),
    /// The peer's side is ringing.
    RingingOut,
    /// We wait for a call of the peer, and will accept it at once.
    Yielding,
    /// The call rings here.
    RingingIn { offer: String },
    /// The call rings here, and the caller is about to redial.
    AwaitingRedial,
    /// The browser opens the devices and makes an answer.
    Answering,
    /// The answer waits until the gateway is ready for a call.
    Answered { sdp: String },
    /// The answer was sent.
    Accepting(RequestId),
    /// The call is up.
    Up,
}

impl Call {
    pub(super) fn new(peer: UserName, stage: Stage, data: Policy) -> Self {
        Self {
            transfers: Transfers::new(data, peer.clone()),
            peer,
            stage,
            command: None,
            connection: None,
            is_interrupted: false,
            reported: Reported::Nothing,
            redials: 0,
            crossed_by: None,
            remote_end: None,
            support: sdp::Support::None,
        }
    }

    /// The call's connection, if `id` is its id.
    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|connection| connection.id() == id)
    }

    /// Sets a new connection, which has its own data channels.
    pub(super) fn connect(&mut self, connection: Connection) {
        self.transfers.handle_connection(connection.id());
        self.connection = Some(connection);
        self.is_interrupted = false;
    }

    /// Removes the connection.
    pub(super) fn disconnect(&mut self) -> Option<ConnectionId> {
        self.transfers.handle_disconnected();
        self.connection.take().map(|connection| connection.id())
    }

    /// Whether media can flow.
    pub(super) fn has_path(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.path() == MediaPath::Up)
    }

    /// Whether the peer is known to use this library. A new offer may break a working call with
    /// another one: a page of janus.js that does not handle `update` loses its video.
    pub(super) fn peer_renegotiates(&self) -> bool {
        matches!(self.support, sdp::Support::Version(_) | sdp::Support::Off)
    }

    /// Whether the gateway may have us in this call.
    pub(super) fn is_known_to_gateway(&self) -> bool {
        !matches!(self.stage, Stage::Offering | Stage::Offered { .. } | Stage::Yielding)
    }

    /// Whether the gateway has linked the two sides, so that it may report the call's end.
    pub(super) fn is_linked(&self) -> bool {
        self.is_known_to_gateway() && !matches!(self.stage, Stage::Dialing(_))
    }

    /// Whether the stage waits for the answer to this request.
    pub(super) fn waits_for(&self, id: RequestId) -> bool {
        matches!(self.stage, Stage::Dialing(open) | Stage::Accepting(open) if open == id)
    }

    /// Whether the page received `onCalling` or `onAccepted`.
    pub(super) fn is_announced(&self) -> bool {
        self.reported > Reported::Nothing
    }

    /// Returns the event that the peer's side is ringing, once.
    pub(super) fn announce(&mut self) -> Option<Event> {
        self.report(Reported::Calling).then(|| Event::Calling(self.peer.clone()))
    }

    /// Returns the event that the call is accepted, once.
    pub(super) fn accepted(&mut self) -> Option<Event> {
        self.report(Reported::Accepted).then(|| Event::Accepted(self.peer.clone()))
    }

    fn report(&mut self, report: Reported) -> bool {
        let is_new = self.reported < report;
        self.reported = self.reported.max(report);
        is_new
    }

    /// Whether the call may be sent again.
    pub(super) fn may_redial(&self) -> bool {
        self.redials < MOST_REDIALS
    }

    pub(super) fn count_redial(&mut self) {
        self.redials = self.redials.saturating_add(1);
    }
}
