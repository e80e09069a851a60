//! `cargo xtask bench data`: the measurements of `benches/`, through the real Janus and two browsers.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::package::{self, Profile};
use crate::process;
use crate::tools;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Measures messages and files against a bare data channel; the page has the release package.
pub(crate) fn data(workspace: &Workspace) -> Result<()> {
    tools::ensure_chromium(workspace)?;
    tools::ensure_janus(workspace)?;
    package::build(workspace)?;
    let web = package::assemble_web(workspace, Profile::Release)?;
    // Optimised, as it is shipped.
    fs::copy(workspace.path("pkg/videortc.js"), web.join("videortc.js"))?;
    let now = Instant::now();
    let run =
        workspace.cargo("run").args(["--release", "--package", "videortc-bench", "--", "data"]);
    let run = run
        .env("VIDEORTC_E2E_GATEWAY", "janus")
        .env("VIDEORTC_WEB", web)
        .env("VIDEORTC_BENCH", workspace.target("bench"));
    process::run(run, now.checked_add(LIMIT).unwrap_or(now))
}
