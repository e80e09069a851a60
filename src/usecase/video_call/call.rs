//! One call, from the command to call or the first ring to its one end.

use super::event::Event;
use super::transfers::Transfers;
use crate::config::UserName;
use crate::data::{Policy, sdp};
use crate::peer::{Connection, ConnectionId, MediaPath};
use crate::usecase::{Command, RequestId};

/// How often one call is sent.
const MOST_REDIALS: u8 = 5;

/// A call. It always has a deadline, unless its media flows.
pub(super) struct Call {
    pub(super) peer: UserName,
    pub(super) stage: Stage,
    /// The page's command that waits for this to ring, or to be up.
    pub(super) command: Option<Command>,
    /// The peer connection, once there is one. A call may need several, one after the other.
    pub(super) connection: Option<Connection>,
    /// The media path was lost, and has not come back since.
    pub(super) is_interrupted: bool,
    /// What the page knows.
    reported: Reported,
    /// How often the call was sent again after a crossing or lost events.
    redials: u8,
    /// Who called while our own call was on its way, and that call's offer.
    pub(super) crossed_by: Option<(UserName, String)>,
    /// The gateway took the media connection away. The plugin's reason may follow.
    pub(super) remote_end: Option<RemoteEnd>,
    /// What is sent before the call is up waits there.
    pub(super) transfers: Transfers,
    /// What the peer's description said about data.
    pub(super) support: sdp::Support,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reported {
    Nothing,
    Calling,
    Accepted,
}

/// What the gateway reported of a call's end without saying why.
#[derive(Debug, Default)]
pub(super) struct RemoteEnd {
    /// The core's reason for the end of this end's connection.
    pub(super) core: Option<String>,
    /// The plugin says that the other end's connection is gone.
    pub(super) is_peer_gone: bool,
}

/// Where a call stands.
///
/// | from | by | to |
/// | --- | --- | --- |
/// | Offering | the offer is made | Offered |
/// | Offered | the gateway is done with the call before | Dialing |
/// | Dialing | "calling" | RingingOut |
/// | Dialing, RingingOut | two calls crossed | Offering (the winner) or Yielding |
/// | Yielding | the winner calls | Answering |
/// | Yielding | it does not | Offering |
/// | RingingOut | "accepted" | Up |
/// | RingingIn | the user accepts | Answering |
/// | RingingIn | the caller lost events | AwaitingRedial |
/// | AwaitingRedial | the caller calls again | RingingIn |
/// | AwaitingRedial | the user accepts | Yielding |
/// | Answering | the answer is made | Answered |
/// | Answered | the gateway is done with the call before | Accepting |
/// | Accepting | "accepted" | Up |
/// | RingingOut | events were lost, here or there | Offering |
/// | Answering, Accepting, Up | the caller lost events | Yielding |
#[derive(Debug, PartialEq)]
pub(super) enum Stage {
    /// Devices are opened and an offer is made; nothing was sent.
    Offering,
    /// The offer waits for its time.
    Offered { sdp: String },
    /// The call was sent.
    Dialing(RequestId),
    /// It rings at the peer's.
    RingingOut,
    /// The peer is about to call.
    Yielding,
    /// It rings here.
    RingingIn { offer: String },
    /// It rings here, and the caller is about to call again.
    AwaitingRedial,
    /// Devices are opened and an answer is made.
    Answering,
    /// The answer waits for its time.
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

    /// The connection of that name, while it is the call's.
    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|connection| connection.id() == id)
    }

    /// Gives the call another connection, with channels of its own.
    pub(super) fn connect(&mut self, connection: Connection) {
        self.transfers.handle_connection(connection.id());
        self.connection = Some(connection);
        self.is_interrupted = false;
    }

    /// Takes the connection from the call.
    pub(super) fn disconnect(&mut self) -> Option<ConnectionId> {
        self.transfers.handle_disconnected();
        self.connection.take().map(|connection| connection.id())
    }

    /// Whether media can flow.
    pub(super) fn has_path(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.path() == MediaPath::Up)
    }

    /// Whether the peer is known to use this library. A new offer to another one may break what works: a
    /// page of janus.js that does not handle `update` loses its video then.
    pub(super) fn peer_renegotiates(&self) -> bool {
        matches!(self.support, sdp::Support::Version(_) | sdp::Support::Off)
    }

    /// Whether the gateway has this end in a call with this peer.
    pub(super) fn is_known_to_gateway(&self) -> bool {
        !matches!(self.stage, Stage::Offering | Stage::Offered { .. } | Stage::Yielding)
    }

    /// Whether the gateway has joined the two ends, so that it may part them.
    pub(super) fn is_linked(&self) -> bool {
        self.is_known_to_gateway() && !matches!(self.stage, Stage::Dialing(_))
    }

    /// Whether the answer to this request is waited for.
    pub(super) fn waits_for(&self, id: RequestId) -> bool {
        matches!(self.stage, Stage::Dialing(open) | Stage::Accepting(open) if open == id)
    }

    /// Whether `onCalling` was fired, or more.
    pub(super) fn is_announced(&self) -> bool {
        self.reported > Reported::Nothing
    }

    /// The event that the peer's side is ringing, once.
    pub(super) fn announce(&mut self) -> Option<Event> {
        self.report(Reported::Calling).then(|| Event::Calling(self.peer.clone()))
    }

    /// The event that the call is accepted, once.
    pub(super) fn accepted(&mut self) -> Option<Event> {
        self.report(Reported::Accepted).then(|| Event::Accepted(self.peer.clone()))
    }

    fn report(&mut self, report: Reported) -> bool {
        let is_news = self.reported < report;
        self.reported = self.reported.max(report);
        is_news
    }

    /// Whether the call may be sent once more.
    pub(super) fn may_redial(&self) -> bool {
        self.redials < MOST_REDIALS
    }

    pub(super) fn count_redial(&mut self) {
        self.redials = self.redials.saturating_add(1);
    }
}
