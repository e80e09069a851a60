//! The example of a Rust web app: checks which parts of the library it contains.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::package;
use crate::process;
use crate::workspace::{WASM_TARGET, Workspace};

const PACKAGE: &str = "videortc-example-rust-app";
const NAME: &str = "videortc_example_rust_app";

/// A class of the feature `js`, as the bindings declare it.
const CLASS: &str = "class VideoRTC ";

/// Builds the app with its own allocator, and checks its parts of the library.
pub(crate) fn test(workspace: &Workspace, deadline: Instant) -> Result<()> {
    let folder = build(workspace, deadline)?;
    let glue = fs::read_to_string(folder.join("pkg").join(format!("{NAME}.js")))?;
    ensure!(!glue.contains(CLASS), "without the feature `js` the app exports the page's classes");

    // If another dependency enables the default features, both are included, as the documentation
    // says.
    let wasm = compile(workspace, &["classes"], deadline)?;
    let glue = bound(&wasm, &workspace.target("rust-app/classes"))?;
    ensure!(glue.contains(CLASS), "with the feature `js` the app exports no classes");
    ensure!(
        compile(workspace, &["classes", "own-allocator"], deadline).is_err(),
        "the library's allocator does not come with the feature `js`"
    );
    Ok(())
}

/// Builds the app's pages and returns their folder.
pub(crate) fn build(workspace: &Workspace, deadline: Instant) -> Result<PathBuf> {
    let wasm = compile(workspace, &["own-allocator"], deadline)?;
    let folder = workspace.target("rust-app/site");
    bound(&wasm, &folder.join("pkg"))?;
    fs::copy(workspace.path("examples/rust-app/index.html"), folder.join("index.html"))?;
    Ok(folder)
}

fn compile(workspace: &Workspace, features: &[&str], deadline: Instant) -> Result<PathBuf> {
    let build = workspace.cargo("build").args(["--package", PACKAGE, "--target", WASM_TARGET]);
    process::run(build.args(["--features", &features.join(",")]), deadline)?;
    Ok(workspace.target(WASM_TARGET).join("debug").join(format!("{NAME}.wasm")))
}

/// Writes the module and its bindings, and returns the bindings.
fn bound(wasm: &Path, folder: &Path) -> Result<String> {
    package::emptied(folder.to_owned())?;
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .generate(folder)?;
    fs::read_to_string(folder.join(format!("{NAME}.js"))).context("wasm-bindgen made no glue")
}
