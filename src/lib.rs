//! Video calls between web pages through a Janus gateway.
//!
//! The library is a pure core, and a thin shell. The core never touches a browser: commands, answers and the
//! time go in, requests and events come out. Its one rule: after every input, drain the outputs, then set one
//! timer. So all that is hard runs natively on a virtual clock.
//!
//! The shell calls [`client`], which joins [`proto`] (the gateway) and [`call`] (the video call plugin, with
//! [`transfer`] for what goes through its data channels). The rest are words that all share. Each layer
//! imports only from those below it.

pub mod call;
pub mod client;
pub mod config;
pub mod error;
pub mod event;
pub mod log;
pub mod media;
pub mod proto;
pub mod time;
pub mod transfer;

// Less than half as large as the standard library's allocator, and it gives back and joins what is freed.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
