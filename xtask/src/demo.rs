//! Serves the example pages locally, with an embedded gateway.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::package::{self, Profile};
use crate::process::{self, Running};
use crate::workspace::Workspace;

/// The time limit for compiling the embedded gateway.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The time limit from the start of the program to its first answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The polling interval while a server starts.
const START_POLL: Duration = Duration::from_millis(50);

/// Builds what is needed, serves the pages and waits for Ctrl-C.
pub(crate) fn run(
    workspace: &Workspace,
    gateway: Option<&GatewayUrl>,
    port: u16,
    profile: Profile,
) -> Result<()> {
    // Checked before the long build, so that a port conflict is reported early.
    let port = free_port(port)?;
    let folder = package::assemble_web(workspace, profile)?;
    fs::write(folder.join("config.js"), package::config(gateway.map(GatewayUrl::as_str)))?;

    let package = ["--package", "videortc-gateway"];
    process::run(workspace.cargo("build").args(package), after(BUILD_LIMIT))?;
    let port_argument = port.to_string();
    let command = workspace.cargo("run").arg("--quiet").args(package);
    let command = command.args(["--", "--port", &port_argument, "--root"]).arg(&folder);
    let server = Running::start(command)?;
    wait_until_ready(&server, port)?;

    println!("{}", directions(port, gateway));
    let status = server.wait()?;
    ensure!(
        process::is_interrupted() || status.success(),
        "the server of the pages ended ({status})"
    );
    Ok(())
}

/// Prints the instructions.
fn directions(port: u16, gateway: Option<&GatewayUrl>) -> String {
    let gateway = match gateway {
        Some(url) => format!("The gateway is {}.", url.as_str()),
        None => format!(
            "The gateway is the embedded one, http://127.0.0.1:{port}/janus: made for trying out, on this \
             machine.\n  A real Janus: cargo xtask demo --gateway https://janus.example.org/janus"
        ),
    };
    format!(
        "
  Ready: http://127.0.0.1:{port}/videocall/

  1. Open this address in two tabs.
  2. Take a name in each, say Tom and Ann.
  3. Call Ann from Tom's tab, and accept in Ann's.

  The same in the fewest lines, for developers: http://127.0.0.1:{port}/quickstart/
  {gateway}
  Ctrl-C ends all.
"
    )
}

/// Returns the port if it is free, or any free one for 0.
fn free_port(port: u16) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!(
            "port {port} of this machine cannot be used. Choose another, such as \
             `cargo xtask demo --port {}`, or let the system choose with `--port 0`",
            if port < u16::MAX { port.saturating_add(1) } else { 8080 },
        )
    })?;
    Ok(listener.local_addr()?.port())
}

fn wait_until_ready(server: &Running, port: u16) -> Result<()> {
    let deadline = after(START_LIMIT);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while Instant::now() < deadline {
        if TcpStream::connect_timeout(&address, START_POLL).is_ok() {
            return Ok(());
        }
        if let Some(status) = server.wait_until(after(START_POLL))? {
            bail!("the server of the pages ended while starting ({status})");
        }
    }
    bail!("the server of the pages gave no answer within {START_LIMIT:?}")
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

/// Checks the gateway address in the form that `new VideoRTC(…)` accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayUrl(String);

impl GatewayUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GatewayUrl {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        const FORM: &str = "it must be like https://janus.example.org/janus";
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let rest = rest.with_context(|| format!("no http:// or https:// in front; {FORM}"))?;
        ensure!(
            url.chars().all(|c| c.is_ascii_graphic()),
            "it has blanks or letters like é; {FORM}"
        );
        ensure!(!url.contains(['?', '#']), "a gateway has no `?` or `#`; {FORM}");
        let authority = rest.split('/').next().unwrap_or_default();
        ensure!(!authority.contains('@'), "a gateway has no user name in front; {FORM}");
        // An IPv6 address contains colons, in brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        ensure!(!host.is_empty(), "no host; {FORM}");
        if let Some(port) = port {
            ensure!(port.parse().is_ok_and(|port: u16| port != 0), "`{port}` is no port; {FORM}");
        }
        Ok(Self(url.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_gateways_are_taken() {
        for url in [
            "http://localhost:8088/janus",
            "https://janus.example.org",
            "https://[::1]/janus",
            "http://[::1]:8088/janus/",
        ] {
            assert_eq!(url.parse::<GatewayUrl>().expect(url).as_str(), url);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for url in [
            "",
            "janus.example.org/janus",
            "ws://localhost:8188",
            "https://",
            "https:///janus",
            "http://:8088/janus",
            "http://host:port/janus",
            "http://host:0/janus",
            "http://host:70000/janus",
            "http://user:secret@host/janus",
            "http://host/janus?token=1",
            "http://host/ja nus",
            "http://hôst/janus",
        ] {
            assert!(url.parse::<GatewayUrl>().is_err(), "{url} was taken");
        }
    }

    #[test]
    fn a_port_in_use_is_told_with_a_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        let error = free_port(port).expect_err("the port is taken").to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--port 0"), "{error}");
    }
}
