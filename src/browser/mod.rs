//! The shell: drives the pure core in a browser. One file for each of the browser's interfaces.
//!
//! It decides nothing about a call. Its rules:
//!
//! 1. Only [`driver`] borrows the client, for a call of pure core code; then it drains the outputs. A flag
//!    lets one drain run at a time: a listener that calls back only adds inputs.
//! 2. No borrow of a cell is held while code of the page may run, and any browser interface may run some: a
//!    value is cloned or taken out of its cell first.
//! 3. Closures, listeners and whatever else has to be undone are values that undo it when dropped.

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
