//! How much memory a process holds, and the most that it held while something went on (Linux, procfs).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// The resident memory of a process, in MiB.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("the gateway is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}

/// Looks at a process again and again until it is asked.
#[derive(Debug)]
pub(crate) struct Watch {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    start: f64,
}

impl Watch {
    pub(crate) fn start(pid: u32) -> Result<Self> {
        let start = resident(pid)?;
        let (most, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, stopped) = (Arc::clone(&most), Arc::clone(&stop));
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let now = resident(pid).unwrap_or(0.0);
                seen.fetch_max((now * 1024.0) as u64, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(50));
            }
        });
        Ok(Self { most, stop, start })
    }

    /// By how many MiB it grew at most.
    pub(crate) fn growth(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        (self.most.load(Ordering::Relaxed) as f64 / 1024.0 - self.start).max(0.0)
    }
}
