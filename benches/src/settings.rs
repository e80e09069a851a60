//! Settings from the environment.

use std::env;
use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};

/// The number of rounds: `VIDEORTC_BENCH_ROUNDS`.
pub(crate) fn rounds(usual: usize) -> Result<usize> {
    match env::var("VIDEORTC_BENCH_ROUNDS") {
        Ok(text) => number(&text),
        Err(_) => Ok(usual),
    }
}

/// The round-trip times of the relay, in ms, separated by commas: `VIDEORTC_BENCH_ROUND_TRIPS`.
pub(crate) fn round_trips() -> Result<Vec<Duration>> {
    let text = env::var("VIDEORTC_BENCH_ROUND_TRIPS");
    let text = text.unwrap_or_else(|_| "0,50,100,200".to_owned());
    text.split(',').map(|one| Ok(Duration::from_millis(number(one)?))).collect()
}

/// The first of the requested [`round_trips`], or this default in milliseconds.
pub(crate) fn round_trip(usual: u64) -> Result<Duration> {
    let is_asked = env::var_os("VIDEORTC_BENCH_ROUND_TRIPS").is_some();
    let asked = if is_asked { round_trips()?.first().copied() } else { None };
    Ok(asked.unwrap_or(Duration::from_millis(usual)))
}

/// Another build of this library's script to compare with, in place of janus.js:
/// `VIDEORTC_BASELINE`.
pub(crate) fn baseline() -> Option<OsString> {
    env::var_os("VIDEORTC_BASELINE")
}

/// The duration of the idle measurements, in seconds: `VIDEORTC_BENCH_SECONDS`.
pub(crate) fn seconds(usual: u64) -> Result<u64> {
    match env::var("VIDEORTC_BENCH_SECONDS") {
        Ok(text) => number(&text),
        Err(_) => Ok(usual),
    }
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Result<T> {
    text.trim().parse().with_context(|| format!("`{text}` is not a whole number"))
}
