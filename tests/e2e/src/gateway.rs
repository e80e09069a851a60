//! The gateway under the pages: a real Janus, or the embedded one in this process.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::task::block_in_place;
use videortc_gateway::server::{Faults, Server, ServerOptions};
use videortc_janus::Janus;

use crate::Result;

/// Which gateway the suites run against, from `VIDEORTC_E2E_GATEWAY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayKind {
    /// The Debian package's Janus.
    Janus,
    /// `examples/gateway`.
    Embedded,
}

impl GatewayKind {
    /// Reads the environment.
    pub fn asked_for() -> Result<Self> {
        match std::env::var("VIDEORTC_E2E_GATEWAY").as_deref() {
            Ok("janus") => Ok(Self::Janus),
            Ok("embedded") => Ok(Self::Embedded),
            _ => bail!(
                "VIDEORTC_E2E_GATEWAY is neither janus nor embedded: run cargo xtask test e2e"
            ),
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub(crate) enum Gateway {
    Janus(Janus),
    /// `None` only in the middle of a restart.
    Embedded(Option<Server>),
}

impl Gateway {
    pub(crate) fn start(kind: GatewayKind, session_timeout: Duration) -> Result<Self> {
        // Both starters wait for what they started, which a test's runtime allows here only.
        block_in_place(|| match kind {
            GatewayKind::Janus => {
                let options = Janus::options().session_timeout(session_timeout).admin();
                Ok(Self::Janus(options.start()?))
            }
            GatewayKind::Embedded => {
                let mut options = ServerOptions::default();
                options.gateway.session_timeout = session_timeout;
                Ok(Self::Embedded(Some(Server::start(options)?)))
            }
        })
    }

    /// The real Janus, where it is one: the other is in this process and cannot be stopped alone.
    pub(crate) fn janus(&mut self) -> Result<&mut Janus> {
        match self {
            Self::Janus(janus) => Ok(janus),
            Self::Embedded(_) => bail!("the embedded gateway has no process of its own"),
        }
    }

    /// The handle to the faults of the embedded gateway.
    pub(crate) fn faults(&self) -> Result<Faults> {
        match self {
            Self::Janus(_) => bail!("only the embedded gateway has faults on demand"),
            Self::Embedded(server) => Ok(server.as_ref().context("no gateway runs")?.faults()),
        }
    }

    /// How many sessions and handles the real Janus has.
    pub(crate) fn held(&mut self) -> Result<(usize, usize)> {
        block_in_place(|| {
            let janus = self.janus()?;
            let sessions = janus.sessions()?;
            let mut handles = 0;
            for &session in &sessions {
                handles += janus.handles(session)?.len();
            }
            Ok((sessions.len(), handles))
        })
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Janus(janus) => janus.url(),
            Self::Embedded(server) => server.as_ref().map(Server::url).unwrap_or_default(),
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Self::Janus(janus) => janus.pid(),
            Self::Embedded(_) => None,
        }
    }

    /// Ends the gateway and starts it again at the same address: it has forgotten everything.
    pub(crate) fn restart(&mut self) -> Result {
        block_in_place(|| match self {
            Self::Janus(janus) => {
                janus.kill();
                janus.restart()
            }
            Self::Embedded(server) => {
                let addr = server.as_ref().context("no gateway runs")?.addr();
                *server = None;
                *server = Some(Server::start(ServerOptions { addr, ..ServerOptions::default() })?);
                Ok(())
            }
        })
    }
}
