//! `cargo xtask …`: builds, runs and tests videortc.
//!
//! Every command first installs the tools that it needs, if it can ([`tools`]), so a fresh machine
//! only needs Rust. Steps that are up to date are skipped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to the person who runs it"
)]

mod bench;
mod demo;
mod janus;
mod licences;
mod package;
mod process;
mod release;
mod rust_app;
mod size;
mod suites;
mod tarball;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Measurement;
use crate::demo::GatewayUrl;
use crate::package::Profile;
use crate::workspace::Workspace;

/// Builds, runs and tests videortc.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare with others; prints tables and writes JSON and a page with charts to target/bench/.
    Bench {
        /// The bench to run. Default: all.
        what: Option<Measurement>,
    },

    /// Build the release package in pkg/ and report its size. Needs Node.
    Build,

    /// Open the example pages: build, start a gateway and print the address.
    Demo {
        /// A real Janus to use, such as https://janus.example.org/janus. Default: the embedded
        /// gateway.
        #[arg(long, value_name = "URL")]
        gateway: Option<GatewayUrl>,

        /// The port of the pages on this machine; 0 takes any free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,

        /// Build without optimizations: faster to build, slower to load.
        #[arg(long)]
        dev: bool,
    },

    /// Run a real Janus with the test configuration in the foreground.
    Janus {
        /// The port of its HTTP interface; 0 takes any free one.
        #[arg(long, default_value_t = 8088)]
        port: u16,
    },

    /// Check formatting, lint and test the library natively; installs nothing and takes seconds.
    Quick,

    /// Check everything for a release: versions, changelog, licences, package tests.
    ReleaseCheck,

    /// Run every test suite, or the named ones.
    #[command(after_help = suites::help())]
    Test {
        /// Names of suites; a prefix such as `e2e` selects all suites that begin with it.
        #[arg(value_name = "NAME")]
        names: Vec<String>,

        /// Only tests whose name contains one of these words, in the suites with Rust tests.
        #[arg(last = true, value_name = "FILTER")]
        filters: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        // After Ctrl-C, no error message is needed.
        Err(_) if process::is_interrupted() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    process::watch_interrupts()?;
    let workspace = Workspace::find()?;
    match command {
        Command::Bench { what } => bench::run(&workspace, what)?,
        Command::Build => package::build(&workspace)?,
        Command::Demo { gateway, port, dev } => {
            let profile = if dev { Profile::Dev } else { Profile::Release };
            demo::run(&workspace, gateway.as_ref(), port, profile)?;
        }
        Command::Janus { port } => janus::run(&workspace, port)?,
        Command::Quick => suites::quick(&workspace)?,
        Command::ReleaseCheck => release::check(&workspace)?,
        Command::Test { names, filters } => {
            if suites::run(&workspace, &names, &filters)? > 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
