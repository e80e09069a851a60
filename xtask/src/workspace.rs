//! Paths: the folders of the repository, and cargo's metadata of its packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

/// The target that the library ships for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The variables that `cargo run` sets for this program about the package `xtask`. They are removed
/// for the cargo that we start: build scripts depend on such variables and would run again on each
/// change.
const CARGO_RUN_VARIABLES: &[&str] = &[
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The repository as cargo sees it, and a shell in its root.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) shell: Shell,
    root: PathBuf,
    target: PathBuf,
    metadata: Value,
}

impl Workspace {
    /// Queries cargo, and changes to the root.
    pub(crate) fn find() -> Result<Self> {
        let shell = Shell::new()?;
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("Cargo.toml");
        let metadata = cargo(&shell, "metadata")
            .args(["--format-version", "1", "--filter-platform", WASM_TARGET, "--manifest-path"])
            .arg(manifest)
            .quiet()
            .read()?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let folder = |key: &str| {
            text(&metadata, key).map(PathBuf::from).with_context(|| format!("cargo told no {key}"))
        };
        let root = folder("workspace_root")?;
        let target = folder("target_directory")?;
        shell.change_dir(&root);
        Ok(Self { shell, root, target, metadata })
    }

    /// The path of a file or folder in the repository.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The path of a file or folder in cargo's target directory.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// A cargo command without arguments.
    pub(crate) fn cargo(&self, command: &str) -> Cmd<'_> {
        cargo(&self.shell, command)
    }

    /// The version of a package in the lock file.
    pub(crate) fn version_of(&self, package: &str) -> Result<&str> {
        self.packages()
            .find(|found| text(found, "name") == Some(package))
            .and_then(|found| text(found, "version"))
            .with_context(|| format!("the library does not depend on {package}"))
    }

    /// The names of the packages of this repository.
    pub(crate) fn own_packages(&self) -> impl Iterator<Item = &str> {
        let own = self.packages().filter(|package| text(package, "source").is_none());
        own.filter_map(|package| text(package, "name"))
    }

    /// The source folders of the packages: the repository itself, and cargo's registry.
    pub(crate) fn source_folders(&self) -> Vec<PathBuf> {
        let from_elsewhere = self.packages().filter(|package| text(package, "source").is_some());
        let mut folders: Vec<PathBuf> = from_elsewhere
            .filter_map(|package| Path::new(text(package, "manifest_path")?).ancestors().nth(2))
            .map(Path::to_path_buf)
            .collect();
        folders.push(self.root.clone());
        folders.sort();
        folders.dedup();
        folders
    }

    /// The names of the packages in the library's module, without the library itself.
    pub(crate) fn shipped_crates(&self) -> Result<Vec<Crate<'_>>> {
        let nodes = self.metadata.pointer("/resolve/nodes").and_then(Value::as_array);
        let nodes = nodes.context("cargo told no dependencies")?;
        let node = |id: &str| nodes.iter().find(|node| text(node, "id") == Some(id));
        let package = |id: &str| self.packages().find(|package| text(package, "id") == Some(id));
        let library = self.packages().find(|package| text(package, "name") == Some("videortc"));
        let library = library.and_then(|package| text(package, "id")).context("no library")?;

        let mut reached = vec![library];
        let mut next = 0;
        while let Some(&id) = reached.get(next) {
            next = next.saturating_add(1);
            let dependencies = node(id).and_then(|node| node.get("deps")?.as_array());
            for dependency in dependencies.into_iter().flatten() {
                let Some(id) = text(dependency, "pkg") else { continue };
                let is_linked = is_normal(dependency) && !package(id).is_some_and(is_macro);
                if is_linked && !reached.contains(&id) {
                    reached.push(id);
                }
            }
        }
        let mut crates: Vec<Crate<'_>> = reached
            .into_iter()
            .filter(|&id| id != library)
            .filter_map(|id| Crate::read(package(id)?))
            .collect();
        crates.sort_by_key(|found| (found.name, found.version));
        Ok(crates)
    }

    fn packages(&self) -> impl Iterator<Item = &Value> {
        self.metadata.get("packages").and_then(Value::as_array).into_iter().flatten()
    }
}

/// A third-party package.
#[derive(Debug)]
pub(crate) struct Crate<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// The SPDX expression of its manifest.
    pub(crate) licence: &'a str,
    pub(crate) folder: &'a Path,
}

impl<'a> Crate<'a> {
    fn read(package: &'a Value) -> Option<Self> {
        Some(Self {
            name: text(package, "name")?,
            version: text(package, "version")?,
            licence: text(package, "license").unwrap_or_default(),
            folder: Path::new(text(package, "manifest_path")?).parent()?,
        })
    }
}

/// A dependency of the program itself, not of its tests or its build.
fn is_normal(dependency: &Value) -> bool {
    let kinds = dependency.get("dep_kinds").and_then(Value::as_array);
    kinds.into_iter().flatten().any(|kind| kind.get("kind").is_some_and(Value::is_null))
}

/// A macro runs in the compiler and is not part of the output.
fn is_macro(package: &Value) -> bool {
    let targets = package.get("targets").and_then(Value::as_array);
    let kinds = targets.into_iter().flatten().filter_map(|target| target.get("kind")?.as_array());
    kinds.flatten().any(|kind| kind == "proc-macro")
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

fn cargo<'a>(shell: &'a Shell, command: &str) -> Cmd<'a> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    CARGO_RUN_VARIABLES
        .iter()
        .fold(cmd!(shell, "{cargo} {command}"), |cmd, name| cmd.env_remove(name))
}
