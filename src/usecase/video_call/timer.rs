//! The deadlines of a video call object.

use crate::timer::TimerTable;

pub(super) type Timers = TimerTable<Timer>;

/// The timers, in the order in which they fire if they are due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The gateway is late to confirm that a call is over. Set and stopped by the teardown.
    Teardown,
    /// The next call may be sent. Set by the teardown when it is complete.
    Rest,
    /// Query whether there is a call, or stop the queries. Set by the recovery, stopped by the
    /// answer.
    Query,
    /// Query whether there is a call, since an event may be lost. Set by the recovery, stopped by
    /// an incoming call.
    Doubt,
    /// Register the name again. Set and stopped by the registration.
    Register,
    /// The data channels closed, and the call did not end. Set when they close, stopped when the
    /// connection is taken down.
    DataEnd,
    /// The time limit of the call's stage. Set with each stage, stopped when media flows and with
    /// the call.
    Call,
}
