//! The packed npm package, tested as users get it: in every loader, in a browser and under Node.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use videortc_janus::Janus;
use xshell::cmd;

use crate::package;
use crate::process::{self, Registered};
use crate::rust_app;
use crate::tools;
use crate::workspace::Workspace;

/// The working folder of the tests, for npm's packages and build output outside of the sources.
const FOLDER: &str = "package";

/// The time limit of a measurement, including compilation.
const BENCH_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Builds and packs the package, and runs the tests of `tests/package` on it; with filters, only
/// those whose name contains one.
pub(crate) fn test(workspace: &Workspace, filters: &[String], deadline: Instant) -> Result<()> {
    package::build(workspace)?;
    package::check_reproducible(workspace)?;
    let ground = Ground::prepare(workspace, deadline)?;
    let janus = Janus::start()?;
    let _registered = janus.pid().map(Registered::process);
    let rust_app = rust_app::build(workspace, deadline)?;
    let patterns = filters.iter().map(|filter| format!("--test-name-pattern={filter}"));
    // One file at a time: each opens browsers. Bundlers leave watchers running, which would keep
    // Node alive.
    let options = ["--test", "--test-concurrency=1", "--test-force-exit", "--test-reporter=spec"]
        .map(String::from);
    let arguments = options.into_iter().chain(patterns).chain(test_files(&ground.folder)?);
    let rust_app = rust_app.display().to_string();
    let environment = [("VIDEORTC_JANUS", &*janus.url()), ("VIDEORTC_RUST_APP", &rust_app)];
    ground.node(arguments.collect(), &environment, deadline)
}

/// Compares the package that `cargo xtask build` builds with janus.js: bytes, and loading time.
pub(crate) fn bench_load(workspace: &Workspace) -> Result<()> {
    let now = Instant::now();
    let deadline = now.checked_add(BENCH_LIMIT).unwrap_or(now);
    tools::ensure_chromium(workspace)?;
    package::build(workspace)?;
    Ground::prepare(workspace, deadline)?.node(vec!["bench-load.mjs".into()], &[], deadline)
}

/// The environment of a script in `tests/package`.
struct Ground<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
    tarball: PathBuf,
    gateway: PathBuf,
}

impl<'a> Ground<'a> {
    /// Packs `pkg/`, and installs and compiles the other requirements.
    fn prepare(workspace: &'a Workspace, deadline: Instant) -> Result<Self> {
        let folder = prepared(workspace, deadline)?;
        let tarball = packed(workspace, &folder, deadline)?;
        let gateway = gateway(workspace, deadline)?;
        Ok(Self { workspace, folder, tarball, gateway })
    }

    fn node(
        &self,
        arguments: Vec<String>,
        environment: &[(&str, &str)],
        deadline: Instant,
    ) -> Result<()> {
        let shell = &self.workspace.shell;
        let _here = shell.push_dir(&self.folder);
        let command = cmd!(shell, "node {arguments...}")
            .env("VIDEORTC_ROOT", self.workspace.path(""))
            .env("VIDEORTC_TARBALL", &self.tarball)
            .env("VIDEORTC_GATEWAY", &self.gateway)
            .envs(environment.iter().copied());
        process::run(command, deadline)
    }
}

/// A copy of `tests/package` with the npm packages that it requires.
fn prepared(workspace: &Workspace, deadline: Instant) -> Result<PathBuf> {
    let folder = workspace.target(FOLDER);
    for old in ["projects", "work"] {
        if folder.join(old).exists() {
            fs::remove_dir_all(folder.join(old))?;
        }
    }
    // A test that was removed from the sources must not run any more.
    if folder.exists() {
        for old in test_files(&folder)? {
            fs::remove_file(folder.join(old))?;
        }
    }
    package::copy_folder(&workspace.path("tests/package"), &folder)?;
    let wanted = fs::read(folder.join("package-lock.json"))?;
    // Written last, so that an interrupted installation is repeated.
    let stamp = folder.join("installed-package-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let shell = &workspace.shell;
    let _here = shell.push_dir(&folder);
    // Not `npm ci`, which requires packages for other systems. Scripts of packages are disabled.
    process::run(cmd!(shell, "npm install --ignore-scripts --no-audit --no-fund"), deadline)?;
    fs::write(stamp, wanted)?;
    Ok(folder)
}

fn packed(workspace: &Workspace, folder: &Path, deadline: Instant) -> Result<PathBuf> {
    let shell = &workspace.shell;
    let package = workspace.path("pkg");
    process::run(cmd!(shell, "npm pack {package} --pack-destination {folder}"), deadline)?;
    let tarball = folder.join(format!("videortc-{}.tgz", workspace.version_of("videortc")?));
    ensure!(tarball.is_file(), "npm made no {}", tarball.display());
    Ok(tarball)
}

/// The program of the embedded gateway.
fn gateway(workspace: &Workspace, deadline: Instant) -> Result<PathBuf> {
    process::run(workspace.cargo("build").args(["--package", "videortc-gateway"]), deadline)?;
    let name = format!("videortc-gateway{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target("debug").join(name))
}

fn test_files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
