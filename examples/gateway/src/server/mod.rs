//! The gateway behind HTTP, with the example pages on the same origin and faults for tests.

mod faults;
mod http;
mod state;

use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

pub use faults::{Fault, Faults};

use self::state::Shared;
use crate::{Options, Timing};

/// What a server offers, and where.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Default: the loopback interface, on a port that the system chooses.
    pub addr: SocketAddr,
    /// The path of the gateway's API. Default: `/janus`.
    pub base_path: String,
    /// Folders whose files are served on the same origin, under a path each: `("/", folder)`. The longest
    /// path that fits wins. Default: none.
    pub static_roots: Vec<(String, PathBuf)>,
    /// The gateway's own. Default: Janus' delays, ids that nobody can foresee.
    pub gateway: Options,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let gateway =
            Options { timing: Timing::like_janus(), seed: unforeseen_seed(), ..Options::default() };
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            base_path: "/janus".to_owned(),
            static_roots: Vec::new(),
            gateway,
        }
    }
}

/// A running server. Dropping it ends it and every open connection, polls included, and frees the port.
///
/// It has a thread and a runtime of its own, so that any kind of test can start one.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    base_path: String,
    faults: Faults,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server and returns when it listens.
    pub fn start(options: ServerOptions) -> Result<Self> {
        // Without the runtime, so that the caller may be in one of its own.
        let listener = TcpListener::bind(options.addr)
            .with_context(|| format!("cannot listen on {}", options.addr))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let faults = Faults::default();
        let shared = Arc::new(Shared::new(options.gateway, faults.clone()));
        let routes = http::routes(Arc::clone(&shared), &options.base_path, &options.static_roots);
        let (stop, stopped) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("gateway".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                tokio::select! {
                    _ = axum::serve(listener, routes) => {}
                    () = shared.keep_time() => {}
                    _ = stopped => {}
                }
            });
        })?;
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Self { addr, base_path: options.base_path, faults, stop, thread })
    }

    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The origin of the pages: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The gateway's address, as a page gives it to the library.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.base_path)
    }

    /// The handle by which a test makes the gateway misbehave.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The thread drops its runtime, and with it all connections.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A session's id is the only key to it: it must not be guessed.
fn unforeseen_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
