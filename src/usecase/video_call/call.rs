//! One call, from the first wish to call, or the first ring, to its one end.

use vecmap::VecMap;

use crate::config::{Policy, UserName};
use crate::data::{Link, sdp};
use crate::time::Time;

use super::machine::{Command, RequestId};

/// Names one peer connection. A call may need several, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A call. It always has a deadline, unless the media flows.
pub(super) struct Call {
    pub(super) peer: UserName,
    pub(super) stage: Stage,
    pub(super) deadline: Option<Time>,
    /// The page's command that waits for this to ring, or to be up.
    pub(super) command: Option<Command>,
    /// The peer connection, once there is one.
    pub(super) connection: Option<ConnectionId>,
    /// Media flows.
    pub(super) connected: bool,
    /// The way of the media, once the call is up.
    pub(super) path: Path,
    /// The other side's media flows.
    pub(super) flows: bool,
    /// `onAccepted` was fired.
    pub(super) accepted: bool,
    /// `onCalling` was fired.
    pub(super) announced: bool,
    /// How often the call was sent again after a crossing.
    pub(super) redials: u8,
    /// Who called while our own call was on its way, and that call's offer.
    pub(super) crossed_by: Option<(UserName, String)>,
    /// The gateway took the media connection away. The plugin's words, which tell why, may follow.
    pub(super) doom: Option<Doom>,
    /// Messages and files. What is sent before the call is up waits there.
    pub(super) link: Link,
    /// A data channel closed: until then the end of the call is waited for.
    pub(super) data_ends: Option<Time>,
    /// The page's commands behind the link's numbers.
    pub(super) sending: VecMap<u64, Command>,
    /// What the other side's description said about data.
    pub(super) support: sdp::Support,
}

/// The media's way through one peer connection, and the negotiation that mends it.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// Media flowed at least once.
    pub(super) was_up: bool,
    /// It has not been flowing since.
    pub(super) is_lost: bool,
    /// We answered the call: where both ends offer at once, this one gives way.
    pub(super) is_polite: bool,
    /// It is to be negotiated anew.
    pub(super) is_wanted: bool,
    /// When the browser said that the network may be another one.
    pub(super) changed: Option<Time>,
    pub(super) negotiation: Option<Negotiation>,
    /// When to try again, or to look if the other side's media came.
    pub(super) due: Option<Time>,
}

/// A new offer and answer on the connection that is there.
#[derive(Debug, PartialEq)]
pub(super) enum Negotiation {
    /// Our offer is being made.
    Offering,
    /// Our offer was sent; the answer is waited for until then.
    Offered(Time),
    /// The answer to theirs is being made.
    Answering,
}

impl Path {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.negotiation {
            Some(Negotiation::Offered(until)) => Some(until),
            Some(_) => None,
            None => self.due,
        }
    }
}

/// What the gateway told of a call's end without saying why.
#[derive(Debug, Default)]
pub(super) struct Doom {
    /// The core's words on this end's connection.
    pub(super) core: Option<String>,
    /// The plugin says that the other end's connection is gone.
    pub(super) remote_gone: bool,
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
    /// It rings at the other side.
    RingingOut,
    /// Two calls crossed: the other side's will come.
    Yielding,
    /// It rings here. Without an offer, the caller calls once more.
    RingingIn { offer: String },
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
    pub(super) fn new(peer: UserName, stage: Stage, deadline: Time, data: Policy) -> Self {
        Self {
            peer,
            stage,
            deadline: Some(deadline),
            command: None,
            connection: None,
            connected: false,
            path: Path::default(),
            flows: false,
            accepted: false,
            announced: false,
            redials: 0,
            crossed_by: None,
            doom: None,
            link: Link::new(data),
            data_ends: None,
            sending: VecMap::new(),
            support: sdp::Support::None,
        }
    }

    /// Whether the other side is known to use this library. What renegotiates with another one may break what
    /// works: a page of janus.js that does not handle `update` loses its video then.
    pub(super) fn knows_updates(&self) -> bool {
        matches!(self.support, sdp::Support::Version(_) | sdp::Support::Off)
    }

    /// Whether the gateway holds this end to be in a call with this peer.
    pub(super) fn is_known_to_gateway(&self) -> bool {
        !matches!(self.stage, Stage::Offering | Stage::Offered { .. } | Stage::Yielding)
    }

    /// Whether the gateway has joined the two ends, so that it may part them.
    pub(super) fn is_linked(&self) -> bool {
        self.is_known_to_gateway() && !matches!(self.stage, Stage::Dialing(_))
    }

    /// Notes that the call is over, once, and until when to wait for the reason.
    pub(super) fn doom(&mut self, deadline: Time) -> &mut Doom {
        if self.doom.is_none() {
            self.deadline = Some(deadline);
        }
        self.doom.get_or_insert_default()
    }

    /// Whether the gateway has our offer or answer, so that local candidates may follow.
    pub(super) fn is_negotiating(&self) -> bool {
        matches!(
            self.stage,
            Stage::Dialing(_) | Stage::RingingOut | Stage::Accepting(_) | Stage::Up
        )
    }
}
