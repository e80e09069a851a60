//! The gateway behind HTTP, with the example pages on the same origin, and faults for tests.

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

/// The options of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Default: the loopback interface, on a port that the system chooses.
    pub addr: SocketAddr,
    /// The path of the gateway's API. Default: `/janus`.
    pub base_path: String,
    /// Folders whose files are served on the same origin, each with its path: `("/", folder)`. The
    /// longest matching path wins. Default: none.
    pub static_roots: Vec<(String, PathBuf)>,
    /// The options of the gateway. Default: Janus' delays, unpredictable ids.
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

/// A running server. Dropping it closes all connections, including polls, and frees the port.
///
/// It has its own thread and runtime, so that any kind of test can start one.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    base_path: String,
    faults: Faults,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server and returns once it listens.
    pub fn start(options: ServerOptions) -> Result<Self> {
        // Without the runtime, since the caller may be inside its own.
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

    /// The address of the server.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The origin of the pages: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The gateway's address for the library.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.base_path)
    }

    /// The handle for faults.
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

/// The id of a session is the only key to it, so it must be unpredictable.
fn unforeseen_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
