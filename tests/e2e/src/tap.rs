//! A tap in the wire between a page and its gateway: it counts requests and can cut the line.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Result;

/// How many requests of each kind went through a [`Tap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The requests of the page.
    pub post: usize,
    /// Long polls.
    pub get: usize,
    /// CORS preflights.
    pub options: usize,
}

impl Seen {
    /// All requests together.
    pub fn all(self) -> usize {
        self.post + self.get + self.options
    }

    /// The additions since an earlier count.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            post: self.post - earlier.post,
            get: self.get - earlier.get,
            options: self.options - earlier.options,
        }
    }
}

/// A TCP relay to the gateway. While it is cut, connections are closed and new ones refused.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    path: String,
    seen: Arc<Mutex<Seen>>,
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Tap {
    /// Listens on a port of its own and relays to `gateway`, an `http://host:port/path` address.
    pub async fn start(gateway: &str) -> Result<Self> {
        let rest = gateway.strip_prefix("http://").context("a tap needs an http:// address")?;
        let (host, path) = rest.split_once('/').context("a tap needs a path")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (cut, is_cut) = watch::channel(false);
        let relay = Relay { host: host.to_owned(), seen: Arc::clone(&seen), is_cut };
        let task = tokio::spawn(async move {
            while let Ok((page, _)) = listener.accept().await {
                tokio::spawn(relay.clone().carry(page));
            }
        });
        Ok(Self { address, path: path.to_owned(), seen, cut, task })
    }

    /// The gateway's address as a page sees it through this tap.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.path)
    }

    /// How many requests have passed so far.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every connection, and each new one as soon as it is made.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.cut.send_replace(true);
        self.task.abort();
    }
}

#[derive(Clone)]
struct Relay {
    host: String,
    seen: Arc<Mutex<Seen>>,
    is_cut: watch::Receiver<bool>,
}

impl Relay {
    async fn carry(self, page: TcpStream) {
        let mut is_cut = self.is_cut.clone();
        if *is_cut.borrow_and_update() {
            return;
        }
        let Ok(gateway) = TcpStream::connect(&self.host).await else { return };
        let (page_reads, mut page_writes) = page.into_split();
        let (mut gateway_reads, gateway_writes) = gateway.into_split();
        tokio::select! {
            () = count(page_reads, gateway_writes, &self.seen) => {}
            _ = copy(&mut gateway_reads, &mut page_writes) => {}
            _ = is_cut.wait_for(|cut| *cut) => {}
        }
    }
}

/// Carries bytes to the gateway and counts the request lines in them.
async fn count(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: &Mutex<Seen>) {
    let mut buffer = vec![0; 65536];
    let mut line = Vec::new();
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        for &byte in &buffer[..length] {
            if byte == b'\n' {
                note(&line, &mut seen.lock().unwrap_or_else(PoisonError::into_inner));
                line.clear();
            } else {
                line.push(byte);
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// A request line ends in its protocol and may follow the body of the request before, which ends in
/// no line break of its own.
fn note(line: &[u8], seen: &mut Seen) {
    let line = String::from_utf8_lossy(line);
    let Some(line) = line.trim_end().strip_suffix(" HTTP/1.1") else { return };
    let Some((before, _)) = line.rsplit_once(' ') else { return };
    if before.ends_with("POST") {
        seen.post += 1;
    } else if before.ends_with("OPTIONS") {
        seen.options += 1;
    } else if before.ends_with("GET") {
        seen.get += 1;
    }
}
