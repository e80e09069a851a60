//! `cargo xtask bench`: the measurements of `benches/`, through the real Janus and two browsers.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::package::{self, Profile};
use crate::process;
use crate::tarball;
use crate::tools;
use crate::workspace::Workspace;

/// The time limit of one bench, including compilation.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Measurement {
    /// Bytes, and the time from the script's start to a usable class, compared with janus.js.
    Load,
    /// Latencies of a call, its requests and bytes, compared with janus.js at several round-trip
    /// times.
    Calls,
    /// Files and messages, compared with a bare data channel, through the real Janus.
    Data,
    /// A minute registered and a minute in a call, compared with janus.js: requests, main thread,
    /// garbage.
    Idle,
    /// A hundred clients in one page, compared with janus.js: memory and requests.
    Many,
    /// One call of each client as a timeline, step by step, on both sides.
    Trace,
}

/// Runs one bench or all, and writes the page with all results.
pub(crate) fn run(workspace: &Workspace, what: Option<Measurement>) -> Result<()> {
    tools::ensure_chromium(workspace)?;
    if matches!(what, Some(Measurement::Load) | None) {
        tarball::bench_load(workspace)?;
    }
    if what == Some(Measurement::Load) {
        return bench(workspace, "summary", &[]);
    }
    tools::ensure_janus(workspace)?;
    let peers = tools::npm_peers(workspace)?;
    package::build(workspace)?;
    let web = package::assemble_web(workspace, Profile::Release)?;
    // Optimized, as in a release.
    fs::copy(workspace.path("pkg/videortc.js"), web.join("videortc.js"))?;
    let environment = [("VIDEORTC_WEB", web), ("VIDEORTC_PEERS", peers)];
    let all = Measurement::value_variants().iter().copied();
    for one in all.filter(|&one| one != Measurement::Load && what.is_none_or(|what| what == one)) {
        // `benches/` identifies each bench by its command-line name.
        if let Some(value) = one.to_possible_value() {
            bench(workspace, value.get_name(), &environment)?;
        }
    }
    Ok(())
}

fn bench(workspace: &Workspace, name: &str, environment: &[(&str, PathBuf)]) -> Result<()> {
    let now = Instant::now();
    let run = workspace.cargo("run").args(["--release", "--package", "videortc-bench", "--", name]);
    let run = run
        .envs(environment.iter().cloned())
        .env("VIDEORTC_E2E_GATEWAY", "janus")
        .env("VIDEORTC_BENCH", workspace.target("bench"));
    process::run(run, now.checked_add(LIMIT).unwrap_or(now))
}
