//! The memory of a process, and its peak during an operation (Linux, procfs).

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

/// The private memory of the pages' processes, in MiB: of all renderers that this program's drivers
/// have started.
pub(crate) fn renderers() -> Result<f64> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // The process may have ended meanwhile.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The program's name may contain anything; after its closing bracket come the state and the
        // parent.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        parents.extend(parent.map(|parent: u32| (pid, parent)));
    }
    let parent_of =
        |pid| parents.iter().find(|&&(child, _)| child == pid).map(|&(_, parent)| parent);
    let own = std::process::id();
    let mut total = 0.0;
    for &(pid, _) in &parents {
        let is_own = std::iter::successors(Some(pid), |&pid| parent_of(pid)).any(|pid| pid == own);
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if is_own && command.contains("--type=renderer") {
            total += private(pid).unwrap_or(0.0);
        }
    }
    Ok(total)
}

fn private(pid: u32) -> Result<f64> {
    let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let lines = sums.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Ok(kilobytes.sum::<f64>() / 1024.0)
}

/// Samples a process repeatedly until it is stopped.
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

    /// The maximum growth in MiB.
    pub(crate) fn growth(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        (self.most.load(Ordering::Relaxed) as f64 / 1024.0 - self.start).max(0.0)
    }
}
