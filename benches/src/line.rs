//! A relay between a page and the gateway that adds a round-trip time and records the traffic.

use std::net::SocketAddr;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::http::{Cutter, Message};

/// A relay that delays each byte by half a round trip, in either direction. It limits no bandwidth,
/// loses nothing, and uses no TLS.
#[derive(Debug)]
pub(crate) struct Line {
    address: SocketAddr,
    path: String,
    log: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
}

/// All recorded traffic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) messages: Vec<Passed>,
    pub(crate) connections: usize,
}

/// A request or response at the page's end of the relay.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// The time when its first byte left the page, or its last byte arrived there: milliseconds
    /// since 1970, as the marks of the pages.
    pub(crate) at: f64,
    pub(crate) connection: usize,
    pub(crate) message: Message,
}

/// Traffic figures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Including preflights.
    pub(crate) requests: usize,
    pub(crate) preflights: usize,
    /// Of requests and responses, heads and bodies.
    pub(crate) bytes: usize,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            preflights: self.preflights + other.preflights,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Log {
    pub(crate) fn all(&self) -> Cost {
        self.between(f64::NEG_INFINITY, f64::INFINITY)
    }

    /// The traffic of the page between two times.
    pub(crate) fn between(&self, start: f64, end: f64) -> Cost {
        let mut cost = Cost::default();
        for Passed { at, message, .. } in &self.messages {
            if (start..end).contains(at) {
                cost.requests += usize::from(message.is_request());
                cost.preflights += usize::from(message.is_preflight());
                cost.bytes += message.bytes;
            }
        }
        cost
    }
}

impl Line {
    /// Listens on its own port and relays to `gateway`, an `http://host:port/path` address.
    pub(crate) async fn start(gateway: &str, round_trip: Duration) -> Result<Self> {
        let rest = gateway.strip_prefix("http://").context("a line needs an http:// address")?;
        let (host, path) = rest.split_once('/').context("a line needs a path")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let log = Arc::default();
        let relay = Relay { host: host.to_owned(), round_trip, log: Arc::clone(&log) };
        let task = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((page, _)) = listener.accept().await {
                connections.spawn(relay.clone().carry(page));
            }
        });
        Ok(Self { address, path: path.to_owned(), log, task })
    }

    /// The gateway's address through this relay.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.path)
    }

    /// All recorded traffic so far.
    pub(crate) fn log(&self) -> Log {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Relay {
    host: String,
    round_trip: Duration,
    log: Arc<Mutex<Log>>,
}

impl Relay {
    /// The operating system completes the page's connection immediately. On a real network, the
    /// page would wait a round trip before its first byte, so the relay delays that byte.
    async fn carry(self, page: TcpStream) {
        let opened = Instant::now();
        let Ok(gateway) = TcpStream::connect(&self.host).await else { return };
        let _ = (page.set_nodelay(true), gateway.set_nodelay(true));
        let connection = self.note(|log| {
            log.connections += 1;
            log.connections
        });
        let (page_reads, page_writes) = page.into_split();
        let (gateway_reads, gateway_writes) = gateway.into_split();
        let half = self.round_trip / 2;
        let mut sent = Cutter::requests();
        let requests = carry_on(page_reads, gateway_writes, |bytes| {
            let leaves = Instant::now().max(opened + self.round_trip);
            self.keep(sent.cut(bytes, epoch(leaves)), connection);
            leaves + half
        });
        let mut received = Cutter::answers();
        let answers = carry_on(gateway_reads, page_writes, |bytes| {
            let arrives = Instant::now() + half;
            self.keep(received.cut(bytes, epoch(arrives)), connection);
            arrives
        });
        tokio::join!(requests, answers);
    }

    fn keep(&self, messages: Vec<(f64, Message)>, connection: usize) {
        let passed = |(at, message)| Passed { at, connection, message };
        self.note(|log| log.messages.extend(messages.into_iter().map(passed)));
    }

    fn note<T>(&self, note: impl FnOnce(&mut Log) -> T) -> T {
        note(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Relays one direction; `arrival` returns the delivery time of each piece.
async fn carry_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut arrival: impl FnMut(&[u8]) -> Instant,
) {
    let (queue, mut waiting) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..length];
            if queue.send((arrival(bytes), bytes.to_vec())).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = waiting.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

/// The current time in milliseconds since 1970.
pub(crate) fn now() -> f64 {
    epoch(Instant::now())
}

/// A time in milliseconds since 1970.
fn epoch(moment: Instant) -> f64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let now = Instant::now();
    let later = moment.saturating_duration_since(now).as_secs_f64();
    let earlier = now.saturating_duration_since(moment).as_secs_f64();
    (since_1970 + later - earlier) * 1000.0
}
