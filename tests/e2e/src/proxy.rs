//! A relay between one page and its gateway that fails as networks fail, when it is told to.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Result;

/// How long a poll may take to be answered by something that can be broken off: longer than it
/// waits.
const POLL_LIMIT: Duration = Duration::from_secs(40);

/// A TCP relay to a gateway. Each page of a test has its own, so that one is hurt and the other is
/// not.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    path: String,
    orders: watch::Sender<Orders>,
    polls: watch::Receiver<Poll>,
    task: JoinHandle<()>,
}

/// The last poll that went to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Poll {
    number: usize,
    /// The first line of the request. No two polls of a page have the same.
    line: Vec<u8>,
}

/// The instructions for every connection.
#[derive(Clone, Copy, Debug)]
struct Orders {
    mode: Mode,
    /// Counts the cuts: a connection that saw fewer when it was made ends.
    cuts: usize,
    /// The same, but the connection to the gateway stays open.
    unnoticed_cuts: usize,
    /// After so many bytes the answer to a poll ends with its connection, once.
    break_poll_after: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    Refuse,
    Stall,
}

impl Proxy {
    /// Listens on a port of its own and relays to `gateway`, an `http://host:port/path` address.
    pub async fn start(gateway: &str) -> Result<Self> {
        let rest = gateway.strip_prefix("http://").context("a proxy needs an http:// address")?;
        let (host, path) = rest.split_once('/').context("a proxy needs a path")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (orders, _) = watch::channel(Orders {
            mode: Mode::Forward,
            cuts: 0,
            unnoticed_cuts: 0,
            break_poll_after: None,
        });
        let (polled, polls) = watch::channel(Poll::default());
        let relay = Relay { host: host.to_owned(), orders: orders.clone(), polled };
        let task = tokio::spawn(async move {
            while let Ok((page, _)) = listener.accept().await {
                tokio::spawn(relay.clone().carry(page));
            }
        });
        Ok(Self { address, path: path.to_owned(), orders, polls, task })
    }

    /// The gateway's address as a page sees it through this proxy.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.path)
    }

    /// Resets every connection. New ones are as good as ever.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Resets every connection to the page, and keeps those to the gateway, which notices nothing:
    /// as where a page changes its network. Waits for the next poll. Says whether it is the one of
    /// before, repeated by the browser.
    pub async fn cut_unnoticed(&self) -> Result<bool> {
        let mut polls = self.polls.clone();
        let before = polls.borrow_and_update().clone();
        self.orders.send_modify(|orders| orders.unnoticed_cuts += 1);
        let next = polls.wait_for(|poll| poll.number > before.number);
        match tokio::time::timeout(POLL_LIMIT, next).await {
            Ok(poll) => Ok(poll?.line == before.line),
            Err(_) => bail!("no poll came within {POLL_LIMIT:?} of the cut"),
        }
    }

    /// Resets every connection, and each new one as soon as it is made.
    pub fn refuse(&self) {
        self.orders.send_modify(|orders| {
            orders.mode = Mode::Refuse;
            orders.cuts += 1;
        });
    }

    /// Every connection stays open, and new ones are taken, but nothing passes, in either
    /// direction.
    pub fn stall(&self) {
        self.orders.send_modify(|orders| orders.mode = Mode::Stall);
    }

    /// Lets through again: what has been stalled, and what comes.
    pub fn forward(&self) {
        self.orders.send_modify(|orders| orders.mode = Mode::Forward);
    }

    /// The next answer to a poll is broken off after so many bytes, its head included.
    pub fn break_next_poll(&self, after: usize) {
        self.orders.send_modify(|orders| orders.break_poll_after = Some(after));
    }

    /// Waits until an answer was [broken off](Self::break_next_poll).
    pub async fn poll_broken(&self) -> Result {
        let mut orders = self.orders.subscribe();
        let broken = orders.wait_for(|orders| orders.break_poll_after.is_none());
        match tokio::time::timeout(POLL_LIMIT, broken).await {
            Ok(_) => Ok(()),
            Err(_) => bail!("no answer to a poll came by within {POLL_LIMIT:?}"),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.task.abort();
    }
}

#[derive(Clone)]
struct Relay {
    host: String,
    orders: watch::Sender<Orders>,
    polled: watch::Sender<Poll>,
}

impl Relay {
    async fn carry(self, mut page: TcpStream) {
        let mut orders = self.orders.subscribe();
        let Orders { mode, cuts, unnoticed_cuts, .. } = *orders.borrow_and_update();
        let reset = |page: TcpStream| {
            // Closing is a reset then.
            let _ = page.set_zero_linger();
        };
        if mode == Mode::Refuse {
            return reset(page);
        }
        let Ok(mut gateway) = TcpStream::connect(&self.host).await else { return };
        let (page_reads, page_writes) = page.split();
        let (gateway_reads, gateway_writes) = gateway.split();
        let (polls, is_poll) = watch::channel(false);
        tokio::select! {
            () = self.requests(page_reads, gateway_writes, &polls) => return,
            () = self.answers(gateway_reads, page_writes, &is_poll) => return,
            _ = orders.wait_for(|now| now.cuts > cuts || now.unnoticed_cuts > unnoticed_cuts) => {}
        }
        reset(page);
        let mut nowhere = sink();
        tokio::select! {
            _ = orders.wait_for(|now| now.cuts > cuts) => {}
            _ = copy(&mut gateway, &mut nowhere) => {}
        }
    }

    /// Carries requests. A browser begins each in a segment of its own.
    async fn requests(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        is_poll: &watch::Sender<bool>,
    ) {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..length];
            let polls = bytes.starts_with(b"GET ");
            is_poll.send_replace(polls);
            self.while_stalled().await;
            if to.write_all(bytes).await.is_err() {
                return;
            }
            if polls {
                let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
                self.polled.send_modify(|poll| {
                    *poll = Poll { number: poll.number + 1, line: line.to_owned() };
                });
            }
        }
    }

    async fn answers(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        is_poll: &watch::Receiver<bool>,
    ) {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            self.while_stalled().await;
            let allowed = if *is_poll.borrow() { self.allowed() } else { None };
            let bytes = &buffer[..length.min(allowed.unwrap_or(length))];
            if to.write_all(bytes).await.is_err() {
                return;
            }
            if allowed.is_some() {
                // In order, since a reset throws away what the page has not read yet.
                return;
            }
        }
    }

    /// How much of this poll's answer may pass, if it is the one to break off.
    fn allowed(&self) -> Option<usize> {
        let mut allowed = None;
        self.orders.send_if_modified(|orders| {
            allowed = orders.break_poll_after.take();
            allowed.is_some()
        });
        allowed
    }

    async fn while_stalled(&self) {
        let mut orders = self.orders.subscribe();
        let _ = orders.wait_for(|orders| orders.mode != Mode::Stall).await;
    }
}
