//! Two browser pages call each other through a gateway: this is the rig, the suites are in `tests/`.
//!
//! A test starts a [`Rig`], opens pages on it, drives them, and ends with [`Rig::finish`], which fails
//! when a page saw an unhandled rejection, a window error, an event nobody asked for, a transfer without
//! its one end, or kept a device open:
//!
//! ```ignore
//! let rig = Rig::start().await?;
//! let tom = rig.register("Tom").await?;
//! let jack = rig.register("Jack").await?;
//! call(&tom, &jack).await?;
//! tom.run("await action.hangUp()").await?;
//! jack.ended("Tom", "Hung up").await?;
//! tom.ended("Jack", "Hung up").await?;
//! rig.finish().await
//! ```
//!
//! Nothing here sleeps for a guess: every wait is for an event or a condition and has a limit.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

mod browser;
mod gateway;
mod healing;
mod page;
mod proxy;
mod remains;
mod rig;
mod site;
mod strange;
mod tap;
mod travel;
mod turns;

pub use browser::{Browser, Devices};
pub use gateway::GatewayKind;
pub use healing::{Healing, hang_up, is_whole, skips, until_listed, works};
pub use page::{Page, Refusal};
pub use proxy::Proxy;
pub use remains::Remains;
pub use rig::{Rig, Visitor, accept, call, ring, ring_when_free};
pub use strange::{Answer, StrangeGateway};
pub use tap::{Seen, Tap};
pub use turns::Turns;

/// How every test ends: an error tells what was expected and what the page saw.
pub type Result<T = ()> = anyhow::Result<T>;
