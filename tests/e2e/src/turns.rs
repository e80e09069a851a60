//! Gateways behind one address, as behind a load balancer whose sessions are not sticky.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Result;

/// The longest head or body of a request that is carried.
const LONGEST: usize = 1 << 20;

/// The request for a session.
const CREATE: &[u8] = br#""janus":"create""#;

/// The balancer, as a page without luck meets it: each session is made at the next gateway, and
/// whatever is asked in it goes to the one after. Every request has a connection of its own.
#[derive(Debug)]
pub struct Turns {
    address: SocketAddr,
    path: String,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicUsize,
    sessions: AtomicUsize,
}

impl Turns {
    /// Listens on a port of its own, for gateways with `http://host:port/path` addresses of the
    /// same path.
    pub async fn start(gateways: &[String]) -> Result<Self> {
        let mut path = String::new();
        let mut hosts = Vec::new();
        for gateway in gateways {
            let rest = gateway.strip_prefix("http://").context("no http:// address")?;
            let (host, below) = rest.split_once('/').context("an address without a path")?;
            hosts.push(host.to_owned());
            below.clone_into(&mut path);
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let (hosts, counted) = (Arc::<[String]>::from(hosts), counts.clone());
        let task = tokio::spawn(async move {
            while let Ok((page, _)) = listener.accept().await {
                let (hosts, counted) = (hosts.clone(), counted.clone());
                tokio::spawn(async move {
                    let _ = carry(page, &hosts, &counted).await;
                });
            }
        });
        Ok(Self { address, path, counts, task })
    }

    /// The address of all of them.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.path)
    }

    /// How many requests have come.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut page: TcpStream, hosts: &[String], counts: &Counts) -> Result {
    let request = read_request(&mut page).await?;
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let turn = if request.windows(CREATE.len()).any(|part| part == CREATE) {
        counts.sessions.fetch_add(1, Ordering::Relaxed)
    } else {
        counts.sessions.load(Ordering::Relaxed)
    };
    let host = hosts.get(turn % hosts.len().max(1)).context("no gateway")?;
    let mut gateway = TcpStream::connect(host).await?;
    gateway.write_all(&request).await?;
    // The gateway ends the connection with its answer.
    copy(&mut gateway, &mut page).await?;
    page.shutdown().await.context("the page is gone")
}

/// A whole request, which asks for the end of its connection.
async fn read_request(page: &mut TcpStream) -> Result<Vec<u8>> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(END.len()).position(|window| window == END) {
            break at + END.len();
        }
        read_more(page, &mut bytes).await?;
    };
    let lines = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let field = |name: &str| {
        lines.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head + length {
        read_more(page, &mut bytes).await?;
    }
    let others: String = lines
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mut request = format!("{others}Connection: close\r\n\r\n").into_bytes();
    request.extend_from_slice(&bytes[head..]);
    Ok(request)
}

async fn read_more(page: &mut TcpStream, bytes: &mut Vec<u8>) -> Result {
    let count = page.read_buf(bytes).await?;
    anyhow::ensure!(count > 0 && bytes.len() <= LONGEST, "no whole request");
    Ok(())
}
