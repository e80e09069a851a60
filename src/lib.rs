//! Video calls between web pages through a Janus gateway.
//!
//! The library is a pure core, and a thin shell in JavaScript (`pkg-template/`). The core never touches a
//! browser: commands, answers and the time go in, requests and events come out. Its one rule: after every
//! input, drain the outputs, then set one timer. So all that is hard runs natively on a virtual clock.
//!
//! `boundary` is what the shell calls. It stands on [`client`], which joins [`proto`] (the gateway) and
//! [`call`] (the video call plugin, with [`transfer`] for what goes through its data channels). The rest are
//! words that all share. Each layer imports only from those below it.

pub mod call;
pub mod client;
pub mod config;
pub mod error;
pub mod event;
pub mod json;
pub mod log;
pub mod proto;
mod queue;
#[doc(hidden)]
pub mod table;
mod text;
pub mod time;
pub mod transfer;
mod vec_map;

#[cfg(target_family = "wasm")]
pub mod api;
#[cfg(target_family = "wasm")]
mod browser;
#[cfg(all(target_family = "wasm", feature = "js"))]
pub mod js;
