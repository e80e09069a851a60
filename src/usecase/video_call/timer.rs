//! The deadlines of a video call object.

use crate::timer::TimerTable;

pub(super) type Timers = TimerTable<Timer>;

/// In the order in which timers that are due together fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The gateway is late to confirm that a call is over. Set and stopped by the teardown.
    Teardown,
    /// The next call may be sent. Set by the teardown when it is complete.
    Rest,
    /// Ask whether there is a call, or give that up. Set by the recovery, stopped by the answer.
    Query,
    /// Ask whether there is a call because an event may be lost. Set by the recovery, stopped by a call
    /// that comes.
    Doubt,
    /// Ask for the name again. Set and stopped by the registration.
    Register,
    /// The call goes on without its data channels. Set when they close, stopped with the call.
    DataEnd,
    /// The call's stage is over. Set with each stage, stopped when media flows and with the call.
    Call,
}
