//! The test suites: names, requirements, commands, and the final table.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Cmd, cmd};

use crate::package::{self, Profile};
use crate::process;
use crate::rust_app;
use crate::tarball;
use crate::tools;
use crate::workspace::{WASM_TARGET, Workspace};

/// The time limit of a suite once everything is installed, including compilation.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The time limit of one browser test, in seconds; browsers start slowly on a busy machine.
const BROWSER_TEST_LIMIT: &str = "120";

/// The time limit for the start of a browser's driver, in seconds. The default of five is too short
/// on a busy machine.
const DRIVER_LIMIT: &str = "60";

/// The files of `tests/e2e/tests/` to run, and the environment.
struct Pages {
    gateway: &'static str,
    browser: &'static str,
    files: &'static [&'static str],
    /// The tests of those files to run unless others are requested; empty for all.
    tests: &'static [&'static str],
    /// The number of parallel tests. One where tests need the CPU; more where they mostly wait.
    threads: u8,
}

const THROUGH_JANUS: Pages = Pages {
    gateway: "janus",
    browser: "chromium",
    files: &[
        "calling",
        "crossing",
        "data",
        "demo_pages",
        "echo_test",
        "ending",
        "lasting",
        "lifecycle",
        "media",
        "mixed",
        "registering",
        "trouble",
    ],
    tests: &[],
    threads: 1,
};

/// The uses of the demo's gateway. `faults.rs` tests calls through it, and `conformance` compares
/// its answers with Janus'.
const THROUGH_EMBEDDED: Pages = Pages {
    gateway: "embedded",
    files: &["crossing", "demo_pages", "echo_test", "registering"],
    ..THROUGH_JANUS
};

/// The files that depend on the browser. Other suites cover the requests to the gateway, and
/// `mixed.rs` opens both browsers.
const IN_FIREFOX: Pages =
    Pages { browser: "firefox", files: &["calling", "echo_test", "media"], ..THROUGH_JANUS };

const LOST_JANUS: Pages = Pages { files: &["healing"], threads: 2, ..THROUGH_JANUS };

/// The tests that depend on the browser: how it reports a leaving page, and how it handles a closed
/// connection. The other tests of the file are run by hand there.
const LOST_IN_FIREFOX: Pages = Pages {
    browser: "firefox",
    tests: &[
        "survives_an_offline_browser",
        "survives_a_brief_disconnection",
        "page_is_left_and_restored",
        "reload_frees_the_name_and_ends_the_call",
        "survives_a_restart_of_janus",
    ],
    ..LOST_JANUS
};

const FAULTY_GATEWAY: Pages =
    Pages { gateway: "embedded", files: &["faults", "random"], threads: 2, ..THROUGH_JANUS };

/// In execution order: suites that fail fast come first.
const SUITES: &[Suite] = &[
    Suite {
        name: "lint",
        about: "formatting, clippy and documentation, with warnings as errors",
        needs: &[tools::ensure_wasm_target, tools::ensure_lint_tools],
        run: lint,
    },
    Suite {
        name: "deny",
        about: "the dependencies' licences, versions, sources and known holes",
        needs: &[tools::ensure_cargo_deny],
        run: deny,
    },
    Suite {
        name: "core",
        about: "the pure core, the embedded gateway and this tool, natively",
        needs: &[],
        run: core,
    },
    Suite {
        name: "web-chromium",
        about: "the shell against the browser's own APIs, in headless Chromium",
        needs: &[tools::ensure_wasm_target, tools::ensure_chromium, tools::ensure_wasm_pack],
        run: web_chromium,
    },
    Suite {
        name: "web-firefox",
        about: "the same in headless Firefox",
        needs: &[tools::ensure_wasm_target, tools::ensure_firefox, tools::ensure_wasm_pack],
        run: web_firefox,
    },
    Suite {
        name: "rust-app",
        about: "a web app in Rust: what of the library is in it, with and without the feature `js`",
        needs: &[tools::ensure_wasm_target],
        run: |bench| rust_app::test(bench.workspace, bench.deadline),
    },
    Suite {
        name: "conformance",
        about: "the embedded gateway's answers compared with those of the real Janus",
        needs: &[tools::ensure_janus],
        run: conformance,
    },
    Suite {
        name: "e2e-janus",
        about: "pages that call each other through the real Janus",
        needs: &[
            tools::ensure_wasm_target,
            tools::ensure_chromium,
            tools::ensure_firefox,
            tools::ensure_janus,
            tools::ensure_node,
        ],
        run: |bench| e2e(bench, &THROUGH_JANUS),
    },
    Suite {
        name: "e2e-embedded",
        about: "the same pages through the embedded gateway",
        // Its package is compiled with the one that starts Janus, but Janus itself does not run.
        needs: &[tools::ensure_wasm_target, tools::ensure_chromium, tools::ensure_node],
        run: |bench| e2e(bench, &THROUGH_EMBEDDED),
    },
    Suite {
        name: "e2e-firefox",
        about: "pages in Firefox that call each other through the real Janus",
        needs: &[
            tools::ensure_wasm_target,
            tools::ensure_firefox,
            tools::ensure_janus,
            tools::ensure_node,
        ],
        run: |bench| e2e(bench, &IN_FIREFOX),
    },
    Suite {
        name: "faults-janus",
        about: "the real Janus killed, stopped and cut off; pages that are left and come back",
        needs: &[
            tools::ensure_wasm_target,
            tools::ensure_chromium,
            tools::ensure_janus,
            tools::ensure_node,
        ],
        run: |bench| e2e(bench, &LOST_JANUS),
    },
    Suite {
        name: "faults-embedded",
        about: "a gateway that answers wrongly in every way, and random stories with it",
        needs: &[tools::ensure_wasm_target, tools::ensure_chromium, tools::ensure_node],
        run: |bench| e2e(bench, &FAULTY_GATEWAY),
    },
    Suite {
        name: "faults-firefox",
        about: "Janus killed, its line cut, and pages that go and come back, in Firefox",
        needs: &[
            tools::ensure_wasm_target,
            tools::ensure_firefox,
            tools::ensure_janus,
            tools::ensure_node,
        ],
        run: |bench| e2e(bench, &LOST_IN_FIREFOX),
    },
    Suite {
        name: "package",
        about: "the release package, packed and used from every loader",
        needs: &[
            tools::ensure_wasm_target,
            tools::ensure_node,
            tools::ensure_chromium,
            tools::ensure_webkit,
            tools::ensure_janus,
        ],
        run: |bench| tarball::test(bench.workspace, bench.filters, bench.deadline),
    },
];

struct Suite {
    name: &'static str,
    about: &'static str,
    needs: &'static [fn(&Workspace) -> Result<()>],
    run: fn(&Bench<'_>) -> Result<()>,
}

/// The environment of a suite.
struct Bench<'a> {
    workspace: &'a Workspace,
    deadline: Instant,
    filters: &'a [String],
}

impl Bench<'_> {
    fn run(&self, command: Cmd<'_>) -> Result<()> {
        process::run(command, self.deadline)
    }
}

/// The list of suites for `--help`.
pub(crate) fn help() -> String {
    let lines: Vec<String> =
        SUITES.iter().map(|suite| format!("  {:13} {}", suite.name, suite.about)).collect();
    format!("Suites:\n{}\n\nExample: cargo xtask test e2e-janus -- crossing", lines.join("\n"))
}

/// Runs the named suites, or all, without stopping at a failure. Returns how many failed.
pub(crate) fn run(workspace: &Workspace, names: &[String], filters: &[String]) -> Result<usize> {
    let mut results = Vec::new();
    for suite in chosen(names)? {
        println!("\n=== {}: {}\n", suite.name, suite.about);
        let started = Instant::now();
        let outcome = run_one(suite, workspace, filters);
        ensure!(!process::is_interrupted(), "interrupted");
        if let Err(error) = &outcome {
            println!("\n=== {} failed: {error:#}", suite.name);
        }
        results.push(Outcome { name: suite.name, time: started.elapsed(), error: outcome.err() });
    }
    println!("\n{}", summary(&results));
    Ok(results.iter().filter(|result| result.error.is_some()).count())
}

fn run_one(suite: &Suite, workspace: &Workspace, filters: &[String]) -> Result<()> {
    for ensure in suite.needs {
        ensure(workspace)?;
    }
    let now = Instant::now();
    let deadline = now.checked_add(LIMIT).unwrap_or(now);
    (suite.run)(&Bench { workspace, deadline, filters })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Suite>> {
    let is_meant = |suite: &Suite, name: &str| {
        suite.name == name || suite.name.split('-').next().is_some_and(|first| first == name)
    };
    for name in names {
        if !SUITES.iter().any(|suite| is_meant(suite, name)) {
            let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            bail!("there is no suite `{name}`; there are {}", known.join(", "));
        }
    }
    let wanted =
        |suite: &&Suite| names.is_empty() || names.iter().any(|name| is_meant(suite, name));
    Ok(SUITES.iter().filter(wanted).collect())
}

struct Outcome {
    name: &'static str,
    time: Duration,
    error: Option<anyhow::Error>,
}

/// A line for each suite, and the count that ends the whole.
fn summary(results: &[Outcome]) -> String {
    let mut lines = vec![format!("{:14} {:7} {:>8}", "suite", "result", "time")];
    lines.extend(results.iter().map(|Outcome { name, time, error }| {
        let result = if error.is_none() { "passed" } else { "FAILED" };
        format!("{name:14} {result:7} {:>6.1} s", time.as_secs_f64())
    }));
    for Outcome { name, error, .. } in results {
        lines.extend(error.as_ref().map(|error| format!("\n{name}: {error:#}")));
    }
    let failed = results.iter().filter(|result| result.error.is_some()).count();
    let passed = results.len().saturating_sub(failed);
    lines.push(format!("\n{passed} passed, {failed} failed"));
    lines.join("\n")
}

/// Quick checks for development, without a browser, a gateway or extra tools.
pub(crate) fn quick(workspace: &Workspace) -> Result<()> {
    let now = Instant::now();
    let deadline = now.checked_add(LIMIT).unwrap_or(now);
    let library = ["--package", "videortc"];
    process::run(workspace.cargo("fmt").args(["--all", "--check"]), deadline)?;
    let clippy = workspace.cargo("clippy").args(library).arg("--all-targets");
    process::run(clippy.args(["--", "--deny", "warnings"]), deadline)?;
    process::run(workspace.cargo("test").args(library), deadline)
}

fn lint(bench: &Bench<'_>) -> Result<()> {
    let workspace = bench.workspace;
    let deny = ["--", "--deny", "warnings"];
    let library = ["--package", "videortc", "--lib"];
    let wasm = ["--target", WASM_TARGET];

    bench.run(workspace.cargo("fmt").args(["--all", "--check"]))?;
    bench.run(workspace.cargo("clippy").args(["--workspace", "--all-targets"]).args(deny))?;
    let mut clippy = workspace.cargo("clippy").args(library).args(wasm);
    if workspace.path("tests/web.rs").exists() {
        clippy = clippy.args(["--test", "web"]);
    }
    bench.run(clippy.args(deny))?;
    for target in [&[] as &[&str], &wasm] {
        let doc = workspace.cargo("doc").arg("--no-deps").args(library).args(target);
        bench.run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    }
    Ok(())
}

fn deny(bench: &Bench<'_>) -> Result<()> {
    let workspace = bench.workspace;
    let path = tools::search_path(workspace)?;
    let deny = |checks: &[&str]| {
        workspace.cargo("deny").args(["--workspace", "check"]).args(checks).env("PATH", &path)
    };
    bench.run(deny(&["licenses", "bans", "sources"]))?;
    // The advisory database is on a server that not every machine can reach.
    let fetch = workspace.cargo("deny").args(["fetch", "db"]).env("PATH", &path);
    if let Err(error) = bench.run(fetch) {
        ensure!(!process::is_interrupted(), "interrupted");
        println!("\ndeny: SKIPPED advisories: the database could not be fetched: {error:#}");
        return Ok(());
    }
    bench.run(deny(&["--disable-fetch", "advisories"]))
}

fn core(bench: &Bench<'_>) -> Result<()> {
    let packages = ["--package", "videortc", "--package", "videortc-gateway", "--package", "xtask"];
    let test = bench.workspace.cargo("test").arg("--no-fail-fast").args(packages);
    bench.run(test.arg("--").args(bench.filters))
}

fn web_chromium(bench: &Bench<'_>) -> Result<()> {
    let driver = tools::chromedriver()?;
    web(bench, &["--chrome", "--chromedriver"], "CHROMEDRIVER", &driver)
}

fn web_firefox(bench: &Bench<'_>) -> Result<()> {
    let driver = tools::geckodriver(bench.workspace)?;
    web(bench, &["--firefox", "--geckodriver"], "GECKODRIVER", &driver)
}

fn web(bench: &Bench<'_>, browser: &[&str], variable: &str, driver: &Path) -> Result<()> {
    let shell = &bench.workspace.shell;
    let filters = bench.filters;
    let test =
        cmd!(shell, "wasm-pack test --headless {browser...} {driver} . --test web -- {filters...}");
    let path = tools::search_path(bench.workspace)?;
    bench.run(
        test.env("PATH", path)
            .env(variable, driver)
            .env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TEST_LIMIT)
            .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", DRIVER_LIMIT),
    )
}

fn conformance(bench: &Bench<'_>) -> Result<()> {
    let test =
        bench.workspace.cargo("test").args(["--no-fail-fast", "--package", "videortc-janus"]);
    bench.run(test.arg("--").args(bench.filters))
}

/// Runs end-to-end test files, on pages built from the current library.
fn e2e(bench: &Bench<'_>, pages: &Pages) -> Result<()> {
    let web = package::assemble_web(bench.workspace, Profile::Release)
        .context("the pages under test cannot be built")?;
    let test = bench.workspace.cargo("test").args(["--no-fail-fast", "--package", "videortc-e2e"]);
    let peers = tools::npm_peers(bench.workspace)?;
    let test = pages.files.iter().fold(test, |test, file| test.args(["--test", file]));
    let test = test
        .env("VIDEORTC_E2E_GATEWAY", pages.gateway)
        .env("VIDEORTC_E2E_BROWSER", pages.browser)
        .env("GECKODRIVER", tools::geckodriver(bench.workspace)?)
        .env("VIDEORTC_WEB", web)
        .env("VIDEORTC_PEERS", peers);
    let test = test.arg("--").arg(format!("--test-threads={}", pages.threads));
    // The runner treats each word as a further test filter.
    let test = if bench.filters.is_empty() { test.args(pages.tests) } else { test };
    bench.run(test.args(bench.filters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &[&str]) -> Vec<&'static str> {
        let wanted: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
        chosen(&wanted).expect("known names").iter().map(|suite| suite.name).collect()
    }

    #[test]
    fn no_name_stands_for_all_and_a_first_word_for_its_group() {
        assert_eq!(names(&[]).len(), SUITES.len());
        assert_eq!(names(&["e2e"]), ["e2e-janus", "e2e-embedded", "e2e-firefox"]);
        assert_eq!(names(&["package", "lint"]), ["lint", "package"]);
    }

    #[test]
    fn every_test_that_a_suite_names_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/tests");
        let Pages { files, tests, .. } = LOST_IN_FIREFOX;
        let code: String = files
            .iter()
            .map(|file| std::fs::read_to_string(folder.join(format!("{file}.rs"))).expect("a file"))
            .collect();
        for test in tests {
            assert!(code.contains(&format!("async fn {test}()")), "there is no test {test}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = chosen(&["cor".to_owned()]).err().expect("no such suite").to_string();
        assert!(error.contains("`cor`") && error.contains("core"), "{error}");
    }

    #[test]
    fn the_last_line_counts_suites() {
        let time = Duration::from_millis(1500);
        let summary = summary(&[
            Outcome { name: "core", time, error: None },
            Outcome { name: "web", time, error: Some(anyhow::anyhow!("no browser")) },
        ]);
        assert!(summary.ends_with("\n1 passed, 1 failed"), "{summary}");
        assert!(summary.contains("web: no browser"), "{summary}");
    }
}
