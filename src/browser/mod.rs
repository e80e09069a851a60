//! The shell: drives the pure core in a browser. One file for each browser interface.
//!
//! It makes no decisions about a call. Its rules:
//!
//! 1. Only [`driver`] borrows the client, to call pure core code; then it drains the outputs. A
//!    flag ensures that one drain runs at a time: a listener that calls back only adds inputs.
//! 2. No borrow of a cell is held while code of the page may run, and any browser interface may run
//!    such code. A value is cloned or taken out of its cell first.
//! 3. Closures, listeners and everything else that has to be undone are values that undo it on
//!    drop.

pub(crate) mod blob;
pub(crate) mod clock;
pub(crate) mod console;
pub(crate) mod data_channel;
pub(crate) mod devices;
pub(crate) mod driver;
pub(crate) mod echo_test;
pub(crate) mod environment;
pub(crate) mod event;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod media;
pub(crate) mod options;
pub(crate) mod page_lifecycle;
pub(crate) mod peer_connection;
pub(crate) mod registry;
pub(crate) mod stats;
pub(crate) mod throwing;
pub(crate) mod thrown;
pub(crate) mod transfers;
pub(crate) mod video_call;
pub(crate) mod view;
