//! Comparative measurements: the competitors take turns in one run, through one gateway and in the
//! same browsers, so that the ratios do not depend on the machine. Run by `cargo xtask bench`.

#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a command line tool talks to the person who runs it, and may fail by a panic"
)]

mod calls;
mod data;
mod http;
mod idle;
mod line;
mod many;
mod memory;
mod pair;
mod settings;
mod summary;
mod svg;
mod table;
mod trace;
mod waterfall;

use anyhow::{Result, bail};

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("calls") => calls::run().await?,
        Some("data") => data::run().await?,
        Some("idle") => idle::run().await?,
        Some("many") => many::run().await?,
        Some("trace") => trace::run().await?,
        Some("summary") => {}
        other => bail!("there is no bench {other:?}"),
    }
    summary::run()
}
