//! `cargo xtask bench`: the measurements of `benches/`, through the real Janus and two browsers.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::package::{self, Profile};
use crate::process;
use crate::tools;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Runs one of the benches by its name; the page has the release package.
pub(crate) fn run(workspace: &Workspace, name: &str) -> Result<()> {
    tools::ensure_chromium(workspace)?;
    tools::ensure_janus(workspace)?;
    let peers = tools::npm_peers(workspace)?;
    package::build(workspace)?;
    let web = package::assemble_web(workspace, Profile::Release)?;
    // Optimised, as it is shipped.
    fs::copy(workspace.path("pkg/videortc.js"), web.join("videortc.js"))?;
    let now = Instant::now();
    let run = workspace.cargo("run").args(["--release", "--package", "videortc-bench", "--", name]);
    let run = run
        .env("VIDEORTC_E2E_GATEWAY", "janus")
        .env("VIDEORTC_WEB", web)
        .env("VIDEORTC_PEERS", peers)
        .env("VIDEORTC_BENCH", workspace.target("bench"));
    process::run(run, now.checked_add(LIMIT).unwrap_or(now))
}
