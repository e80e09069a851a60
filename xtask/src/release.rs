//! Checks everything for a release: see RELEASING.md.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::cmd;

use crate::licences;
use crate::suites;
use crate::workspace::Workspace;

/// Runs all checks, even after a failure, and reports all problems at the end.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut problems = Vec::new();
    for (what, check) in CHECKS {
        println!("\n=== {what}");
        match check(workspace) {
            Ok(()) => println!("well"),
            Err(error) => {
                println!("{error:#}");
                problems.push(format!("- {what}: {error:#}"));
            }
        }
    }
    if problems.is_empty() {
        println!("\nReady. RELEASING.md says what comes next.");
        return Ok(());
    }
    bail!("not ready to be released:\n{}", problems.join("\n"))
}

type Check = fn(&Workspace) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("everything is committed", all_is_committed),
    ("the versions agree", versions_agree),
    ("the changelog has an entry", changelog_has_entry),
    ("the licences of what is shipped are accepted", licences_are_accepted),
    ("lint, core and package pass", suites_pass),
];

fn all_is_committed(workspace: &Workspace) -> Result<()> {
    let shell = &workspace.shell;
    let changes = cmd!(shell, "git status --porcelain").quiet().read()?;
    if changes.is_empty() { Ok(()) } else { bail!("these files are not committed:\n{changes}") }
}

/// The package gets its version from Cargo.toml at build time; the other files are edited by hand.
fn versions_agree(workspace: &Workspace) -> Result<()> {
    let version = workspace.version_of("videortc")?;
    let mut wrong = Vec::new();
    for package in workspace.own_packages() {
        let other = workspace.version_of(package)?;
        if other != version {
            wrong.push(format!("{package} has {other}"));
        }
    }
    for example in ["vite-typescript", "react"] {
        let file = format!("examples/{example}/package.json");
        let text = fs::read_to_string(workspace.path(&file))?;
        let manifest: Value = serde_json::from_str(&text).with_context(|| file.clone())?;
        let wanted = manifest.pointer("/dependencies/videortc").and_then(Value::as_str);
        if wanted.and_then(|wanted| wanted.strip_prefix('^')) != Some(version) {
            wrong.push(format!("{file} asks for {}", wanted.unwrap_or("no videortc")));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("Cargo.toml has {version}, but {}", wrong.join(", "))
}

fn changelog_has_entry(workspace: &Workspace) -> Result<()> {
    let changelog = fs::read_to_string(workspace.path("CHANGELOG.md"))?;
    entry_of(&changelog, workspace.version_of("videortc")?)
}

/// The newest entry is of this version, has a date and is not empty.
fn entry_of(changelog: &str, version: &str) -> Result<()> {
    let mut entries = changelog.split("\n## ").skip(1);
    let newest = entries.next().context("CHANGELOG.md has no entry")?;
    let (title, text) = newest.split_once('\n').unwrap_or((newest, ""));
    let date = title.strip_prefix(version).map(|rest| rest.trim().trim_matches(['(', ')']));
    match date {
        None => bail!("the newest entry of CHANGELOG.md is `{title}`, not {version}"),
        Some(date) if !is_date(date) => {
            bail!(
                "the entry `{title}` of CHANGELOG.md has no date: write it like `{version} (2026-01-31)`"
            )
        }
        Some(_) if text.trim().is_empty() => bail!("the entry `{title}` of CHANGELOG.md is empty"),
        Some(_) => Ok(()),
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

fn licences_are_accepted(workspace: &Workspace) -> Result<()> {
    for line in licences::list(&workspace.shipped_crates()?)? {
        println!("{line}");
    }
    Ok(())
}

fn suites_pass(workspace: &Workspace) -> Result<()> {
    let names = ["lint", "core", "package"].map(str::to_owned);
    let failed = suites::run(workspace, &names, &[])?;
    if failed == 0 { Ok(()) } else { bail!("{failed} of them failed") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_is_this_versions_and_has_a_date() {
        let changelog = |title: &str, text: &str| {
            format!(
                "# Changelog\n\nWords.\n\n## {title}\n\n{text}\n\n## 0.0.9 (2025-01-01)\n\n- Old.\n"
            )
        };
        entry_of(&changelog("0.1.0 (2026-01-31)", "- New."), "0.1.0").expect("an entry");
        for (title, text, part) in [
            ("0.1.0 (not released)", "- New.", "no date"),
            ("0.1.0", "- New.", "no date"),
            ("0.1.1 (2026-01-31)", "- New.", "not 0.1.0"),
            ("0.1.0 (2026-01-31)", "", "is empty"),
        ] {
            let error = entry_of(&changelog(title, text), "0.1.0").expect_err(title).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(entry_of("# Changelog\n", "0.1.0").is_err());
    }
}
