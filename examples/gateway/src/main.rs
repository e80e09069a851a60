//! The embedded gateway as a program: the API and a folder of pages on one origin.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use videortc_gateway::server::{Server, ServerOptions};

/// A small gateway for trying video calls. It forwards offers, answers and candidates between pages
/// and is not a media server: use Janus for everything else.
#[derive(Debug, Parser)]
#[command(name = "videortc-gateway")]
struct Arguments {
    /// The folder whose files are served
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The port to listen on; 0 lets the system choose
    #[arg(long, default_value_t = 8088)]
    port: u16,
    /// The address to listen on. Cameras work on localhost only, or over HTTPS
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
}

// A program that a person starts says where it listens.
#[allow(clippy::print_stdout)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = Server::start(ServerOptions {
        addr: SocketAddr::new(arguments.host, arguments.port),
        static_roots: arguments.root.map(|root| ("/".to_owned(), root)).into_iter().collect(),
        ..ServerOptions::default()
    })?;
    println!("pages    {}", server.origin());
    println!("gateway  {}", server.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
