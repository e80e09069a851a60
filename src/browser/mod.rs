//! The shell: the browser's APIs, each in a room of its own, and the driver that moves the core.

pub(crate) mod call;
mod channel;
pub(crate) mod console;
pub(crate) mod driver;
pub(crate) mod failure;
mod http;
mod listener;
pub(crate) mod media;
pub(crate) mod object;
pub(crate) mod page;
mod peer;
pub(crate) mod system;
pub(crate) mod transfers;
pub(crate) mod view;
