//! The required tools and their installation. Installed tools are only checked.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::process;
use crate::workspace::{WASM_TARGET, Workspace};

/// The time limit of one installation; compiled tools take long.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// The versions to install. Any other version on the `PATH` is accepted.
const WASM_PACK: &str = "0.15.1";
const GECKODRIVER: &str = "0.37.1";
const CARGO_DENY: &str = "0.20.2";

/// The possible names of Chromium; ChromeDriver finds it by itself.
const CHROMIUMS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];

/// The possible names of Firefox. geckodriver looks for the first one, which Debian's package
/// provides too.
const FIREFOXES: &[&str] = &["firefox", "firefox-esr"];

/// The standard library for WebAssembly.
pub(crate) fn ensure_wasm_target(workspace: &Workspace) -> Result<()> {
    let shell = &workspace.shell;
    let target = WASM_TARGET;
    let folder = cmd!(shell, "rustc --print target-libdir --target {target}").quiet().read()?;
    if Path::new(&folder).is_dir() {
        return Ok(());
    }
    if find("rustup").is_none() {
        bail!("Rust has no standard library for {target}: install Rust from https://rustup.rs");
    }
    process::run(cmd!(shell, "rustup target add {target}"), limit())
}

/// rustfmt and clippy, which a minimal installation of Rust lacks.
pub(crate) fn ensure_lint_tools(workspace: &Workspace) -> Result<()> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let asked = workspace.cargo(command).arg("--version").quiet().ignore_status().output()?;
        if !asked.status.success() {
            let shell = &workspace.shell;
            process::run(cmd!(shell, "rustup component add {component}"), limit())?;
        }
    }
    Ok(())
}

/// The dependency checker.
pub(crate) fn ensure_cargo_deny(workspace: &Workspace) -> Result<()> {
    match find_own(workspace, "cargo-deny") {
        Some(_) => Ok(()),
        None => cargo_install(workspace, "cargo-deny", CARGO_DENY),
    }
}

/// Chromium and its WebDriver.
pub(crate) fn ensure_chromium(workspace: &Workspace) -> Result<()> {
    ensure_debian(workspace, &[(CHROMIUMS, "chromium"), (&["chromedriver"], "chromium-driver")])
}

/// Firefox and its WebDriver, for which Debian has no package.
pub(crate) fn ensure_firefox(workspace: &Workspace) -> Result<()> {
    ensure_debian(workspace, &[(FIREFOXES, "firefox-esr")])?;
    match find_own(workspace, "geckodriver") {
        Some(_) => Ok(()),
        None => cargo_install(workspace, "geckodriver", GECKODRIVER),
    }
}

/// WebKit's WebDriver with its browser, which needs a display.
pub(crate) fn ensure_webkit(workspace: &Workspace) -> Result<()> {
    ensure_debian(
        workspace,
        &[
            (&["WebKitWebDriver"], "webkit2gtk-driver"),
            (&["xvfb-run"], "xvfb"),
            // Required by xvfb-run, whose package only recommends it.
            (&["xauth"], "xauth"),
        ],
    )
}

/// The real Janus.
pub(crate) fn ensure_janus(workspace: &Workspace) -> Result<()> {
    ensure_debian(workspace, &[(&["janus"], "janus")])
}

/// Node and npm, for the release package and for the other clients in the tests.
pub(crate) fn ensure_node(workspace: &Workspace) -> Result<()> {
    ensure_debian(workspace, &[(&["node"], "nodejs"), (&["npm"], "npm")])
}

/// The path of the program that ChromeDriver's clients need.
pub(crate) fn chromedriver() -> Result<PathBuf> {
    find("chromedriver").context("the program `chromedriver` is not on the PATH")
}

/// The path of the program that drives Firefox.
pub(crate) fn geckodriver(workspace: &Workspace) -> Result<PathBuf> {
    find_own(workspace, "geckodriver").context("the program `geckodriver` is not on the PATH")
}

/// The tools for `wasm-pack test`, in the version of the library's `wasm-bindgen`.
pub(crate) fn ensure_wasm_pack(workspace: &Workspace) -> Result<()> {
    if find_own(workspace, "wasm-pack").is_none() {
        cargo_install(workspace, "wasm-pack", WASM_PACK)?;
    }
    let version = workspace.version_of("wasm-bindgen")?;
    // wasm-pack looks for `wasm-bindgen` and uses the test runner beside it.
    let is_there = ["wasm-bindgen", "wasm-bindgen-test-runner"]
        .iter()
        .all(|program| reports_version(workspace, program, version));
    if is_there { Ok(()) } else { cargo_install(workspace, "wasm-bindgen-cli", version) }
}

/// The `PATH` for programs that start others: our installations come first.
pub(crate) fn search_path(workspace: &Workspace) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let own = workspace.target("tools/bin");
    Ok(env::join_paths(std::iter::once(own).chain(env::split_paths(&path)))?)
}

/// Installs the npm packages that `pkg-template/tools` locks and returns the folder of their
/// programs.
pub(crate) fn npm_tools(workspace: &Workspace) -> Result<PathBuf> {
    Ok(npm_packages(workspace, "pkg-template/tools", "npm")?.join(".bin"))
}

/// Installs the other clients for the pages under test, which `tests/e2e/peer` locks, and returns
/// their folder.
pub(crate) fn npm_peers(workspace: &Workspace) -> Result<PathBuf> {
    npm_packages(workspace, "tests/e2e/peer", "npm-peers")
}

/// Installs the packages of the lock file in the folder `wanted` into a folder of the target
/// directory.
fn npm_packages(workspace: &Workspace, wanted: &str, folder: &str) -> Result<PathBuf> {
    ensure_node(workspace)?;
    let (wanted, folder) = (workspace.path(wanted), workspace.target(folder));
    let packages = folder.join("node_modules");
    let lock = fs::read(wanted.join("package-lock.json"))?;
    // Written last, so that an interrupted installation is repeated.
    let stamp = folder.join("installed-package-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(packages);
    }
    fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(wanted.join(file), folder.join(file))?;
    }
    let shell = &workspace.shell;
    // Scripts of packages are disabled: these packages work without.
    let install = cmd!(shell, "npm ci --ignore-scripts --no-audit --no-fund --prefix {folder}");
    process::run(install, limit())?;
    fs::write(stamp, lock)?;
    Ok(packages)
}

/// Each entry has the names of a program, one of which must exist, and its Debian package.
fn ensure_debian(workspace: &Workspace, programs: &[(&[&str], &str)]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(names, _)| !names.iter().any(|name| find(name).is_some()))
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    ensure!(
        find("apt-get").is_some(),
        "not installed: {wanted} (these are the names of the Debian packages). Install them and try again"
    );
    ensure!(
        is_root(workspace),
        "not installed: {wanted}. Run this and try again:\n\n    sudo apt-get install --no-install-recommends {wanted}\n"
    );
    let shell = &workspace.shell;
    let _noninteractive = shell.push_env("DEBIAN_FRONTEND", "noninteractive");
    process::run(cmd!(shell, "apt-get update --quiet"), limit())?;
    let install = cmd!(shell, "apt-get install --quiet --yes --no-install-recommends {missing...}");
    process::run(install, limit())
}

fn is_root(workspace: &Workspace) -> bool {
    let shell = &workspace.shell;
    cmd!(shell, "id -u").quiet().ignore_stderr().read().is_ok_and(|id| id == "0")
}

fn cargo_install(workspace: &Workspace, package: &str, version: &str) -> Result<()> {
    let folder = workspace.target("tools");
    let install = workspace
        .cargo("install")
        .args([package, "--version", version, "--root"])
        .arg(folder)
        // A separate folder, so that the build of one tool does not discard the artifacts of the
        // next.
        .env("CARGO_TARGET_DIR", workspace.target("tools/build"));
    process::run(install, limit())
}

fn reports_version(workspace: &Workspace, program: &str, version: &str) -> bool {
    let shell = &workspace.shell;
    let Some(program) = find_own(workspace, program) else { return false };
    let reported = cmd!(shell, "{program} --version").quiet().ignore_stderr().read();
    reported.is_ok_and(|reported| reported.split_whitespace().any(|word| word == version))
}

/// A program that we may have installed.
fn find_own(workspace: &Workspace, program: &str) -> Option<PathBuf> {
    find_in(program, &search_path(workspace).ok()?)
}

/// Finds a program on the `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    find_in(program, &env::var_os("PATH")?)
}

fn find_in(program: &str, path: &OsString) -> Option<PathBuf> {
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).map(|folder| folder.join(&file)).find(|file| file.is_file())
}

fn limit() -> Instant {
    let now = Instant::now();
    now.checked_add(LIMIT).unwrap_or(now)
}
