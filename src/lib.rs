//! Video calls between web pages through a Janus gateway.
//!
//! A page uses the class `VideoRTC` of the npm package, which is this crate compiled to
//! WebAssembly. A Rust web app uses the crate without its default feature `js`, which adds the
//! classes for JavaScript and their allocator:
//!
//! ```toml
//! [dependencies]
//! videortc = { version = "0.1", default-features = false }
//! ```
//!
#![cfg_attr(target_family = "wasm", doc = "```no_run")]
#![cfg_attr(not(target_family = "wasm"), doc = "```ignore")]
//! use futures::StreamExt;
//! use videortc::{CallEvent, CallOptions, Error, VideoRtc};
//!
//! async fn answer_everybody() -> Result<(), Error> {
//!     let app = VideoRtc::new("https://example.com/janus")?;
//!     let usecases = app.connect().await?;
//!     let (call, mut events) = usecases.video_call(CallOptions::new()).await?;
//!     call.register(Some("Tom")).await?;
//!     while let Some(event) = events.next().await {
//!         if let CallEvent::IncomingCall(_) = event {
//!             call.accept().await?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # The one rule
//!
//! The library is a pure core and a thin shell. The core never touches a browser: commands, answers
//! and the time go in, requests and events come out. After every input, the shell drains the
//! outputs, then sets one timer. So the tests of the core run natively on a virtual clock, and the
//! shell stays too simple to be wrong.
//!
//! # Modules
//!
//! `js` (the classes for JavaScript) uses `api` (the Rust API, which is exported here). `api`
//! uses `browser` (the shell), which uses the core: `client` routes between one session
//! (`signaling`) and its use cases (`usecase`), which share `peer` (one peer connection) and
//! `data` (messages and files on its data channels). All of them share the other modules. Each
//! layer imports only from the layers below it. The core is public only for this repository's
//! tests and fuzzers.

#[doc(hidden)]
pub mod client;
pub mod config;
#[doc(hidden)]
pub mod data;
#[doc(hidden)]
pub mod error;
pub mod log;
#[doc(hidden)]
pub mod peer;
#[doc(hidden)]
pub mod signaling;
#[doc(hidden)]
pub mod table;
#[doc(hidden)]
pub mod time;
mod timer;
#[doc(hidden)]
pub mod usecase;

#[cfg(target_family = "wasm")]
mod api;
#[cfg(target_family = "wasm")]
mod browser;
#[cfg(all(target_family = "wasm", feature = "js"))]
pub mod js;

#[cfg(target_family = "wasm")]
pub use api::*;
