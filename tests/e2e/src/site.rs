//! The web server of the pages: the test pages, the example pages, the library and other clients' ones,
//! `config.js`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::services::{ServeDir, ServeFile};

use crate::Result;

/// The one of another client's files without which the others are of no use.
const JANUS_JS: &str = "janus-gateway/npm/src/janus.js";

/// A web server on a port of its own, so that the gateway is another origin, as in real life.
#[derive(Debug)]
pub(crate) struct Site {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Site {
    /// Serves the pages; `config.js` tells them the gateway's address. Every page has it for its first
    /// script, so that what watches over a page comes with it.
    pub(crate) async fn start(gateway: &str) -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = library()?;
        let harness = include_str!("../pages/harness.js");
        let gateway = serde_json::to_string(gateway)?;
        let config = format!("{harness}\nwindow.VIDEORTC_GATEWAY = {gateway};\n");
        let headers = [(CONTENT_TYPE, "text/javascript"), (CACHE_CONTROL, "no-store")];
        let router = Router::new()
            .route("/config.js", get(move || async move { (headers, config) }))
            .route_service("/videortc.js", ServeFile::new(library))
            .nest_service("/videocall", ServeDir::new(here.join("../../examples/videocall")))
            .nest_service("/quickstart", ServeDir::new(here.join("../../examples/quickstart")))
            .nest_service("/files", ServeDir::new(here.join("../../examples/files")))
            .nest_service("/bench", ServeDir::new(here.join("../../benches/pages")))
            .fallback_service(ServeDir::new(here.join("pages")));
        // Another build of the library, to be measured beside it.
        let router = match std::env::var_os("VIDEORTC_BASELINE") {
            Some(file) => router.route_service("/baseline.js", ServeFile::new(file)),
            None => router,
        };
        let router = match peers() {
            Ok(peers) => router.nest_service("/peers", ServeDir::new(peers)),
            // Most suites go without; Rig::janus_js() says what is missing.
            Err(_) => router,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The npm packages of other clients, from the folder that `VIDEORTC_PEERS` names.
pub(crate) fn peers() -> Result<PathBuf> {
    let Some(folder) = std::env::var_os("VIDEORTC_PEERS") else {
        bail!("VIDEORTC_PEERS names no folder with janus.js: run cargo xtask test e2e");
    };
    let folder = PathBuf::from(folder);
    let janus_js = folder.join(JANUS_JS);
    ensure!(janus_js.is_file(), "{} is not there: run cargo xtask test e2e", janus_js.display());
    Ok(folder)
}

/// The file under test, from the folder that `VIDEORTC_WEB` names.
fn library() -> Result<PathBuf> {
    let Some(folder) = std::env::var_os("VIDEORTC_WEB") else {
        bail!("VIDEORTC_WEB names no folder with videortc.js: run cargo xtask test e2e");
    };
    let file = PathBuf::from(folder).join("videortc.js");
    ensure!(file.is_file(), "{} is not there: run cargo xtask test e2e", file.display());
    file.canonicalize().with_context(|| format!("cannot read {}", file.display()))
}
