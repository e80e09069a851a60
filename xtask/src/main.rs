//! `cargo xtask …`: the one way to build, run and test videortc.
//!
//! Every command looks for what it needs first and installs it where it can ([`tools`]), so that a fresh
//! machine with Rust is enough. A step that is up to date costs nothing.

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
    /// Measure against others; prints tables and writes JSON and a page with charts to target/bench/.
    Bench {
        /// What to measure. Default: everything.
        what: Option<Measurement>,
    },

    /// Build the release package in pkg/ and report its size. Needs Node.
    Build,

    /// Open the example pages: build, start a gateway and print the address.
    Demo {
        /// A real Janus to use, such as https://janus.example.org/janus. Default: the embedded gateway.
        #[arg(long, value_name = "URL")]
        gateway: Option<GatewayUrl>,

        /// The port of the pages on this machine; 0 takes any free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,

        /// Build without optimising: quicker after a change, slower to load.
        #[arg(long)]
        dev: bool,
    },

    /// Run a real Janus with the test configuration in the foreground.
    Janus {
        /// The port of its HTTP interface; 0 takes any free one.
        #[arg(long, default_value_t = 8088)]
        port: u16,
    },

    /// Check formatting, lint and test the library natively: installs nothing, ends in seconds.
    Quick,

    /// Look at everything that a release needs: versions, changelog, licences, package tests.
    ReleaseCheck,

    /// Run every test suite, or those that are named.
    #[command(after_help = suites::help())]
    Test {
        /// Names of suites; a first word, such as `e2e`, stands for all that begin with it.
        #[arg(value_name = "NAME")]
        names: Vec<String>,

        /// Only tests whose name contains one of these, in the suites that are made of Rust tests.
        #[arg(last = true, value_name = "FILTER")]
        filters: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        // The person pressed Ctrl-C and needs no explanation.
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
